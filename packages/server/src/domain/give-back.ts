// Attempts that end without an outcome: released, lost, exhausted, suspended.
// Promises: each kind has its own bound on how often it costs nothing: 10 releases and 100
// suspensions, then they count; 20 exhaustions, then the run is parked for an hour each time. A
// stop and an outage of the house never cost. So no run is tried for ever for free (I-14, F-27).
// Leaves to others: failures (`ends.ts`), whether the command is allowed (`decide.ts`).

import type { Decision, Moment, RunCommand } from "./command.ts";
import type { AttemptEnd } from "./ends.ts";
import { attemptEndOf, requeue, retryOrFail } from "./ends.ts";
import type { Fact } from "./event.ts";
import { checkpointOf, moved } from "./facts.ts";
import { limits } from "./limits.ts";
import type { AttemptCause } from "./machine.ts";
import type { Json, LeasedRun } from "./run.ts";
import { toSuspended } from "./shape.ts";

type Of<K extends RunCommand["kind"]> = Extract<RunCommand, { kind: K }>;

const tooOften = "The run was suspended too often.";

/** Why an attempt is suspended; `lost` when its worker did not say so itself. */
type Suspension = {
  readonly cause: AttemptCause;
  readonly checkpoint?: Json | undefined;
  readonly lost?: boolean;
};

/**
 * The attempt ends, the run keeps waiting for a person without holding a worker. When it counts and
 * was the last attempt, nobody could go on after the answer: the run is a dead letter.
 */
export function suspend(run: LeasedRun, how: Suspension, now: Moment): Decision {
  const free = run.suspensions < limits.suspensionsFree;
  const state = how.lost === true ? "lost" : "released";
  if (!free && run.attemptsUsed >= run.maxAttempts) {
    const error = { code: "E-RUN-002", message: "max attempts exceeded", detail: tooOften };
    const changes = { suspensions: run.suspensions + 1, ...checkpointOf(how.checkpoint) };
    const failure = { error, retryable: true, changes };
    return retryOrFail(run, { state, cause: how.cause, counted: true }, failure, now);
  }
  const next = toSuspended(run, {
    suspensions: run.suspensions + 1,
    attemptsUsed: free ? run.attemptsUsed - 1 : run.attemptsUsed,
    attemptEnd: state,
    ...checkpointOf(how.checkpoint),
  });
  const data = { attempt_cause: how.cause };
  const fact: Fact = {
    ...moved(run, now, { type: "run.suspended", to: "waiting_approval", data }),
    also: [`attempt.${state}`],
    leaseDelta: -1,
    leaseExpiresAt: run.lease.expiresAt,
  };
  const end = { kind: "ended", state, cause: how.cause, counted: !free } as const;
  return { run: next, facts: [fact], attempt: [end] };
}

/** The lease ran out. In an outage of the house's own it costs nothing. */
export function expire(run: LeasedRun, command: Of<"expire">, now: Moment): Decision {
  if (run.phase === "waiting_approval_held") {
    return suspend(run, { cause: "lease_expired", lost: true }, now);
  }
  const end = attemptEndOf(command);
  if (command.outage) return requeue(run, end, { notBefore: null, reason: "outage" }, now);
  const error = { code: "lease_expired", message: "The worker stopped renewing its lease." };
  return retryOrFail(run, end, { error, retryable: true }, now);
}

/** The provider has no quota left. Never costs; after 20 times the run waits an hour longer. */
export function exhaust(run: LeasedRun, command: Of<"exhaust">, now: Moment): Decision {
  const changes = { exhaustions: run.exhaustions + 1 };
  const parked = run.exhaustions >= limits.exhaustionsFree;
  const recovery = Math.max(now.at, command.notBefore ?? now.at);
  const wait = parked
    ? { notBefore: recovery + limits.exhaustedParkMs, reason: "parked: exhausted too often" }
    : { notBefore: command.notBefore, reason: command.reason ?? "exhausted" };
  const kept = { ...changes, ...checkpointOf(command.checkpoint) };
  return requeue(run, attemptEndOf(command), { ...wait, changes: kept }, now);
}

/** The worker gives the run back; beyond ten times it counts as a failure. */
export function release(run: LeasedRun, command: Of<"release">, now: Moment): Decision {
  const { cause, checkpoint } = command;
  if (run.phase === "waiting_approval_held") return suspend(run, { cause, checkpoint }, now);
  const stopped = cause === "stopped";
  const free = stopped || run.releases < limits.releasesFree;
  const end: AttemptEnd = { ...attemptEndOf(command), counted: !free };
  const releases = stopped ? run.releases : run.releases + 1;
  const changes = { ...checkpointOf(checkpoint), releases };
  if (free) return requeue(run, end, { notBefore: null, reason: cause, changes }, now);
  const error = { code: "released", message: "The attempt was given back too often." };
  return retryOrFail(run, end, { error, retryable: true, changes }, now);
}
