// What an attempt sets aside, whether it fits, why not, and in which order allowances are asked.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AllowanceMode } from "../../../src/domain/allowance/allowance.ts";
import { allowanceModes } from "../../../src/domain/allowance/allowance.ts";
import type { Expected } from "../../../src/domain/allowance/reserve.ts";
import {
  checkOrder,
  fits,
  medianOf,
  refusalReason,
  reserveOf,
} from "../../../src/domain/allowance/reserve.ts";
import { allowance, rows, spoken } from "./subjects.ts";

const MOST = Number.MAX_SAFE_INTEGER;
const nothing: Expected = { estimate: null, typicalTokens: null, typicalCost: null };
const amountOf = (text = ""): number | null => (text === "-" ? null : Number(text));

describe("what is set aside", () => {
  test.each(
    rows(`
      estimate | default | typical | reserve | because
      500      | 200     | 90      | 500     | the run says so
      0        | 200     | 90      | 0       | it says that it needs nothing
      -        | 200     | 90      | 200     | the allowance has a default
      -        | 0       | 90      | 0       | the default may be nothing
      -        | -       | 90      | 90      | that is typical
      -        | -       | 0       | 0       | nothing is typical
      -        | -       | -       | 1       | nothing is known
    `),
  )("$estimate, $default, $typical: $reserve, for $because", (row) => {
    const [estimate, defaultReserve] = [amountOf(row["estimate"]), amountOf(row["default"])];
    const typical = amountOf(row["typical"]);
    const reserve = amountOf(row["reserve"]);
    const tokens = allowance({ metric: "tokens", defaultReserve });
    const cost = allowance({ metric: "cost_micros", defaultReserve });
    expect(
      reserveOf(tokens, {
        estimate: estimate === null ? { costMicros: 7 } : { tokens: estimate },
        typicalTokens: typical,
        typicalCost: 8,
      }),
    ).toBe(reserve);
    expect(
      reserveOf(cost, {
        estimate: estimate === null ? { tokens: 7 } : { costMicros: estimate },
        typicalTokens: 8,
        typicalCost: typical,
      }),
    ).toBe(reserve);
  });

  test("of runs 1, of concurrent runs nothing, whatever is expected", () => {
    const given = { estimate: { tokens: 5, costMicros: 6 }, typicalTokens: 7, typicalCost: 8 };
    expect(reserveOf(allowance({ metric: "runs" }), given)).toBe(1);
    expect(reserveOf(allowance({ metric: "runs" }), nothing)).toBe(1);
    expect(reserveOf(allowance({ metric: "concurrent_runs" }), given)).toBe(0);
  });
});

describe("what is typical", () => {
  test.each([
    [[], null],
    [[7], 7],
    [[9, 1], 1],
    [[3, 1, 2], 2],
    [[100, 9, 20, 10], 10],
    [[0, 0, 0], 0],
    [[MOST, MOST], MOST],
  ])("of %j is %j: the lower median", (samples, median) => {
    expect(medianOf(samples)).toBe(median);
  });

  test("as many samples are at most it as are at least it, and it is one of them", () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 20 }), (samples) => {
        const median = medianOf(samples) ?? -1;
        expect(samples).toContain(median);
        const half = samples.length / 2;
        expect(samples.filter((one) => one <= median).length).toBeGreaterThanOrEqual(half);
        expect(samples.filter((one) => one < median).length).toBeLessThan(half);
      }),
    );
  });
});

describe("what fits", () => {
  test.each(
    rows(`
      metric          | mode | limit | spent | reserved | live | reserve | fits
      tokens          | hard | 1000  | 0     | 0        | 0    | 1000    | yes
      tokens          | hard | 1000  | 0     | 0        | 0    | 1001    | no
      tokens          | hard | 1000  | 600   | 300      | 1    | 100     | yes
      tokens          | hard | 1000  | 600   | 300      | 1    | 101     | no
      tokens          | hard | 1000  | 600   | 399      | 1    | 0       | yes
      tokens          | hard | 1000  | 600   | 400      | 1    | 0       | no
      tokens          | hard | 1000  | 1200  | 0        | 1    | 0       | no
      tokens          | hard | 1000  | 1200  | 0        | 1    | 1       | no
      tokens          | kill | 1000  | 600   | 300      | 1    | 101     | no
      tokens          | soft | 1000  | 9999  | 0        | 1    | 100     | yes
      tokens          | hard | 0     | 0     | 0        | 0    | 0       | no
      tokens          | hard | 0     | 0     | 0        | 0    | 1       | no
      tokens          | soft | 0     | 0     | 0        | 0    | 1       | yes
      cost_micros     | hard | 50    | 50    | 0        | 0    | 0       | no
      cost_micros     | hard | 50    | 49    | 0        | 0    | 0       | yes
      cost_micros     | kill | 50    | 49    | 0        | 0    | 1       | yes
      runs            | hard | 3     | 2     | 0        | 0    | 1       | yes
      runs            | hard | 3     | 2     | 1        | 1    | 1       | no
      runs            | hard | 3     | 3     | 0        | 0    | 1       | no
      runs            | soft | 3     | 3     | 0        | 0    | 1       | yes
      concurrent_runs | hard | 2     | 0     | 0        | 1    | 0       | yes
      concurrent_runs | hard | 2     | 0     | 0        | 2    | 0       | no
      concurrent_runs | hard | 2     | 9     | 9        | 0    | 0       | yes
      concurrent_runs | soft | 2     | 0     | 0        | 2    | 0       | yes
      concurrent_runs | hard | 0     | 0     | 0        | 0    | 0       | no
    `),
  )("$metric $mode $limit: $spent + $reserved, $live live, $reserve more: $fits", (row) => {
    const subject = spoken(`project ${row["metric"]} ${row["mode"]}`, {
      limit: Number(row["limit"]),
    });
    const [spent, reserved, live] = ["spent", "reserved", "live"].map((name) => Number(row[name]));
    const use = { spent: spent ?? 0, reserved: reserved ?? 0, live: live ?? 0 };
    expect(fits(subject, use, Number(row["reserve"]))).toBe(row["fits"] === "yes");
  });

  test("is exact for all amounts, where sums of them are not", () => {
    const amount = fc.oneof(
      fc.maxSafeNat(),
      fc.nat(3),
      fc.nat(3).map((less) => MOST - less),
    );
    fc.assert(
      fc.property(amount, amount, amount, amount, (limit, spent, reserved, reserve) => {
        const total = BigInt(spent) + BigInt(reserved) + BigInt(reserve);
        const room = reserve === 0 ? total < BigInt(limit) : total <= BigInt(limit);
        expect(fits(allowance({ limit }), { spent, reserved, live: 0 }, reserve)).toBe(room);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("why not", () => {
  test.each(
    rows(`
      words                                    | reason
      agent tokens hard day 00:00 UTC          | daily token limit exceeded
      project tokens hard hour 00:00 UTC       | hourly token limit exceeded
      account tokens kill week 00:00 UTC       | weekly token limit exceeded
      agent tokens hard month 00:00 UTC        | monthly token limit exceeded
      agent tokens hard rolling 5              | rolling 5 h token limit exceeded
      agent runs hard day 00:00 UTC            | daily job limit exceeded
      model runs hard rolling 24               | rolling 24 h job limit exceeded
      agent concurrent_runs hard               | concurrent job limit reached
      model concurrent_runs hard               | concurrent job limit reached
      model tokens hard day 00:00 UTC          | global model token budget exceeded
      model tokens kill rolling 5              | global model token budget exceeded
      project cost_micros hard month 00:00 UTC | cost limit exceeded
      model cost_micros hard rolling 5         | cost limit exceeded
    `),
  )("$words: $reason", ({ words, reason }) => {
    expect(refusalReason(spoken(words ?? ""))).toBe(reason);
  });
});

describe("the order in which they are asked", () => {
  const order = [
    "agent tokens hard",
    "agent runs hard",
    "agent concurrent_runs hard",
    "model tokens hard",
    "agent cost_micros hard",
  ].map((words, n) => spoken(words, { id: `${9 - n}` }));

  test("is tokens, runs, concurrency, model budget, cost, however they come", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(order, { minLength: order.length }), (given) => {
        expect(given.toSorted(checkOrder)).toEqual(order);
      }),
    );
  });

  test("among equals is that of their ids, whatever their scope and mode", () => {
    const same = ["1", "2", "3"].map((id) => allowance({ id }));
    fc.assert(
      fc.property(
        fc.shuffledSubarray(same, { minLength: 3 }),
        fc.constantFrom<AllowanceMode>(...allowanceModes),
        (given, mode) => {
          const mixed = given.map((one) => (one.id === "2" ? { ...one, mode } : one));
          expect(mixed.toSorted(checkOrder).map(({ id }) => id)).toEqual(["1", "2", "3"]);
        },
      ),
    );
    expect(checkOrder(allowance(), allowance())).toBe(0);
  });
});
