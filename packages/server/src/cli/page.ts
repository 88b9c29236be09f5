// Pages of lists on the command line: the flags, the query, and what is said beneath a table.
// Promises: a page that is not the last says how to go on; an empty one says so, beside the result.
// Leaves to others: `runs list`, whose pages are longer (commands/runs.ts).

import type { Page } from "@signalbox/sdk";
import type { Call, FlagSpec } from "./command.ts";
import { safeLine } from "./safe-text.ts";

export const pageFlags: readonly FlagSpec[] = [
  { flag: "--limit <n>", says: "at most so many, 1 to 100 (default 50)" },
  { flag: "--cursor <cursor>", says: "go on where a page ended" },
];

/** The page that is asked for. */
export function pageOf(call: Call): { limit?: number; cursor?: string } {
  const limit = call.number("limit", { least: 1, most: 100 });
  const cursor = call.text("cursor");
  return { ...(limit && { limit }), ...(cursor && { cursor }) };
}

/** JSON, or the table of a page with a word about what is not in it. */
export function showPage<T>(
  call: Call,
  page: Page<T>,
  { none, show }: { none: string; show: (items: readonly T[]) => void },
): void {
  call.screen.result(page, () => {
    if (page.items.length === 0) return call.screen.aside(none);
    show(page.items);
    if (page.has_more) call.screen.aside(`more: --cursor ${safeLine(page.next_cursor ?? "")}`);
  });
}
