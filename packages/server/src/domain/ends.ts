// How attempts and runs end: complete, fail, release, expire, exhaust, cancel, kill, time_out.
// Promises: an attempt ends once, with a cause; what it cost is decided in the same step; while a
// cancel is asked for every one of these ends the run `cancelled` (model §2, F-95).
// Leaves to others: which step is allowed at all (`decide.ts` asks the table first).

import { backoffMs } from "./backoff.ts";
import type {
  AttemptChange,
  Decision,
  Moment,
  ProcessFacts,
  RunCommand,
  Usage,
} from "./command.ts";
import type { Fact, HouseEventType } from "./event.ts";
import { limits } from "./limits.ts";
import type { AttemptCause, AttemptEndState, TerminalState } from "./machine.ts";
import { stateOf } from "./machine.ts";
import type { EndCause, Json, JsonObject, LeasedRun, Run, RunError } from "./run.ts";
import { isLeased } from "./run.ts";
import { toEnded, toPending } from "./shape.ts";

/** How the attempt ends, whatever becomes of the run. */
export type AttemptEnd = {
  state: AttemptEndState;
  cause: AttemptCause;
  /** False gives the attempt back: it does not cost. */
  counted: boolean;
  error?: RunError;
  process?: ProcessFacts;
  usage?: Usage;
};

/** How the attempt ends when this command ends or returns it. */
export function attemptEndOf(command: RunCommand): AttemptEnd {
  switch (command.kind) {
    case "complete":
      return { state: "completed", cause: "completed", counted: true, ...reported(command) };
    case "fail": {
      const { error } = command;
      return { state: "failed", cause: "error", counted: true, error, ...reported(command) };
    }
    case "release":
      return { state: "released", cause: command.cause, counted: false, ...reported(command) };
    case "expire": {
      const { outage } = command;
      return { state: "lost", cause: outage ? "outage" : "lease_expired", counted: !outage };
    }
    case "exhaust":
      return { state: "released", cause: "exhausted", counted: false, ...reported(command) };
    default:
      // An await while a cancel is asked for.
      return { state: "released", cause: "cancel", counted: true };
  }
}

function reported(command: {
  process?: ProcessFacts;
  usage?: Usage;
}): Pick<AttemptEnd, "process" | "usage"> {
  const { process, usage } = command;
  return {
    ...(process === undefined ? {} : { process }),
    ...(usage === undefined ? {} : { usage }),
  };
}

/** What came with the end of an attempt, as a record to be booked. */
export function usageOf(usage: Usage | undefined): Pick<Decision, "usage"> {
  return usage === undefined ? {} : { usage: [{ producerSeq: 0, usage }] };
}

type RunEnd = {
  phase: TerminalState;
  cause: EndCause;
  reason: string | null;
  output?: Json;
  error?: RunError;
  deadLetter?: boolean;
  data?: JsonObject;
  operator?: boolean;
};

/** Ends the run, and its attempt where one is live, in one fact. */
export function endRun(run: Run, end: RunEnd, attempt: AttemptEnd | null, now: Moment): Decision {
  const live = isLeased(run) ? attempt : null;
  const also: HouseEventType[] = [];
  if (live !== null) also.push(`attempt.${live.state}`);
  if (end.deadLetter === true) also.push("run.dead_lettered");
  const ending = {
    ...(end.output === undefined ? {} : { output: end.output }),
    ...(end.error === undefined ? {} : { error: end.error }),
  };
  const next = toEnded(
    run,
    end.phase,
    { cause: end.cause, at: now.at, reason: end.reason, ending },
    {
      attemptsUsed: used(run, live),
      deadLetteredAt: end.deadLetter === true ? now.at : null,
      ...(live === null ? {} : { attemptEnd: live.state }),
    },
  );
  const data: JsonObject = {
    cause: end.cause,
    reason: end.reason,
    ...(live === null ? {} : { attempt_cause: live.cause, attempts_used: next.attemptsUsed }),
    ...(end.error === undefined ? {} : { error: errorData(end.error) }),
    ...end.data,
  };
  const fact = closingFact(run, `run.${end.phase}`, data, {
    at: now.at,
    also,
    to: end.phase,
    operator: end.operator === true,
  });
  return {
    run: next,
    facts: [fact],
    attempt: live === null ? [] : [endedAttempt(live)],
    ...usageOf(live?.usage),
  };
}

/** Ends the attempt and puts the run back into the line. */
export function requeue(
  run: LeasedRun,
  attempt: AttemptEnd,
  wait: { notBefore: number | null; reason: string | null; changes?: Partial<Run> },
  now: Moment,
): Decision {
  const next = toPending(run, now.at, wait.notBefore, {
    ...(wait.changes as object),
    attemptsUsed: used(run, attempt),
    attemptEnd: attempt.state,
    statusReason: wait.reason,
  });
  const data: JsonObject = {
    attempt_cause: attempt.cause,
    counted: attempt.counted,
    attempts_used: next.attemptsUsed,
    not_before: wait.notBefore === null ? null : new Date(wait.notBefore).toISOString(),
    ...(attempt.error === undefined ? {} : { error: errorData(attempt.error) }),
  };
  const fact = closingFact(run, "run.requeued", data, {
    at: now.at,
    also: [`attempt.${attempt.state}`],
    to: "pending",
    operator: false,
  });
  return { run: next, facts: [fact], attempt: [endedAttempt(attempt)], ...usageOf(attempt.usage) };
}

/**
 * *decide* of the table: pending again with backoff while attempts are left, else a dead letter.
 */
export function retryOrFail(
  run: LeasedRun,
  attempt: AttemptEnd,
  failure: { error: RunError; retryable: boolean; output?: Json; changes?: Partial<Run> },
  now: Moment,
): Decision {
  const spent = used(run, attempt);
  if (failure.retryable && spent < run.maxAttempts) {
    const wait = backoffMs(run.backoff, Math.max(1, spent), now.random);
    return requeue(
      run,
      attempt,
      {
        notBefore: attempt.counted ? now.at + wait : null,
        reason: failure.error.message,
        changes: failure.changes ?? {},
      },
      now,
    );
  }
  const outOfAttempts = failure.retryable;
  const lost = attempt.state === "lost";
  const error: RunError =
    outOfAttempts && lost
      ? { code: "E-RUN-002", message: "max attempts exceeded", detail: failure.error.message }
      : failure.error;
  return endRun(
    { ...run, ...(failure.changes as Partial<LeasedRun>) },
    {
      phase: "failed",
      cause: outOfAttempts ? "attempts" : "error",
      reason: error.message,
      error,
      deadLetter: true,
      ...(failure.output === undefined ? {} : { output: failure.output }),
    },
    attempt,
    now,
  );
}

/** While the flag stands, whatever ends or returns the attempt ends the run `cancelled`. */
export function endCancelled(
  run: LeasedRun,
  attempt: AttemptEnd,
  kept: { output?: Json; error?: RunError },
  now: Moment,
): Decision {
  return endRun(
    run,
    { phase: "cancelled", cause: "cancel", reason: run.statusReason, ...kept },
    attempt,
    now,
  );
}

function used(run: Run, attempt: AttemptEnd | null): number {
  return attempt !== null && !attempt.counted ? run.attemptsUsed - 1 : run.attemptsUsed;
}

function errorData(error: RunError): JsonObject {
  return { code: error.code, message: error.message.slice(0, limits.reasonLength) };
}

function endedAttempt(end: AttemptEnd): AttemptChange {
  return { kind: "ended", ...end };
}

function closingFact(
  run: Run,
  type: string,
  data: JsonObject,
  how: { at: number; also: HouseEventType[]; to: Fact["to"]; operator: boolean },
): Fact {
  return {
    type,
    also: how.also,
    source: how.operator ? "operator" : "host",
    at: how.at,
    from: stateOf(run.phase),
    ...(how.to === undefined ? {} : { to: how.to }),
    ...(isLeased(run)
      ? { leaseDelta: -1 as const, token: run.fencingToken, leaseExpiresAt: run.lease.expiresAt }
      : {}),
    data,
  };
}
