// What is to be sent out, across all projects, as the role `house`: webhooks whose feed has gone
// on, endpoints with something due, and the secrets that sign.
// Promises: reads only, but for the cleaning; a find is a hint that is decided again under the
// webhook's lock; secrets are read here and nowhere else.
// Leaves to others: making, leasing and marking deliveries (deliveries.ts, as `app`).

import type { WebhookRef } from "../deliveries.ts";
import type { Runner } from "../db.ts";
import { statement } from "../db.ts";

const toFill = statement(
  "webhooks_to_fill",
  `select w.project_id as "projectId", w.id as "webhookId" from signalbox.webhook w
   join signalbox.feed_counter f on f.project_id = w.project_id
   where w.deleted_at is null and w.disabled_at is null and w.cursor < f.n
   order by w.id limit 1000`,
);

/** Webhooks whose cursor is behind the feed of their project. */
export async function webhooksToFill(runner: Runner): Promise<WebhookRef[]> {
  return runner.query<WebhookRef>(toFill);
}

const toSend = statement(
  "webhooks_to_send",
  // An endpoint that rests is asked when its rest is over, whatever is due before or after.
  `select w.project_id as "projectId", w.id as "webhookId",
     coalesce(w.rest_until, d.due_at) as due_at, t.now from (select statement_timestamp()
       + make_interval(secs => $1::double precision / 1000) as now) t, signalbox.webhook w
   cross join lateral (select d.next_at as due_at from signalbox.delivery d
     where d.webhook_id = w.id and d.state = 'pending' and d.next_at is not null
       and (d.lease_until is null or d.lease_until <= t.now)
     order by d.next_at, d.feed, d.id limit 1) d
   where w.deleted_at is null and w.disabled_at is null
   order by due_at, w.id limit 1000`,
);

export type WebhookToSend = WebhookRef & {
  readonly due_at: number;
  readonly now: number;
};

/** Webhooks with anything to send, the first due first, and when that is. */
export async function webhooksToSend(runner: Runner, offsetMs: number): Promise<WebhookToSend[]> {
  return runner.query<WebhookToSend>(toSend, [offsetMs]);
}

const enabledProjects = statement(
  "projects_with_webhooks",
  `select distinct w.project_id from signalbox.webhook w
   where w.deleted_at is null and w.disabled_at is null order by w.project_id limit 10000`,
);

/** Projects in which an event may have to be sent. */
export async function projectsWithWebhooks(runner: Runner): Promise<string[]> {
  const rows = await runner.query<{ project_id: string }>(enabledProjects);
  return rows.map((row) => row.project_id);
}

const secrets = statement(
  "signing_secrets",
  `select s.secret from signalbox.webhook_secret s
   where s.webhook_id = $1 and s.project_id = $2
     and (s.expires_at is null or s.expires_at > clock_timestamp())
   order by s.created_at desc, s.id desc limit 10`,
);

/** Secrets that sign now, the newest first. */
export async function signingSecrets(
  runner: Runner,
  { projectId, webhookId }: WebhookRef,
): Promise<string[]> {
  const rows = await runner.query<{ secret: string }>(secrets, [webhookId, projectId]);
  return rows.map((row) => row.secret);
}

const cleanSecrets = statement(
  "clean_webhook_secrets",
  "delete from signalbox.webhook_secret s where s.expires_at < clock_timestamp()",
);
const cleanDeliveries = statement(
  "clean_deliveries",
  `delete from signalbox.delivery d where d.id = any (select o.id from signalbox.delivery o
     where o.ended_at < clock_timestamp() - interval '30 days'
     order by o.ended_at, o.id limit 5000)`,
);

const cleanRemoved = statement(
  "clean_removed_webhooks",
  `delete from signalbox.delivery d where d.id = any (select o.id from signalbox.webhook w
     join signalbox.delivery o on o.webhook_id = w.id and o.state = 'pending'
     where w.deleted_at is not null and (o.lease_until is null or o.lease_until < clock_timestamp())
     order by o.id limit 5000)`,
);

/** Forgets expired secrets, what removed webhooks had not sent, and what ended 30 days ago. */
export async function cleanOutbox(runner: Runner): Promise<void> {
  await runner.query(cleanRemoved);
  await runner.query(cleanSecrets);
  await runner.query(cleanDeliveries);
}

const isNew = statement(
  "sink_is_new",
  `select not exists (select from signalbox.sink_cursor c where c.sink = $1) as is_new`,
);
const allProjects = statement(
  "projects_of_sinks",
  "select p.id from signalbox.project p order by p.id limit 100000",
);

/** Projects in which a sink that has never been seen begins; null when it has. */
export async function projectsOfNewSink(runner: Runner, sink: string): Promise<string[] | null> {
  const [seen] = await runner.query<{ is_new: boolean }>(isNew, [sink]);
  if (seen?.is_new !== true) return null;
  return (await runner.query<{ id: string }>(allProjects)).map(({ id }) => id);
}

const mine = statement(
  "projects_leased_to",
  `select c.project_id from signalbox.sink_cursor c where c.sink = $1 and c.leased_by = $2
   order by c.project_id limit 100000`,
);

/** Projects whose cursor this server has leased. */
export async function projectsLeasedTo(
  runner: Runner,
  sink: string,
  by: string,
): Promise<string[]> {
  const rows = await runner.query<{ project_id: string }>(mine, [sink, by]);
  return rows.map((row) => row.project_id);
}

const behind = statement(
  "projects_behind_sink",
  `select f.project_id from signalbox.feed_counter f
   left join signalbox.sink_cursor c on c.project_id = f.project_id and c.sink = $1
   where f.n > coalesce(c.cursor, 0) order by f.project_id limit 1000`,
);

/** Projects whose feed has gone on since it was last written to a sink. */
export async function projectsBehind(runner: Runner, sink: string): Promise<string[]> {
  const rows = await runner.query<{ project_id: string }>(behind, [sink]);
  return rows.map((row) => row.project_id);
}
