// 80 % and 100 %: which step crosses which line.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crossed } from "../../../src/domain/allowance/warnings.ts";
import { rows } from "./subjects.ts";

const MOST = Number.MAX_SAFE_INTEGER;

describe("lines", () => {
  test.each(
    rows(`
      before | after | limit | crosses
      0      | 79    | 100   | -
      79     | 80    | 100   | warning
      0      | 80    | 100   | warning
      80     | 81    | 100   | -
      80     | 100   | 100   | -
      99     | 100   | 100   | -
      100    | 101   | 100   | exceeded
      101    | 102   | 100   | -
      0      | 101   | 100   | warning exceeded
      81     | 900   | 100   | exceeded
      0      | 0     | 100   | -
      90     | 10    | 100   | -
      101    | 100   | 100   | -
      0      | 0     | 0     | -
      0      | 1     | 0     | warning exceeded
      1      | 2     | 0     | -
      0      | 1     | 1     | warning
      1      | 2     | 1     | exceeded
      2      | 3     | 3     | warning
      3      | 4     | 4     | warning
      3      | 4     | 5     | warning
      4      | 5     | 6     | warning
    `),
  )("$before to $after of $limit: $crosses", ({ before, after, limit, crosses }) => {
    const found = crossed(Number(before), Number(after), Number(limit));
    const wanted = { warning: crosses?.includes("warning"), exceeded: crosses?.includes("exc") };
    expect(found).toEqual(wanted);
  });

  test("are exact where products of amounts are not", () => {
    const line = Number((BigInt(MOST) * 4n + 4n) / 5n);
    expect(crossed(line - 1, line, MOST).warning).toBe(true);
    expect(crossed(line - 2, line - 1, MOST).warning).toBe(false);
    expect(crossed(MOST - 1, MOST, MOST - 1).exceeded).toBe(true);
  });
});

test("going up, each line is told at exactly one step, in order", () => {
  const amount = fc.oneof(fc.nat(20), fc.maxSafeNat());
  fc.assert(
    fc.property(fc.array(amount, { minLength: 1 }), amount, (spent, limit) => {
      const levels = [0, ...spent.toSorted((a, b) => a - b)];
      const steps = levels.slice(1).map((after, n) => crossed(levels[n] ?? 0, after, limit));
      const last = BigInt(levels.at(-1) ?? 0);
      const warned = steps.filter(({ warning }) => warning).length;
      const exceeded = steps.filter((step) => step.exceeded).length;
      expect(warned).toBe(last > 0n && last * 100n >= BigInt(limit) * 80n ? 1 : 0);
      expect(exceeded).toBe(last > BigInt(limit) ? 1 : 0);
      const first = (which: "warning" | "exceeded"): number => steps.findIndex((s) => s[which]);
      if (exceeded > 0) expect(first("warning")).toBeLessThanOrEqual(first("exceeded"));
    }),
  );
});
