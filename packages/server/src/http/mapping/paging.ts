// Pages of short lists: those that the engine pages (agents, runtimes, …) and those that it hands
// over whole (projects, queues, keys).
// Promises: the order is the engine's; a cursor stands for the last item of the page before, so
// items that are added meanwhile are not skipped; of a whole list, one that is gone is refused.
// Leaves to others: runs (`filter.ts`) and events (`event-page.ts`).

import type { Page } from "@signalbox/sdk";
import type { PageInput } from "../../engine/contract.ts";
import { refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { shortPageDefault } from "../schemas/page.ts";

export type PageQuery = { readonly limit?: number; readonly cursor?: string };

/** The page of a short list that the engine pages itself. */
export function toShortPage({ limit = shortPageDefault, cursor }: PageQuery): PageInput {
  return { limit, cursor: cursor ?? null };
}

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
