// The limit parser: who is stopped, why, until when; and who is not.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type LimitVerdict, parseLimit } from "../../../src/domain/limit-notice/parse-limit.ts";
import { type Case, noRefusals, NOW, refusals } from "./cases.ts";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const corpus = path("../../../../../../shared/ratelimits");
const hasCorpus = existsSync(join(corpus, "score.mjs")) && existsSync(join(corpus, "dev.jsonl"));

function read(one: Omit<Case, "reason">): LimitVerdict {
  return parseLimit({
    now: one.now ?? NOW,
    status: one.status ?? null,
    headers: one.headers ?? {},
    message: one.message ?? "",
    ...(one.zone !== undefined && { local_zone: one.zone }),
    ...(one.provider !== undefined && { provider: one.provider }),
  });
}

describe("refusals", () => {
  test.each(refusals)("$says: $reason", (one) => {
    const { reason, recovery_at, model } = read(one);
    expect([one.reason, ...(one.or ?? [])]).toContain(reason);
    expect(model).toBe(one.model);
    if (one.at === undefined && one.wait === undefined) expect(recovery_at).toBeNull();
    else {
      const wanted =
        one.at === undefined
          ? Date.parse(one.now ?? NOW) + (one.wait ?? 0) * 1000
          : Date.parse(one.at);
      expect(recovery_at).not.toBeNull();
      // Sources of one answer differ by the time it took, below a second.
      expect(Math.abs(Date.parse(recovery_at ?? "") - wanted)).toBeLessThan(1000);
    }
  });
});

describe("no refusals", () => {
  test.each(noRefusals)("$says", (one) => {
    expect(read(one)).toMatchObject({ reason: "none", recovery_at: null });
  });
});

describe("what a verdict says", () => {
  const limited = { now: NOW, message: "Usage limit reached, try again in 10 minutes" };

  test("waits and clocks count from when the text was written, not from now", () => {
    const early = { ...limited, observed_at: "2026-10-14T09:00:00Z" };
    expect(parseLimit(early).recovery_at).toBe("2026-10-14T09:10:00.000Z");
    const future = { ...limited, observed_at: "2026-10-15T00:00:00Z" };
    expect(parseLimit(future).recovery_at).toBe("2026-10-14T09:40:00.000Z");
  });

  test("a clock without a zone is less sure than one with a zone", () => {
    const bare = parseLimit({ now: NOW, message: "Usage limit reached, resets 5pm" });
    const zoned = parseLimit({ now: NOW, message: "Usage limit reached, resets 5pm (UTC)" });
    expect(bare.recovery_at).toBe(zoned.recovery_at);
    expect(bare.confidence).toBeLessThan(zoned.confidence);
  });

  test("the rules that concluded it are named: of the reason, then of the time", () => {
    expect(parseLimit(limited).rule).toBe("limit-used-up, retry duration");
    expect(parseLimit({ now: NOW, status: 429, headers: { "retry-after": "3" } }).rule).toBe(
      "status-429, retry-after",
    );
  });

  test("a limit that names its model closes that model, money closes the account", () => {
    const model = "Rate limit reached for `nova-9` in organization org-1";
    expect(parseLimit({ now: NOW, message: model })).toMatchObject({
      scope: "model",
      model: "nova-9",
    });
    const unnamed = "You have exhausted your capacity on this model.";
    expect(parseLimit({ now: NOW, message: unnamed })).toMatchObject({ scope: "model" });
    expect(parseLimit({ now: NOW, message: unnamed })).not.toHaveProperty("model");
    const money = "Insufficient credits for model nova-9";
    expect(parseLimit({ now: NOW, message: money })).toMatchObject({ scope: "account" });
  });

  test.each([
    ["far beyond any window: no time", { "retry-after": "99999999" }, null],
    ["before now: at once", { "retry-after": "Wed, 14 Oct 2026 09:00:00 GMT" }, "09:00:00"],
    ["neither number nor date: no time", { "retry-after": "soon" }, null],
    ["negative: no time", { "retry-after": "-5" }, null],
  ])("a time %s", (_, headers, clock) => {
    const wanted = clock === null ? null : `2026-10-14T${clock}.000Z`;
    const verdict = parseLimit({ now: NOW, status: 429, headers });
    expect(verdict).toMatchObject({ reason: "rate_limit", recovery_at: wanted });
  });
});

/** Examples in docstrings: `@example` and a line `expression; // value`. */
test("the examples of the docstrings hold", async () => {
  const folder = path("../../../src/domain/limit-notice");
  const files = readdirSync(folder).map((file) => join(folder, file));
  const modules = await Promise.all(files.map((file) => import(file) as Promise<object>));
  const scope: Record<string, unknown> = Object.assign({}, ...modules);
  const run = (what: string): unknown =>
    // oxlint-disable-next-line typescript/no-implied-eval -- examples of our own sources
    new Function(...Object.keys(scope), `return (${what})`)(...Object.values(scope));
  const held: string[] = [];
  for (const file of files) {
    const examples = readFileSync(file, "utf8").matchAll(/@example\n \* (.+);(?: \/\/ (.+))?\n/g);
    for (const [, code = "", value = "undefined"] of examples) {
      expect(run(code), code).toEqual(run(value));
      held.push(code);
    }
  }
  expect(held.length).toBeGreaterThan(8);
});

// The corpus is not part of the repository: without it there is nothing to score.
describe.skipIf(!hasCorpus)(
  `the corpus beside the repository${hasCorpus ? "" : " is absent"}`,
  () => {
    test("meets its bars: reason and time at 97 %, at most one false alarm of 40", () => {
      const args = [
        join(corpus, "score.mjs"),
        path("fixtures/scored.mjs"),
        "--set",
        join(corpus, "dev.jsonl"),
        "--json",
      ];
      const { counts } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as {
        counts: Record<"reason" | "hint" | "negatives", { n: number; ok: number }>;
      };
      expect(counts.reason.ok / counts.reason.n).toBeGreaterThanOrEqual(0.97);
      expect(counts.hint.ok / counts.hint.n).toBeGreaterThanOrEqual(0.97);
      expect(counts.negatives.n - counts.negatives.ok).toBeLessThanOrEqual(1);
      expect(counts).toMatchObject({ crashes: 0, odd: 0 });
    });
  },
);
