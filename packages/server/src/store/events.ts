// The register: appending facts with their numbers, and reading streams and feeds.
// Promises: `seq` was assigned under the stream's row lock, `feed` is taken here from the project's
// counter as the last lock of the transaction, so it is gap-free in commit order (F-65).
// Leaves to others: which facts there are (domain), following them live (engine).

import type { Fact } from "../domain/event.ts";
import type { Batched, Column } from "./batch.ts";
import { arrayText, batched, instantText, namesOf, sendBatch, valuesOf } from "./batch.ts";
import type { Row, Runner } from "./db.ts";
import { statement } from "./db.ts";

export type EventRow = {
  streamId: string;
  stream: "run" | "agent" | "account" | "runtime" | "queue" | "project" | "slot";
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
function places(events: readonly EventRow[]): Column<EventRow> {
  const next = new Map<string, number>();
  const found = new Map<EventRow, number>();
  for (const event of events) {
    const place = (next.get(event.projectId) ?? 0) + 1;
    next.set(event.projectId, place);
    found.set(event, place);
  }
  return { name: "place", type: "bigint", of: (event) => found.get(event) };
}

/** The statement that appends; `and` is what else it does. */
function appending(name: string, and: (next: number) => string, result: string): Batched<EventRow> {
  const text = (rows: string, next: number): string =>
    `with f as (update signalbox.feed_counter f set n = f.n + c.events
     from unnest($${next}::uuid[], $${next + 1}::bigint[]) as c(project_id, events)
     where f.project_id = c.project_id returning f.project_id, f.n - c.events as base),
   w as (insert into signalbox.event (feed, ${namesOf(appended)})
     select f.base + n.place, ${valuesOf(appended)}
     from ${rows} join f on f.project_id = n.project_id returning 1)${and(next + 3)}
   select signalbox.expect(count(*), $${next + 2}, 'append events')${result} from w`;
  return batched(name, [...appended, places([])], text);
}

const append = appending("append_events", () => "", "");
const appendInFlush = appending(
  "append_events_of_flush",
  (next) => `,
   l as (insert into signalbox.flush (id, at) values ($${next}, clock_timestamp()))`,
  ", pg_current_xact_id()::xid::text as version",
);

/**
 * Appends events, numbering each project's feed on. Concurrency: the counters of several projects
 * are locked in order first; this is the last statement before the commit.
 */
export async function appendEvents(runner: Runner, events: readonly EventRow[]): Promise<void> {
  await Promise.all([lockFeeds(runner, events), send(runner, append, events)]);
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
  const [, rows] = await Promise.all([
    lockFeeds(runner, events),
    send<{ version: string }>(runner, appendInFlush, events, [flushId]),
  ]);
  return rows[0]?.version as string;
}

function countsOf(events: readonly EventRow[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { projectId } of events) counts.set(projectId, (counts.get(projectId) ?? 0) + 1);
  return counts;
}

function send<R extends Row>(
  runner: Runner,
  what: Batched<EventRow>,
  events: readonly EventRow[],
  more: readonly unknown[] = [],
): Promise<R[]> {
  const counts = countsOf(events);
  const numbered = { ...what, columns: [...appended, places(events)] };
  const given = [[...counts.keys()], [...counts.values()], events.length, ...more];
  return sendBatch<EventRow, R>(runner, numbered, events, given);
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

/** The columns of an event (`e`) as everybody reads it. */
export const eventColumns = `e.stream_id, e.seq, e.feed, e.at, e.producer_seq, e.attempt,
  e.late, e.stream, e.type, e.source, e.from_state, e.to_state, e.also, e.actor, e.request_id,
  e.traceparent, e.data`;

const streamForward = statement(
  "stream_forward",
  `select ${eventColumns} from signalbox.event e
   where e.stream_id = $1 and e.seq > $2 and e.seq < $3
     and ($4::text is null or e.type = $4 or $4 = any (e.also))
   order by e.seq limit $5`,
);
const streamBackward = statement(
  "stream_backward",
  `select ${eventColumns} from signalbox.event e
   where e.stream_id = $1 and e.seq > $2 and e.seq < $3
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

/** Which events are looked for; null and false ask for nothing. `text` is in lower case. */
export type StreamLook = {
  readonly text: string | null;
  readonly trouble: boolean;
  readonly sources: readonly string[] | null;
  readonly without: readonly string[];
};

const lookedFor = `e.stream_id = $1 and e.seq > $2 and e.seq < $3
     and ($4::text is null or e.type = $4 or $4 = any (e.also))
     and ($6::text is null or strpos(lower(e.type || ' ' || coalesce(e.data::text, '')), $6) > 0)
     and (not $7 or e.data ->> 'stream' = 'stderr'
       or lower(e.data ->> 'level') = any ('{error,fatal,warn,warning}'))
     and ($8::text[] is null or e.source = any ($8))
     and not exists (select from unnest($9::text[]) x where case when right(x, 1) = '.'
       then starts_with(e.type, x) else e.type = x end)`;
const searchForward = statement(
  "search_stream_forward",
  `select ${eventColumns} from signalbox.event e where ${lookedFor} order by e.seq limit $5`,
);
const searchBackward = statement(
  "search_stream_backward",
  `select ${eventColumns} from signalbox.event e where ${lookedFor} order by e.seq desc limit $5`,
);

/** Of the events between two numbers those that are looked for: reads every one in between. */
export async function searchStream(
  runner: Runner,
  streamId: string,
  page: StreamPage & { readonly look: StreamLook },
): Promise<StoredEvent[]> {
  const { after, before, type, limit, look } = page;
  const what = page.order === "asc" ? searchForward : searchBackward;
  const asked = [look.text, look.trouble, look.sources, look.without];
  return runner.query<StoredEvent>(what, [streamId, after, before, type, limit, ...asked]);
}

/** Whose event it is: of the agent whose attempt it was, else whom its run is for, or its own. */
export const eventAgent = "coalesce(ea.agent, es.agent, eg.name)";
export const eventAgentJoins = `left join lateral (select a.agent from signalbox.attempt a
     where e.stream = 'run' and a.run_id = e.stream_id and a.number = e.attempt limit 1) ea on true
   left join lateral (select s.agent from signalbox.run_spec s
     where e.stream = 'run' and s.run_id = e.stream_id limit 1) es on true
   left join lateral (select g.name from signalbox.agent g
     where e.stream = 'agent' and g.id = e.stream_id limit 1) eg on true`;

/** An event with whose it is. */
export type FeedEvent = StoredEvent & { readonly of_agent: string | null };

/** A type that ends in a dot is the beginning of types. */
const ofType = `($4::text is null or case when right($4, 1) = '.'
       then starts_with(e.type, $4) or exists (select from unnest(e.also) x
         where starts_with(x, $4))
       else e.type = $4 or $4 = any (e.also) end)`;

const feedForward = statement(
  "feed_forward",
  `select ${eventColumns}, ${eventAgent} as of_agent from signalbox.event e
   ${eventAgentJoins}
   where e.project_id = $1 and e.feed > $2 and e.feed <= $3 and ${ofType}
     and ($5::text is null or ${eventAgent} = $5)
   order by e.feed limit $6`,
);
const feedOfRun = statement(
  "feed_of_run",
  `select ${eventColumns}, ${eventAgent} as of_agent from signalbox.event e
   ${eventAgentJoins}
   where e.stream_id = $7 and e.project_id = $1 and e.feed > $2 and e.feed <= $3 and ${ofType}
     and ($5::text is null or ${eventAgent} = $5)
   order by e.seq limit $6`,
);

export type FeedPage = {
  readonly after: number;
  /** The last number that is looked at. */
  readonly until: number;
  readonly type: string | null;
  readonly run: string | null;
  readonly agent: string | null;
  readonly limit: number;
};

/** Events of one project after a feed number, in commit order. */
export async function readFeed(
  runner: Runner,
  projectId: string,
  page: FeedPage,
): Promise<FeedEvent[]> {
  const { after, until, type, run, agent, limit } = page;
  const values = [projectId, after, until, type, agent, limit];
  return run === null
    ? runner.query<FeedEvent>(feedForward, values)
    : runner.query<FeedEvent>(feedOfRun, [...values, run]);
}

const newest = statement(
  "feed_number",
  "select f.n from signalbox.feed_counter f where f.project_id = $1",
);

/** The newest number of a project's feed. */
export async function readFeedNumber(runner: Runner, projectId: string): Promise<number> {
  return (await runner.query<{ n: number }>(newest, [projectId]))[0]?.n ?? 0;
}

const byPlace = statement(
  "events_by_place",
  `select ${eventColumns} from unnest($1::uuid[], $2::bigint[]) as n(stream_id, seq)
   join signalbox.event e on e.stream_id = n.stream_id and e.seq = n.seq order by e.feed`,
);

/** Single events by stream and number. */
export async function readEvents(
  runner: Runner,
  places: readonly { streamId: string; seq: number }[],
): Promise<StoredEvent[]> {
  const streams = places.map((place) => place.streamId);
  return runner.query<StoredEvent>(byPlace, [streams, places.map((place) => place.seq)]);
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
