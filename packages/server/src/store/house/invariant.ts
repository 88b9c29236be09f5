// What an invariant is: a question whose every row is a violation, with a name from the catalogue.
// Promises: one statement each, so that it sees one instant; at most 100 violations are returned;
// what it asks of single streams it asks of a range of them, so that no asking is larger than its
// range, however large the register.
// Leaves to others: the questions (`invariants.ts` and its parts), asking them.

import type { Statement } from "../db.ts";
import { statement } from "../db.ts";

/** Streams above `after`, up to and with `until`. */
export type Range = { readonly after: string; readonly until: string };

/** Every stream there can be. */
export const everyStream: Range = {
  after: "00000000-0000-0000-0000-000000000000",
  until: "ffffffff-ffff-ffff-ffff-ffffffffffff",
};

/** One question. `promise` is what holds when no row comes back. */
export type Invariant = {
  /** `I-1`: its number in the catalogue of invariants, and a word. */
  readonly name: string;
  readonly promise: string;
  /** Whether it is asked of ranges of streams (its first two values), or of everything at once. */
  readonly ofStreams: boolean;
  readonly statement: Statement;
  readonly values: readonly unknown[];
  /** Where the database alone cannot say: what is wrong with a row, or null. Pages of its rows. */
  readonly judge?: (row: { readonly [column: string]: unknown }) => string | null;
};

/** A row that must not be: of which run or project, where in its stream, and what is wrong. */
export type Violation = {
  readonly invariant: string;
  readonly subject: string;
  readonly seq: number | null;
  readonly detail: string;
};

/** Sweeps come once a second: what lies longer back than this has been passed over. */
export const grace = `interval '5 seconds'`;

/** Of one invariant as many violations are told: the first tell what is wrong. */
export const MOST_VIOLATIONS = 100;

/** Rows that a judge gets at once: with inputs of 256 KiB some 15 MB. */
export const JUDGED = 50;

/** That a stream, or the run whose stream it is, is one of the range that is asked about. */
export function within(column: string): string {
  return `${column} > $1::uuid and ${column} <= $2::uuid`;
}

/** An invariant from a query of `subject`, `seq` and `detail`, asked of everything at once. */
export function invariant(
  name: string,
  promise: string,
  text: string,
  values: readonly unknown[] = [],
): Invariant {
  const sql = `select v.subject::text, v.seq, v.detail::text from (${text}) v
   order by v.subject, v.seq limit ${MOST_VIOLATIONS}`;
  return { name, promise, ofStreams: false, statement: statement(idOf(name), sql), values };
}

/** One that asks of single streams: its text says `within` in each part; values are from $3 on. */
export function ofStreams(
  name: string,
  promise: string,
  text: string,
  values: readonly unknown[] = [],
): Invariant {
  return { ...invariant(name, promise, text, values), ofStreams: true };
}

/**
 * One that is judged here: its text is of one row per run (`subject`), with `within`, and in the
 * order of an index: each page would sort all that is left.
 */
export function judged(
  name: string,
  promise: string,
  text: string,
  judge: NonNullable<Invariant["judge"]>,
): Invariant {
  const sql = `${text} limit ${JUDGED}`;
  const asked = statement(idOf(name), sql);
  return { name, promise, ofStreams: true, statement: asked, values: [], judge };
}

function idOf(name: string): string {
  return `invariant_${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_")}`;
}
