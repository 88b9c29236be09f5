// The register: appending facts with their numbers, and reading streams and feeds.
// Promises: `seq` was assigned under the stream's row lock, `feed` is taken here from the project's
// counter as the last lock of the transaction, so it is gap-free in commit order (F-65).
// Leaves to others: which facts there are (domain), following them live (engine).

import type { Fact } from "../domain/event.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import { iso } from "./run-rows.ts";

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

const lockFeeds = statement(
  "lock_feed_counters",
  `select f.n from signalbox.feed_counter f where f.project_id = any ($1::uuid[])
   order by f.project_id for no key update`,
);
const append = statement(
  "append_events",
  `with n as materialized (select * from json_to_recordset($1::json) as n(ord integer,
     stream_id uuid, seq bigint, project_id uuid, at timestamptz, lease_expires_at timestamptz,
     producer_seq bigint, attempt integer, lease_delta smallint, late boolean, stream text,
     type text,
     source text, from_state text, to_state text, also text[], actor text, request_id text,
     traceparent text, data jsonb)),
   f as (update signalbox.feed_counter f set n = f.n + c.n
     from (select n.project_id, count(*) as n from n group by n.project_id) c
     where f.project_id = c.project_id returning f.project_id, f.n - c.n as base),
   w as (insert into signalbox.event (stream_id, seq, project_id, feed, at, lease_expires_at,
     producer_seq, attempt, lease_delta, late, stream, type, source, from_state, to_state, also,
     actor, request_id, traceparent, data)
   select n.stream_id, n.seq, n.project_id, f.base + n.ord, n.at, n.lease_expires_at,
     n.producer_seq, n.attempt, coalesce(n.lease_delta, 0), coalesce(n.late, false), n.stream,
     n.type, n.source, n.from_state, n.to_state, n.also, n.actor, n.request_id, n.traceparent, n.data
   from n join f on f.project_id = n.project_id returning 1)
   select signalbox.expect(count(*), $2, 'append events') from w`,
);

/**
 * Appends events, numbering each project's feed on. Concurrency: the counters of several projects
 * are locked in order first; this is the last statement before the commit.
 */
export async function appendEvents(runner: Runner, events: readonly EventRow[]): Promise<void> {
  const perProject = new Map<string, number>();
  const records = events.map((event) => {
    const ord = (perProject.get(event.projectId) ?? 0) + 1;
    perProject.set(event.projectId, ord);
    return recordOf(event, ord);
  });
  const locked =
    perProject.size > 1 ? runner.query(lockFeeds, [[...perProject.keys()]]) : Promise.resolve();
  await Promise.all([locked, runner.query(append, [JSON.stringify(records), events.length])]);
}

function recordOf(event: EventRow, ord: number): { [column: string]: unknown } {
  const { fact } = event;
  return {
    ord,
    stream_id: event.streamId,
    seq: event.seq,
    project_id: event.projectId,
    at: iso(fact.at),
    lease_expires_at: iso(fact.leaseExpiresAt ?? null) ?? undefined,
    producer_seq: fact.producerSeq,
    attempt: fact.token,
    lease_delta: fact.leaseDelta,
    late: fact.late === true ? true : undefined,
    stream: event.stream,
    type: fact.type,
    source: fact.source,
    from_state: fact.from ?? undefined,
    to_state: fact.to ?? undefined,
    also: fact.also === undefined || fact.also.length === 0 ? undefined : fact.also,
    actor: event.actor ?? undefined,
    request_id: event.requestId ?? undefined,
    traceparent: event.traceparent ?? undefined,
    data: Object.keys(fact.data).length === 0 ? undefined : fact.data,
  };
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
