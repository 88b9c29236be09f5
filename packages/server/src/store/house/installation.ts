// What happened to what belongs to no project, and the cleaning of what is kept for a time only.
// Promises: the trail is append-only and read newest first; a round of cleaning is bounded.
// Leaves to others: what projects record themselves (`../events.ts`).

import type { AuditFilter } from "../audit.ts";
import { auditInstant } from "../audit.ts";
import type { Runner } from "../db.ts";
import { statement } from "../db.ts";

const append = statement(
  "append_installation_event",
  `insert into signalbox.installation_event (id, at, type, actor, request_id, data)
   values ($1, clock_timestamp(), $2, $3, $4, $5::jsonb)`,
);

export async function appendInstallationEvent(
  runner: Runner,
  event: { id: string; type: string; actor: string; requestId: string; data: object },
): Promise<void> {
  const { id, type, actor, requestId, data } = event;
  await runner.query(append, [id, type, actor, requestId, JSON.stringify(data)]);
}

export type InstallationRow = {
  id: string;
  at: number;
  type: string;
  actor: string;
  request_id: string;
  data: { [key: string]: never };
  key_name: string | null;
};

const list = statement(
  "list_installation_events",
  `select e.id, e.at, e.type, e.actor, e.request_id, e.data, k.name as key_name
   from signalbox.installation_event e
   left join signalbox.session s on e.actor like 'session:%' and s.project_id is null
     and s.prefix = substr(e.actor, 9)
   left join signalbox.api_key k on k.project_id is null
     and k.prefix = coalesce(s.key_prefix, case when e.actor like 'key:%' then substr(e.actor, 5)
       end)
   where e.id < $1 and ($2::text is null or e.actor = $2) and ($3::text is null or e.type = $3)
     and ($4::timestamptz is null or e.at >= $4) and ($5::timestamptz is null or e.at < $5)
   order by e.id desc limit $6`,
);

/** The installation's own trail before an id, newest first. */
export async function listInstallationEvents(
  runner: Runner,
  filter: AuditFilter,
  page: { readonly before: string; readonly limit: number },
): Promise<InstallationRow[]> {
  const { actor, type, from, to } = filter;
  const range = [auditInstant(from), auditInstant(to)];
  return runner.query<InstallationRow>(list, [page.before, actor, type, ...range, page.limit]);
}

const cleanKept = statement(
  "clean_idempotency",
  `delete from signalbox.idempotency i where (i.project_id, i.route, i.key) in (
     select o.project_id, o.route, o.key from signalbox.idempotency o
     where o.at < clock_timestamp() - interval '7 days' order by o.at limit 5000)`,
);
const cleanSessions = statement(
  "clean_sessions",
  `delete from signalbox.session s where s.id in (
     select o.id from signalbox.session o
     where (o.opened_at is null and o.link_expires_at < clock_timestamp() - interval '1 day')
       or o.expires_at < clock_timestamp() - interval '30 days' order by o.id limit 5000)`,
);

/** Forgets answers older than 7 days, links a day and sessions 30 days after their end. */
export async function cleanAccess(runner: Runner): Promise<void> {
  await runner.query(cleanKept);
  await runner.query(cleanSessions);
}
