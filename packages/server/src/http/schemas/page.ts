// Pages: what every list answers, and what every list can be asked.
// Promises: exactly `Page` of the wire; runs and events 1 … 500 (default 100), others 1 … 100 (50).
// Leaves to others: what a cursor means (engine, `mapping/paging.ts`).

import { Type } from "../typebox.ts";
import type { TSchema } from "../typebox.ts";
import { count } from "./scalars.ts";

export function pageOf<S extends TSchema>(item: S) {
  return Type.Object({
    items: Type.Array(item),
    has_more: Type.Boolean(),
    next_cursor: Type.Unsafe<string | null>({ type: ["string", "null"] }),
    prev_cursor: Type.Optional(Type.String()),
  });
}

const cursor = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 1000,
    pattern: "^[^\\p{Cc}]+$",
    description: "`next_cursor` of the page before.",
    "x-says": "must be the next_cursor of the page before",
  }),
);

/** Query of lists of runs and events. */
export const longPage = {
  limit: Type.Optional(count(1, 500, "Items per page. Default 100.")),
  cursor,
};

/** Query of the other lists. */
export const shortPage = {
  limit: Type.Optional(count(1, 100, "Items per page. Default 50.")),
  cursor,
};

export const longPageDefault = 100;
export const shortPageDefault = 50;
