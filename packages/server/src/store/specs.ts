// What was asked for: specs of runs, their lanes, tags and dependencies.
// Promises: one run per (project, idempotency key), decided by the unique index inside the flush;
// specs are written once. Lanes are made on first use and never change, so servers may remember
// them.
// Leaves to others: the moving part (`runs.ts`).

import type { LaneKey, NewRun } from "../domain/submission.ts";
import { laneText } from "../domain/submission.ts";
import type { Column } from "./batch.ts";
import { arrayText, batched, jsonText, namesOf, sendBatch, valuesOf } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

const ensure = statement(
  "ensure_lanes",
  `insert into signalbox.lane (id, project_id, key, queue, runner, requires, agent, runtime, model,
     account, created_at)
   select n.id, n.project_id, n.key, n.queue, n.runner, n.requires, n.agent, n.runtime, n.model,
     n.account, clock_timestamp()
   from json_to_recordset($1::json) as n(id uuid, project_id uuid, key text, queue text,
     runner text,
     requires text[], agent text, runtime text, model text, account text)
   order by n.project_id, n.key on conflict (project_id, key) do nothing`,
);
const findLanes = statement(
  "find_lanes",
  `select l.id, l.project_id, l.key from signalbox.lane l
   join unnest($1::uuid[], $2::text[]) as n(project_id, key)
     on l.project_id = n.project_id and l.key = n.key`,
);

export type LaneRef = { readonly projectId: string; readonly key: LaneKey };

/** Makes missing lanes and returns the id of each, in the order asked. */
export async function ensureLanes(
  runner: Runner,
  lanes: readonly LaneRef[],
  newId: () => string,
): Promise<string[]> {
  const records = lanes.map((lane) => ({
    id: newId(),
    project_id: lane.projectId,
    key: laneText(lane.key),
    queue: lane.key.queue,
    runner: lane.key.runner,
    requires: [...new Set(lane.key.requires)].toSorted(),
    agent: lane.key.agent,
    runtime: lane.key.runtime,
    model: lane.key.model,
    account: lane.key.account,
  }));
  await runner.query(ensure, [JSON.stringify(records)]);
  const rows = await runner.query<{ id: string; project_id: string; key: string }>(findLanes, [
    records.map((record) => record.project_id),
    records.map((record) => record.key),
  ]);
  const found = new Map(rows.map((row) => [`${row.project_id}${row.key}`, row.id]));
  return records.map((record) => found.get(`${record.project_id}${record.key}`) as string);
}

const lanesById = statement(
  "lanes_by_id",
  `select l.id, l.queue, l.runner, l.requires, l.agent, l.runtime, l.model, l.account
   from unnest($1::uuid[]) as n(id)
   cross join lateral (select l.id, l.queue, l.runner, l.requires, l.agent, l.runtime, l.model,
       l.account from signalbox.lane l where l.id = n.id limit 1) l`,
);

export async function readLanes(
  runner: Runner,
  ids: readonly string[],
): Promise<(LaneKey & { id: string })[]> {
  return runner.query<LaneKey & { id: string }>(lanesById, [ids]);
}

export type SpecRow = {
  runId: string;
  projectId: string;
  spec: NewRun;
  /** Run ids, `#ref` already replaced. */
  dependsOn: readonly string[];
  submittedBy: string;
  /** The dead letter it was made of. */
  redriveOf?: string;
};

const columns: readonly Column<SpecRow>[] = [
  { name: "run_id", type: "uuid", of: ({ runId }) => runId },
  { name: "project_id", type: "uuid", of: ({ projectId }) => projectId },
  { name: "idempotency_key", type: "text", of: ({ spec }) => spec.idempotencyKey },
  { name: "body_sha256", type: "bytea", of: ({ spec }) => `\\x${spec.bodySha256}` },
  { name: "input_sha256", type: "bytea", of: ({ spec }) => `\\x${spec.inputSha256}` },
  { name: "queue", type: "text", of: ({ spec }) => spec.queue },
  { name: "runner", type: "text", of: ({ spec }) => spec.runner },
  { name: "requires", type: "text", of: ({ spec }) => arrayText(spec.requires), as: "text[]" },
  { name: "agent", type: "text", of: ({ spec }) => spec.agent },
  { name: "runtime", type: "text", of: ({ spec }) => spec.runtime },
  { name: "model", type: "text", of: ({ spec }) => spec.model },
  { name: "account", type: "text", of: ({ spec }) => spec.account },
  { name: "parent_run", type: "uuid", of: ({ spec }) => spec.parentRun },
  { name: "depends_on", type: "text", of: ({ dependsOn }) => arrayText(dependsOn), as: "uuid[]" },
  { name: "tags", type: "text", of: ({ spec }) => arrayText(spec.tags), as: "text[]" },
  { name: "conversation_id", type: "text", of: ({ spec }) => spec.scopes.conversation_id },
  { name: "thread_id", type: "text", of: ({ spec }) => spec.scopes.thread_id },
  { name: "workspace_id", type: "text", of: ({ spec }) => spec.scopes.workspace_id },
  { name: "bot_id", type: "text", of: ({ spec }) => spec.scopes.bot_id },
  { name: "binding_id", type: "text", of: ({ spec }) => spec.scopes.binding_id },
  { name: "event_id", type: "text", of: ({ spec }) => spec.scopes.event_id },
  { name: "traceparent", type: "text", of: ({ spec }) => spec.traceparent },
  { name: "submitted_by", type: "text", of: ({ submittedBy }) => submittedBy },
  { name: "estimate", type: "text", of: ({ spec }) => jsonText(spec.estimate), as: "jsonb" },
  { name: "metadata", type: "text", of: ({ spec }) => jsonText(spec.metadata), as: "jsonb" },
  {
    name: "authorization_snapshot",
    type: "text",
    of: ({ spec }) => jsonText(spec.authorization),
    as: "jsonb",
  },
  { name: "input", type: "text", of: ({ spec }) => jsonText(spec.input), as: "jsonb" },
  { name: "agent_timeout_ms", type: "bigint", of: ({ spec }) => spec.agentTimeoutMs },
  { name: "redrive_of", type: "uuid", of: ({ redriveOf }) => redriveOf },
];

const insertSpec = batched(
  "insert_specs",
  columns,
  (rows) => `insert into signalbox.run_spec (created_at, ${namesOf(columns)})
   select clock_timestamp(), ${valuesOf(columns)} from ${rows}
   order by n.project_id, n.idempotency_key, n.run_id
   on conflict (project_id, idempotency_key) where idempotency_key is not null do nothing
   returning run_id`,
);

/**
 * Inserts specs; returns the ids that are new. A run whose idempotency key exists is left out: its
 * spec stands already. Concurrency: keys are inserted in order, so two flushes with the same keys
 * wait for each other and never deadlock; the loser then finds the winner's row.
 */
export async function insertSpecs(runner: Runner, rows: readonly SpecRow[]): Promise<Set<string>> {
  const inserted = await sendBatch<SpecRow, { run_id: string }>(runner, insertSpec, rows);
  return new Set(inserted.map((row) => row.run_id));
}

const byIdempotency = statement(
  "specs_by_idempotency",
  // The first key from the asked one on, which only the index of keys can give without sorting: an
  // equality would leave the choice open, and a plan made while the table was young reads the
  // whole project (no statistics: both indexes of the project look alike).
  `select s.run_id, s.project_id, s.idempotency_key, s.body_sha256
   from unnest($1::uuid[], $2::text[]) as n(project_id, key)
   cross join lateral (select s.run_id, s.project_id, s.idempotency_key,
       encode(s.body_sha256, 'hex') as body_sha256
     from signalbox.run_spec s where s.project_id = n.project_id and s.idempotency_key >= n.key
       and s.idempotency_key is not null
     order by s.idempotency_key limit 1) s
   where s.idempotency_key = n.key`,
);

export type KnownKey = { runId: string; projectId: string; key: string; bodySha256: string };

/** Runs that already stand under these (project, idempotency key) pairs. */
export async function findByIdempotency(
  runner: Runner,
  keys: readonly { projectId: string; key: string }[],
): Promise<KnownKey[]> {
  const rows = await runner.query<{
    run_id: string;
    project_id: string;
    idempotency_key: string;
    body_sha256: string;
  }>(byIdempotency, [keys.map((key) => key.projectId), keys.map((key) => key.key)]);
  return rows.map((row) => ({
    runId: row.run_id,
    projectId: row.project_id,
    key: row.idempotency_key,
    bodySha256: row.body_sha256,
  }));
}

const insertTags = statement(
  "insert_tags",
  `insert into signalbox.run_tag (project_id, tag, run_id)
   select * from unnest($1::uuid[], $2::text[], $3::uuid[]) on conflict do nothing`,
);
const insertDependencies = statement(
  "insert_dependencies",
  `insert into signalbox.run_dependency (project_id, run_id, depends_on)
   select * from unnest($1::uuid[], $2::uuid[], $3::uuid[]) on conflict do nothing`,
);

export async function insertRunTags(
  runner: Runner,
  tags: readonly { projectId: string; tag: string; runId: string }[],
): Promise<void> {
  await runner.query(insertTags, [
    tags.map((tag) => tag.projectId),
    tags.map((tag) => tag.tag),
    tags.map((tag) => tag.runId),
  ]);
}

export async function insertRunDependencies(
  runner: Runner,
  edges: readonly { projectId: string; runId: string; dependsOn: string }[],
): Promise<void> {
  await runner.query(insertDependencies, [
    edges.map((edge) => edge.projectId),
    edges.map((edge) => edge.runId),
    edges.map((edge) => edge.dependsOn),
  ]);
}

const parents = statement(
  "parents_of",
  `select p.id, p.state <> 'completed' as open from signalbox.run p where p.id = any ($1::uuid[])`,
);

/** Runs that others depend on: id → whether it is still open. An unknown id is left out. */
export async function parentsOpen(
  runner: Runner,
  ids: readonly string[],
): Promise<Map<string, boolean>> {
  const rows = await runner.query<{ id: string; open: boolean }>(parents, [ids]);
  return new Map(rows.map((row) => [row.id, row.open]));
}

const dependencies = statement(
  "dependency_states",
  // A run that was redriven stands for the run it became, and that one perhaps for a third.
  `with recursive c as (
     select d.run_id, d.depends_on as id from signalbox.run_dependency d
     where d.run_id = any ($1::uuid[])
     union select c.run_id, l.became from c join signalbox.dead_letter l on l.run_id = c.id
     where l.became is not null)
   select c.run_id, count(*) filter (where p.state <> 'completed')::integer as open,
     min(p.id::text) filter (where p.state in ('failed', 'cancelled', 'timeout')) as failed
   from c join signalbox.run p on p.id = c.id
   where not exists (select from signalbox.dead_letter l where l.run_id = c.id
     and l.became is not null)
   group by c.run_id`,
);

export type DependencyState = { runId: string; open: number; failed: string | null };

/** How the dependencies of these runs stand now: recounted, so the answer is right whoever asks. */
export async function dependencyStates(
  runner: Runner,
  ids: readonly string[],
): Promise<DependencyState[]> {
  const rows = await runner.query<{ run_id: string; open: number; failed: string | null }>(
    dependencies,
    [ids],
  );
  return rows.map((row) => ({ runId: row.run_id, open: row.open, failed: row.failed }));
}

const dependents = statement(
  "dependents_of",
  `select d.run_id, d.project_id from signalbox.run_dependency d
   where d.depends_on = any ($1::uuid[]) and d.run_id > $2 order by d.run_id limit $3`,
);

/** Runs that depend on these, in pages by id. */
export async function dependentsOf(
  runner: Runner,
  ids: readonly string[],
  afterId: string,
  limit: number,
): Promise<{ run_id: string; project_id: string }[]> {
  return runner.query<{ run_id: string; project_id: string }>(dependents, [ids, afterId, limit]);
}

const children = statement(
  "children_of",
  `select s.run_id from signalbox.run_spec s where s.parent_run = any ($1::uuid[])
     and s.run_id > $2::uuid order by s.run_id limit $3`,
);

/** Ids of the runs that name these as their parent, in pages by id. */
export async function childrenOf(
  runner: Runner,
  ids: readonly string[],
  page: { readonly after: string; readonly limit: number },
): Promise<string[]> {
  const rows = await runner.query<{ run_id: string }>(children, [ids, page.after, page.limit]);
  return rows.map((row) => row.run_id);
}
