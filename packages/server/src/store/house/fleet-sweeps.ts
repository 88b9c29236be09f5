// What sweeps look for around who may work, across all projects, as the role `house`: limits whose
// instant has come, probes, silent runtimes, runs that wait for an absent agent.
// Promises: reads only; every find is a hint that is checked again under its lock, so any server
// may sweep at any time; lists are bounded and ordered, and their cursors pass every row.
// Leaves to others: deciding and writing (engine, as `app`).

import { PROBE_MS } from "../../domain/exhaustion/exhaustion.ts";
import type { Runner } from "../db.ts";
import { statement } from "../db.ts";

export type DueAccount = { project_id: string; account: string };

const clock = `statement_timestamp() + make_interval(secs => $1::double precision / 1000)`;

const recoveries = statement(
  "due_recoveries",
  `select distinct e.project_id, e.account from signalbox.exhaustion e
   where e.state = 'closed' and e.recovery_at <= ${clock}
   order by e.project_id, e.account limit $2`,
);

/** Accounts with a limit whose instant has come. */
export async function dueRecoveries(
  runner: Runner,
  offsetMs: number,
  limit: number,
): Promise<DueAccount[]> {
  return runner.query<DueAccount>(recoveries, [offsetMs, limit]);
}

const nextRecovery = statement(
  "next_recovery",
  `select min(e.recovery_at) as at from signalbox.exhaustion e
   where e.state = 'closed' and e.recovery_at is not null`,
);

/** The earliest instant at which a limit recovers. */
export async function nextRecoveryAt(runner: Runner): Promise<number | null> {
  const rows = await runner.query<{ at: number | null }>(nextRecovery);
  return rows[0]?.at ?? null;
}

export type ProbeState = {
  project_id: string;
  account: string;
  run_id: string;
  token: number;
  /** It has run for a minute without a report, or has completed. */
  works: boolean;
};

const probes = statement(
  "settled_probes",
  `select e.project_id, e.account, e.probe_run as run_id, e.probe_token as token,
     coalesce(a.state = 'completed' or (a.ended_at is null
       and a.started_at <= ${clock} - interval '${PROBE_MS} milliseconds'), false) as works
   from signalbox.exhaustion e
   left join lateral (select a.run_id, a.state, a.started_at, a.ended_at from signalbox.attempt a
     where a.run_id = e.probe_run and a.number = e.probe_token limit 1) a on true
   where e.probe_run is not null and (a.run_id is null or a.ended_at is not null
     or a.started_at <= ${clock} - interval '${PROBE_MS} milliseconds')
   order by e.probe_since, e.project_id, e.account, e.model limit $2`,
);

/** Probes that have ended, or have shown for a minute that the limit is over. */
export async function settledProbes(
  runner: Runner,
  offsetMs: number,
  limit: number,
): Promise<ProbeState[]> {
  return runner.query<ProbeState>(probes, [offsetMs, limit]);
}

export type SilentRuntime = { project_id: string; name: string };

const silent = statement(
  "silent_runtimes",
  `select t.project_id, t.name from signalbox.runtime t
   where t.state in ('online', 'draining') and t.last_heartbeat_at
     < ${clock} - make_interval(secs => t.deadline_s)
     and not exists (select from signalbox.presence p where p.project_id = t.project_id
       and p.runtime_id = t.id
       and p.last_heartbeat_at >= ${clock} - make_interval(secs => t.deadline_s))
   order by t.project_id, t.name limit $2`,
);

/** Runtimes that have not been heard of within their deadline. */
export async function silentRuntimes(
  runner: Runner,
  offsetMs: number,
  limit: number,
): Promise<SilentRuntime[]> {
  return runner.query<SilentRuntime>(silent, [offsetMs, limit]);
}

export type AbandonedRun = { id: string; project_id: string; lane_id: string };

const abandoned = statement(
  "abandoned_runs",
  // Lanes of agents that are away and for whom any run would not wait for ever; then their line.
  `select r.id, l.project_id, l.id as lane_id from signalbox.lane l
   cross join lateral (select max(p.last_heartbeat_at) as at from signalbox.presence p
     where p.project_id = l.project_id and p.agent = l.agent) p
   cross join lateral (select r.id, r.created_at from signalbox.run r
     where r.lane_id = l.id and r.state = 'pending' and r.held = 0 offset 0) r
   cross join lateral (select s.agent_timeout_ms as ms from signalbox.run_spec s
     where s.run_id = r.id and s.agent_timeout_ms is not null limit 1) s
   where l.agent is not null and (p.at is null or p.at < ${clock})
     and (select true from signalbox.run_spec s where s.project_id = l.project_id
       and s.agent = l.agent and s.agent_timeout_ms is not null limit 1)
     and r.id > $2::uuid and greatest(coalesce(p.at, r.created_at), r.created_at)
       + make_interval(secs => s.ms::double precision / 1000) <= ${clock}
   order by r.id limit $3`,
);

/** Ready runs whose agent has been away for longer than they would wait for it. */
export async function abandonedRuns(
  runner: Runner,
  offsetMs: number,
  page: { after: string; limit: number },
): Promise<AbandonedRun[]> {
  return runner.query<AbandonedRun>(abandoned, [offsetMs, page.after, page.limit]);
}

const waitingLanes = statement(
  "waiting_lanes",
  // Lanes whose first ready run has waited for 30 s.
  `select l.id, l.project_id from signalbox.lane l
   cross join lateral (select r.created_at from signalbox.run r where r.lane_id = l.id
     and r.state = 'pending' and r.held = 0 order by r.rank, r.id limit 1) h
   where l.id > $2::uuid and h.created_at <= ${clock} - interval '30 seconds'
   order by l.id limit $3`,
);

/** Lanes in which a ready run has been waiting, after a cursor. */
export async function lanesThatWait(
  runner: Runner,
  offsetMs: number,
  page: { after: string; limit: number },
): Promise<{ id: string; project_id: string }[]> {
  return runner.query(waitingLanes, [offsetMs, page.after, page.limit]);
}
