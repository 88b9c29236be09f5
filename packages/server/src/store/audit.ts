// The audit trail: what people did, read from the register of a project.
// Promises: only events whose source is a person, in the order of the feed, newest first; a page
// goes by an index of their own, however many other events there are.
// Leaves to others: what belongs to no project (`house/installation.ts`).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type AuditRow = {
  feed: number;
  stream_id: string;
  seq: number;
  at: number;
  stream: string;
  type: string;
  actor: string | null;
  request_id: string | null;
  data: { [key: string]: never } | null;
  key_name: string | null;
};

export type AuditFilter = {
  readonly actor: string | null;
  readonly type: string | null;
  readonly from: number | null;
  readonly to: number | null;
  /** Only deeds to this run. */
  readonly run: string | null;
};

const list = statement(
  "list_audit",
  `select e.feed, e.stream_id, e.seq, e.at, e.stream, e.type, e.actor, e.request_id, e.data,
     k.name as key_name
   from signalbox.event e
   left join signalbox.session s on e.actor like 'session:%' and s.project_id = e.project_id
     and s.prefix = substr(e.actor, 9)
   left join signalbox.api_key k on k.project_id = e.project_id
     and k.prefix = coalesce(s.key_prefix, case when e.actor like 'key:%' then substr(e.actor, 5)
       end)
   where e.project_id = $1 and e.source = 'operator' and e.feed < $2
     and ($3::text is null or e.actor = $3)
     and ($4::text is null or e.type = $4 or $4 = any (e.also))
     and ($5::timestamptz is null or e.at >= $5) and ($6::timestamptz is null or e.at < $6)
     and ($7::uuid is null or (e.stream = 'run' and e.stream_id = $7))
   order by e.feed desc limit $8`,
);

/** Instants as parameters; null stays null. */
export const auditInstant = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString();

/** What people did before a number of the feed, newest first. */
export async function listAudit(
  runner: Runner,
  projectId: string,
  filter: AuditFilter,
  page: { readonly before: number; readonly limit: number },
): Promise<AuditRow[]> {
  return runner.query<AuditRow>(list, [
    projectId,
    page.before,
    filter.actor,
    filter.type,
    auditInstant(filter.from),
    auditInstant(filter.to),
    filter.run,
    page.limit,
  ]);
}
