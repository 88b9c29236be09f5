// The register: appending facts with their numbers, and reading streams and feeds.
// Promises: `seq` was assigned under the stream's row lock, `feed` is taken here from the project's
// counter as the last lock of the transaction, so it is gap-free in commit order (F-65).
// Leaves to others: which facts there are (domain), following them live (engine).

import type { Fact } from "../domain/event.ts";
import type { Column } from "./batch.ts";
import { arraysOf, arrayText, batch, instantText, namesOf, valuesOf } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type EventRow = {
  streamId: string;
  stream: "run" | "runtime" | "queue" | "project";
  seq: number;
  projectId: string;
  fact: Fact;
  actor: string | null;
  requestId: string | null;
  traceparent: string | null;
};

const lockFeedCounters = statement(
  "lock_feed_counters",
  `select f.n from signalbox.feed_counter f where f.project_id = any ($1::uuid[])
   order by f.project_id for no key update`,
);
const appended: readonly Column<EventRow>[] = [
  { name: "stream_id", type: "uuid", of: (event) => event.streamId },
  { name: "seq", type: "bigint", of: (event) => event.seq },
  { name: "project_id", type: "uuid", of: (event) => event.projectId },
  { name: "at", type: "timestamptz", of: ({ fact }) => instantText(fact.at) },
  {
    name: "lease_expires_at",
    type: "timestamptz",
    of: ({ fact }) => instantText(fact.leaseExpiresAt),
  },
  { name: "producer_seq", type: "bigint", of: ({ fact }) => fact.producerSeq },
  { name: "attempt", type: "integer", of: ({ fact }) => fact.token },
  { name: "lease_delta", type: "integer", of: ({ fact }) => fact.leaseDelta ?? 0 },
  { name: "late", type: "boolean", of: ({ fact }) => fact.late === true },
  { name: "stream", type: "text", of: (event) => event.stream },
  { name: "type", type: "text", of: ({ fact }) => fact.type },
  { name: "source", type: "text", of: ({ fact }) => fact.source },
  { name: "from_state", type: "text", of: ({ fact }) => fact.from },
  { name: "to_state", type: "text", of: ({ fact }) => fact.to },
  {
    name: "also",
    type: "text",
    of: ({ fact: { also } }) => (also === undefined || also.length === 0 ? null : arrayText(also)),
    as: "text[]",
  },
  { name: "actor", type: "text", of: (event) => event.actor },
  { name: "request_id", type: "text", of: (event) => event.requestId },
  { name: "traceparent", type: "text", of: (event) => event.traceparent },
  { name: "data", type: "text", of: ({ fact }) => dataText(fact.data), as: "jsonb" },
];

function dataText(data: object): string | null {
  const text = JSON.stringify(data);
  return text === "{}" ? null : text;
}

/** The place of each event among the new ones of its project, from 1. */
function places(): Column<EventRow> {
  const next = new Map<string, number>();
  const of = ({ projectId }: EventRow): number => {
    const place = (next.get(projectId) ?? 0) + 1;
    next.set(projectId, place);
    return place;
  };
  return { name: "place", type: "bigint", of };
}

const columnCount = appended.length + 1;

/** The statement that appends; `and` is what else it does. */
function appending(and: string, result: string): string {
  return `with f as (update signalbox.feed_counter f set n = f.n + c.events
     from unnest($${columnCount + 1}::uuid[], $${columnCount + 2}::bigint[])
       as c(project_id, events)
     where f.project_id = c.project_id returning f.project_id, f.n - c.events as base),
   w as (insert into signalbox.event (feed, ${namesOf(appended)})
     select f.base + n.place, ${valuesOf(appended)}
     from ${batch([...appended, places()])} join f on f.project_id = n.project_id returning 1)${and}
   select signalbox.expect(count(*), $${columnCount + 3}, 'append events')${result} from w`;
}

const append = statement("append_events", appending("", ""));
const appendInFlush = statement(
  "append_events_of_flush",
  appending(
    `,
   l as (insert into signalbox.flush (id, at) values ($${columnCount + 4}, clock_timestamp()))`,
    ", pg_current_xact_id()::xid::text as version",
  ),
);

/**
 * Appends events, numbering each project's feed on. Concurrency: the counters of several projects
 * are locked in order first; this is the last statement before the commit.
 */
export async function appendEvents(runner: Runner, events: readonly EventRow[]): Promise<void> {
  await Promise.all([lockFeeds(runner, events), runner.query(append, valuesFor(events))]);
}

/**
 * The same, with the row that tells that the flush committed. Returns the version that every row
 * written in this transaction will have (`xmin`).
 */
export async function appendFlushEvents(
  runner: Runner,
  events: readonly EventRow[],
  flushId: string,
): Promise<string> {
  const values = [...valuesFor(events), flushId];
  const [, rows] = await Promise.all([
    lockFeeds(runner, events),
    runner.query<{ version: string }>(appendInFlush, values),
  ]);
  return rows[0]?.version as string;
}

function countsOf(events: readonly EventRow[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { projectId } of events) counts.set(projectId, (counts.get(projectId) ?? 0) + 1);
  return counts;
}

function valuesFor(events: readonly EventRow[]): unknown[] {
  const counts = countsOf(events);
  const arrays = arraysOf([...appended, places()], events);
  return [...arrays, [...counts.keys()], [...counts.values()], events.length];
}

async function lockFeeds(runner: Runner, events: readonly EventRow[]): Promise<void> {
  const projects = [...countsOf(events).keys()];
  if (projects.length > 1) await runner.query(lockFeedCounters, [projects]);
}

export type StoredEvent = {
  stream_id: string;
  seq: number;
  feed: number;
  at: number;
  producer_seq: number | null;
  attempt: number | null;
  late: boolean;
  stream: string;
  type: string;
  source: "host" | "runner" | "operator";
  from_state: string | null;
  to_state: string | null;
  also: string[] | null;
  actor: string | null;
  request_id: string | null;
  traceparent: string | null;
  data: { [key: string]: never } | null;
};

const columns = `e.stream_id, e.seq, e.feed, e.at, e.producer_seq, e.attempt, e.late, e.stream,
  e.type,
  e.source, e.from_state, e.to_state, e.also, e.actor, e.request_id, e.traceparent, e.data`;

const streamForward = statement(
  "stream_forward",
  `select ${columns} from signalbox.event e where e.stream_id = $1 and e.seq > $2 and e.seq < $3
     and ($4::text is null or e.type = $4 or $4 = any (e.also))
   order by e.seq limit $5`,
);
const streamBackward = statement(
  "stream_backward",
  `select ${columns} from signalbox.event e where e.stream_id = $1 and e.seq > $2 and e.seq < $3
     and ($4::text is null or e.type = $4 or $4 = any (e.also))
   order by e.seq desc limit $5`,
);

export type StreamPage = {
  after: number;
  before: number;
  order: "asc" | "desc";
  type: string | null;
  limit: number;
};

/** Events of one stream between two numbers (both excluded), in order of `seq`. */
export async function readStream(
  runner: Runner,
  streamId: string,
  page: StreamPage,
): Promise<StoredEvent[]> {
  const what = page.order === "asc" ? streamForward : streamBackward;
  return runner.query<StoredEvent>(what, [
    streamId,
    page.after,
    page.before,
    page.type,
    page.limit,
  ]);
}

const feedForward = statement(
  "feed_forward",
  `select ${columns} from signalbox.event e where e.project_id = $1 and e.feed > $2
     and ($3::text is null or e.type = $3 or $3 = any (e.also))
   order by e.feed limit $4`,
);

/** Events of one project after a feed number, in commit order. */
export async function readFeed(
  runner: Runner,
  projectId: string,
  page: { after: number; type: string | null; limit: number },
): Promise<StoredEvent[]> {
  return runner.query<StoredEvent>(feedForward, [projectId, page.after, page.type, page.limit]);
}

const byProducer = statement(
  "events_by_producer",
  `select e.producer_seq, e.type, e.data from signalbox.event e
   where e.stream_id = $1 and e.attempt = $2 and e.producer_seq = any ($3::bigint[])
   order by e.seq limit 1000`,
);

export type ProducedEvent = { producer_seq: number; type: string; data: unknown };

/** Stored events of one attempt by the runner's own numbers: to compare a repeated append with. */
export async function eventsByProducer(
  runner: Runner,
  streamId: string,
  attempt: number,
  numbers: readonly number[],
): Promise<ProducedEvent[]> {
  return runner.query<ProducedEvent>(byProducer, [streamId, attempt, numbers]);
}
