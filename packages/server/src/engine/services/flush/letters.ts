// Dead letters in a flush: as they stand while it is decided, and what of them is written.
// Promises: several commands about one letter in one flush see each other; every run that a flush
// dead-letters gets its row in the same transaction; a redrive's run is born with its letter's end.
// Leaves to others: deciding (decide-letters.ts), statements (store/dead-letters.ts).

import { fingerprintOf } from "../../../domain/fingerprint.ts";
import { isEnded } from "../../../domain/run.ts";
import type { LetterEnd } from "../../../domain/dead-letter.ts";
import type {
  CarriedCheckpoint,
  LetterClose,
  LetterRow,
  NewLetter,
} from "../../../store/dead-letters.ts";
import { carryCheckpoints, closeLetters, insertLetters } from "../../../store/dead-letters.ts";
import type { Runner } from "../../../store/db.ts";
import type { SpecRow } from "../../../store/specs.ts";
import { insertRunTags, insertSpecs } from "../../../store/specs.ts";
import type { FlushState } from "./state.ts";

/** The dead letters of one flush. */
export class LetterBook {
  readonly #ends = new Map<string, LetterEnd | null>();
  readonly closed: LetterClose[] = [];
  /** Specs of runs that redrives made. */
  readonly specs: SpecRow[] = [];
  /** Redrives that begin with the checkpoint of their letter. */
  readonly carried: CarriedCheckpoint[] = [];

  hold({ runId, end }: LetterRow): void {
    this.#ends.set(runId, end);
  }

  /** How it was closed; null while it is open, undefined when there is none. */
  endOf(runId: string): LetterEnd | null | undefined {
    return this.#ends.get(runId);
  }

  close(close: LetterClose, end: LetterEnd): void {
    this.#ends.set(close.runId, end);
    this.closed.push(close);
  }
}

/** Writes what the flush has made of dead letters: new ones, closed ones, runs of redrives. */
export function writeLetters(runner: Runner, state: FlushState, writes: Promise<unknown>[]): void {
  const born = newLetters(state);
  const { closed, specs, carried } = state.letters;
  if (specs.length > 0) writes.push(...writeSpecs(runner, specs));
  if (carried.length > 0) writes.push(carryCheckpoints(runner, carried));
  if (born.length > 0) writes.push(insertLetters(runner, born));
  if (closed.length > 0) writes.push(closeLetters(runner, closed));
}

/** Runs that have become dead letters in this flush. */
function newLetters(state: FlushState): NewLetter[] {
  const born: NewLetter[] = [];
  for (const { before, run } of state.runs.values()) {
    if (!isEnded(run) || run.deadLetteredAt === null) continue;
    if (before !== null && isEnded(before)) continue;
    const error = run.ending?.error ?? { code: "unknown", message: run.statusReason ?? "" };
    const { id: runId, agent, deadLetteredAt: at } = run;
    born.push({ runId, at, agent, ...fingerprintOf(error) });
  }
  return born;
}

function writeSpecs(runner: Runner, specs: readonly SpecRow[]): Promise<unknown>[] {
  const tags = specs.flatMap(({ runId, projectId, spec }) =>
    spec.tags.map((tag) => ({ projectId, tag, runId })),
  );
  const inserted = insertSpecs(runner, specs).then((ids) => {
    // They have no idempotency key, so nothing can stand in their way.
    if (ids.size !== specs.length) throw new Error("a redrive's spec was not stored");
  });
  return tags.length === 0 ? [inserted] : [inserted, insertRunTags(runner, tags)];
}
