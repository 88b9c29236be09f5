// The small shapes decisions are made of: the fact of a step, an answer without any, a refusal
// that names what is allowed. Promises: every fact of a step says from where to where and under
// which token.
// Leaves to others: which step it is (`decide.ts` and its neighbours), ends (`ends.ts`).

import type { Decision, Moment } from "./command.ts";
import type { Fact } from "./event.ts";
import type { RunState } from "./machine.ts";
import { allowedCommands, isTerminal, stateOf } from "./machine.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { Json, JsonObject, LeasedRun, Run } from "./run.ts";
import { isLeased } from "./run.ts";
import { toLeased } from "./shape.ts";

/** A step inside an attempt: the phase it leads to and what its event says. */
export type Step = {
  readonly type: string;
  readonly phase: LeasedRun["phase"];
  readonly data?: JsonObject;
  readonly checkpoint?: Json | undefined;
};

/** Takes a step that keeps attempt and lease. */
export function go(run: LeasedRun, now: Moment, step: Step): Decision & { run: LeasedRun } {
  const { type, phase, data = {} } = step;
  const next = toLeased(run, phase, run.lease, checkpointOf(step.checkpoint));
  return { run: next, facts: [moved(run, now, { type, to: stateOf(phase), data })], attempt: [] };
}

/** The fact that a run went from its state to another, under its token while it is leased. */
export function moved(
  run: Run,
  now: Moment,
  step: { readonly type: string; readonly to: RunState; readonly data: JsonObject },
): Fact {
  return {
    type: step.type,
    source: "host",
    at: now.at,
    data: step.data,
    from: stateOf(run.phase),
    ...(isLeased(run) ? { token: run.fencingToken } : {}),
    to: step.to,
  };
}

/** The checkpoint as a change of the run; nothing when none was sent. */
export function checkpointOf(checkpoint: Json | undefined): Pick<Run, "checkpointChanged"> {
  return checkpoint === undefined ? {} : { checkpointChanged: { checkpoint } };
}

/** The command had taken effect before: it succeeds and nothing is written. */
export function unchanged(run: Run): Decision {
  return { run, facts: [], attempt: [], repeated: true };
}

/** An empty cell of the table: `already_terminal`, or `invalid_transition` with what is allowed. */
export function notAllowed(run: Run, command: string): Refusal {
  const state = stateOf(run.phase);
  const allowed = allowedCommands(run.phase);
  if (isTerminal(state)) {
    return refuse("already_terminal", `The run has ended (${state}); nothing can change it.`, {
      state,
      command,
    });
  }
  return refuse(
    "invalid_transition",
    `A run that is ${state} cannot ${command}; allowed now: ${allowed.join(", ")}.`,
    { state, command, allowed },
  );
}
