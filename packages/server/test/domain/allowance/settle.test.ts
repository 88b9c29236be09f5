// What is booked by usage, by the end of an attempt, and what a child takes over from its parent.
import { describe, expect, test } from "vitest";
import type { AllowanceMetric, AllowanceMode } from "../../../src/domain/allowance/allowance.ts";
import type { AttemptOutcome, Booking } from "../../../src/domain/allowance/settle.ts";
import { charge, drawFromParent, settle, weightOf } from "../../../src/domain/allowance/settle.ts";
import { attemptCauses } from "../../../src/domain/machine.ts";
import { rows } from "./subjects.ts";

const MOST = Number.MAX_SAFE_INTEGER;
const end = (cause: AttemptOutcome["cause"], by: AttemptOutcome["by"] = "other") => ({
  cause,
  counted: true,
  by,
});
const tokens = { metric: "tokens", mode: "hard" } as const;

/** `70/30` as what is left and charged. */
function reservation(text = ""): { left: number; charged: number } {
  const [left = Number.NaN, charged = Number.NaN] = text.split("/").map(Number);
  return { left, charged };
}

/** A booking as the tables write it: what the reservation is, what the allowance changes by. */
function written({ left, charged, reserved, spent, refund }: Booking): Record<string, string> {
  return {
    is: `${left}/${charged}`,
    reserved: String(reserved),
    spent: String(spent),
    ...(refund === 0 ? {} : { refund: String(refund) }),
  };
}

describe("what a usage weighs", () => {
  const usage = {
    inputTokens: 1000,
    outputTokens: 200,
    cacheReadInputTokens: 50_000,
    reasoningOutputTokens: 90,
    costMicros: 4200,
    steps: 3,
  };

  test.each<[AllowanceMetric, number]>([
    ["tokens", 1200],
    ["cost_micros", 4200],
    ["runs", 0],
    ["concurrent_runs", 0],
  ])("%s: %d", (metric, weight) => {
    expect(weightOf(metric, usage)).toBe(weight);
    expect(weightOf(metric, {})).toBe(0);
  });

  test("what was not reported weighs nothing, and sums stop at the largest amount", () => {
    expect(weightOf("tokens", { outputTokens: 7, costMicros: 1 })).toBe(7);
    expect(weightOf("tokens", { inputTokens: MOST, outputTokens: MOST })).toBe(MOST);
  });
});

describe("usage moves from reserved to spent (left/charged)", () => {
  test.each(
    rows(`
      was    | amount | is    | reserved | spent | as
      100/0  | 30     | 70/30 | -30      | 30    | it was set aside
      70/30  | 70     | 0/100 | -70      | 70    | it is just what is left
      70/30  | 90     | 0/120 | -70      | 90    | the rest of it is spent all the same
      0/120  | 5      | 0/125 | 0        | 5     | nothing is left: of the last, or late
      100/0  | 0      | 100/0 | 0        | 0     | nothing was used
    `),
  )("$was, $amount more: $is, for $as", ({ was, amount, is, reserved, spent }) => {
    expect(written(charge(reservation(was), Number(amount)))).toEqual({
      is,
      reserved,
      spent,
    });
  });

  test("what is charged stops at the largest amount, and spent changes by as much", () => {
    const full = charge({ left: 5, charged: MOST - 10 }, MOST);
    expect(full).toEqual({ left: 0, charged: MOST, reserved: -5, spent: 10, refund: 0 });
    expect(charge(full, 1)).toMatchObject({ charged: MOST, spent: 0 });
  });
});

describe("the end charges the last usage and releases the rest", () => {
  test.each(
    rows(`
      was    | amount | is    | reserved | spent | as
      100/30 | 20     | 0/50  | -100     | 20    | 80 are released
      100/30 | 0      | 0/30  | -100     | 0     | all is released
      100/30 | 300    | 0/330 | -100     | 300   | it took more than it had set aside
      0/30   | 0      | 0/30  | 0        | 0     | nothing is left to release
    `),
  )("$was, $amount at the end: $is, $as", ({ was, amount, is, reserved, spent }) => {
    for (const metric of ["tokens", "cost_micros"] as const) {
      const how = { amount: Number(amount), outcome: end("completed") };
      const booking = settle({ metric, mode: "hard" }, reservation(was), how);
      expect(written(booking)).toEqual({ is, reserved, spent });
    }
  });

  test("of runs it charges 1 if the attempt counted, whatever was used", () => {
    const runs = { metric: "runs", mode: "hard" } as const;
    const settled = (counted: boolean) =>
      settle(runs, { left: 1, charged: 0 }, { amount: 99, outcome: { ...end("error"), counted } });
    expect(settled(true)).toEqual({ left: 0, charged: 1, reserved: -1, spent: 1, refund: 0 });
    expect(settled(false)).toEqual({ left: 0, charged: 0, reserved: -1, spent: 0, refund: 0 });
  });

  test("of concurrent runs nothing is booked", () => {
    const concurrent = { metric: "concurrent_runs", mode: "hard" } as const;
    const outcome = end("completed");
    expect(settle(concurrent, { left: 0, charged: 0 }, { amount: 99, outcome })).toEqual({
      left: 0,
      charged: 0,
      reserved: 0,
      spent: 0,
      refund: 0,
    });
  });
});

describe("what is refunded of 101 tokens", () => {
  /** All other causes give back nothing. */
  const given = rows(`
    cause  | by       | refund
    cancel | operator | 101
    kill   | operator | 101
    error  | operator | 50
    error  | other    | 50
  `);
  const refunded = (cause: string, by: string): number =>
    Number(given.find((row) => row["cause"] === cause && row["by"] === by)?.["refund"] ?? 0);
  const everyEnd = attemptCauses.flatMap((cause) =>
    (["operator", "other"] as const).map((by) => ({ cause, by, refund: refunded(cause, by) })),
  );

  test("the table is of causes there are", () => {
    expect(everyEnd.filter(({ refund }) => refund > 0)).toHaveLength(given.length);
    expect(everyEnd.length).toBeGreaterThan(30);
  });

  test.each(everyEnd)("$cause by $by: $refund", ({ cause, by, refund }) => {
    const how = { amount: 10, outcome: end(cause, by) };
    const booking = settle(tokens, { left: 20, charged: 91 }, how);
    expect(booking).toEqual({ left: 0, charged: 101, reserved: -20, spent: 10 - refund, refund });
    expect(settle({ ...tokens, mode: "soft" }, { left: 20, charged: 91 }, how)).toEqual(booking);
  });

  test.each<[string, AllowanceMetric, AllowanceMode]>([
    ["tokens in kill mode", "tokens", "kill"],
    ["money", "cost_micros", "hard"],
    ["money in kill mode", "cost_micros", "kill"],
    ["runs", "runs", "hard"],
  ])("of %s nothing, whatever the cause", (_, metric, mode) => {
    for (const { cause, by } of everyEnd) {
      const how = { amount: 10, outcome: end(cause, by) };
      expect(settle({ metric, mode }, { left: 20, charged: 91 }, how).refund).toBe(0);
    }
  });

  test("usage that comes late is charged in full: the refund was made by the end", () => {
    const ended = settle(
      tokens,
      { left: 100, charged: 0 },
      {
        amount: 60,
        outcome: end("cancel", "operator"),
      },
    );
    expect(charge(ended, 40)).toEqual({ left: 0, charged: 100, reserved: 0, spent: 40, refund: 0 });
  });
});

describe("a child takes what its parent has left", () => {
  test.each(
    rows(`
      left | reserve | drawn
      100  | 30      | 30
      100  | 100     | 100
      100  | 130     | 100
      0    | 30      | 0
      100  | 0       | 0
    `),
  )("$reserve of $left: $drawn", ({ left, reserve, drawn }) => {
    expect(drawFromParent(Number(left), Number(reserve))).toBe(Number(drawn));
  });
});
