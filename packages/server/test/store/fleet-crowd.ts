// A fleet made by SQL around the runs of a crowd, as the role of the API: agents, accounts with
// limits, allowances with their periods, what attempts set aside and consumed, slots.
// Promises: each project has an agent for every hundred numbers of runs, and those of its runs that
// were claimed were claimed by it.
// Leaves to others: the runs and projects themselves (crowd.ts).

import type pg from "pg";
import { nameProjects } from "./sessions.ts";
import { crowdProjects, idOf, PROJECTS } from "./spread.ts";

/** `f`: a row for every agent: `n` its number, `p` that of its project. */
const from = `with f as (select n, p, n * ${PROJECTS} + p as id, 'agent ' || n as name,
    ${idOf(9, "p")} as project
  from generate_series($1::bigint, $2::bigint) n cross join generate_series(0, ${PROJECTS - 1}) p
  where n % 100 = 4)`;
/** The runs of an agent that were claimed; those that are not over end in 4 and 5. */
const runs = `cross join lateral (select k, k % 10 in (4, 5) as live
    from generate_series(n - 4 + p, n + 95, ${PROJECTS}) k where k % 10 <= 5) r`;
const day = "interval '1 day'";

/** Who may work, before anybody did. */
const settings = [
  `insert into signalbox.agent (id, project_id, name, status, status_since, accounts,
     max_concurrent, capabilities, created_at)
   select ${idOf(3, "id")}, project, name, case when id % 3 = 0 then 'offline' else 'busy' end,
     now(), case when id % 4 = 0 then array['shared ' || id % 7, 'spare'] else '{}' end,
     case when id % 2 = 0 then 5 end, '{}', now() from f`,
  `insert into signalbox.presence (project_id, agent, runtime_id, last_heartbeat_at)
   select project, name, ${idOf(4, "id % 50")}, now() from f where id % 3 <> 0`,
  `insert into signalbox.account (id, project_id, name, created_at)
   select ${idOf(5, "id")}, project, name, now() from f where id % 4 <> 0`,
  `insert into signalbox.exhaustion (project_id, account, model, state, reason, recovery_at,
     closed_at, evidence)
   select project, name, case when m = 0 then '' else 'model ' || m end,
     case when (id + m) % 8 = 0 then 'closed' else 'open' end, 'quota',
     case when (id + m) % 8 = 0 then now() + interval '1 hour' end, now(), '{}'
   from f cross join generate_series(0, 2) m where id % 4 <> 0`,
  `insert into signalbox.allowance (id, project_id, scope, name, metric, most, mode, window_kind,
     created_at)
   select ${idOf(6, "id * 2 + k")}, project, 'agent', name,
     case when k = 0 then 'tokens' else 'concurrent_runs' end, 1000000,
     case when id % 10 = 0 and k = 0 then 'kill' else 'hard' end,
     case when k = 0 then 'day' end, now()
   from f cross join generate_series(0, 1) k`,
  `insert into signalbox.slot (id, project_id, agent, type, priority, status, starts_at, ends_at,
     ended_at, created_at)
   select ${idOf(7, "id * 10 + s")}, project, name, 'work', 40,
     case when s < 8 then 'finished' else 'not_started' end, now() + (s - 7.5) * ${day},
     now() + (s - 7) * ${day}, case when s < 8 then now() end, now()
   from f cross join generate_series(0, 9) s`,
];

/** What work leaves behind. */
const work = [
  `insert into signalbox.allowance_period (allowance_id, starts_at, project_id, ends_at, spent)
   select ${idOf(6, "id * 2")}, date_trunc('day', now()) - d * ${day}, project,
     date_trunc('day', now()) - (d - 1) * ${day}, 1000 from f cross join generate_series(0, 9) d`,
  `insert into signalbox.reservation (run_id, number, allowance_id, project_id, remaining, charged,
     closed_at)
   select ${idOf(0, "k")}, 1, ${idOf(6, "id * 2")}, project, case when live then 10 else 0 end, 90,
     case when live then null else now() end from f ${runs}`,
  `insert into signalbox.refund (allowance_id, run_id, number, project_id, starts_at, amount, cause,
     at)
   select ${idOf(6, "id * 2")}, ${idOf(0, "k")}, 1, project, now(), 45, 'error', now()
   from f ${runs} where not live`,
  `insert into signalbox.usage (run_id, number, producer_seq, project_id, at, agent, account,
     input_tokens)
   select ${idOf(0, "k")}, 1, s, project, now() - k % 10 * ${day}, name, name, 45
   from f ${runs} cross join generate_series(1, 2) s`,
  `insert into signalbox.run_block (run_id, project_id, codes, since)
   select ${idOf(0, "n + 5 + p")}, project, 'exhausted', now() from f`,
];

/** Adds the agents among the runs from `first` to `last`, and what belongs to them. */
export async function addFleet(
  app: pg.Client,
  [first, last]: readonly [number, number],
  { worked }: { readonly worked: boolean },
): Promise<void> {
  await app.query("begin");
  await nameProjects(app, crowdProjects);
  for (const text of worked ? [...settings, ...work] : settings) {
    await app.query(`${from} ${text}`, [first, last]);
  }
  await app.query("commit");
}
