// The law: `decide(run, command, now, fence?)` answers with the run as it is afterwards, the facts
// to record and what became of the attempt, or with a refusal. Pure: no clock, no randomness, no
// I/O.
// Promises: nothing else decides about a run; every step is one the table of `machine.ts` allows;
// a repeated command that took effect succeeds without a second fact.
// Leaves to others: numbering and writing (store), who may claim (`admit.ts`), what each command
// does (`steps.ts`, `give-back.ts`, `ends.ts`, `append.ts`, `keep.ts`).

import { append, recordUsage, terminated } from "./append.ts";
import type { Decision, Fence, Moment, RunCommand } from "./command.ts";
import { attemptEndOf, endCancelled, endRun, retryOrFail } from "./ends.ts";
import type { Fact } from "./event.ts";
import { checkpointOf, go, moved, notAllowed, unchanged } from "./facts.ts";
import { standing } from "./fence.ts";
import { exhaust, expire, release } from "./give-back.ts";
import { extend, holdKey, noteBlocked, releaseHeld, renew, reroute } from "./keep.ts";
import { limits } from "./limits.ts";
import type { RunCommandName } from "./machine.ts";
import { returningCommands, runTable } from "./machine.ts";
import type { Refusal } from "./refusal.ts";
import { isRefusal } from "./refusal.ts";
import type { LeasedRun, Run } from "./run.ts";
import { isLeased } from "./run.ts";
import { toPending } from "./shape.ts";
import { awaitApproval, awaitTool, claim, complete, start } from "./steps.ts";

/**
 * Decides one command about one run.
 * `fence` is present for everything a worker sends and checked first. Errors:
 * `stale_fencing_token`, `already_terminal`, `invalid_transition` (naming what is allowed).
 */
export function decide(
  run: Run,
  command: RunCommand,
  now: Moment,
  fence?: Fence,
): Decision | Refusal {
  let late = false;
  if (fence !== undefined) {
    const may = standing(run, fence, command, now.at);
    if (isRefusal(may)) return may;
    if (may === "repeat") return unchanged(run);
    late = may === "late";
  }
  switch (command.kind) {
    case "append":
      return append(run, command.events, now, late);
    case "record_usage":
      return recordUsage(run, command, now);
    case "reroute":
      return reroute(run, command, now);
    case "note_blocked":
      return noteBlocked(run, command, now);
    case "terminated":
      return terminated(run, command, now);
    case "renew":
      return renew(run, command, now);
    case "extend":
      return extend(run, command.byMs, now);
    case "release_held":
      return releaseHeld(run, command, now);
    case "hold_key":
      return holdKey(run);
    case "cancel_overdue":
      return cancelOverdue(run, now);
    case "fail_dependency":
      return failDependency(run, command.dependency, now);
    default:
      return step(run, command, now);
  }
}

type Of<K extends RunCommand["kind"]> = Extract<RunCommand, { kind: K }>;
type StepCommand = Extract<RunCommand, { kind: RunCommandName }>;

/** A command of the transition table. */
function step(run: Run, command: StepCommand, now: Moment): Decision | Refusal {
  if (tookEffect(run, command)) return unchanged(run);
  if (runTable[run.phase][command.kind] === undefined) return notAllowed(run, command.kind);
  if (!isLeased(run)) return idleStep(run, command, now);
  if (run.cancelRequestedAt !== null && returningCommands.has(command.kind)) {
    return endCancelled(run, attemptEndOf(command), keptOf(command), now);
  }
  return leasedStep(run, command, now);
}

/** Whether the command has already taken effect in this attempt, so that repeating it succeeds. */
function tookEffect(run: Run, command: StepCommand): boolean {
  switch (command.kind) {
    case "start":
      return isLeased(run) && run.startedAt !== null;
    case "await_tool":
      return run.phase === "waiting_tool";
    case "resume":
      // The run does not remember whether it waited: asking a running run to go on changes nothing.
      return run.phase === "running";
    case "await_approval":
      return run.phase === "waiting_approval_held";
    case "cancel":
      return isLeased(run) && run.cancelRequestedAt !== null;
    default:
      return false;
  }
}

/** Commands on a run that no attempt holds: pending, or suspended for an approval. */
function idleStep(run: Run, command: StepCommand, now: Moment): Decision | Refusal {
  switch (command.kind) {
    case "claim":
      return claim(run, command, now);
    case "cancel":
    case "kill":
      return endRun(
        run,
        { phase: "cancelled", cause: command.kind, reason: command.reason, operator: true },
        null,
        now,
      );
    case "time_out":
      return timeOut(run, command.what, now);
    case "approve": {
      const data = { approved_by: command.by };
      return {
        run: toPending(run, now.at, null, { statusReason: null }),
        facts: [moved(run, now, { type: "run.requeued", to: "pending", data })],
        attempt: [],
      };
    }
    case "reject":
      return reject(run, command, now);
    default:
      return notAllowed(run, command.kind);
  }
}

/** Ends it at once: by a person, or by the house when an allowance in `kill` mode is used up. */
function kill(run: LeasedRun, command: Of<"kill">, now: Moment): Decision {
  const cause = command.budget === true ? "budget" : "kill";
  const { reason } = command;
  return endRun(
    run,
    { phase: "cancelled", cause, reason, operator: cause === "kill" },
    { state: "killed", cause, counted: true },
    now,
  );
}

/** Commands on a run under a lease, no cancel asked for (or one that does not end the attempt). */
function leasedStep(run: LeasedRun, command: StepCommand, now: Moment): Decision | Refusal {
  switch (command.kind) {
    case "start":
      return start(run, command, now);
    case "await_tool":
      return awaitTool(run, command, now);
    case "resume":
      return go(run, now, { type: "run.resumed", phase: "running" });
    case "await_approval":
      return awaitApproval(run, command, now);
    case "approve":
      return go(run, now, {
        type: "run.resumed",
        phase: "running",
        data: { approved_by: command.by },
      });
    case "reject":
      return reject(run, command, now);
    case "complete":
      return complete(run, command, now);
    case "fail":
      return retryOrFail(run, attemptEndOf(command), failureOf(command), now);
    case "release":
      return release(run, command, now);
    case "exhaust":
      return exhaust(run, command, now);
    case "expire":
      return expire(run, command, now);
    case "cancel":
      return flagCancel(run, command.reason, now);
    case "kill":
      return kill(run, command, now);
    case "time_out":
      return timeOut(run, command.what, now);
    case "claim":
      return notAllowed(run, "claim");
  }
}

function flagCancel(run: LeasedRun, reason: string | null, now: Moment): Decision {
  const fact: Fact = {
    type: "run.cancel_requested",
    source: "operator",
    at: now.at,
    token: run.fencingToken,
    data: { reason, grace_ms: limits.cancelGraceMs },
  };
  const next = { ...run, cancelRequestedAt: now.at, statusReason: reason };
  return { run: next, facts: [fact], attempt: [] };
}

/** The grace after a cancel is over: the house ends the run and fences the worker. */
function cancelOverdue(run: Run, now: Moment): Decision | Refusal {
  if (!isLeased(run) || run.cancelRequestedAt === null) return notAllowed(run, "cancel");
  const end = { state: "killed", cause: "cancel", counted: true } as const;
  return endCancelled(run, end, {}, now);
}

function reject(run: Run, { reason, expired }: Of<"reject">, now: Moment): Decision {
  return endRun(
    run,
    { phase: "cancelled", cause: "approval", reason, operator: expired !== true },
    { state: "killed", cause: "approval", counted: true },
    now,
  );
}

function timeOut(run: Run, what: Of<"time_out">["what"], now: Moment): Decision {
  const reason = what === "approval" ? "approval expired" : `${what} passed`;
  const cause = what === "approval" ? what : "deadline";
  return endRun(
    run,
    { phase: "timeout", cause, reason, data: { what } },
    { state: "killed", cause: what, counted: true },
    now,
  );
}

/** ¹ of the table: only the house fails a pending run, and it is no dead letter. */
function failDependency(run: Run, dependency: string, now: Moment): Decision | Refusal {
  if (run.phase !== "pending") return notAllowed(run, "fail");
  const error = { code: "dependency_failed", message: `Run ${dependency} did not complete.` };
  const end = { phase: "failed", cause: "dependency", reason: error.message, error } as const;
  return endRun(run, end, null, now);
}

function failureOf(command: Extract<RunCommand, { kind: "fail" }>) {
  const { error, retryable, output, checkpoint } = command;
  const changes = checkpointOf(checkpoint);
  return { error, retryable, changes, ...(output === undefined ? {} : { output }) };
}

/** What a cancelled run keeps of the report that ended it. */
function keptOf(command: StepCommand) {
  return {
    ...("output" in command && command.output !== undefined ? { output: command.output } : {}),
    ...("error" in command ? { error: command.error } : {}),
  };
}
