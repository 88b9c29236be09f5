// The whole of a run's events as a file: lines as the log shows them, or JSON as the server has it.
// Promises: everything, whatever is in the window; pages are turned to bytes one by one, so the
// memory it takes is that of the file.
// Leaves to others: buttons.

import type { Event, Signalbox } from "@signalbox/sdk";
import { LogRows } from "./log-rows.ts";

const PAGE = 500;

export type Form = "log" | "jsonl";

/** Reads everything and hands it to the browser as a file. `read` is told how much there is. */
export async function download(
  client: Signalbox,
  id: string,
  form: Form,
  read: (events: number) => void,
): Promise<void> {
  const parts: Blob[] = [];
  let after = 0;
  for (let count = 0; ;) {
    const query = { after_seq: String(after), limit: PAGE };
    const { items, next_cursor: next } = await client.runs.events(id, query);
    parts.push(new Blob([form === "log" ? textOf(items) : jsonOf(items)]));
    count += items.length;
    read(count);
    if (next === null) break;
    after = Number(next);
  }
  const type = form === "log" ? "text/plain;charset=utf-8" : "application/x-ndjson";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = `${id}.${form}`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const jsonOf = (events: readonly Event[]): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join("");

/** Each page by itself: a message that goes on over a page is two lines. */
function textOf(events: readonly Event[]): string {
  const rows = new LogRows().take(events, 0);
  return rows
    .map(({ at, mark, text, detail }) => {
      const more = detail === null ? "" : ` ${JSON.stringify(detail)}`;
      return `${at} ${mark} ${text.replace(/\n$/, "")}${more}\n`;
    })
    .join("");
}
