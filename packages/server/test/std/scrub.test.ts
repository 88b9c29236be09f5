// What a log line may hold: secrets are replaced wherever they stand, facts stay as they are.

import { describe, expect, test } from "vitest";
import type { LogFields, Logger } from "../../src/std/logger.ts";
import { safeLogger, scrubFields, scrubText } from "../../src/std/scrub.ts";

describe("text", () => {
  test.each([
    ["key sbx_abc123_0123456789abcdef is bad", "key [redacted] is bad"],
    ["sba_Zm9v and sbc_YmFy", "[redacted] and [redacted]"],
    [
      "GET /v1/approval-links/sbl_01h4_01h5_Zm9v failed",
      "GET /v1/approval-links/[redacted] failed",
    ],
    ["login#sbl_abc123_Zm9v, session sbs_abc123_YmFy", "login#[redacted], session [redacted]"],
    ["Authorization: Bearer abcdef0123456789", "Authorization: Bearer [redacted]"],
    ["postgres://me:pa55@db:5432/x", "postgres://[redacted]@db:5432/x"],
    ["postgres://me:a/b@db/x", "postgres://[redacted]@db/x"],
    ["https://h/cb?token=abc&run=7", "https://h/cb?token=[redacted]&run=7"],
    ["https://h/cb?access_token=abc#x", "https://h/cb?access_token=[redacted]"],
    ['{"password": "hunter2", "n": 1}', '{"password": "[redacted]", "n": 1}'],
    ["PGPASSWORD=hunter2 psql", "PGPASSWORD=[redacted] psql"],
    ["signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed with [redacted]"],
    ["sk-ant-api03-abcdef and ghp_abcdef0123", "[redacted] and [redacted]"],
    ["eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl", "[redacted]"],
  ])("%s", (text, expected) => {
    expect(scrubText(text)).toBe(expected);
  });

  test.each([
    "key:9f3a1c",
    "run_01h455vb4pex5vsknk084sn02q",
    "req_01h455vb4pex5vsknk084sn02q",
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "POST /v1/runs/:id/complete",
    "stale_fencing_token",
    "https://example.org/a?limit=5",
  ])("%s stays", (text) => {
    expect(scrubText(text)).toBe(text);
  });

  test("is bounded, and a megabyte of hostile text takes no longer than its beginning", () => {
    for (const hostile of ["a=", "://", "-----BEGIN PRIVATE KEY", "token ", 'key"', "bearer "]) {
      expect(scrubText(hostile.repeat(1_000_000 / hostile.length)).length).toBeLessThanOrEqual(
        2000,
      );
    }
  });
});

describe("fields", () => {
  test("named after a secret are replaced whole, at any depth; similar names stay", () => {
    const fields = {
      authorization: "x",
      headers: { cookie: "a=b", accept: "*/*" },
      keys: [{ attempt_key: "y", prefix: "p" }],
      database_url: "z",
      fencing_token: 3,
      idempotency_key: "k-1",
      key: null,
    };
    expect(scrubFields(fields)).toEqual({
      authorization: "[redacted]",
      headers: { cookie: "[redacted]", accept: "*/*" },
      keys: [{ attempt_key: "[redacted]", prefix: "p" }],
      database_url: "[redacted]",
      fencing_token: 3,
      idempotency_key: "k-1",
      key: null,
    });
  });

  test("of an error stay name, code, message and places; rows of the database do not", () => {
    const error = Object.assign(new Error("duplicate key"), {
      code: "23505",
      detail: "Key (name)=(canary) already exists.",
      where: "canary",
      parameters: ["canary"],
      cause: new Error("at postgres://u:canary@h/d"),
    });
    const { err } = scrubFields({ err: error }) as { err: Record<string, unknown> };
    expect(err).toMatchObject({ type: "Error", message: "duplicate key", code: "23505" });
    expect(String(err["stack"])).toContain("scrub.test.ts");
    expect(JSON.stringify(err)).not.toContain("canary");
  });

  test("a message in which the database quotes a value is left out, its code stays", () => {
    const error = Object.assign(new Error('invalid input for type json: "canary"'), {
      code: "22P02",
    });
    const { err } = scrubFields({ err: error }) as { err: Record<string, unknown> };
    expect(err["code"]).toBe("22P02");
    expect(JSON.stringify(err)).not.toContain("canary");
  });

  test("that go round in circles, or are huge, end", () => {
    const circle: { self?: unknown; many: number[] } = {
      many: Array.from({ length: 999 }, () => 1),
    };
    circle.self = circle;
    const text = JSON.stringify(scrubFields(circle));
    expect(text).toContain("[deeper]");
    expect(text.length).toBeLessThan(2000);
  });
});

test("a logger of somebody else gets scrubbed lines; one that scrubs itself is left alone", () => {
  const lines: [LogFields, string][] = [];
  const line = (fields: LogFields, message: string): void => void lines.push([fields, message]);
  const theirs: Logger = { debug: line, info: line, warn: line, error: line };
  const safe = safeLogger(theirs);
  safe.warn({ token: "canary" }, "with sbx_canary_canary");
  expect(lines).toEqual([[{ token: "[redacted]" }, "with [redacted]"]]);
  expect(safeLogger(safe)).toBe(safe);
});

test("debug lines that nobody wants are not put together", () => {
  const never = (): never => {
    throw new Error("it was");
  };
  const quiet: Logger = { debug: never, info: never, warn: never, error: never, debugging: false };
  safeLogger(quiet).debug(
    {
      get costly() {
        return never();
      },
    },
    "m",
  );
});
