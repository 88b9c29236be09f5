// Deliveries: one row per webhook and event, made from the feed, leased for a try, marked after it.
// Promises: rows are made and the webhook's cursor moved in one transaction under the webhook's row
// lock, so every committed event that matches has exactly one; a delivery is due only when no
// earlier one of its stream waits before it; a lease that ends unmarked is tried again (F-113).
// Leaves to others: what matches and what a try changes (`domain/webhook`), writing that down
// (`delivery-marks.ts`), secrets (store/house).

import type { Column } from "./batch.ts";
import { arraysOf, batch, namesOf, valuesOf, parametersOf } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { WebhookRow } from "./webhooks.ts";

export type WebhookRef = { readonly projectId: string; readonly webhookId: string };

const skipLock = statement(
  "lock_webhook_to_fill",
  `select w.id, w.project_id, w.types, w.agent, w.queue, w.cursor from signalbox.webhook w
   where w.project_id = $1 and w.id = $2 and w.disabled_at is null and w.deleted_at is null
   for no key update skip locked`,
);

export type FillingWebhook = Pick<
  WebhookRow,
  "id" | "project_id" | "types" | "agent" | "queue" | "cursor"
>;

/** The webhook to make deliveries for; null when another server does, or nothing is to be made. */
export async function lockToFill(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
): Promise<FillingWebhook | null> {
  return (await runner.query<FillingWebhook>(skipLock, [projectId, webhookId]))[0] ?? null;
}

const onward = statement(
  "feed_for_webhook",
  `select e.feed, e.stream_id, e.seq, e.type, e.also,
     case e.stream when 'agent' then g.name when 'run' then coalesce(t.agent, s.agent) end as agent,
     case e.stream when 'queue' then q.name when 'run' then s.queue end as queue
   from signalbox.event e
   left join signalbox.run_spec s on $4::boolean and e.stream = 'run' and s.run_id = e.stream_id
   left join signalbox.attempt t on $4 and e.stream = 'run' and t.run_id = e.stream_id
     and t.number = e.attempt
   left join signalbox.agent g on $4 and e.stream = 'agent' and g.id = e.stream_id
   left join signalbox.queue q on $4 and e.stream = 'queue' and q.id = e.stream_id
   where e.project_id = $1 and e.feed > $2 order by e.feed limit $3`,
);

export type FeedEvent = {
  feed: number;
  stream_id: string;
  seq: number;
  type: string;
  also: string[] | null;
  agent: string | null;
  queue: string | null;
};

/** The next events of the feed; whose they are is looked up only when `scoped`. */
export async function feedOnward(
  runner: Runner,
  projectId: string,
  page: { after: number; limit: number; scoped: boolean },
): Promise<FeedEvent[]> {
  return runner.query<FeedEvent>(onward, [projectId, page.after, page.limit, page.scoped]);
}

export type NewDelivery = { readonly id: string; readonly event: FeedEvent };

const made: readonly Column<NewDelivery>[] = [
  { name: "id", type: "uuid", of: ({ id }) => id },
  { name: "feed", type: "bigint", of: ({ event }) => event.feed },
  { name: "stream_id", type: "uuid", of: ({ event }) => event.stream_id },
  { name: "seq", type: "bigint", of: ({ event }) => event.seq },
  { name: "type", type: "text", of: ({ event }) => event.type },
];
const at = parametersOf(made);
/** Due at once, unless an earlier one of its stream waits, in the table or in this batch. */
const insertMade = statement(
  "insert_deliveries",
  `insert into signalbox.delivery (project_id, webhook_id, state, created_at, next_at,
     ${namesOf(made)})
   select $${at + 1}, $${at + 2}, 'pending', statement_timestamp(),
     case when row_number() over (partition by n.stream_id order by n.feed) = 1
       and not exists (select from signalbox.delivery d where d.webhook_id = $${at + 2}
         and d.stream_id = n.stream_id and d.state = 'pending' and not d.aside)
     then statement_timestamp() end, ${valuesOf(made)} from ${batch(made)}`,
);
const moveCursor = statement(
  "move_webhook_cursor",
  "update signalbox.webhook w set cursor = $2 where w.id = $1 and w.cursor < $2",
);

/** Stores deliveries and moves the cursor. Concurrency: the caller holds the webhook's lock. */
export async function fillWebhook(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
  to: { cursor: number; deliveries: readonly NewDelivery[] },
): Promise<void> {
  if (to.deliveries.length > 0) {
    await runner.query(insertMade, [...arraysOf(made, to.deliveries), projectId, webhookId]);
  }
  await runner.query(moveCursor, [webhookId, to.cursor]);
}

export type LeasedDelivery = {
  id: string;
  project_id: string;
  webhook_id: string;
  url: string;
  allow_private: boolean;
  feed: number | null;
  stream_id: string | null;
  seq: number | null;
  type: string;
  tries: number;
  aside: boolean;
  out_of_order: boolean;
  created_at: number;
};

const inFlight = statement(
  "deliveries_in_flight",
  `select count(d.id)::integer as n, w.failures, w.rest_until,
     statement_timestamp() + make_interval(secs => $3::double precision / 1000) as now
   from signalbox.webhook w
   left join signalbox.delivery d on d.webhook_id = w.id and d.state = 'pending'
     and d.lease_until > statement_timestamp() + make_interval(secs => $3::double precision / 1000)
   where w.project_id = $1 and w.id = $2 and w.disabled_at is null and w.deleted_at is null
   group by w.failures, w.rest_until`,
);

export type InFlight = { n: number; failures: number; rest_until: number | null; now: number };

/** How many tries of a webhook are under way anywhere; null when it sends nothing. */
export async function triesUnderWay(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
  offsetMs: number,
): Promise<InFlight | null> {
  return (await runner.query<InFlight>(inFlight, [projectId, webhookId, offsetMs]))[0] ?? null;
}

const lease = statement(
  "lease_deliveries",
  // Whatever is due first asks an endpoint whose rest is over, also when its own time is later.
  `with t as (select statement_timestamp()
       + make_interval(secs => $5::double precision / 1000) as now),
   c as (select d.id from t, signalbox.delivery d
     where d.webhook_id = $2 and d.project_id = $1 and d.state = 'pending'
       and d.next_at is not null and ($6::boolean or d.next_at <= t.now)
       and (d.lease_until is null or d.lease_until <= t.now)
     order by d.next_at, d.feed, d.id
     limit $4 for no key update skip locked)
   update signalbox.delivery d set leased_by = $3, last_try_at = t.now,
     first_try_at = coalesce(d.first_try_at, t.now),
     lease_until = t.now + make_interval(secs => $7::double precision / 1000),
     out_of_order = d.feed is not null and exists (select from signalbox.delivery o
       where o.stream_id = d.stream_id and o.webhook_id = d.webhook_id
         and ((o.feed < d.feed and o.state = 'pending')
           or (o.feed > d.feed and o.state = 'delivered')))
   from t, c, signalbox.webhook w where d.id = c.id and w.id = d.webhook_id
   returning d.id, d.project_id, d.webhook_id, w.url, w.allow_private, d.feed, d.stream_id, d.seq,
     d.type, d.tries, d.aside, d.out_of_order, d.created_at`,
);

export type LeaseRequest = {
  readonly by: string;
  readonly limit: number;
  readonly offsetMs: number;
  /** Ask the endpoint now, also with one whose own time has not come. */
  readonly probe: boolean;
  readonly leaseMs: number;
};

/** Takes due deliveries for one try each. Concurrency: what another server has is passed over. */
export async function leaseDeliveries(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
  { by, limit, offsetMs, probe, leaseMs }: LeaseRequest,
): Promise<LeasedDelivery[]> {
  const values = [projectId, webhookId, by, limit, offsetMs, probe, leaseMs];
  return runner.query<LeasedDelivery>(lease, values);
}

const release = statement(
  "release_deliveries",
  `update signalbox.delivery d set lease_until = null, leased_by = null
   where d.project_id = $1 and d.leased_by = $2 and d.id = any ($3::uuid[])`,
);

/** Gives leases back, so that another server need not wait for their end. */
export async function releaseDeliveries(
  runner: Runner,
  { projectId, by }: { projectId: string; by: string },
  ids: readonly string[],
): Promise<void> {
  await runner.query(release, [projectId, by, ids]);
}

const insertTest = statement(
  "insert_test_delivery",
  `insert into signalbox.delivery (id, project_id, webhook_id, type, state, created_at, next_at)
   select $1, w.project_id, w.id, 'webhook.test', 'pending', clock_timestamp(), clock_timestamp()
   from signalbox.webhook w where w.project_id = $2 and w.id = $3 and w.deleted_at is null`,
);

/** A delivery without an event. */
export async function insertTestDelivery(
  runner: Runner,
  id: string,
  { projectId, webhookId }: WebhookRef,
): Promise<void> {
  await runner.query(insertTest, [id, projectId, webhookId]);
}

const again = statement(
  "redeliver",
  // One that has stepped aside, or has been delivered, holds nothing up.
  `update signalbox.delivery d set state = 'pending', ended_at = null, next_at = clock_timestamp(),
     first_try_at = null, aside = d.aside or d.state <> 'pending'
   from signalbox.webhook w
   where d.project_id = $1 and d.id = $2 and w.id = d.webhook_id and w.deleted_at is null
     and d.lease_until is null and (d.state <> 'pending' or d.next_at is not null)`,
);

/** Sends it once more, at once; the rest of its line goes on meanwhile. */
export async function redeliver(runner: Runner, projectId: string, id: string): Promise<void> {
  await runner.query(again, [projectId, id]);
}

export type DeliveryView = {
  id: string;
  webhook_id: string;
  feed: number | null;
  stream: string | null;
  stream_id: string | null;
  seq: number | null;
  type: string;
  state: "pending" | "delivered" | "failed";
  created_at: number;
  next_at: number | null;
  tries: number;
  last_try_at: number | null;
  aside: boolean;
  out_of_order: boolean;
  status: number | null;
  took_ms: number | null;
  error: string | null;
  excerpt: string | null;
  ended_at: number | null;
};

const viewColumns = `d.id, d.webhook_id, d.feed, e.stream, d.stream_id, d.seq, d.type, d.state,
  d.created_at, d.next_at, d.tries, d.last_try_at, d.aside, d.out_of_order, d.status, d.took_ms,
  d.error, d.excerpt, d.ended_at`;
const list = statement(
  "list_deliveries",
  `select ${viewColumns} from signalbox.delivery d
   left join signalbox.event e on e.stream_id = d.stream_id and e.seq = d.seq
   where d.project_id = $1 and d.webhook_id = $2 and d.id < $3
     and ($4::text is null or d.state = $4) order by d.id desc limit $5`,
);
const one = statement(
  "one_delivery",
  `select ${viewColumns} from signalbox.delivery d
   left join signalbox.event e on e.stream_id = d.stream_id and e.seq = d.seq
   where d.project_id = $1 and d.id = $2`,
);

/** Deliveries of a webhook, newest first. */
export async function listDeliveries(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
  asked: { before: string; state: string | null; limit: number },
): Promise<DeliveryView[]> {
  const values = [projectId, webhookId, asked.before, asked.state, asked.limit];
  return runner.query<DeliveryView>(list, values);
}

export async function readDelivery(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<DeliveryView | null> {
  return (await runner.query<DeliveryView>(one, [projectId, id]))[0] ?? null;
}
