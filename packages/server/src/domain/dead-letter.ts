// A dead letter and what a person does with it: redrive it into a new run, or discard it.
// Promises: only a failed run that waits for a person has one; it closes once, and says how; the
// same redrive or discard again changes nothing.
// Leaves to others: the new run itself (`submission.ts`), rows and locks (store, flush).

import type { Fact } from "./event.ts";
import { stateOf } from "./machine.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { Instant, Run } from "./run.ts";
import { isEnded } from "./run.ts";

/** How a dead letter was closed: by the run it became, or by a note. */
export type LetterEnd =
  | { readonly kind: "redriven"; readonly became: string; readonly bodySha256: string }
  | { readonly kind: "discarded"; readonly note: string };

/** What is asked: a redrive into a run (its id, and the digest of what was asked), or a discard. */
export type LetterCommand =
  | { readonly kind: "redrive"; readonly became: string; readonly bodySha256: string }
  | { readonly kind: "discard"; readonly note: string };

/** Ids as the wire writes them: the law knows UUIDs only. */
export type WireId = (id: string) => string;

/**
 * Decides about a dead letter. `end` is how it was closed before, null while it is open. Answers
 * with the fact to record, or `repeated` when the same was done before. Errors:
 * `not_a_dead_letter`, `dead_letter_closed` (naming the run it became).
 */
export function closeLetter(
  run: Run,
  end: LetterEnd | null,
  command: LetterCommand,
  how: { readonly at: Instant; readonly wireId: WireId },
): { readonly fact: Fact } | { readonly repeated: LetterEnd } | Refusal {
  if (!isEnded(run) || run.deadLetteredAt === null) return notOne(run);
  if (end !== null) return isSame(end, command) ? { repeated: end } : closed(end, how.wireId);
  const fact = { source: "operator", at: how.at } as const;
  if (command.kind === "discard") {
    return { fact: { ...fact, type: "run.discarded", data: { note: command.note } } };
  }
  return { fact: { ...fact, type: "run.redriven", data: { became: how.wireId(command.became) } } };
}

function isSame(end: LetterEnd, command: LetterCommand): boolean {
  if (end.kind === "discarded") return command.kind === "discard" && command.note === end.note;
  return command.kind === "redrive" && command.bodySha256 === end.bodySha256;
}

function notOne(run: Run): Refusal {
  const state = stateOf(run.phase);
  const detail = `The run is ${state} and no dead letter; only those are redriven or discarded.`;
  return refuse("not_a_dead_letter", detail, { state });
}

function closed(end: LetterEnd, wireId: WireId): Refusal {
  if (end.kind === "discarded") {
    const detail = `The dead letter was discarded: ${end.note}`;
    return refuse("dead_letter_closed", detail, { closed: "discarded", became: null });
  }
  const became = wireId(end.became);
  const detail = `The dead letter was redriven: it became ${became}.`;
  return refuse("dead_letter_closed", detail, { closed: "redriven", became });
}
