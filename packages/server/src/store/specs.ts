// What was asked for: specs of runs, their lanes, tags and dependencies.
// Promises: one run per (project, idempotency key), decided by the unique index inside the flush;
// specs are written once. Lanes are made on first use and never change, so servers may remember
// them.
// Leaves to others: the moving part (`runs.ts`).

import type { LaneKey, NewRun } from "../domain/submission.ts";
import { laneText } from "../domain/submission.ts";
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

const insertSpec = statement(
  "insert_specs",
  `insert into signalbox.run_spec (run_id, project_id, created_at, idempotency_key, body_sha256,
     input_sha256, queue, runner, requires, agent, runtime, model, account, parent_run, depends_on,
     tags, conversation_id, thread_id, workspace_id, bot_id, binding_id, event_id, traceparent,
     submitted_by, estimate, metadata, authorization_snapshot, input, agent_timeout_ms,
     redrive_of)
   select n.run_id, n.project_id, clock_timestamp(), n.idempotency_key, n.body_sha256,
     n.input_sha256, n.queue, n.runner, n.requires, n.agent, n.runtime, n.model, n.account,
     n.parent_run, n.depends_on, n.tags, n.conversation_id, n.thread_id, n.workspace_id, n.bot_id,
     n.binding_id, n.event_id, n.traceparent, n.submitted_by, n.estimate, n.metadata,
     n.authorization_snapshot, n.input, n.agent_timeout_ms, n.redrive_of
   from json_to_recordset($1::json) as n(run_id uuid, project_id uuid, idempotency_key text,
     body_sha256 bytea, input_sha256 bytea, queue text, runner text, requires text[], agent text,
     runtime text, model text, account text, parent_run uuid, depends_on uuid[], tags text[],
     conversation_id text, thread_id text, workspace_id text, bot_id text, binding_id text,
     event_id text, traceparent text, submitted_by text, estimate jsonb, metadata jsonb,
     authorization_snapshot jsonb, input jsonb, agent_timeout_ms bigint, redrive_of uuid)
   order by n.project_id, n.idempotency_key, n.run_id
   on conflict (project_id, idempotency_key) where idempotency_key is not null do nothing
   returning run_id`,
);

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

/**
 * Inserts specs; returns the ids that are new. A run whose idempotency key exists is left out: its
 * spec stands already. Concurrency: keys are inserted in order, so two flushes with the same keys
 * wait for each other and never deadlock; the loser then finds the winner's row.
 */
export async function insertSpecs(runner: Runner, rows: readonly SpecRow[]): Promise<Set<string>> {
  const records = rows.map(({ runId, projectId, spec, dependsOn, submittedBy, redriveOf }) => ({
    run_id: runId,
    project_id: projectId,
    idempotency_key: spec.idempotencyKey ?? undefined,
    body_sha256: `\\x${spec.bodySha256}`,
    input_sha256: `\\x${spec.inputSha256}`,
    queue: spec.queue,
    runner: spec.runner,
    requires: spec.requires,
    agent: spec.agent ?? undefined,
    runtime: spec.runtime ?? undefined,
    model: spec.model ?? undefined,
    account: spec.account ?? undefined,
    parent_run: spec.parentRun ?? undefined,
    depends_on: dependsOn,
    tags: spec.tags,
    ...spec.scopes,
    traceparent: spec.traceparent ?? undefined,
    submitted_by: submittedBy,
    estimate: spec.estimate ?? undefined,
    metadata: spec.metadata,
    authorization_snapshot: spec.authorization ?? undefined,
    input: spec.input ?? undefined,
    agent_timeout_ms: spec.agentTimeoutMs ?? undefined,
    redrive_of: redriveOf,
  }));
  const inserted = await runner.query<{ run_id: string }>(insertSpec, [JSON.stringify(records)]);
  return new Set(inserted.map((row) => row.run_id));
}

const byIdempotency = statement(
  "specs_by_idempotency",
  // One key at a time (unique, so the limit changes nothing): joined, a plan that was made while
  // the table was small reads the whole project.
  `select s.run_id, s.project_id, s.idempotency_key, s.body_sha256
   from unnest($1::uuid[], $2::text[]) as n(project_id, key)
   cross join lateral (select s.run_id, s.project_id, s.idempotency_key,
       encode(s.body_sha256, 'hex') as body_sha256
     from signalbox.run_spec s where s.project_id = n.project_id and s.idempotency_key = n.key
       and s.idempotency_key is not null limit 1) s`,
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
