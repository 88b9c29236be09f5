// The query of a page of one stream's events, as the engine takes it.
// Promises: a cursor is the `seq` of the last event of the page before, in the asked direction.
// Leaves to others: the query's shape (`schemas/filter.ts`), streams that are followed (`sse.ts`).

import type { EventLook, EventPageInput } from "../../engine/contract.ts";
import { longPageDefault } from "../schemas/page.ts";

type Query = {
  readonly after_seq?: string;
  readonly before_seq?: string;
  readonly order?: "asc" | "desc";
  readonly type?: string;
  readonly limit?: number;
  readonly cursor?: string;
} & LookQuery;

type LookQuery = {
  readonly text?: string;
  readonly level?: "warning";
  readonly source?: EventLook["sources"];
  readonly without?: readonly string[];
};

/** What is looked for among the events; undefined where all are asked for. */
export function toEventLook({ text, level, source, without }: LookQuery): EventLook | undefined {
  const look: EventLook = {
    ...(text === undefined ? {} : { text }),
    ...(level === undefined ? {} : { level }),
    ...(source === undefined ? {} : { sources: source }),
    ...(without === undefined ? {} : { without }),
  };
  return Object.keys(look).length === 0 ? undefined : look;
}

export function toEventPage(query: Query): EventPageInput {
  const { limit = longPageDefault, order = "asc", type } = query;
  const cursor = /^\d{1,15}$/.test(query.cursor ?? "") ? query.cursor : undefined;
  const after = order === "asc" ? (cursor ?? query.after_seq) : query.after_seq;
  const before = order === "desc" ? (cursor ?? query.before_seq) : query.before_seq;
  const look = toEventLook(query);
  return {
    order,
    limit,
    ...(look === undefined ? {} : { look }),
    ...(after === undefined ? {} : { afterSeq: Number(after) }),
    ...(before === undefined ? {} : { beforeSeq: Number(before) }),
    ...(type === undefined ? {} : { type }),
  };
}
