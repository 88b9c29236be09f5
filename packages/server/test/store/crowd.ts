// A crowd of runs made by SQL, as the role of the API and under the guards of its tables: a
// database of some age in seconds.
// Promises: every run has its spec, its events and, once claimed, its attempt; lanes, keys and tags
// are spread as a busy project spreads them; agents and their limits are among them.
// Leaves to others: vacuuming and analysing, which is what tests of plans are about.

import type pg from "pg";
import { addFleet } from "./fleet-crowd.ts";
import { nameProjects } from "./sessions.ts";
import { crowdProjects, idOf, PROJECTS, projectOf } from "./spread.ts";

const LANES = 200;

const base = [
  `insert into signalbox.project (id, name, created_at)
   select ${projectOf("n")}, 'crowd ' || n, clock_timestamp()
   from generate_series(0, ${PROJECTS - 1}) n`,
  `insert into signalbox.feed_counter (project_id, n)
   select ${projectOf("n")}, 0 from generate_series(0, ${PROJECTS - 1}) n`,
  `insert into signalbox.lane (id, project_id, key, queue, runner, requires, created_at)
   select ${idOf(1, "n")}, ${projectOf("n")}, 'lane ' || n, 'queue ' || n % 20,
     case when n % 2 = 0 then 'default' else 'runner ' || n % 7 end, '{}', clock_timestamp()
   from generate_series(0, ${LANES - 1}) n`,
];

/** `f`: the runs from $1 to $2, each with its state: all pending, or mostly ended. */
const from = (isPending: string): string => `
  with f as (select n, ${isPending} as pending, n % 10 in (4, 5) as leased,
      (n % 10 < 4 and not (${isPending})) as ended, n % 5 = 0 as keyed
    from generate_series($1::bigint, $2::bigint) n)`;

const texts = (isPending: string): string[] => [
  `${from(isPending)} insert into signalbox.run (id, project_id, lane_id, attempt_id, rank,
     last_seq, created_at, lease_expires_at, due_at, claimed_at, started_at, finished_at, lease_ms,
     fencing_token, attempts_used, max_attempts, priority, state, end_cause, attempt_end, runtime,
     agent, concurrency_key)
   select ${idOf(0, "n")}, ${projectOf("n")}, ${idOf(1, `n % ${LANES}`)},
     case when not pending then ${idOf(2, "n")} end, n, 3, now(),
     case when leased and not pending then now() + interval '1 hour' end,
     case when leased and not pending then now() + interval '1 hour' end,
     case when not pending then now() end, case when not pending then now() end,
     case when ended then now() end, case when not pending then 60000 end,
     case when pending then 0 else 1 end, case when pending then 0 else 1 end, 3, 40,
     case when pending then 'pending' when ended then 'completed' else 'running' end,
     case when ended then 'completed' end, case when ended then 'completed' end,
     case when not pending then 'w1' end,
     case when not pending then 'agent ' || n / 100 * 100 + 4 end,
     case when keyed then 'key ' || n end
   from f`,
  `${from(isPending)} insert into signalbox.run_spec (run_id, project_id, created_at,
     idempotency_key, body_sha256, input_sha256, queue, runner, requires, depends_on, tags,
     metadata)
   select ${idOf(0, "n")}, ${projectOf("n")}, now(), case when keyed then 'once ' || n end,
     sha256('body'), sha256('input'), 'queue ' || n % 20, 'default', '{}', '{}', '{}', '{}' from f`,
  `${from(isPending)} insert into signalbox.attempt (run_id, number, id, project_id, state, counted,
     runtime, claimed_at, started_at, ended_at, cause, key_digest, child_digest)
   select ${idOf(0, "n")}, 1, ${idOf(2, "n")}, ${projectOf("n")},
     case when ended then 'completed' else 'running' end, true, 'w1', now(), now(),
     case when ended then now() end, case when ended then 'completed' end,
     sha256('key'), sha256('child')
   from f where not pending`,
  `${from(isPending)} insert into signalbox.event (stream_id, seq, project_id, feed, at, stream,
     type, source)
   select ${idOf(0, "n")}, s, ${projectOf("n")}, 3 * n + s, now(), 'run', 'log.line', 'runner'
   from f cross join generate_series(1, 3) s`,
];

const allPending = texts("true");
const ofAllAges = texts("n % 10 > 5");

/** Adds the runs from `first` to `last` and what belongs to them. `app` is a session of the API. */
export async function addCrowd(
  app: pg.Client,
  [first, last]: readonly [number, number],
  ages: "pending" | "all ages",
): Promise<void> {
  await app.query("begin");
  await nameProjects(app, crowdProjects);
  const { rowCount } = await app.query("select from signalbox.project where id = $1", [
    crowdProjects[0],
  ]);
  if (rowCount === 0) for (const text of base) await app.query(text);
  for (const text of ages === "pending" ? allPending : ofAllAges) {
    await app.query(text, [first, last]);
  }
  await app.query("commit");
  await addFleet(app, [first, last], { worked: ages === "all ages" });
}
