// Pages of lists that the engine hands over whole: projects, queues, keys.
// Promises: the order is the engine's; a cursor stands for the last item of the page before, so
// items that are added meanwhile are not skipped; a cursor that is gone is refused.
// Leaves to others: lists that the engine pages itself (runs, events, runtimes).

import type { Page } from "@signalbox/sdk";
import { refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { shortPageDefault } from "../schemas/page.ts";

export type PageQuery = { readonly limit?: number; readonly cursor?: string };

/** One page of `all`, whose items are told apart by `keyOf`. */
export function pageFrom<T>(
  all: readonly T[],
  { limit = shortPageDefault, cursor }: PageQuery,
  keyOf: (item: T) => string,
): Page<T> | Refusal {
  let start = 0;
  if (cursor !== undefined) {
    const after = Buffer.from(cursor, "base64url").toString("utf8");
    start = all.findIndex((item) => keyOf(item) === after) + 1;
    if (start === 0)
      return refuseField("cursor", "is not one of this list; begin without a cursor");
  }
  const items = all.slice(start, start + limit);
  const last = items.at(-1);
  const hasMore = start + items.length < all.length && last !== undefined;
  const next = hasMore ? Buffer.from(keyOf(last), "utf8").toString("base64url") : null;
  return { items, has_more: hasMore, next_cursor: next };
}
