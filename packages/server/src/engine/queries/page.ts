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
