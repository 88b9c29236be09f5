// The two counters: the fencing token counts every claim, `attempts_used` those that cost.
// What is given back has a bound, so that no run is tried for ever for free.
import { describe, expect, test } from "vitest";
import { limits } from "../../src/domain/limits.ts";
import type { Run } from "../../src/domain/run.ts";
import type { CommandName } from "./runs.ts";
import { after, claimOf, must, pending, through } from "./runs.ts";

/** Claims and ends the attempt `times` times; waiting times are passed over. */
function rounds(run: Run, times: number, ...names: CommandName[]): Run {
  let now = run;
  for (let n = 0; n < times; n += 1) {
    if (now.phase !== "pending") return now;
    now = must({ ...now, held: 0 }, claimOf(now.fencingToken + 1), after(0)).run;
    now = through(now, ...names);
  }
  return now;
}

const counted = (run: Run): string => `${run.phase} ${run.attemptsUsed}/${run.fencingToken}`;

test("the claim itself costs, before anything else happens", () => {
  expect(counted(through(pending(), "claim"))).toBe("claimed 1/1");
});

describe.each([1, 3, 5])("max_attempts %i are attempts, not retries", (maxAttempts) => {
  test.each(["fail", "expire"] as const)("%s", (name) => {
    const before = rounds(pending({ maxAttempts }), maxAttempts - 1, name);
    expect(counted(before)).toBe(`pending ${maxAttempts - 1}/${maxAttempts - 1}`);
    const last = rounds(before, 1, name);
    expect(last).toMatchObject({
      phase: "failed",
      attemptsUsed: maxAttempts,
      fencingToken: maxAttempts,
      endCause: "attempts",
      deadLetteredAt: after(0).at,
    });
  });
});

test("the loss of the last attempt is E-RUN-002, its failure keeps its own error", () => {
  const lost = rounds(pending({ maxAttempts: 1 }), 1, "expire");
  expect(lost).toMatchObject({
    statusReason: "max attempts exceeded",
    ending: { error: { code: "E-RUN-002", message: "max attempts exceeded" } },
  });
  const failed = rounds(pending({ maxAttempts: 1 }), 1, "fail");
  expect(failed).toMatchObject({ ending: { error: { code: "boom" } } });
});

test("what is not retryable fails at once and is a dead letter too", () => {
  const failed = rounds(pending({ maxAttempts: 9 }), 1, "fail_for_good");
  expect(failed).toMatchObject({
    phase: "failed",
    attemptsUsed: 1,
    endCause: "error",
    deadLetteredAt: after(0).at,
  });
});

describe("release gives back ten times", () => {
  test("then it counts, and the last attempt is a dead letter", () => {
    expect(limits.releasesFree).toBe(10);
    const free = rounds(pending({ maxAttempts: 1 }), 10, "release");
    expect(counted(free)).toBe("pending 0/10");
    expect(free.notBefore).toBeNull();
    const over = rounds(free, 1, "release");
    expect(over).toMatchObject({ phase: "failed", attemptsUsed: 1, attemptEnd: "released" });
  });

  test("with attempts left it goes back with a backoff", () => {
    const eleventh = rounds(pending({ maxAttempts: 2 }), 11, "release");
    expect(counted(eleventh)).toBe("pending 1/11");
    expect(eleventh.notBefore).toBe(after(5000).at);
  });
});

test("an emergency stop never costs, however often, and uses up no release", () => {
  const stopped = rounds(pending({ maxAttempts: 1 }), 30, "release_stopped");
  expect(counted(stopped)).toBe("pending 0/30");
  expect(counted(rounds(stopped, 10, "release"))).toBe("pending 0/40");
});

test("a lease that ended while the house was away never costs", () => {
  expect(counted(rounds(pending({ maxAttempts: 1 }), 30, "expire_outage"))).toBe("pending 0/30");
});

describe("exhaust gives back; after twenty times the run is parked for an hour each time", () => {
  test("up to twenty it is claimable at once, or at the recovery the worker named", () => {
    expect(limits.exhaustionsFree).toBe(20);
    const twenty = rounds(pending({ maxAttempts: 1 }), 20, "exhaust");
    expect(counted(twenty)).toBe("pending 0/20");
    expect(twenty.held).toBe(0);
    const run = through(pending(), "claim");
    const named = must(run, { kind: "exhaust", notBefore: after(9000).at }, after(0)).run;
    expect(named.notBefore).toBe(after(9000).at);
  });

  test("then it waits for the recovery and an hour", () => {
    const twenty = through(rounds(pending({ maxAttempts: 1 }), 20, "exhaust"), "claim");
    expect(through(twenty, "exhaust").notBefore).toBe(after(3_600_000).at);
    const named = { kind: "exhaust", notBefore: after(5000).at } as const;
    expect(must(twenty, named, after(0)).run).toMatchObject({
      phase: "pending",
      attemptsUsed: 0,
      notBefore: after(3_605_000).at,
    });
  });
});

describe("a suspension for an approval gives back a hundred times", () => {
  const round = ["start", "await_suspended", "approve"] as const;

  test("then it counts", () => {
    expect(limits.suspensionsFree).toBe(100);
    const hundred = rounds(pending({ maxAttempts: 2 }), 100, ...round);
    expect(counted(hundred)).toBe("pending 0/100");
    expect(counted(rounds(hundred, 1, ...round))).toBe("pending 1/101");
  });

  test("and when it was the last attempt, the run is a dead letter: nobody could go on", () => {
    const hundred = rounds(pending({ maxAttempts: 1 }), 100, ...round);
    const over = through(hundred, "claim", "start", "await_suspended");
    expect(over).toMatchObject({
      phase: "failed",
      attemptsUsed: 1,
      statusReason: "max attempts exceeded",
    });
  });
});
