// Agents as screens and the status keeper read them: with presence, accounts, live attempts.
// Promises: read only; lists are bounded and ordered by name; `house` finds agents whose stored
// status may not be true any more, as a hint.
// Leaves to others: the wire shape (engine/queries), what the status is (domain).

import type { AgentRef, AgentRow } from "./agents.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type AgentView = AgentRow & { live: number; last_heartbeat_at: number | null };

const columns = `a.id, a.project_id, a.name, a.description, a.status, a.status_reason,
  a.status_since, a.paused_at, a.pause_reason, a.paused_by, a.capabilities, a.models, a.labels,
  a.max_concurrent, a.max_run_duration_ms, a.accounts, a.slot_id, a.slot_type, a.slot_ends_at,
  a.recent_tokens, a.recent_cost, a.created_at, a.last_seq, c.live, p.last_heartbeat_at`;
const facts = `cross join lateral (select count(*)::integer as live from signalbox.run r
     where r.project_id = a.project_id and r.agent = a.name
       and r.lease_expires_at is not null and r.state <> 'pending') c
   cross join lateral (select max(p.last_heartbeat_at) as last_heartbeat_at
     from signalbox.presence p where p.project_id = a.project_id and p.agent = a.name) p`;

const byName = statement(
  "agents_by_name",
  `select ${columns} from unnest($1::uuid[], $2::text[]) as n(project_id, name)
   cross join lateral (select a.* from signalbox.agent a
     where a.project_id = n.project_id and a.name = n.name limit 1) a ${facts}`,
);

/** Agents with what their status is made of. */
export async function readAgents(runner: Runner, refs: readonly AgentRef[]): Promise<AgentView[]> {
  return runner.query<AgentView>(byName, [
    refs.map((ref) => ref.projectId),
    refs.map((ref) => ref.name),
  ]);
}

const list = statement(
  "list_agents",
  `select ${columns} from signalbox.agent a ${facts}
   where a.project_id = $1 and a.name > $2 and ($3::text is null or a.status = $3)
     and ($4::boolean is null or (a.paused_at is not null) = $4)
   order by a.name limit $5`,
);

/** A page of agents by name. */
export async function listAgents(
  runner: Runner,
  projectId: string,
  filter: { status: string | null; paused: boolean | null },
  page: { after: string; limit: number },
): Promise<AgentView[]> {
  const { status, paused } = filter;
  return runner.query<AgentView>(list, [projectId, page.after, status, paused, page.limit]);
}

const doubtful = statement(
  "doubtful_agents",
  `select a.project_id, a.name from signalbox.agent a ${facts}
   where (a.project_id, a.name) > ($1::uuid, $2::text) and (
     (a.status = 'offline') <> (p.last_heartbeat_at is null
       or p.last_heartbeat_at < clock_timestamp()
         + make_interval(secs => $4::double precision / 1000) - interval '120 seconds')
     or (a.status = 'idle' and (c.live > 0 or a.slot_id is not null))
     or (a.status = 'busy' and c.live = 0 and a.slot_id is null)
     or (a.status = 'on_call') <> (a.slot_type is not distinct from 'on_call')
       and a.status not in ('offline', 'exhausted')
     or (a.status = 'exhausted') <> exists (select
       from unnest(case when a.accounts = '{}' then array[a.name] else a.accounts end) as k(account)
       cross join lateral (select from signalbox.exhaustion e where e.project_id = a.project_id
         and e.account = k.account and e.state = 'closed' limit 1) e)
       and a.status <> 'offline')
   order by a.project_id, a.name limit $3`,
);

/** For sweeps (`house`): agents whose status may not be true any more, after a cursor. */
export async function doubtfulAgents(
  runner: Runner,
  after: AgentRef,
  { limit, offsetMs }: { limit: number; offsetMs: number },
): Promise<{ project_id: string; name: string }[]> {
  return runner.query(doubtful, [after.projectId, after.name, limit, offsetMs]);
}
