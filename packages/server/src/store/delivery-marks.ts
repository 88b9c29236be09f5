// What tries of one webhook have changed, written down together.
// Promises: the endpoint's row is locked first, then the deliveries, so that the failures in a row
// are counted one after the other; all tries of a call are marked in a handful of statements, and
// the line behind each goes on in the same transaction.
// Leaves to others: what a try changes (`domain/webhook/tries.ts`), leases (`deliveries.ts`).

import type { Endpoint, Tried, TryOutcome } from "../domain/webhook/tries.ts";
import type { Column } from "./batch.ts";
import { arraysOf, batch, instantText, parametersOf } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { WebhookRef } from "./deliveries.ts";

const lockEndpoint = statement(
  "lock_tried_endpoint",
  `select w.failures, w.failing_since, w.rest_until,
     statement_timestamp() + make_interval(secs => $3::double precision / 1000) as now
   from signalbox.webhook w where w.project_id = $1 and w.id = $2 for no key update`,
);
const lockTried = statement(
  "lock_tried_deliveries",
  `select d.id, d.tries, d.first_try_at, d.aside, d.stream_id, d.feed
   from signalbox.delivery d
   where d.project_id = $1 and d.webhook_id = $2 and d.id = any ($4::uuid[])
     and d.leased_by = $3 and d.state = 'pending'
   order by d.id for no key update`,
);

export type TriedDelivery = {
  id: string;
  tries: number;
  first_try_at: number | null;
  aside: boolean;
  stream_id: string | null;
  feed: number | null;
};
/** The endpoint, and of the asked deliveries those whose lease no other server has. */
export type TriedRows = {
  readonly endpoint: Endpoint;
  readonly now: number;
  readonly deliveries: ReadonlyMap<string, TriedDelivery>;
};

type EndpointRow = {
  failures: number;
  failing_since: number | null;
  rest_until: number | null;
  now: number;
};

/** Locks a webhook with deliveries of it that were tried; null when there is no such webhook. */
export async function lockTriedDeliveries(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
  { by, ids, offsetMs }: { by: string; ids: readonly string[]; offsetMs: number },
): Promise<TriedRows | null> {
  const [endpoints, rows] = await Promise.all([
    runner.query<EndpointRow>(lockEndpoint, [projectId, webhookId, offsetMs]),
    runner.query<TriedDelivery>(lockTried, [projectId, webhookId, by, ids]),
  ]);
  const row = endpoints[0];
  if (row === undefined) return null;
  const { failures, failing_since: failingSince, rest_until: restUntil, now } = row;
  const deliveries = new Map(rows.map((one) => [one.id, one]));
  return { endpoint: { failures, failingSince, restUntil }, now, deliveries };
}

/** A delivery as a try leaves it. */
export type Marked = {
  readonly before: TriedDelivery;
  readonly after: Tried;
  readonly outcome: TryOutcome;
};

const marked: readonly Column<Marked>[] = [
  { name: "id", type: "uuid", of: ({ before }) => before.id },
  { name: "state", type: "text", of: ({ after }) => after.state },
  { name: "tries", type: "integer", of: ({ after }) => after.tries },
  { name: "aside", type: "boolean", of: ({ after }) => after.aside },
  { name: "next_at", type: "timestamptz", of: ({ after }) => instantText(after.nextAt) },
  { name: "status", type: "integer", of: ({ outcome }) => outcome.status },
  { name: "took_ms", type: "integer", of: ({ outcome }) => outcome.tookMs },
  { name: "error", type: "text", of: ({ outcome }) => outcome.error },
  { name: "excerpt", type: "text", of: ({ outcome }) => outcome.excerpt },
];
const mark = statement(
  "mark_deliveries",
  `update signalbox.delivery r set state = n.state, tries = n.tries, aside = n.aside,
     next_at = n.next_at, lease_until = null, leased_by = null, status = n.status,
     took_ms = n.took_ms, error = n.error, excerpt = n.excerpt,
     ended_at = case when n.state = 'pending' then null
       else $${parametersOf(marked) + 2}::timestamptz end
   from ${batch(marked)} where r.id = n.id and r.project_id = $${parametersOf(marked) + 1}`,
);
const markEndpoint = statement(
  "mark_endpoint",
  `update signalbox.webhook w set failures = $3, failing_since = $4::timestamptz,
     rest_until = $5::timestamptz
   where w.project_id = $1 and w.id = $2
     and (w.failures, w.rest_until) is distinct from ($3, $5::timestamptz)`,
);
const unblock = statement(
  "unblock_deliveries",
  `update signalbox.delivery d set next_at = $4::timestamptz
   from unnest($3::uuid[]) s (stream_id), lateral (
     select o.id from signalbox.delivery o where o.webhook_id = $2 and o.stream_id = s.stream_id
       and o.state = 'pending' and not o.aside order by o.feed, o.id limit 1) first
   where d.id = first.id and d.project_id = $1 and d.next_at is null`,
);
const hasten = statement(
  "hasten_deliveries",
  `update signalbox.delivery d set next_at = $3::timestamptz
   where d.project_id = $1 and d.webhook_id = $2 and d.state = 'pending' and d.next_at > $3
     and d.lease_until is null`,
);

/** What a call writes; `answersAgain`: what waited for the endpoint need not wait longer. */
export type Marks = {
  readonly marks: readonly Marked[];
  readonly endpoint: Endpoint;
  readonly now: number;
  readonly answersAgain: boolean;
};

/** Writes what tries changed. Concurrency: the caller holds all locks. */
export async function markDeliveries(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
  { marks, endpoint, now, answersAgain }: Marks,
): Promise<void> {
  const at = instantText(now);
  const steps: Promise<unknown>[] = [
    runner.query(mark, [...arraysOf(marked, marks), projectId, at]),
    runner.query(markEndpoint, [
      projectId,
      webhookId,
      endpoint.failures,
      instantText(endpoint.failingSince),
      instantText(endpoint.restUntil),
    ]),
  ];
  const left = marks.filter(
    ({ before, after }) => after.state !== "pending" || (after.aside && !before.aside),
  );
  const streams = new Set(left.flatMap(({ before }) => before.stream_id ?? []));
  if (streams.size > 0) {
    steps.push(runner.query(unblock, [projectId, webhookId, [...streams], at]));
  }
  if (answersAgain) steps.push(runner.query(hasten, [projectId, webhookId, at]));
  await Promise.all(steps);
}
