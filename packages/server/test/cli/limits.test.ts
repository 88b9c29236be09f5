// `limits parse`: JSON lines in, JSON lines out, one for one.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noRefusals, NOW, refusals } from "../domain/limit-notice/cases.ts";
import { Sandbox } from "./command.ts";

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await Sandbox.open();
});
afterEach(() => sandbox.close());

type Answer = {
  reason?: string;
  recovery_at?: string | null;
  error?: { code: string; line: number; message: string };
};

async function parse(input: string): Promise<{ code: number | null; answers: Answer[] }> {
  const { code, stdout } = await sandbox.run(["limits", "parse"], { input });
  const lines = stdout.split("\n");
  expect(lines.pop()).toBe("");
  return { code, answers: lines.map((line) => JSON.parse(line) as Answer) };
}

describe("limits parse", () => {
  test("answers each line by one, in order", async () => {
    const cases = [...refusals, ...noRefusals.map((one) => ({ ...one, reason: "none" as const }))];
    const lines = cases.map(({ message, status, headers, provider, zone, now }) =>
      JSON.stringify({ now: now ?? NOW, local_zone: zone, status, headers, message, provider }),
    );
    const { code, answers } = await parse(`${lines.join("\n")}\n`);
    expect(code).toBe(0);
    expect(answers).toHaveLength(cases.length);
    for (const [n, { says, reason, or = [] }] of cases.entries()) {
      expect([reason, ...or], says).toContain(answers[n]?.reason);
    }
  });

  test("a line that cannot be read is answered by an error, others go on: exit 65", async () => {
    const good = JSON.stringify({ now: NOW, status: 429, headers: { "retry-after": "30" } });
    const bad = ["{", "", "42", "[]", "null", '{"text":"hello"}', '{"now":"soon","status":429}'];
    const { code, answers } = await parse([good, ...bad, good].join("\n"));
    expect(code).toBe(65);
    expect(answers).toHaveLength(bad.length + 2);
    const limited = { reason: "rate_limit", recovery_at: "2026-10-14T09:30:30.000Z" };
    expect([answers[0], answers.at(-1)]).toMatchObject([limited, limited]);
    const errors = answers.slice(1, -1).map(({ error }) => error);
    expect(errors.map((error) => error?.code)).toEqual(bad.map(() => "invalid_line"));
    expect(errors.map((error) => error?.line)).toEqual(bad.map((_, n) => n + 2));
    expect(errors.map((error) => error?.message.slice(0, 24))).toEqual([
      "line 2 is not JSON: Expe",
      "line 3 is empty",
      "line 4 must be an object",
      "line 5 must be an object",
      "line 6 must be an object",
      "line 7 has none of now, ",
      "line 8 now must be an in",
    ]);
  });

  test("other line breaks stay inside their line, and what is long is one line too", async () => {
    const odd = JSON.stringify({ now: NOW, message: "Usage limit reached\u2028try again in 5s\r" });
    const long = JSON.stringify({ now: NOW, message: `${"x ".repeat(1e6)}rate limit exceeded` });
    const { code, answers } = await parse(`${odd}\r\n${long}\n`);
    expect(code).toBe(0);
    expect(answers).toMatchObject([
      { reason: "quota", recovery_at: "2026-10-14T09:30:05.000Z" },
      { reason: "rate_limit", recovery_at: null },
    ]);
  });

  test("without `now` waits count from the present", async () => {
    const before = Date.now();
    const { answers } = await parse('{"status":429,"headers":{"retry-after":"3600"}}');
    const at = Date.parse(answers[0]?.recovery_at ?? "") - 3_600_000;
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
  });

  test("nothing in, nothing out", async () => {
    expect(await parse("")).toEqual({ code: 0, answers: [] });
  });
});
