// What an invariant is: a question whose every row is a violation, with a name from the catalogue.
// Promises: one statement each, so that it sees one instant; at most 100 violations are returned.
// Leaves to others: the questions (`invariants.ts`, `invariants-fleet.ts`), asking them.

import type { Statement } from "../db.ts";
import { statement } from "../db.ts";

/** One question. `promise` is what holds when no row comes back. */
export type Invariant = {
  /** `I-1`: its number in the catalogue of invariants, and a word. */
  readonly name: string;
  readonly promise: string;
  readonly statement: Statement;
  readonly values: readonly unknown[];
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

/** An invariant from a query of `subject`, `seq` and `detail`. */
export function invariant(
  name: string,
  promise: string,
  text: string,
  values: readonly unknown[] = [],
): Invariant {
  const sql = `select v.subject::text, v.seq, v.detail::text from (${text}) v
   order by v.subject, v.seq limit 100`;
  const id = `invariant_${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_")}`;
  return { name, promise, statement: statement(id, sql), values };
}
