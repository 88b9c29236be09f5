// Fencing: may this worker still write to this run? Promises: a write is accepted only with the
// newest attempt id and token while the lease stands; a repeated report is recognised and answered
// from memory; everything else is `stale_fencing_token` (F-3, I-2).
// Leaves to others: comparing secrets (attempt keys are checked in `http/auth`).

import type { Fence, RunCommand } from "./command.ts";
import { limits } from "./limits.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { Run } from "./run.ts";
import { isEnded, isLeased } from "./run.ts";
import { stateOf } from "./machine.ts";

/**
 * `owner`: the lease stands. `repeat`: the command took effect before. `late`: allowed afterwards.
 */
export type Standing = "owner" | "repeat" | "late";

const endOf: Partial<Record<RunCommand["kind"], string>> = {
  complete: "completed",
  fail: "failed",
  release: "released",
  exhaust: "released",
};

/**
 * What a worker with this fence may do with this command at the instant `at`.
 * Errors: `stale_fencing_token`.
 */
export function standing(
  run: Run,
  fence: Fence,
  command: RunCommand,
  at: number,
): Standing | Refusal {
  const newest = run.attemptId === fence.attemptId && run.fencingToken === fence.token;
  if (newest && isLeased(run)) return "owner";
  if (newest && endedBy(run, command.kind)) return "repeat";
  if (newest && mayComeLate(run, command, at)) return "late";
  return refuse(
    "stale_fencing_token",
    newest
      ? "The lease of this attempt has ended; stop the work and throw its result away."
      : `Attempt ${fence.token} no longer owns this run; its newest attempt is ` +
          `${run.fencingToken}. Stop the work and throw its result away.`,
    { state: stateOf(run.phase), fencing_token: fence.token, newest: run.fencingToken },
  );
}

/** Whether this command may be the one that ended the attempt. */
function endedBy(run: Run, kind: RunCommand["kind"]): boolean {
  if (endOf[kind] !== undefined) return endOf[kind] === run.attemptEnd;
  if (run.attemptEnd !== "released") return false;
  // An await ends the attempt when a cancel had been asked for; one for a person also suspends it.
  const byCancel = run.endCause === "cancel";
  if (kind === "await_tool") return byCancel;
  return kind === "await_approval" && (byCancel || run.phase === "waiting_approval_suspended");
}

function mayComeLate(run: Run, command: RunCommand, at: number): boolean {
  if (command.kind === "terminated") {
    return !isEnded(run) || at <= run.finishedAt + limits.lateAppendMs;
  }
  if (command.kind !== "append") return false;
  // What was consumed goes another way, so that it is charged: `record_usage`.
  const onlyLines = command.events.every(
    ({ type, usage }) => type === "log.line" && usage === undefined,
  );
  return onlyLines && takesLateLines(run, at);
}

/** Whether log lines of its newest attempt are still kept though the run is over. */
export function takesLateLines(run: Run, at: number): boolean {
  return isEnded(run) && at <= run.finishedAt + limits.lateAppendMs;
}
