// Projects, their stop, their queues: rows that operators change, seldom.
// Promises: each change is one guarded update under the row's lock and one event on its stream.
// Leaves to others: what a stop or a pause blocks (`domain/admit.ts`).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type ProjectRow = {
  id: string;
  name: string;
  created_at: number;
  stopped_at: number | null;
  stop_reason: string | null;
  stopped_by: string | null;
  last_seq: number;
  /** Which stop stands: the project's own, or that of everything. */
  stop_scope: "project" | "everything" | null;
  /** Whether agents, accounts or allowances limit its claims. */
  regulated: boolean;
  /** Runs that ended longer ago than this are removed; null: none is. */
  retention_days: number | null;
  /** Dead letters that nobody answered are removed this long after their end; null: never. */
  dead_letter_days: number | null;
  /** Of the feed up to this number, events may have been removed with their runs. */
  feed_floor: number;
};

/** A project as it stands: stopped by its own stop, or else by that of everything (`e`). */
export const projectColumns = `p.id, p.name, p.created_at,
  coalesce(p.stopped_at, e.stopped_at) as stopped_at,
  coalesce(p.stop_reason, e.stop_reason) as stop_reason,
  coalesce(p.stopped_by, e.stopped_by) as stopped_by,
  case when p.stopped_at is not null then 'project'
    when e.stopped_at is not null then 'everything' end as stop_scope, p.last_seq, p.regulated,
  p.retention_days, p.dead_letter_days, p.feed_floor`;
/** Projects, each with the row of everything. */
export const projectTables = "signalbox.project p left join signalbox.everything e on e.id = 1";

const insert = statement(
  "insert_project",
  `with p as (insert into signalbox.project (id, name, created_at, last_seq, everything_changes)
     values ($1, $2, clock_timestamp(), 1,
       (select e.changes from signalbox.everything e where e.id = 1)) on conflict (name) do nothing
     returning id, name, created_at, stopped_at, stop_reason, stopped_by, last_seq, regulated,
       retention_days, dead_letter_days, feed_floor),
   f as (insert into signalbox.feed_counter (project_id) select id from p)
   select ${projectColumns} from p left join signalbox.everything e on e.id = 1`,
);

/** Makes a project and its feed counter; null when the name is taken. */
export async function insertProject(
  runner: Runner,
  id: string,
  name: string,
): Promise<ProjectRow | null> {
  const rows = await runner.query<ProjectRow>(insert, [id, name]);
  return rows[0] ?? null;
}

const byIds = statement(
  "projects_by_id",
  `select ${projectColumns} from ${projectTables} where p.id = any ($1::uuid[])`,
);

export async function readProjects(runner: Runner, ids: readonly string[]): Promise<ProjectRow[]> {
  return runner.query<ProjectRow>(byIds, [ids]);
}

const share = statement(
  "share_projects",
  `select pg_advisory_xact_lock_shared(hashtextextended(p::text, 7204)) from unnest($1::uuid[]) p`,
);
const exclude = statement(
  "exclude_project",
  "select pg_advisory_xact_lock(hashtextextended($1::text, 7204))",
);

/** Stands for all projects where a lock is taken. */
export const EVERYTHING = "00000000-0000-0000-0000-000000000000";

/** Claims and renewals share project and everything: none is under way while a stop commits. */
export async function shareProjects(runner: Runner, ids: readonly string[]): Promise<void> {
  await runner.query(share, [[EVERYTHING, ...ids]]);
}

/** Waits for claims and renewals under way and keeps new ones out until the commit. */
export async function excludeProject(runner: Runner, id: string): Promise<void> {
  await runner.query(exclude, [id]);
}

const setStop = statement(
  "set_project_stop",
  `update signalbox.project p set stopped_at = case when $2::text is null then null
     else clock_timestamp() end, stop_reason = $2, stopped_by = $3, stop_cancels = $4,
     last_seq = p.last_seq + 1
   where p.id = $1 and (p.stopped_at is null) <> ($2::text is null) returning p.last_seq`,
);

/** What a stop is about. `cancels`: what is live ends cancelled instead of being given back. */
export type Stop = { readonly reason: string; readonly by: string; readonly cancels: boolean };

/**
 * Stops (reason given) or resumes a project. Returns the number of the event to write; null when it
 * was so already.
 */
export async function setProjectStop(
  runner: Runner,
  id: string,
  stop: Stop | null,
): Promise<number | null> {
  const values = [id, stop?.reason ?? null, stop?.by ?? null, stop?.cancels ?? false];
  const rows = await runner.query<{ last_seq: number }>(setStop, values);
  return rows[0]?.last_seq ?? null;
}

const retention = statement(
  "set_retention",
  `with n as (select p.id, case when $4::boolean then $2::integer else p.retention_days end as days,
       case when $5::boolean then $3::integer else p.dead_letter_days end as letters
     from signalbox.project p where p.id = $1 for no key update),
   p as (update signalbox.project p set retention_days = n.days, dead_letter_days = n.letters,
       last_seq = p.last_seq + 1
     from n where p.id = n.id and (p.retention_days is distinct from n.days
       or p.dead_letter_days is distinct from n.letters) returning p.*)
   select ${projectColumns} from p left join signalbox.everything e on e.id = 1`,
);

/** Days that ended runs, and dead letters without an answer, are kept; what is absent stays. */
export type RetentionChange = {
  readonly retention_days?: number | null;
  readonly dead_letter_days?: number | null;
};

/** How long ended runs are kept; null when it was so already. */
export async function setRetention(
  runner: Runner,
  id: string,
  { retention_days: days, dead_letter_days: letters }: RetentionChange,
): Promise<ProjectRow | null> {
  const values = [id, days ?? null, letters ?? null, days !== undefined, letters !== undefined];
  return (await runner.query<ProjectRow>(retention, values))[0] ?? null;
}

const regulate = statement(
  "regulate_project",
  "update signalbox.project p set regulated = true where p.id = $1 and not p.regulated",
);

/** From now on claims of this project look at agents, accounts and allowances. */
export async function regulateProject(runner: Runner, id: string): Promise<void> {
  await Promise.all([excludeProject(runner, id), runner.query(regulate, [id])]);
}

export type QueueRow = {
  id: string;
  name: string;
  paused_at: number | null;
  pause_reason: string | null;
  paused_by: string | null;
  last_seq: number;
};

const queueColumns = "q.id, q.name, q.paused_at, q.pause_reason, q.paused_by, q.last_seq";

const pausedQueues = statement(
  "paused_queues",
  `select q.project_id, ${queueColumns} from signalbox.queue q
   where q.project_id = any ($1::uuid[]) and q.paused_at is not null`,
);

export async function readPausedQueues(
  runner: Runner,
  projects: readonly string[],
): Promise<(QueueRow & { project_id: string })[]> {
  return runner.query<QueueRow & { project_id: string }>(pausedQueues, [projects]);
}

const ensureQueue = statement(
  "ensure_queue",
  `insert into signalbox.queue (id, project_id, name) values ($1, $2, $3)
   on conflict (project_id, name) do nothing`,
);
const setPause = statement(
  "set_queue_pause",
  `update signalbox.queue q set paused_at = case when $3::text is null then null
     else clock_timestamp() end, pause_reason = $3, paused_by = $4, last_seq = q.last_seq + 1
   where q.project_id = $1 and q.name = $2 and (q.paused_at is null) <> ($3::text is null)
   returning ${queueColumns}`,
);

/** Pauses (reason given) or resumes a queue; null when it was so already. */
export async function setQueuePause(
  runner: Runner,
  queue: { newId: string; projectId: string; name: string },
  pause: { reason: string; by: string } | null,
): Promise<QueueRow | null> {
  await runner.query(ensureQueue, [queue.newId, queue.projectId, queue.name]);
  const rows = await runner.query<QueueRow>(setPause, [
    queue.projectId,
    queue.name,
    pause?.reason ?? null,
    pause?.by ?? null,
  ]);
  return rows[0] ?? null;
}

const queueList = statement(
  "list_queues",
  `select n.name, q.paused_at, q.pause_reason, q.paused_by,
     coalesce(sum(c.pending), 0)::integer as pending
   from (select q.name from signalbox.queue q where q.project_id = $1
     union select l.queue from signalbox.lane l where l.project_id = $1) n
   left join signalbox.queue q on q.project_id = $1 and q.name = n.name
   left join signalbox.lane l on l.project_id = $1 and l.queue = n.name
   left join lateral (select count(*) as pending from (select 1 from signalbox.run r
     where r.lane_id = l.id and r.state = 'pending' and r.held = 0 limit 10000) x) c on true
   group by n.name, q.paused_at, q.pause_reason, q.paused_by order by n.name limit 500`,
);

/** Queues of a project with their ready runs (counted up to 10,000 per lane). */
export async function listQueues(
  runner: Runner,
  projectId: string,
): Promise<(Omit<QueueRow, "id" | "last_seq"> & { pending: number })[]> {
  return runner.query<Omit<QueueRow, "id" | "last_seq"> & { pending: number }>(queueList, [
    projectId,
  ]);
}

const nextSeq = statement(
  "next_project_seq",
  "update signalbox.project p set last_seq = p.last_seq + 1 where p.id = $1 returning p.last_seq",
);

/** The next number of the project's own stream, under its row lock. */
export async function nextProjectSeq(runner: Runner, id: string): Promise<number> {
  const rows = await runner.query<{ last_seq: number }>(nextSeq, [id]);
  return rows[0]?.last_seq as number;
}
