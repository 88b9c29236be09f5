// What the reader of a log looks for: the question to the server, and the same of one event.
// Promises: both mean the same, so that what comes live and what was read before fit together.
// Leaves to others: the fields (`log-bar.tsx`), reading (`event-log.ts`).

import type { Event, Json, JsonObject, RunEventQuery } from "@signalbox/sdk";

export type Look = {
  readonly text: string;
  readonly level: "all" | "trouble";
  /** Whether tool calls and the run's own transitions are shown. */
  readonly tools: boolean;
  readonly facts: boolean;
};

export const everything: Look = { text: "", level: "all", tools: true, facts: true };

const TOOLS = "tool.call.";

/** As the server is asked. */
export function queryOf({ text, level, tools, facts }: Look): RunEventQuery {
  return {
    ...(text === "" ? {} : { text }),
    ...(level === "trouble" ? { level: "warning" } : {}),
    ...(tools ? {} : { without: [TOOLS] }),
    ...(facts ? {} : { source: ["runner"] }),
  };
}

/** Of one event that has just come. */
export function fits(event: Event, { text, level, tools, facts }: Look): boolean {
  return (
    (level === "all" || isTrouble(event.data)) &&
    (tools || !event.type.startsWith(TOOLS)) &&
    (facts || event.source === "runner") &&
    (text === "" || saysOf(event).includes(JSON.stringify(text).slice(1, -1).toLowerCase()))
  );
}

const saysOf = ({ type, data }: Event): string => `${type} ${JSON.stringify(data)}`.toLowerCase();

const troubled: ReadonlySet<Json> = new Set(["error", "fatal", "warn", "warning"]);

export function isTrouble({ stream, level }: JsonObject): boolean {
  return stream === "stderr" || (typeof level === "string" && troubled.has(level.toLowerCase()));
}
