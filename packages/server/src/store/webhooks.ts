// Webhooks: where events of a project are sent, as rows that operators change.
// Promises: secrets are written and never read here: the role that serves requests has no right to;
// a removed webhook stays as a row, since deliveries point at it.
// Leaves to others: signing (store/house/outbox.ts reads the secrets), deliveries (deliveries.ts).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type WebhookRow = {
  id: string;
  project_id: string;
  url: string;
  description: string | null;
  types: string[];
  agent: string | null;
  queue: string | null;
  allow_private: boolean;
  cursor: number;
  created_at: number;
  disabled_at: number | null;
  disabled_reason: string | null;
  failures: number;
  failing_since: number | null;
  rest_until: number | null;
};

/** With what a screen shows of its deliveries and secrets. */
export type WebhookView = WebhookRow & {
  pending: number;
  feed: number;
  previous_secret_until: number | null;
};

const columns = `w.id, w.project_id, w.url, w.description, w.types, w.agent, w.queue,
  w.allow_private, w.cursor, w.created_at, w.disabled_at, w.disabled_reason, w.failures,
  w.failing_since, w.rest_until`;

export type NewWebhook = Pick<
  WebhookRow,
  "id" | "url" | "description" | "types" | "agent" | "queue" | "allow_private"
>;

/** Webhooks a project may have. */
export const MOST_WEBHOOKS = 100;

const lockProject = statement(
  "lock_project_for_webhooks",
  "select pg_advisory_xact_lock(hashtextextended($1::text, 7205))",
);
const insert = statement(
  "insert_webhook",
  `insert into signalbox.webhook as w (id, project_id, url, description, types, agent, queue,
     allow_private, cursor, created_at)
   select $1, $2, $3, $4, $5, $6, $7, $8, f.n, clock_timestamp()
   from signalbox.feed_counter f where f.project_id = $2 and (select count(*)
     from signalbox.webhook o where o.project_id = $2 and o.deleted_at is null) < $9
   returning ${columns}`,
);

/** Makes a webhook that begins with the next event; null when the project has too many. */
export async function insertWebhook(
  runner: Runner,
  projectId: string,
  made: NewWebhook,
): Promise<WebhookRow | null> {
  const { id, url, description, types, agent, queue, allow_private } = made;
  const values = [id, projectId, url, description, types, agent, queue, allow_private];
  const [, rows] = await Promise.all([
    runner.query(lockProject, [projectId]),
    runner.query<WebhookRow>(insert, [...values, MOST_WEBHOOKS]),
  ]);
  return rows[0] ?? null;
}

const lock = statement(
  "lock_webhook",
  `select ${columns} from signalbox.webhook w
   where w.project_id = $1 and w.id = $2 and w.deleted_at is null for no key update`,
);

/** The webhook, locked; null when there is none. */
export async function lockWebhook(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<WebhookRow | null> {
  return (await runner.query<WebhookRow>(lock, [projectId, id]))[0] ?? null;
}

const save = statement(
  "save_webhook",
  `update signalbox.webhook w set url = $3, description = $4, types = $5, agent = $6, queue = $7,
     allow_private = $8
   where w.project_id = $1 and w.id = $2 returning ${columns}`,
);

/** Writes what operators can change. Concurrency: the caller holds the row's lock. */
export async function saveWebhook(runner: Runner, row: WebhookRow): Promise<WebhookRow> {
  const rows = await runner.query<WebhookRow>(save, [
    row.project_id,
    row.id,
    row.url,
    row.description,
    row.types,
    row.agent,
    row.queue,
    row.allow_private,
  ]);
  return rows[0] as WebhookRow;
}

const disable = statement(
  "disable_webhook",
  `update signalbox.webhook w set disabled_at = clock_timestamp(), disabled_reason = $3
   where w.project_id = $1 and w.id = $2 and w.disabled_at is null and w.deleted_at is null
   returning ${columns}`,
);
const enable = statement(
  "enable_webhook",
  `update signalbox.webhook w set disabled_at = null, disabled_reason = null, failures = 0,
     failing_since = null, rest_until = null, cursor = case when $3::boolean then f.n
     else w.cursor end
   from signalbox.feed_counter f where f.project_id = w.project_id
     and w.project_id = $1 and w.id = $2 and w.disabled_at is not null and w.deleted_at is null
   returning ${columns}`,
);
const remove = statement(
  "remove_webhook",
  `update signalbox.webhook w set deleted_at = clock_timestamp()
   where w.project_id = $1 and w.id = $2 and w.deleted_at is null returning ${columns}`,
);

/** Sends nothing from now on; null when it was so already. */
export async function disableWebhook(
  runner: Runner,
  ref: { projectId: string; id: string },
  reason: string,
): Promise<WebhookRow | null> {
  const rows = await runner.query<WebhookRow>(disable, [ref.projectId, ref.id, reason]);
  return rows[0] ?? null;
}

/** Sends again, from where it stopped or from now on; null when it was not disabled. */
export async function enableWebhook(
  runner: Runner,
  ref: { projectId: string; id: string },
  skipMissed: boolean,
): Promise<WebhookRow | null> {
  const rows = await runner.query<WebhookRow>(enable, [ref.projectId, ref.id, skipMissed]);
  return rows[0] ?? null;
}

/** Ends a webhook; null when there is none. */
export async function removeWebhook(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<WebhookRow | null> {
  return (await runner.query<WebhookRow>(remove, [projectId, id]))[0] ?? null;
}

const insertSecret = statement(
  "insert_webhook_secret",
  `insert into signalbox.webhook_secret (id, project_id, webhook_id, secret, created_at)
   values ($1, $2, $3, $4, clock_timestamp())`,
);
const expireSecrets = statement(
  "expire_webhook_secrets",
  `update signalbox.webhook_secret s
   set expires_at = clock_timestamp() + make_interval(secs => $3::double precision)
   where s.project_id = $1 and s.webhook_id = $2 and (s.expires_at is null
     or s.expires_at > clock_timestamp() + make_interval(secs => $3::double precision))`,
);

/** A new secret; those before sign along for `overlapS` seconds more. */
export async function addSecret(
  runner: Runner,
  ref: { id: string; projectId: string; webhookId: string },
  made: { secret: string; overlapS: number },
): Promise<void> {
  const { id, projectId, webhookId } = ref;
  await Promise.all([
    runner.query(expireSecrets, [projectId, webhookId, made.overlapS]),
    runner.query(insertSecret, [id, projectId, webhookId, made.secret]),
  ]);
}

const list = statement(
  "list_webhooks",
  `select ${columns}, f.n as feed, s.until as previous_secret_until, d.pending::integer
   from signalbox.webhook w join signalbox.feed_counter f on f.project_id = w.project_id
   cross join lateral (select max(s.expires_at) as until from signalbox.webhook_secret s
     where s.webhook_id = w.id and s.expires_at > clock_timestamp()) s
   cross join lateral (select count(*) as pending from (select 1 from signalbox.delivery d
     where d.webhook_id = w.id and d.state = 'pending' limit 10000) x) d
   where w.project_id = $1 and w.deleted_at is null and w.id > $2
     and ($3::uuid is null or w.id = $3)
   order by w.id limit $4`,
);

/** Webhooks after a cursor, or the one with this id; pending deliveries counted up to 10,000. */
export async function listWebhooks(
  runner: Runner,
  projectId: string,
  asked: { after: string; id: string | null; limit: number },
): Promise<WebhookView[]> {
  return runner.query<WebhookView>(list, [projectId, asked.after, asked.id, asked.limit]);
}
