// Order and waiting: ranks, backoff, what time does to a run.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffMs } from "../../src/domain/backoff.ts";
import { dueAt, dueCommand, timeLeftMs } from "../../src/domain/due.ts";
import { defaultBackoff, limits } from "../../src/domain/limits.ts";
import { isCriticalRank, rank } from "../../src/domain/rank.ts";
import type { LeasedRun } from "../../src/domain/run.ts";
import { after, commands, must, pending, runIn, START } from "./runs.ts";

const instant = fc.integer({ min: 0, max: Date.UTC(3000, 0, 1) });
const priority = fc.integer({ min: 0, max: 99 });
const ordinary = fc.integer({ min: 0, max: 79 });
const critical = fc.integer({ min: 80, max: 99 });

describe("rank", () => {
  test("critical runs stand before all others, however old those are", () => {
    fc.assert(
      fc.property(instant, critical, instant, ordinary, (a, high, b, low) => {
        expect(rank(a, high)).toBeLessThan(rank(b, low));
        expect([isCriticalRank(rank(a, high)), isCriticalRank(rank(b, low))]).toEqual([
          true,
          false,
        ]);
      }),
    );
  });

  test("below critical a point is worth 15 minutes: nothing starves (I-37)", () => {
    expect(limits.ageingMsPerPoint).toBe(900_000);
    fc.assert(
      fc.property(
        instant,
        ordinary,
        ordinary,
        fc.integer({ min: 1, max: 1e9 }),
        (at, p, q, more) => {
          const muchLater = at + Math.max(0, q - p) * 900_000 + more;
          expect(rank(at, p)).toBeLessThan(rank(muchLater, q));
        },
      ),
    );
    expect(rank(START, 20)).toBe(rank(START + 20 * 900_000, 40));
  });

  test("of two of the same age the higher priority goes first, of two of a kind the older", () => {
    fc.assert(
      fc.property(instant, priority, priority, (at, p, q) => {
        expect(Math.sign(rank(at, p) - rank(at, q))).toBe(Math.sign(q - p));
        expect(rank(at, p)).toBeLessThan(rank(at + 1, p));
      }),
    );
  });

  test("fits a bigint column and a double exactly", () => {
    fc.assert(
      fc.property(instant, priority, (at, p) => {
        expect(Number.isSafeInteger(rank(at, p))).toBe(true);
      }),
    );
  });
});

const backoff = fc.record({
  baseMs: fc.integer({ min: 0, max: 86_400_000 }),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  capMs: fc.integer({ min: 0, max: 86_400_000 }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempt = fc.oneof(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 1_000_000 }));

describe("backoff (F-28)", () => {
  test("is 5 s, 10 s, 20 s … 15 min by default", () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 400].map((n) => backoffMs(defaultBackoff, n, 0.5));
    expect(waits.map((ms) => ms / 1000)).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
  });

  test("is a whole number between 0 and the cap, for any attempt", () => {
    fc.assert(
      fc.property(backoff, attempt, random, (how, n, r) => {
        const wait = backoffMs(how, n, r);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(how.capMs);
      }),
      { numRuns: 2000 },
    );
  });

  test("grows with the attempt and reaches the cap when there is growth at all", () => {
    fc.assert(
      fc.property(backoff, attempt, (how, n) => {
        const still = { ...how, jitter: 0 };
        expect(backoffMs(still, n, 0)).toBeLessThanOrEqual(backoffMs(still, n + 1, 0));
        if (how.baseMs > 0 && how.factor >= 1.1) {
          expect(backoffMs(still, 400, 0)).toBe(how.capMs);
        }
      }),
    );
  });

  test("is spread by the jitter in both directions", () => {
    expect([0, 0.5, 0.999999].map((r) => backoffMs(defaultBackoff, 1, r))).toEqual([
      4000, 5000, 6000,
    ]);
  });
});

describe("what time does", () => {
  const leased = (parts = {}) => ({ ...runIn("running"), ...parts }) as LeasedRun;

  test.each([
    ["a lease", leased(), 60_000, "expire"],
    ["max_duration", leased({ maxDurationMs: 20_000 }), 20_000, "time_out"],
    ["a deadline", leased({ deadlineAt: after(7000).at }), 7000, "time_out"],
    ["a cancel's grace", leased({ cancelRequestedAt: START }), 30_000, "cancel_overdue"],
    ["a time to begin", pending({ notBefore: after(9000).at }), 9000, "release_held"],
    ["a pending run's deadline", pending({ deadlineAt: after(9000).at }), 9000, "time_out"],
  ] as const)("%s is due at its instant and not before", (_, run, ms, kind) => {
    expect(dueAt(run)).toBe(after(ms).at);
    expect(dueCommand(run, after(ms - 1).at, false)).toBeNull();
    expect(dueCommand(run, after(ms).at, false)).toMatchObject({ kind });
  });

  test("a deadline goes before everything else that is due", () => {
    const run = leased({
      deadlineAt: after(1000).at,
      maxDurationMs: 1,
      cancelRequestedAt: START - 60_000,
    });
    expect(dueCommand(run, after(99_000).at, false)).toEqual({
      kind: "time_out",
      what: "deadline",
    });
  });

  test("what is due can be done: no due instant leads to a refusal", () => {
    for (const phase of ["pending", "claimed", "running", "waiting_tool"] as const) {
      const run = { ...runIn(phase), deadlineAt: after(1).at };
      const command = dueCommand(run, after(5).at, false);
      expect(command).not.toBeNull();
      if (command !== null) expect(must(run, command, after(5)).run.phase).toBe("timeout");
    }
  });

  test("nothing is due of an ended run, nor of one that only waits for others", () => {
    expect(dueAt(runIn("completed"))).toBeNull();
    expect(dueAt(pending({}, 1))).toBeNull();
    expect(dueAt(runIn("waiting_approval_suspended"))).toBeNull();
  });

  test("the time left is the nearer of deadline and duration, never below 0", () => {
    expect(timeLeftMs(leased(), START)).toBeNull();
    const both = leased({ deadlineAt: after(9000).at, maxDurationMs: 4000 });
    expect(timeLeftMs(both, after(1000).at)).toBe(3000);
    expect(timeLeftMs(both, after(10_000).at)).toBe(0);
  });

  test("a renewal runs from now, with the claim's length unless it asks for another", () => {
    const run = runIn("running");
    expect(must(run, commands.renew, after(50_000)).run.lease?.expiresAt).toBe(after(110_000).at);
    const shorter = must(run, { kind: "renew", leaseMs: 2000 }, after(50_000)).run;
    expect(shorter.lease).toEqual({ expiresAt: after(52_000).at, leaseMs: 2000 });
    expect(must(shorter, commands.renew, after(51_000)).run.lease?.expiresAt).toBe(
      after(53_000).at,
    );
  });

  test("an outage extends a lease by its length, at most by one lease", () => {
    const run = runIn("running");
    const extended = (ms: number, byMs: number) =>
      must(run, { kind: "extend", byMs }, after(ms)).run.lease?.expiresAt;
    expect(extended(59_000, 30_000)).toBe(after(89_000).at);
    expect(extended(59_000, 500_000)).toBe(after(119_000).at);
    expect(extended(0, 10)).toBe(after(60_000).at);
  });
});
