// Events as people read them: one line each, the text of the agent itself plainly.
// Promises: one event never becomes more lines than its text has; nothing unescaped.
// Leaves to others: following (commands/).

import type { Event, JsonObject } from "@signalbox/sdk";
import { paintState } from "./show-run.ts";
import { safeJson, safeLine, safeText } from "./safe-text.ts";
import type { Colours } from "./screen.ts";

const LONGEST_DATA = 200;

/** A line of `events` and `runs watch`. `withRun`: the events of several runs are mixed. */
export function eventLine(event: Event, c: Colours, withRun: boolean): string {
  const time = c.dim(event.at.slice(11, 23));
  const stream = withRun ? `${c.dim(safeLine(event.stream_id))} ` : "";
  const text = saidText(event.data);
  if (event.type === "log.line" && text !== null) {
    const mark = event.data["stream"] === "stderr" ? c.red("│") : c.dim("│");
    const lines = safeText(text).replace(/\n$/, "").split("\n");
    return lines.map((line) => `${time} ${stream}${mark} ${line}`).join("\n");
  }
  return `${time} ${stream}${typeText(event, c)}${dataText(event, c)}`;
}

function saidText(data: JsonObject): string | null {
  return typeof data["text"] === "string" ? data["text"] : null;
}

function typeText(event: Event, c: Colours): string {
  const also = event.also.length === 0 ? "" : c.dim(` +${safeLine(event.also.join(" +"))}`);
  const state = event.to_state === null ? "" : ` ${paintState(event.to_state, c)}`;
  const number = event.attempt === null ? "" : c.dim(` #${event.attempt}`);
  return `${c.bold(safeLine(event.type))}${number}${state}${also}`;
}

function dataText({ data }: Event, c: Colours): string {
  if (Object.keys(data).length === 0) return "";
  const text = saidText(data) ?? safeJson(data);
  return ` ${c.dim(safeLine(text, LONGEST_DATA))}`;
}
