// What time does to a run: the one instant at which the house must look at it again, and what it
// then does. Promises: every state that can run out has such an instant (I-5); one column and one
// index serve expiry, deadline, duration, cancel grace and not-before.
// Leaves to others: finding due runs (`store/house`), deciding the command (`decide.ts`).

import type { RunCommand } from "./command.ts";
import { limits } from "./limits.ts";
import type { Instant, LeasedRun, Run } from "./run.ts";
import { HELD_NOT_DUE, isEnded, isLeased } from "./run.ts";

/** The next instant at which time changes this run; null when only events can. */
export function dueAt(run: Run): Instant | null {
  if (isEnded(run)) return null;
  const instants: Instant[] = [];
  if (run.deadlineAt !== null) instants.push(run.deadlineAt);
  if (isLeased(run)) {
    instants.push(run.lease.expiresAt);
    const end = durationEnd(run);
    if (end !== null) instants.push(end);
    if (run.cancelRequestedAt !== null) {
      instants.push(run.cancelRequestedAt + limits.cancelGraceMs);
    }
  } else if (run.held & HELD_NOT_DUE && run.notBefore !== null) {
    instants.push(run.notBefore);
  }
  return instants.length === 0 ? null : Math.min(...instants);
}

/**
 * What the house does with a run whose instant has come; null when it is not (or no longer) due.
 */
export function dueCommand(run: Run, at: Instant, outage: boolean): RunCommand | null {
  if (isEnded(run)) return null;
  if (run.deadlineAt !== null && run.deadlineAt <= at)
    return { kind: "time_out", what: "deadline" };
  if (isLeased(run)) {
    const end = durationEnd(run);
    if (end !== null && end <= at) return { kind: "time_out", what: "max_duration" };
    const asked = run.cancelRequestedAt;
    if (asked !== null && asked + limits.cancelGraceMs <= at) return { kind: "cancel_overdue" };
    return run.lease.expiresAt <= at ? { kind: "expire", outage } : null;
  }
  const waits = run.phase === "pending" && (run.held & HELD_NOT_DUE) !== 0;
  return waits && run.notBefore !== null && run.notBefore <= at
    ? { kind: "release_held", bits: HELD_NOT_DUE }
    : null;
}

/** When `max_duration` of the current attempt is over; counted from its claim. */
function durationEnd(run: LeasedRun): Instant | null {
  const most = Math.min(run.maxDurationMs ?? Infinity, run.durationCapMs ?? Infinity);
  return most === Infinity ? null : run.claimedAt + most;
}

/** Time left to the attempt in milliseconds, by deadline or duration; null when unlimited. */
export function timeLeftMs(run: LeasedRun, at: Instant): number | null {
  const ends = [run.deadlineAt, durationEnd(run)].filter((end) => end !== null);
  return ends.length === 0 ? null : Math.max(0, Math.min(...ends) - at);
}
