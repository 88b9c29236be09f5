// Retention: runs that ended longer ago than their project keeps them, removed whole, as the role
// `house`: with all that is theirs.
// Promises: never a run that anything unfinished still needs: a dependent, a child, a slot, a
// probe, a person who has not answered a dead letter, a delivery or an event that is still to be
// sent out (I-33); what it was charged stays in the sums; the feed's floor rises in the same
// transaction, so a follower knows when it may have missed something (F-110).
// Leaves to others: when (services/sweeps-retention.ts), setting the policy (projects.ts).

import type { Runner } from "../db.ts";
import { statement } from "../db.ts";

const overdue = statement(
  "projects_with_overdue_runs",
  `select p.id from signalbox.project p where p.retention_days is not null and exists (
     select from signalbox.run r where r.project_id = p.id and r.finished_at is not null
       and r.finished_at < statement_timestamp()
         + make_interval(secs => $1::double precision / 1000)
         - make_interval(days => p.retention_days))
   order by p.id limit 1000`,
);

/** Projects with runs that have been kept long enough. */
export async function projectsToClean(runner: Runner, offsetMs: number): Promise<string[]> {
  return (await runner.query<{ id: string }>(overdue, [offsetMs])).map(({ id }) => id);
}

const pick = statement(
  "runs_to_remove",
  `with t as (select statement_timestamp() + make_interval(secs => $2::double precision / 1000)
       - make_interval(days => p.retention_days) as until,
     statement_timestamp() + make_interval(secs => $2::double precision / 1000)
       - make_interval(days => p.dead_letter_days) as letters,
     least((select min(w.cursor) from signalbox.webhook w where w.project_id = p.id
         and w.deleted_at is null and w.disabled_at is null),
       (select min(c.cursor) from signalbox.sink_cursor c where c.project_id = p.id
         and c.seen_at > statement_timestamp() - interval '7 days')) as sent
     from signalbox.project p where p.id = $1)
   select r.id, r.last_seq from t, signalbox.run r
   where r.project_id = $1 and r.finished_at is not null and r.finished_at < t.until
     and exists (select from signalbox.event e where e.stream_id = r.id and e.seq = r.last_seq
       and e.at < t.until and (t.sent is null or e.feed <= t.sent))
     and not exists (select from signalbox.delivery d join signalbox.webhook w
       on w.id = d.webhook_id and w.deleted_at is null and w.disabled_at is null
       where d.stream_id = r.id and d.state = 'pending')
     and not exists (select from signalbox.run_dependency d join signalbox.run o on o.id = d.run_id
       where d.depends_on = r.id and o.finished_at is null)
     and not exists (select from signalbox.run_spec s join signalbox.run o on o.id = s.run_id
       where s.parent_run = r.id and o.finished_at is null)
     and not exists (select from signalbox.slot s where s.project_id = $1 and s.run_id = r.id
       and s.ended_at is null)
     and not exists (select from signalbox.exhaustion x where x.project_id = $1
       and x.probe_run = r.id)
     and not exists (select from signalbox.dead_letter l where l.run_id = r.id
       and l.closed_at is null and (t.letters is null or r.finished_at >= t.letters))
   order by r.finished_at, r.id limit $3 for update of r skip locked`,
);
const floor = statement(
  "raise_feed_floor",
  `update signalbox.project p set feed_floor = greatest(p.feed_floor, (select max(e.feed)
     from signalbox.event e where e.stream_id = any ($2::uuid[])))
   where p.id = $1`,
);
const keepSums = statement(
  "keep_what_was_spent",
  `update signalbox.allowance w set removed_spent = w.removed_spent + x.n from (
     select v.allowance_id, sum(v.n) as n from (
       select v.allowance_id, v.charged::numeric as n from signalbox.reservation v
       where v.run_id = any ($1::uuid[])
       union all select f.allowance_id, -f.amount from signalbox.refund f
       where f.run_id = any ($1::uuid[])) v group by v.allowance_id) x
   where w.id = x.allowance_id and x.n <> 0`,
);
const forgetSlots = statement(
  "forget_runs_of_slots",
  `update signalbox.slot s set run_id = null
   where s.project_id = $2 and s.run_id = any ($1::uuid[])`,
);

/** Tables whose rows belong to one run, by the column that names it. */
export const ownedByRuns = {
  delivery: "stream_id",
  usage: "run_id",
  refund: "run_id",
  reservation: "run_id",
  run_block: "run_id",
  run_tag: "run_id",
  run_dependency: "run_id",
  dead_letter: "run_id",
  approval: "run_id",
  attempt: "run_id",
  event: "stream_id",
  run_spec: "run_id",
  run: "id",
} as const;

const removals = Object.entries(ownedByRuns).map(([table, column]) =>
  statement(
    `remove_${table}_of_runs`,
    `delete from signalbox.${table} x where x.${column} = any ($1::uuid[])`,
  ),
);
const dependents = statement(
  "remove_dependencies_on_runs",
  "delete from signalbox.run_dependency d where d.depends_on = any ($1::uuid[])",
);

/** Runs, and rows of their registers, that one transaction removes at most (a run is never cut). */
const MOST_RUNS = 100;
const MOST_EVENTS = 5000;

/** Removes a batch of what is due; returns how many runs. Concurrency: locked runs are passed. */
export async function removeOldRuns(
  runner: Runner,
  projectId: string,
  offsetMs: number,
): Promise<number> {
  type Found = { id: string; last_seq: number };
  const found = await runner.query<Found>(pick, [projectId, offsetMs, MOST_RUNS]);
  let events = 0;
  const ids = found.flatMap(({ id, last_seq: count }, index) => {
    events += count;
    return index > 0 && events > MOST_EVENTS ? [] : [id];
  });
  if (ids.length === 0) return 0;
  await runner.query(floor, [projectId, ids]);
  await runner.query(keepSums, [ids]);
  await runner.query(forgetSlots, [ids, projectId]);
  await runner.query(dependents, [ids]);
  for (const removal of removals) await runner.query(removal, [ids]);
  return ids.length;
}
