// Decides what a person does with dead letters against what was read.
// Promises: the letter's run is held, so a letter closes once whoever asks; the run of a redrive is
// born in the same flush and says whose successor it is.
// Leaves to others: the law (domain/dead-letter.ts), writing (letters.ts).

import type { LetterCommand, LetterEnd } from "../../../domain/dead-letter.ts";
import { closeLetter } from "../../../domain/dead-letter.ts";
import { isRefusal } from "../../../domain/refusal.ts";
import { newRun, submittedFact } from "../../../domain/submission.ts";
import { toTypeId } from "../../../std/ids.ts";
import { notFound } from "./decide-items.ts";
import type { LetterItem, Outcome } from "./items.ts";
import type { Facts } from "./read.ts";
import type { FlushState } from "./state.ts";

const wireId = (id: string): string => toTypeId("run", id);

export function decideLetter(state: FlushState, facts: Facts, item: LetterItem): Outcome {
  const { runId, what, origin } = item;
  const entry = state.runs.get(runId);
  if (entry === undefined) {
    return facts.exists.has(runId) ? { again: true } : { refusal: notFound(runId) };
  }
  if (entry.run.projectId !== item.projectId) return { refusal: notFound(runId) };
  const command = commandOf(what);
  const before = state.letters.endOf(runId) ?? null;
  const decided = closeLetter(entry.run, before, command, { at: state.at, wireId });
  if (isRefusal(decided)) return { refusal: decided };
  if ("repeated" in decided) return answer(decided.repeated, true);
  state.note(runId, decided.fact, origin);
  const end: LetterEnd =
    command.kind === "discard"
      ? { kind: "discarded", note: command.note }
      : { kind: "redriven", became: command.became, bodySha256: command.bodySha256 };
  const note = command.kind === "discard" ? command.note : null;
  const became = command.kind === "redrive" ? command.became : null;
  state.letters.close({ runId, at: state.at, by: origin.actor, note, became }, end);
  if ("redrive" in what) bear(state, item, what.redrive);
  return answer(end, false);
}

function commandOf(what: LetterItem["what"]): LetterCommand {
  if ("discard" in what) return { kind: "discard", note: what.discard.note };
  const { id, spec } = what.redrive;
  return { kind: "redrive", became: id, bodySha256: spec.bodySha256 };
}

type Redrive = Extract<LetterItem["what"], { redrive: unknown }>["redrive"];

/** The run that takes the dead letter's place. */
function bear(state: FlushState, item: LetterItem, redrive: Redrive): void {
  const { id, laneId, spec, fromCheckpoint } = redrive;
  const { projectId, runId: redriveOf, origin } = item;
  const run = newRun(spec, { id, projectId, laneId }, 0, state.at);
  state.letters.specs.push({
    runId: id,
    projectId,
    spec,
    dependsOn: [],
    submittedBy: origin.actor,
    redriveOf,
  });
  if (fromCheckpoint) state.letters.carried.push({ runId: redriveOf, became: id });
  const more = {
    redrive_of: wireId(redriveOf),
    ...(fromCheckpoint ? { from_checkpoint: true } : {}),
  };
  state.add(run, submittedFact(spec, state.at, more), origin);
}

function answer(end: LetterEnd, repeated: boolean): Outcome {
  const became = end.kind === "redriven" ? end.became : null;
  return { answer: { kind: "letter", became, repeated } };
}
