// Events of one run as pages, all of them or those that somebody looks for.
// Promises: a page never repeats or skips an event; looking for what is seldom takes several pages,
// since one looks at 50,000 events at most: it may hold few or none and still have more behind it.
// Leaves to others: following (follow.ts), what the query may say (http).

import type * as wire from "@signalbox/sdk";
import type { StreamLook } from "../../store/events.ts";
import { readStream, searchStream } from "../../store/events.ts";
import { readRuns } from "../../store/runs.ts";
import type { EventLook, EventPageInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { page } from "./page.ts";
import { eventOf } from "./views.ts";

const LAST = Number.MAX_SAFE_INTEGER;
/** Events that one page looks at: some 100 ms of reading. */
const WINDOW = 50_000;

export async function readRunEvents(
  parts: Parts,
  projectId: string,
  runId: string,
  asked: EventPageInput,
): Promise<wire.Page<wire.Event>> {
  const { afterSeq: after = 0, beforeSeq: before = LAST, order, type = null, limit } = asked;
  const range = { after, before, order, type, limit: limit + 1 };
  if (asked.look !== undefined) {
    return searchRunEvents(parts, projectId, runId, { ...range, look: asked.look });
  }
  const rows = await parts.reader.within([projectId], (runner) => readStream(runner, runId, range));
  return page(rows.map(eventOf), limit, (last) => last.seq);
}

type Search = {
  readonly after: number;
  readonly before: number;
  readonly order: "asc" | "desc";
  readonly type: string | null;
  readonly limit: number;
  readonly look: EventLook;
};

async function searchRunEvents(
  parts: Parts,
  projectId: string,
  runId: string,
  asked: Search,
): Promise<wire.Page<wire.Event>> {
  const { order, look } = asked;
  return parts.reader.within([projectId], async (runner) => {
    const [run] = await readRuns(runner, [runId]);
    const before = Math.min(asked.before, (run?.lastSeq ?? 0) + 1);
    const range =
      order === "desc"
        ? { after: Math.max(asked.after, before - 1 - WINDOW), before }
        : { after: asked.after, before: Math.min(before, asked.after + 1 + WINDOW) };
    const rows = await searchStream(runner, runId, { ...asked, ...range, look: lookOf(look) });
    const found = page(rows.map(eventOf), asked.limit - 1, (last) => last.seq);
    const isAll = order === "desc" ? range.after <= asked.after : range.before >= before;
    if (found.has_more || isAll) return found;
    const next = order === "desc" ? range.after + 1 : range.before - 1;
    return { ...found, has_more: true, next_cursor: String(next) };
  });
}

const lookOf = ({ text, level, sources, without }: EventLook): StreamLook => ({
  text: text === undefined ? null : insideJson(text),
  trouble: level === "warning",
  sources: sources ?? null,
  without: without ?? [],
});

/** As the text stands between the quotes of JSON. */
const insideJson = (text: string): string => JSON.stringify(text).slice(1, -1).toLowerCase();

const troubled: ReadonlySet<string> = new Set(["error", "fatal", "warn", "warning"]);

/** Whether an event is one that is looked for: what `searchStream` asks, of a single event. */
export function isLookedFor(event: wire.Event, look: EventLook): boolean {
  const { text, level, sources, without = [] } = look;
  const { stream, level: said } = event.data;
  const isTrouble =
    stream === "stderr" || (typeof said === "string" && troubled.has(said.toLowerCase()));
  const isOf = (type: string): boolean =>
    type.endsWith(".") ? event.type.startsWith(type) : event.type === type;
  const words = `${event.type} ${JSON.stringify(event.data)}`.toLowerCase();
  return (
    (text === undefined || words.includes(insideJson(text))) &&
    (level === undefined || isTrouble) &&
    (sources === undefined || sources.includes(event.source)) &&
    !without.some(isOf)
  );
}
