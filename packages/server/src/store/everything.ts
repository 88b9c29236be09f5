// The stop of everything: one row that every claim and every renewal reads.
// Promises: set, and its lifting begun, under the lock that claims and renewals of all projects
// share; every project is told once of each change, in pages; it is lifted only when no project is
// left that was not told, so that no claim comes before the event that allows it.
// Leaves to others: who may (http), ending what is live (engine).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { Stop } from "./projects.ts";

export type EverythingRow = {
  stopped_at: number | null;
  stop_reason: string | null;
  stopped_by: string | null;
};

const read = statement(
  "read_everything",
  "select e.stopped_at, e.stop_reason, e.stopped_by from signalbox.everything e where e.id = 1",
);

export async function readEverything(runner: Runner): Promise<EverythingRow> {
  const rows = await runner.query<EverythingRow>(read);
  return rows[0] as EverythingRow;
}

const stop = statement(
  "stop_everything",
  `update signalbox.everything e set stopped_at = clock_timestamp(), stop_reason = $1,
     stopped_by = $2, stop_cancels = $3, change_request = $4, changes = e.changes + 1,
     lift_reason = null, lifted_by = null
   where e.id = 1 and (e.stopped_at is null or e.lifted_by is not null)`,
);

/** Stops everything; nothing when it stands already. A lifting under way is called off. */
export async function stopEverything(
  runner: Runner,
  { reason, by, cancels }: Stop,
  requestId: string,
): Promise<void> {
  await runner.query(stop, [reason, by, cancels, requestId]);
}

const lift = statement(
  "lift_everything",
  `update signalbox.everything e set lift_reason = $1, lifted_by = $2, change_request = $3,
     changes = e.changes + 1
   where e.id = 1 and e.stopped_at is not null and e.lifted_by is null`,
);

/** Begins to lift the stop: it stands until every project was told. */
export async function beginLift(
  runner: Runner,
  { reason, by }: Omit<Stop, "cancels">,
  requestId: string,
): Promise<void> {
  await runner.query(lift, [reason, by, requestId]);
}

const untold = statement(
  "untold_projects",
  `select p.id from signalbox.everything e join signalbox.project p
     on e.id = 1 and p.everything_changes < e.changes order by p.id limit $1`,
);

/** Projects that were not told of the last change, as the role `house`. */
export async function untoldProjects(runner: Runner, limit: number): Promise<string[]> {
  return (await runner.query<{ id: string }>(untold, [limit])).map(({ id }) => id);
}

const toTell = statement(
  "everything_to_tell",
  `select exists (select from signalbox.everything e where e.id = 1
     and ((e.stopped_at is not null and e.lifted_by is not null)
       or exists (select from signalbox.project p
         where p.everything_changes < e.changes))) as some`,
);

/** Whether somebody is left to be told, or a stop to be ended, as the role `house`. */
export async function everythingToTell(runner: Runner): Promise<boolean> {
  return (await runner.query<{ some: boolean }>(toTell))[0]?.some === true;
}

const tell = statement(
  "tell_projects",
  `with p as (update signalbox.project p set last_seq = p.last_seq + 1,
       everything_changes = e.changes
     from signalbox.everything e
     where e.id = 1 and p.everything_changes < e.changes
       and p.id = any (array(select q.id from signalbox.project q where q.id = any ($1::uuid[])
         order by q.id for no key update))
     returning p.id, p.last_seq, e.lifted_by is null as stops, e.stop_cancels as cancels,
       coalesce(e.lift_reason, e.stop_reason) as reason, coalesce(e.lifted_by, e.stopped_by) as by,
       e.change_request as request_id)
   select p.id, p.last_seq, p.stops, p.cancels, p.reason, p.by, p.request_id from p
   order by p.id`,
);

/** A project that is told, with the number of the event on its stream and what it says. */
export type Told = {
  readonly id: string;
  readonly last_seq: number;
  readonly stops: boolean;
  readonly cancels: boolean;
  readonly reason: string;
  readonly by: string;
  readonly request_id: string;
};

/** Takes the next numbers of these projects' streams. Concurrency: each is told by one server. */
export async function tellProjects(runner: Runner, ids: readonly string[]): Promise<Told[]> {
  return runner.query<Told>(tell, [ids]);
}

const lifted = statement(
  "everything_lifted",
  `update signalbox.everything e set stopped_at = null, stop_reason = null, stopped_by = null,
     stop_cancels = false
   where e.id = 1 and e.stopped_at is not null and e.lifted_by is not null
   returning 1 as lifted`,
);

/** Ends a stop that is being lifted, once all were told; false when there is none. */
export async function endLift(runner: Runner): Promise<boolean> {
  return (await runner.query(lifted)).length > 0;
}

const page = statement(
  "project_ids",
  "select p.id from signalbox.project p where p.id > $1 order by p.id limit $2",
);

/** A page of all projects, by id, as the role `house`. */
export async function projectIds(runner: Runner, after: string, limit: number): Promise<string[]> {
  return (await runner.query<{ id: string }>(page, [after, limit])).map(({ id }) => id);
}
