// Paging: walks all pages of a list as one async iteration.
// Promises: one page is held at a time; the next is asked for when the last item of this one has
// been taken; a server that repeats a cursor cannot make it run in a circle.
// Leaves to others: what is listed and in which order (the resource files).

import type { Page } from "./wire.ts";

/** The part of every list query that asks for a page. */
export type PageQuery = {
  /** Items per page. Runs and events 1 … 500, other lists 1 … 100. */
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
};

/** All items of a list, page by page. */
export async function* allItems<T>(
  page: (cursor: string | undefined) => Promise<Page<T>>,
  first?: string,
): AsyncGenerator<T> {
  let cursor = first;
  for (;;) {
    const { items, has_more: hasMore, next_cursor: next } = await page(cursor);
    yield* items;
    if (!hasMore || next === null || next === cursor) return;
    cursor = next;
  }
}
