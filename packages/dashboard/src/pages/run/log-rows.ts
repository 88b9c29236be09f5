// From events to the lines of a log: joined, folded, filtered.
// Promises: pure; reads each event once, however often the log grows; pieces of a message become
// one line, a tool's end is folded into its beginning.
// Leaves to others: drawing (`log.tsx`), making unseen characters visible (`parts/plain.tsx`).

import type { Event, Json, JsonObject } from "@signalbox/sdk";

export type LogKind = "line" | "message" | "tool" | "fact" | "other";

export type LogRow = {
  readonly seq: string;
  readonly at: string;
  readonly kind: LogKind;
  /** `stderr`, or a level of its own, counts as trouble. */
  readonly isTrouble: boolean;
  readonly mark: string;
  text: string;
  /** Opened by a click. */
  detail: JsonObject | null;
};

/** A message made of pieces is cut here; its events stay whole. */
const LONGEST = 64 * 1024;

/** Makes rows of events, and goes on where it stopped. */
export class LogRows {
  readonly rows: LogRow[] = [];
  #taken = 0;
  readonly #tools = new Map<string, LogRow>();

  take(events: readonly Event[]): readonly LogRow[] {
    for (; this.#taken < events.length; this.#taken += 1) {
      const event = events[this.#taken];
      if (event !== undefined) this.#add(event);
    }
    return this.rows;
  }

  #add(event: Event): void {
    const { type, data, attempt } = event;
    const said = textOf(data);
    if (type === "message.delta") {
      const last = this.rows.at(-1);
      if (last?.kind === "message" && last.mark === `#${attempt}` && last.text.length < LONGEST) {
        last.text += said ?? "";
        return;
      }
    }
    if (type === "tool.call.completed") {
      const begun = this.#tools.get(toolKey(event));
      if (begun !== undefined) {
        begun.detail = { ...begun.detail, completed: data };
        begun.text += " ✓";
        return;
      }
    }
    const row = rowOf(event, said);
    if (type === "tool.call.started") this.#tools.set(toolKey(event), row);
    this.rows.push(row);
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

const troubled = new Set(["error", "fatal", "warn", "warning"]);

function isTrouble({ stream, level }: JsonObject): boolean {
  return stream === "stderr" || (typeof level === "string" && troubled.has(level.toLowerCase()));
}

export type LogFilter = {
  readonly text: string;
  readonly level: "all" | "trouble";
  readonly tools: boolean;
  readonly facts: boolean;
};

export function shownRows(rows: readonly LogRow[], filter: LogFilter): readonly LogRow[] {
  const { text, level, tools, facts } = filter;
  if (text === "" && level === "all" && tools && facts) return rows;
  const wanted = text.toLowerCase();
  return rows.filter(
    (row) =>
      (level === "all" || row.isTrouble) &&
      (tools || row.kind !== "tool") &&
      (facts || row.kind !== "fact") &&
      (wanted === "" || row.text.toLowerCase().includes(wanted)),
  );
}
