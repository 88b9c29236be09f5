// What sweeps look for, across all projects, as the role `house`.
// Promises: reads only; every find is a hint that the flush checks again under the run's lock, so
// any server may sweep at any time. Lists are bounded and ordered, and their cursor passes rows
// that could not be dealt with (F-18).
// Leaves to others: deciding and writing (engine, as `app`).

import type { Runner } from "../db.ts";
import { statement } from "../db.ts";
import type { LiveRun } from "../runs.ts";

export type DueRun = { id: string; project_id: string; due_at: number };

const due = statement(
  "due_runs",
  `select r.id, r.project_id, r.due_at from signalbox.run r
   where r.due_at is not null and (r.due_at, r.id) > ($1::timestamptz, $2::uuid)
     and r.due_at <= statement_timestamp() + make_interval(secs => $3::double precision / 1000)
   order by r.due_at, r.id limit $4`,
);

/** Runs whose instant has come, after a cursor. */
export async function dueRuns(
  runner: Runner,
  after: { at: string; id: string },
  offsetMs: number,
  limit: number,
): Promise<DueRun[]> {
  return runner.query<DueRun>(due, [after.at, after.id, offsetMs, limit]);
}

const nextDue = statement(
  "next_due",
  `select min(r.due_at) as due_at, clock_timestamp()
     + make_interval(secs => $1::double precision / 1000) as now
   from signalbox.run r where r.due_at is not null`,
);

/** The earliest instant at which any run is due, and the database's now. */
export async function nextDueAt(
  runner: Runner,
  offsetMs: number,
): Promise<{ dueAt: number | null; now: number }> {
  const rows = await runner.query<{ due_at: number | null; now: number }>(nextDue, [offsetMs]);
  return { dueAt: rows[0]?.due_at ?? null, now: rows[0]?.now as number };
}

const liveLeases = statement(
  "live_leases",
  `select r.id, r.project_id, r.due_at from signalbox.run r
   where r.due_at is not null and r.lease_expires_at > $1::timestamptz and r.id > $2::uuid
   order by r.id limit $3`,
);

/** Runs whose lease was live at an instant: those an outage of the house must not cost. */
export async function leasesLiveAt(
  runner: Runner,
  at: string,
  afterId: string,
  limit: number,
): Promise<DueRun[]> {
  return runner.query<DueRun>(liveLeases, [at, afterId, limit]);
}

const strayDependents = statement(
  "stray_dependents",
  `select r.id, r.project_id from signalbox.run r
   where r.state = 'pending' and r.held & 2 = 2 and r.id > $1::uuid and exists (
     select from signalbox.run_dependency d join signalbox.run p on p.id = d.depends_on
     where d.run_id = r.id and p.finished_at is not null)
   order by r.id limit $2`,
);

/** Held dependents with an ended dependency: told once more in case their server died. */
export async function strayDependentRuns(
  runner: Runner,
  afterId: string,
  limit: number,
): Promise<{ id: string; project_id: string }[]> {
  return runner.query<{ id: string; project_id: string }>(strayDependents, [afterId, limit]);
}

const strayKeys = statement(
  "stray_keys",
  // The keys runs wait for, one index probe each, then what is free of each.
  `with recursive k as (
     (select r.project_id, r.concurrency_key, 1 as n from signalbox.run r
      where r.concurrency_key is not null and r.state = 'pending'
        and (r.project_id, r.concurrency_key) > ($1::uuid, $2::text)
      order by r.project_id, r.concurrency_key limit 1)
     union all
     select x.project_id, x.concurrency_key, k.n + 1 from k cross join lateral (
       select r.project_id, r.concurrency_key from signalbox.run r
       where r.concurrency_key is not null and r.state = 'pending'
         and (r.project_id, r.concurrency_key) > (k.project_id, k.concurrency_key)
       order by r.project_id, r.concurrency_key limit 1) x
     where k.n < $3)
   select k.project_id, k.concurrency_key as key, w.id
   from k cross join lateral (
     select count(*) as live from signalbox.run r where r.project_id = k.project_id
       and r.concurrency_key = k.concurrency_key and r.concurrency_key is not null
       and r.lease_expires_at is not null) l
   left join lateral (
     select r.id, r.concurrency_limit - l.live as places from signalbox.run r
     where r.project_id = k.project_id and r.concurrency_key = k.concurrency_key
       and r.concurrency_key is not null and r.state = 'pending' and r.held & 4 = 4
     order by r.rank, r.id limit 1) w on w.places > 0
   order by k.project_id, k.concurrency_key`,
);

/** A concurrency key runs wait for; `id` is the first in line if the key has a free place. */
export type StrayKey = { project_id: string; key: string; id: string | null };

/**
 * Keys that runs wait for, after a cursor, each with the first run in line if it could go on. One
 * run per key and round: what it leaves free is found by the next.
 */
export async function strayKeyRuns(
  runner: Runner,
  after: { projectId: string; key: string },
  limit: number,
): Promise<StrayKey[]> {
  return runner.query<StrayKey>(strayKeys, [after.projectId, after.key, limit]);
}

const anyDependency = statement(
  "any_dependency",
  "select exists (select from signalbox.run_dependency) as found",
);

/** Whether any run of the installation depends on another. */
export async function anyDependencyExists(runner: Runner): Promise<boolean> {
  const rows = await runner.query<{ found: boolean }>(anyDependency);
  return rows[0]?.found === true;
}

const clean = statement(
  "clean_flushes",
  `delete from signalbox.flush where id in (select f.id from signalbox.flush f
     where f.at < clock_timestamp() - interval '1 hour' order by f.id limit 5000)`,
);

/** Forgets flush rows older than an hour: nobody asks for them any more. */
export async function cleanFlushes(runner: Runner): Promise<void> {
  await runner.query(clean);
}

// By project, and only of those that are stopped: a join in the order of ids reads all runs.
const liveInStopped = statement(
  "live_in_stopped",
  `select r.id, r.project_id, r.attempt_id, r.fencing_token,
     case when p.stopped_at is not null and p.stop_cancels then p.stop_reason
       when e.stop_cancels then e.stop_reason end as cancel_reason
   from signalbox.everything e join signalbox.project p on e.id = 1
     and least(p.stopped_at, e.stopped_at) < clock_timestamp() - interval '2 seconds'
   cross join lateral (select r.* from signalbox.run r
     where r.project_id = p.id and r.due_at is not null and r.lease_expires_at is not null
     order by r.id limit $1) r
   order by r.id limit $1`,
);

/** A lease under a stop. `cancel_reason`: the stop cancels what is live, for this reason. */
export type StoppedRun = LiveRun & { readonly cancel_reason: string | null };

/** Leases that a stop has not ended yet, because its server died in between. */
export async function liveInStoppedProjects(runner: Runner, limit: number): Promise<StoppedRun[]> {
  return runner.query<StoppedRun>(liveInStopped, [limit]);
}
