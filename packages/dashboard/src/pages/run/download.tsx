// The whole of a run's events as a file: lines as the log shows them, or JSON as the server has it.
// Promises: everything, whatever is in the window; pages are turned to bytes one by one, so the
// memory it takes is that of the file.
// Leaves to others: what a line is (`log-rows.ts`).

import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Event, Signalbox } from "@signalbox/sdk";
import { memo, useState } from "react";
import { adviceOn } from "../../parts/advice.ts";
import { numberText } from "../../parts/states.ts";
import { useSignedIn } from "../../session.ts";
import { LogRows } from "./log-rows.ts";

const PAGE = 500;

type Form = "log" | "jsonl";

/** Reads everything and hands it to the browser as a file. `read` is told how much there is. */
async function download(
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

type DownloadProps = { readonly id: string; readonly form: Form };

/** Reads everything when it is pressed, and says how far it is. */
export const DownloadButton = memo(function DownloadButton({ id, form }: DownloadProps) {
  const { client } = useSignedIn();
  const [read, setRead] = useState<number | null>(null);
  const label = form === "log" ? "Download" : "Download as JSON lines";
  const act = async (): Promise<void> => {
    setRead(0);
    try {
      await download(client, id, form, setRead);
    } catch (error) {
      tellOf(error);
    }
    setRead(null);
  };
  return (
    <Button size="compact-sm" variant="default" disabled={read !== null} onClick={() => void act()}>
      {read === null ? label : `${numberText(read)} read …`}
    </Button>
  );
});

function tellOf(error: unknown): void {
  const { title, advice } = adviceOn(error);
  notifications.show({ title, message: advice, color: "red" });
}
