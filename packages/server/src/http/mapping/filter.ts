// The query of a list of runs, as the filter the engine takes.
// Promises: `(none)` in a scope asks for runs without that scope; instants become milliseconds.
// Leaves to others: the query's shape (`schemas/filter.ts`), indexes (store).

import type { Static } from "../typebox.ts";
import type { PageInput, RunFilter } from "../../engine/contract.ts";
import { isRefusal, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { scopeNames } from "../../domain/submission.ts";
import type { runQuery } from "../schemas/filter.ts";
import { longPageDefault } from "../schemas/page.ts";
import { fromWireId } from "./ids.ts";
import { noInstant, toInstant } from "./instant.ts";
import type { PageQuery } from "./paging.ts";

type Query = Static<typeof runQuery>;

/** In a scope's place: runs that have none. */
const NONE = "(none)";

const instants = {
  created_after: "createdAfter",
  created_before: "createdBefore",
  finished_after: "finishedAfter",
  finished_before: "finishedBefore",
} as const;

const plain = {
  queue: "queue",
  runner: "runner",
  agent: "agent",
  runtime: "runtime",
  tag: "tag",
  error_code: "errorCode",
  text: "text",
} as const;

export function toRunFilter(query: Query): RunFilter | Refusal {
  const filter: RunFilter = {};
  if (query.state !== undefined) filter.state = query.state;
  for (const [name, field] of entriesOf(plain)) {
    const value = query[name];
    if (value !== undefined) filter[field] = value;
  }
  const times = timesOf(query);
  if (isRefusal(times)) return times;
  const scopes: NonNullable<RunFilter["scopes"]> = {};
  for (const scope of scopeNames) {
    const value = query[scope];
    if (value !== undefined) scopes[scope] = value === NONE ? null : value;
  }
  const some = Object.keys(scopes).length > 0;
  return { ...filter, ...times, ...(some ? { scopes } : {}) };
}

function timesOf(query: Query): RunFilter | Refusal {
  const times: RunFilter = {};
  for (const [name, field] of entriesOf(instants)) {
    const text = query[name];
    if (text === undefined) continue;
    const at = toInstant(text);
    if (at === null) return refuseField(name, noInstant);
    times[field] = at;
  }
  return times;
}

function entriesOf<T extends { readonly [name: string]: string }>(
  table: T,
): [keyof T, T[keyof T]][] {
  return Object.entries(table) as [keyof T, T[keyof T]][];
}

/** The page of runs that is asked for. A cursor is the id of the last run of the page before. */
export function toRunPage({ limit = longPageDefault, cursor }: PageQuery): PageInput | Refusal {
  if (cursor === undefined) return { limit, cursor: null };
  if (fromWireId("run", cursor) !== null) return { limit, cursor };
  return refuseField("cursor", "is not one of this list; begin without a cursor");
}
