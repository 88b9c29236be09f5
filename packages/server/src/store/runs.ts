// Runs: lock, insert, update. Every statement takes a batch; a single call is a batch of one.
// Promises: rows are locked by id in order; every write asserts its row count inside the
// statement.
// Leaves to others: deciding (domain), claims (`claims.ts`), reading for screens
// (`run-queries.ts`).

import type { Backoff, Run } from "../domain/run.ts";
import { dueAt } from "../domain/due.ts";
import { defaultBackoff } from "../domain/limits.ts";
import { stateOf } from "../domain/machine.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { Results, RunRow } from "./run-rows.ts";
import { iso, recordOf, runColumns, runOf } from "./run-rows.ts";

const lockWaiting = statement(
  "lock_runs_waiting",
  `select r.id, r.xmin::text as version from signalbox.run r where r.id = any ($1::uuid[])
   order by r.id for no key update`,
);
const lockSkipping = statement(
  "lock_runs_skipping",
  `select r.id, r.xmin::text as version from signalbox.run r where r.id = any ($1::uuid[])
   order by r.id for no key update skip locked`,
);

/** A run as this server wrote it, and the version of its row since then (`xmin`). */
export type RememberedRun = { readonly version: string; readonly run: Run };

export type LockOptions = {
  /**
   * Waits for locks (control, bounded by lock_timeout); otherwise rows another transaction holds
   * are left out and come next time.
   */
  readonly wait: boolean;
  readonly remembered: (id: string) => RememberedRun | undefined;
};

/**
 * Locks the runs of a flush and reads those whose row is not as remembered. The lock comes before
 * the read in the same transaction, so what is read is what is locked.
 * Concurrency: ordered by id, so that two flushes that wait cannot deadlock.
 */
export async function lockRuns(
  runner: Runner,
  ids: readonly string[],
  { wait, remembered }: LockOptions,
): Promise<Run[]> {
  const unknown = ids.filter((id) => remembered(id) === undefined);
  const [locked, read] = await Promise.all([
    runner.query<{ id: string; version: string }>(wait ? lockWaiting : lockSkipping, [ids]),
    unknown.length === 0 ? [] : readRuns(runner, unknown),
  ]);
  const runs = new Map(read.map((run) => [run.id, run]));
  const changed: string[] = [];
  for (const { id, version } of locked) {
    const known = remembered(id);
    if (known?.version === version) runs.set(id, known.run);
    else if (known !== undefined) changed.push(id);
  }
  if (changed.length > 0) {
    for (const run of await readRuns(runner, changed)) runs.set(run.id, run);
  }
  return locked.map(({ id }) => runs.get(id) as Run);
}

const existing = statement(
  "existing_runs",
  "select id from signalbox.run where id = any ($1::uuid[])",
);

/** Which of these ids exist at all in the visible projects: tells "locked" from "not found". */
export async function existingRuns(runner: Runner, ids: readonly string[]): Promise<Set<string>> {
  const rows = await runner.query<{ id: string }>(existing, [ids]);
  return new Set(rows.map((row) => row.id));
}

const insert = statement(
  "insert_runs",
  `with n as (select * from json_to_recordset($1::json) as n(id uuid, project_id uuid, lane_id uuid,
     rank bigint, last_seq bigint, created_at timestamptz, due_at timestamptz,
     not_before timestamptz, deadline_at timestamptz, max_duration_ms bigint,
     concurrency_limit integer, open_dependencies integer, priority smallint, held smallint,
     max_attempts smallint, fail_with_dependency boolean, state text,
     end_cause text, finished_at timestamptz, dead_lettered_at timestamptz, status_reason text,
     concurrency_key text, backoff jsonb, error jsonb)),
   w as (insert into signalbox.run (id, project_id, lane_id, rank, last_seq, created_at, due_at,
     not_before, deadline_at, max_duration_ms, concurrency_limit, open_dependencies, priority, held,
     max_attempts, fail_with_dependency, state, end_cause, finished_at,
     dead_lettered_at, status_reason, concurrency_key, backoff, error)
   select id, project_id, lane_id, rank, last_seq, created_at, due_at, not_before, deadline_at,
     max_duration_ms, concurrency_limit, open_dependencies, priority, held, max_attempts,
     fail_with_dependency, state, end_cause, finished_at, dead_lettered_at,
     status_reason, concurrency_key, backoff, error from n returning 1)
   select signalbox.expect(count(*), $2, 'insert runs') from w`,
);

/** Inserts new runs (pending, or already ended in the same flush). Promise: all or none. */
export async function insertRuns(
  runner: Runner,
  runs: readonly { run: Run; results: Results }[],
): Promise<void> {
  const records = runs.map(({ run, results }) => ({
    id: run.id,
    project_id: run.projectId,
    lane_id: run.laneId,
    rank: run.rank,
    last_seq: run.lastSeq,
    created_at: iso(run.createdAt),
    due_at: iso(dueAt(run)) ?? undefined,
    not_before: iso(run.notBefore) ?? undefined,
    deadline_at: iso(run.deadlineAt) ?? undefined,
    max_duration_ms: run.maxDurationMs ?? undefined,
    concurrency_limit: run.concurrencyLimit,
    open_dependencies: run.openDependencies,
    priority: run.priority,
    held: run.held,
    max_attempts: run.maxAttempts,
    fail_with_dependency: run.failWithDependency,
    state: stateOf(run.phase),
    end_cause: run.endCause ?? undefined,
    finished_at: iso(run.finishedAt) ?? undefined,
    dead_lettered_at: iso(run.deadLetteredAt) ?? undefined,
    status_reason: run.statusReason ?? undefined,
    concurrency_key: run.concurrencyKey ?? undefined,
    backoff: isDefault(run.backoff) ? undefined : run.backoff,
    error: results.error,
  }));
  await runner.query(insert, [JSON.stringify(records), runs.length]);
}

/** The default is not stored, so that a row stays narrow. */
function isDefault(backoff: Backoff): boolean {
  return (
    backoff.baseMs === defaultBackoff.baseMs &&
    backoff.factor === defaultBackoff.factor &&
    backoff.capMs === defaultBackoff.capMs &&
    backoff.jitter === defaultBackoff.jitter
  );
}

const updateWhole = statement(
  "update_runs",
  `with n as (select * from json_to_recordset($1::json) as n(id uuid, state text,
     approval_mode text, attempt_id uuid, last_seq bigint, last_producer_seq bigint,
     lease_expires_at timestamptz, lease_ms integer, due_at timestamptz, claimed_at timestamptz,
     started_at timestamptz, finished_at timestamptz, not_before timestamptz,
     cancel_requested_at timestamptz, dead_lettered_at timestamptz, fencing_token integer,
     open_dependencies integer, held smallint, attempts_used smallint, releases smallint,
     exhaustions smallint, suspensions smallint, step_count integer,
     end_cause text, attempt_end text, runtime text, agent text, status_reason text,
     set_results boolean, output jsonb, output_sha256 bytea, error jsonb, metadata_patch jsonb,
     set_checkpoint boolean, checkpoint jsonb)),
   w as (update signalbox.run r set state = n.state, approval_mode = n.approval_mode,
     attempt_id = n.attempt_id, last_seq = n.last_seq,
     last_producer_seq = coalesce(n.last_producer_seq, 0), lease_expires_at = n.lease_expires_at,
     lease_ms = coalesce(n.lease_ms, r.lease_ms), due_at = n.due_at, claimed_at = n.claimed_at, started_at = n.started_at,
     finished_at = n.finished_at, not_before = n.not_before,
     cancel_requested_at = n.cancel_requested_at, dead_lettered_at = n.dead_lettered_at,
     fencing_token = coalesce(n.fencing_token, 0), held = coalesce(n.held, 0),
     open_dependencies = coalesce(n.open_dependencies, 0),
     attempts_used = coalesce(n.attempts_used, 0), releases = coalesce(n.releases, 0),
     exhaustions = coalesce(n.exhaustions, 0), suspensions = coalesce(n.suspensions, 0), step_count = coalesce(n.step_count, 0),
     end_cause = n.end_cause, attempt_end = n.attempt_end, runtime = n.runtime, agent = n.agent,
     status_reason = n.status_reason,
     output = case when n.set_results then n.output else r.output end,
     output_sha256 = case when n.set_results then n.output_sha256 else r.output_sha256 end,
     error = case when n.set_results then n.error else r.error end,
     metadata_patch = case when n.metadata_patch is null then r.metadata_patch
       else coalesce(r.metadata_patch, '{}') || n.metadata_patch end,
     checkpoint = case when n.set_checkpoint then n.checkpoint else r.checkpoint end
   from n where r.id = n.id returning 1)
   select signalbox.expect(count(*), $2, 'update runs') from w`,
);

/** Writes runs the flush has locked and the law has decided. */
export async function updateRuns(
  runner: Runner,
  runs: readonly { run: Run; results: Results }[],
): Promise<void> {
  const records = runs.map(({ run, results }) => recordOf(run, results));
  await runner.query(updateWhole, [JSON.stringify(records), runs.length]);
}

const updateCounters = statement(
  "update_run_counters",
  `with n as (select * from unnest($1::uuid[], $2::bigint[], $3::bigint[])
     as n(id, last_seq, last_producer_seq)),
   w as (update signalbox.run r set last_seq = n.last_seq, last_producer_seq = n.last_producer_seq
   from n where r.id = n.id returning 1)
   select signalbox.expect(count(*), cardinality($1::uuid[]), 'update run counters') from w`,
);

/** Narrow write for runs that only got events: no index of `run` is touched. */
export async function updateRunCounters(runner: Runner, runs: readonly Run[]): Promise<void> {
  await runner.query(updateCounters, [
    runs.map((run) => run.id),
    runs.map((run) => run.lastSeq),
    runs.map((run) => run.lastProducerSeq),
  ]);
}

const updateLeases = statement(
  "update_run_leases",
  `with n as (select * from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::integer[])
     as n(id, lease_expires_at, due_at, lease_ms)),
   w as (update signalbox.run r set lease_expires_at = n.lease_expires_at, due_at = n.due_at,
     lease_ms = n.lease_ms
   from n where r.id = n.id returning 1)
   select signalbox.expect(count(*), cardinality($1::uuid[]), 'update run leases') from w`,
);

/** Narrow write for renewed leases. */
export async function updateRunLeases(runner: Runner, runs: readonly Run[]): Promise<void> {
  await runner.query(updateLeases, [
    runs.map((run) => run.id),
    runs.map((run) => iso(run.lease?.expiresAt ?? null)),
    runs.map((run) => iso(dueAt(run))),
    runs.map((run) => run.lease?.leaseMs ?? null),
  ]);
}

const readOnly = statement(
  "read_runs",
  `select ${runColumns} from signalbox.run r where r.id = any ($1::uuid[])`,
);

/** Reads runs without locks, for questions. */
export async function readRuns(runner: Runner, ids: readonly string[]): Promise<Run[]> {
  const rows = await runner.query<RunRow>(readOnly, [ids]);
  return rows.map(runOf);
}

const liveOf = statement(
  "live_runs_of_project",
  `select r.id, r.attempt_id, r.fencing_token from signalbox.run r
   where r.due_at is not null and r.lease_expires_at is not null and r.project_id = $1
     and r.id > $2::uuid order by r.id limit $3`,
);

/** A run that an attempt holds, with the fence of that attempt. */
export type LiveRun = { readonly id: string; readonly attempt_id: string; fencing_token: number };

/** Runs of a project that an attempt holds now, in pages by id. */
export async function liveRunsOf(
  runner: Runner,
  projectId: string,
  afterId: string,
  limit: number,
): Promise<LiveRun[]> {
  return runner.query<LiveRun>(liveOf, [projectId, afterId, limit]);
}
