// Runs: lock and read. Every statement takes a batch; a single call is a batch of one.
// Promises: rows are locked by id in order.
// Leaves to others: deciding (domain), claims (`claims.ts`), writing (`run-writes.ts`), reading for
// screens (`run-queries.ts`).

import type { Run } from "../domain/run.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { RunRow } from "./run-rows.ts";
import { runColumns, runOf } from "./run-rows.ts";

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
  // Asked once: while this waits for the locks, another flush may remember or forget.
  const before = new Map(ids.map((id) => [id, remembered(id)]));
  const unknown = ids.filter((id) => before.get(id) === undefined);
  const [locked, read] = await Promise.all([
    runner.query<{ id: string; version: string }>(wait ? lockWaiting : lockSkipping, [ids]),
    unknown.length === 0 ? [] : readRuns(runner, unknown),
  ]);
  const runs = new Map(read.map((run) => [run.id, run]));
  const changed: string[] = [];
  for (const { id, version } of locked) {
    const known = before.get(id);
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
  `select r.id, r.project_id, r.attempt_id, r.fencing_token from signalbox.run r
   where r.due_at is not null and r.lease_expires_at is not null
     and r.project_id = any ($1::uuid[]) and r.id > $2::uuid order by r.id limit $3`,
);

/** A run that an attempt holds, with the fence of that attempt. */
export type LiveRun = {
  readonly id: string;
  readonly project_id: string;
  readonly attempt_id: string;
  readonly fencing_token: number;
};

/** Runs of projects that an attempt holds now, in pages by id. */
export async function liveRunsOf(
  runner: Runner,
  projects: readonly string[],
  afterId: string,
  limit: number,
): Promise<LiveRun[]> {
  return runner.query<LiveRun>(liveOf, [projects, afterId, limit]);
}
