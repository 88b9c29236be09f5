// Pages of lists: what was read, one more than asked for, as a page with its cursor.
// Promises: a page never repeats or skips a row: the cursor is the last one's id, number or name.
// Leaves to others: reading after a cursor (store).

import type * as wire from "@signalbox/sdk";

export function page<T>(items: T[], limit: number, cursorOf: (last: T) => string): wire.Page<T> {
  const more = items.length > limit;
  const shown = more ? items.slice(0, limit) : items;
  const last = shown.at(-1);
  const next = more && last !== undefined ? cursorOf(last) : null;
  return { items: shown, has_more: more, next_cursor: next };
}

/** Pages that a list handed over whole has at most. */
const MOST_PAGES = 40;

/** All rows of a list that is handed over whole, read in pages of `size` after the last row. */
export async function wholeOf<T>(
  size: number,
  read: (last: T | null) => Promise<T[]>,
): Promise<T[]> {
  const all: T[] = [];
  for (let n = 0; n < MOST_PAGES; n += 1) {
    const rows = await read(all.at(-1) ?? null);
    all.push(...rows);
    if (rows.length < size) break;
  }
  return all;
}
