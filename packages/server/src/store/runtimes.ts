// Runtimes: the server's record of worker processes, and their presence.
// Promises: (project, name) is unique; presence is written by claims and heartbeats only.
// Leaves to others: what a stale or draining runtime may do (engine).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type RuntimeRow = {
  id: string;
  project_id: string;
  name: string;
  state: "online" | "draining" | "stale" | "offline";
  version: string | null;
  capabilities: string[];
  labels: { [key: string]: string };
  runners: string[];
  endpoint: string | null;
  host: string | null;
  pid: number | null;
  deadline_s: number;
  registered_at: number;
  last_heartbeat_at: number;
  last_seq: number;
};

const columns = `t.id, t.project_id, t.name, t.state, t.version, t.capabilities, t.labels,
  t.runners,
  t.endpoint, t.host, t.pid, t.deadline_s, t.registered_at, t.last_heartbeat_at, t.last_seq`;

const byNames = statement(
  "runtimes_by_name",
  `select ${columns} from signalbox.runtime t
   join unnest($1::uuid[], $2::text[]) as n(project_id, name)
     on t.project_id = n.project_id and t.name = n.name`,
);

export async function findRuntimes(
  runner: Runner,
  refs: readonly { projectId: string; name: string }[],
): Promise<RuntimeRow[]> {
  return runner.query<RuntimeRow>(byNames, [
    refs.map((ref) => ref.projectId),
    refs.map((ref) => ref.name),
  ]);
}

const lockOne = statement(
  "lock_runtime",
  `select ${columns} from signalbox.runtime t where t.project_id = $1 and t.name = $2 for update`,
);

export async function lockRuntime(
  runner: Runner,
  projectId: string,
  name: string,
): Promise<RuntimeRow | null> {
  const rows = await runner.query<RuntimeRow>(lockOne, [projectId, name]);
  return rows[0] ?? null;
}

const insertOne = statement(
  "insert_runtime",
  `insert into signalbox.runtime (id, project_id, name, state, capabilities, labels, runners,
     deadline_s, registered_at, last_heartbeat_at)
   values ($1, $2, $3, 'online', '{}', '{}', '{}', 60, clock_timestamp(), clock_timestamp())
   on conflict (project_id, name) do nothing`,
);

/** Makes an empty registration if there is none; the caller then locks and fills it. */
export async function insertRuntime(
  runner: Runner,
  id: string,
  projectId: string,
  name: string,
): Promise<void> {
  await runner.query(insertOne, [id, projectId, name]);
}

const saveOne = statement(
  "save_runtime",
  `update signalbox.runtime t set state = $2, version = $3, capabilities = $4, labels = $5::jsonb,
     runners = $6, endpoint = $7, host = $8, pid = $9, deadline_s = $10, last_seq = $11,
     last_heartbeat_at = clock_timestamp() + make_interval(secs => $12::double precision / 1000)
   where t.id = $1 returning ${columns}`,
);

/** Writes a registration: a sign of life. `offsetMs`: of the clock of tests. */
export async function saveRuntime(
  runner: Runner,
  row: RuntimeRow,
  offsetMs: number,
): Promise<RuntimeRow> {
  const rows = await runner.query<RuntimeRow>(saveOne, [
    row.id,
    row.state,
    row.version,
    row.capabilities,
    JSON.stringify(row.labels),
    row.runners,
    row.endpoint,
    row.host,
    row.pid,
    row.deadline_s,
    row.last_seq,
    offsetMs,
  ]);
  return rows[0] as RuntimeRow;
}

const stale = statement(
  "mark_runtime_stale",
  `update signalbox.runtime t set state = 'stale', last_seq = t.last_seq + 1
   where t.project_id = $1 and t.name = $2 and t.state in ('online', 'draining')
     and t.last_heartbeat_at < clock_timestamp()
       + make_interval(secs => $3::double precision / 1000 - t.deadline_s)
   returning ${columns}`,
);

/** Marks a runtime that is still silent; null when it was heard of meanwhile. */
export async function markStale(
  runner: Runner,
  { projectId, name, offsetMs }: { projectId: string; name: string; offsetMs: number },
): Promise<RuntimeRow | null> {
  const rows = await runner.query<RuntimeRow>(stale, [projectId, name, offsetMs]);
  return rows[0] ?? null;
}

const touch = statement(
  "touch_runtimes",
  `update signalbox.runtime t set last_heartbeat_at = clock_timestamp()
     + make_interval(secs => $2::double precision / 1000)
   where t.id in (select r.id from signalbox.runtime r where r.id = any ($1::uuid[])
     order by r.id for no key update skip locked)`,
);

/** Notes that these runtimes were heard from. Concurrency: a row in other hands is left out. */
export async function touchRuntimes(
  runner: Runner,
  ids: readonly string[],
  offsetMs: number,
): Promise<void> {
  await runner.query(touch, [ids, offsetMs]);
}

const list = statement(
  "list_runtimes",
  `select ${columns} from signalbox.runtime t where t.project_id = $1 and t.name > $2
     and ($4::text is null or t.state = $4) and ($5::text is null or t.labels ->> $5 = $6)
     and ($7::text is null or exists (select from signalbox.presence p
       where p.project_id = t.project_id and p.agent = $7 and p.runtime_id = t.id
         and p.last_heartbeat_at >= clock_timestamp() - interval '120 seconds'))
   order by t.name limit $3`,
);

/** `label`: its key and value; `agent`: worked as within the last 120 s. */
export type RuntimeListFilter = {
  readonly state?: string;
  readonly agent?: string;
  readonly label?: readonly [string, string];
};

export async function listRuntimes(
  runner: Runner,
  projectId: string,
  filter: RuntimeListFilter,
  { after, limit }: { after: string; limit: number },
): Promise<RuntimeRow[]> {
  const { state = null, agent = null, label = [null, null] } = filter;
  return runner.query<RuntimeRow>(list, [projectId, after, limit, state, ...label, agent]);
}

const present = statement(
  "touch_presence",
  `insert into signalbox.presence as p (project_id, agent, runtime_id, last_heartbeat_at)
   select n.project_id, n.agent, n.runtime_id, clock_timestamp()
     + make_interval(secs => $4::double precision / 1000)
   from unnest($1::uuid[], $2::text[], $3::uuid[]) as n(project_id, agent, runtime_id)
   order by n.project_id, n.agent, n.runtime_id
   on conflict (project_id, agent, runtime_id) do update
     set last_heartbeat_at = excluded.last_heartbeat_at`,
);

export type Presence = {
  readonly projectId: string;
  readonly agent: string;
  readonly runtimeId: string;
};

/** Notes which agents these runtimes work as. Concurrency: rows are written in key order. */
export async function touchPresence(
  runner: Runner,
  rows: readonly Presence[],
  offsetMs: number,
): Promise<void> {
  await runner.query(present, [
    rows.map((row) => row.projectId),
    rows.map((row) => row.agent),
    rows.map((row) => row.runtimeId),
    offsetMs,
  ]);
}

const agentsPresent = statement(
  "agents_present",
  `select p.runtime_id, array_agg(p.agent order by p.agent) as agents
   from signalbox.presence p where p.project_id = $1
     and p.last_heartbeat_at >= clock_timestamp()
       + make_interval(secs => $2::double precision / 1000) - interval '120 seconds'
   group by p.runtime_id order by p.runtime_id limit 1000`,
);

/** Agents heard from within 120 s, by the runtime that works as them. */
export async function readPresence(
  runner: Runner,
  projectId: string,
  offsetMs: number,
): Promise<Map<string, string[]>> {
  const rows = await runner.query<{ runtime_id: string; agents: string[] }>(agentsPresent, [
    projectId,
    offsetMs,
  ]);
  return new Map(rows.map((row) => [row.runtime_id, row.agents]));
}
