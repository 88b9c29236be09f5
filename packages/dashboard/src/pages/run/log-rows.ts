// From events to the lines of a log: joined and folded.
// Promises: pure; reads each event once, however often the window grows at its end; pieces of a
// message become one line, a tool's end is folded into its beginning; a row that changed is a new
// one, so that only its line is drawn again.
// Leaves to others: which events (`event-log.ts`), drawing (`log.tsx`), making unseen characters
// visible (`parts/plain.tsx`).

import type { Event, Json, JsonObject } from "@signalbox/sdk";
import { isTrouble } from "./look.ts";

type LogKind = "line" | "message" | "tool" | "fact" | "other";

export type LogRow = {
  readonly seq: string;
  readonly at: string;
  readonly kind: LogKind;
  /** `stderr`, or a level of its own, counts as trouble. */
  readonly isTrouble: boolean;
  readonly mark: string;
  readonly text: string;
  /** Opened by a click. */
  readonly detail: JsonObject | null;
};

/** A message made of pieces is cut here; its events stay whole. */
const LONGEST = 64 * 1024;

/** Makes rows of the events of a window, and goes on where it stopped. */
export class LogRows {
  #rows: LogRow[] = [];
  #taken = 0;
  #began = -1;
  /** Where the beginning of a tool call stands. */
  readonly #tools = new Map<string, number>();

  /** The rows of these events. `began` says whether the list went on or is another one. */
  take(events: readonly Event[], began: number): readonly LogRow[] {
    if (began !== this.#began) {
      this.#began = began;
      this.#rows = [];
      this.#taken = 0;
      this.#tools.clear();
    }
    if (this.#taken === events.length) return this.#rows;
    this.#rows = [...this.#rows];
    for (const event of events.slice(this.#taken)) this.#add(event);
    this.#taken = events.length;
    return this.#rows;
  }

  #add(event: Event): void {
    const { type, data, attempt } = event;
    const said = textOf(data);
    const last = this.#rows.at(-1);
    if (type === "message.delta" && last?.kind === "message" && last.mark === `#${attempt}`) {
      if (last.text.length < LONGEST) {
        this.#rows[this.#rows.length - 1] = { ...last, text: last.text + (said ?? "") };
        return;
      }
    }
    if (type === "tool.call.completed") {
      const place = this.#tools.get(toolKey(event));
      const begun = place === undefined ? undefined : this.#rows[place];
      if (place !== undefined && begun !== undefined) {
        const detail = { ...begun.detail, completed: data };
        this.#rows[place] = { ...begun, detail, text: `${begun.text} ✓` };
        return;
      }
    }
    if (type === "tool.call.started") this.#tools.set(toolKey(event), this.#rows.length);
    this.#rows.push(rowOf(event, said));
  }
}

function rowOf(event: Event, said: string | null): LogRow {
  const { seq, at, type, data, attempt, source } = event;
  const base = { seq, at, isTrouble: isTrouble(data), detail: null };
  if (type === "log.line") {
    return { ...base, kind: "line", mark: wordOf(data["stream"], "log"), text: said ?? "" };
  }
  if (type.startsWith("message.")) {
    return { ...base, kind: "message", mark: `#${attempt}`, text: said ?? JSON.stringify(data) };
  }
  if (type.startsWith("tool.call.")) {
    const name = wordOf(data["name"] ?? data["tool"], "tool").slice(0, 200);
    return { ...base, kind: "tool", mark: "tool", text: name, detail: data };
  }
  const to = event.to_state === null ? "" : ` → ${event.to_state}`;
  const text = `${type}${to}${said === null ? "" : `  ${said}`}`.slice(0, LONGEST);
  const detail = said !== null || Object.keys(data).length === 0 ? null : data;
  return { ...base, kind: source === "runner" ? "other" : "fact", mark: source, text, detail };
}

function textOf(data: JsonObject): string | null {
  const { text, message, delta, reason } = data;
  const said = [text, message, delta, reason].find((one) => typeof one === "string");
  return typeof said === "string" ? said : null;
}

const toolKey = ({ data, attempt }: Event): string =>
  `${attempt} ${wordOf(data["id"] ?? data["call_id"] ?? data["name"], "")}`;

/** A word of an event's data; agents may have put anything there. */
const wordOf = (value: Json | undefined, otherwise: string): string =>
  typeof value === "string" ? value : value === undefined ? otherwise : JSON.stringify(value);
