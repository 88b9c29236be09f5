// The feed of a project: as pages, and live from any number on.
// Promises: what lies back is read from the register in windows, what comes is heard from the tail;
// in between nothing is missed or told twice, whatever the filter; a follower that was let go reads
// on from the register. Who stands where retention removed runs is told once to read anew (F-110).
// Leaves to others: the tail (services/tail.ts), frames on the wire (http).

import type * as wire from "@signalbox/sdk";
import { toTypeId } from "../../std/ids.ts";
import type { FeedEvent } from "../../store/events.ts";
import { readFeed, readFeedNumber } from "../../store/events.ts";
import { readProjects } from "../../store/projects.ts";
import type { FeedFilter } from "../contract.ts";
import type { Parts } from "../parts.ts";
import type { Batch } from "../services/tail.ts";
import { eventOf } from "./views.ts";

const PAGE = 500;
/** Numbers of a feed that one read looks at: a filter that finds little must not take for ever. */
const WINDOW = 20_000;
/** Windows one page looks at; its cursor goes on behind them. */
const WINDOWS = 20;

type Window = { readonly after: number; readonly until: number; readonly limit: number };

function read(
  parts: Parts,
  projectId: string,
  filter: FeedFilter,
  window: Window,
): Promise<FeedEvent[]> {
  const { type = null, run = null, agent = null } = filter;
  return parts.reader.within([projectId], (runner) =>
    readFeed(runner, projectId, { ...window, type, run, agent }),
  );
}

/** One page after a number. Its cursor is the number up to which was looked. */
export async function readFeedPage(
  parts: Parts,
  projectId: string,
  asked: { afterFeed: number; limit: number } & FeedFilter,
): Promise<wire.Page<wire.Event>> {
  const { afterFeed, limit, ...filter } = asked;
  // Of one run there is an index: its events are found wherever they lie.
  const size = isPlain(filter) || filter.run !== undefined ? Infinity : WINDOW;
  let after = afterFeed;
  const items: FeedEvent[] = [];
  for (let n = 0; n < WINDOWS; n += 1) {
    const until = Math.min(Number.MAX_SAFE_INTEGER, after + size);
    const wanted = limit + 1 - items.length;
    items.push(...(await read(parts, projectId, filter, { after, until, limit: wanted })));
    if (items.length > limit) break;
    after = until;
    if (until === Number.MAX_SAFE_INTEGER) return pageOf(items, null);
    const [next] = await read(parts, projectId, {}, { after, until: LAST, limit: 1 });
    if (next === undefined) return pageOf(items, null);
  }
  if (items.length <= limit) return pageOf(items, String(after));
  const shown = items.slice(0, limit);
  return pageOf(shown, String(shown.at(-1)?.feed ?? after));
}

const LAST = Number.MAX_SAFE_INTEGER;

function pageOf(rows: readonly FeedEvent[], next: string | null): wire.Page<wire.Event> {
  return { items: rows.map(eventOf), has_more: next !== null, next_cursor: next };
}

function isPlain({ type, run, agent }: FeedFilter): boolean {
  return type === undefined && run === undefined && agent === undefined;
}

/**
 * The feed after a number, live. Ends when the signal says so or the server stops. Below the floor
 * (what retention removed) lie gaps: a follower whose cursor is there hears one `resync`, in a set
 * of its own, and goes on above. One that begins at 0 asks for what is there, and is not told of
 * what was removed before. One whose cursor lies behind the end hears `resync` too.
 */
export async function* followFeed(
  parts: Parts,
  projectId: string,
  from: { afterFeed: number } & FeedFilter,
  signal: AbortSignal,
): AsyncGenerator<readonly wire.FeedItem[]> {
  const { afterFeed, ...filter } = from;
  let cursor = afterFeed;
  const known = cursor === 0 ? await floorOf(parts, projectId) : 0;
  while (!signal.aborted) {
    const follower = parts.tail.join(projectId);
    try {
      const start = await follower.start(signal);
      if (start === null) return;
      const end = cursor > start ? await endOf(parts, projectId) : cursor;
      if (cursor > end) {
        // The database was restored: what had these numbers is gone, and they are given anew.
        cursor = end;
        yield [{ type: "resync", after_feed: String(end) }];
      }
      while (cursor < start && !signal.aborted) {
        const until = Math.min(start, cursor + WINDOW);
        const window = { after: cursor, until, limit: PAGE };
        const rows = await read(parts, projectId, filter, window);
        // Asked after the rows: where it lies below, nothing was missing when they were read.
        const floor = await floorOf(parts, projectId);
        if (cursor < floor && floor > known) {
          cursor = floor;
          yield [{ type: "resync", after_feed: String(floor) }];
          continue;
        }
        cursor = rows.length === PAGE ? (rows.at(-1)?.feed ?? until) : until;
        if (rows.length > 0) yield rows.map(eventOf);
      }
      for (;;) {
        const batch = await follower.next(signal);
        if (batch === null) break;
        const events = freshOf(batch, cursor, filter);
        cursor = Math.max(cursor, batch.heard.at(-1)?.feed ?? cursor);
        if (events.length > 0) yield events;
      }
    } finally {
      follower.leave();
    }
  }
}

/** The newest number of the feed: what this server's tail has read may lie before it. */
function endOf(parts: Parts, projectId: string): Promise<number> {
  return parts.reader.within([projectId], (runner) => readFeedNumber(runner, projectId));
}

async function floorOf(parts: Parts, projectId: string): Promise<number> {
  const rows = await parts.reader.within([projectId], (r) => readProjects(r, [projectId]));
  return rows[0]?.feed_floor ?? 0;
}

/** What is new to this follower: the batch's own list where all of it is, shared by all. */
function freshOf(batch: Batch, cursor: number, filter: FeedFilter): readonly wire.Event[] {
  const isNew = (batch.heard[0]?.feed ?? 0) > cursor;
  if (isNew && isPlain(filter)) return batch.events;
  return batch.heard
    .filter(({ feed, agent, event }) => feed > cursor && fits(event, agent, filter))
    .map(({ event }) => event);
}

function fits(event: wire.Event, agent: string | null, filter: FeedFilter): boolean {
  const { type, run } = filter;
  if (filter.agent !== undefined && filter.agent !== agent) return false;
  if (run !== undefined && event.stream_id !== toTypeId("run", run)) return false;
  if (type === undefined) return true;
  const isIt = (one: string): boolean => (type.endsWith(".") ? one.startsWith(type) : one === type);
  return isIt(event.type) || event.also.some(isIt);
}
