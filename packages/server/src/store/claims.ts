// Claims: candidates for the runs that waiting workers could do, locked; and what admission must
// know.
// Promises: candidates come lane by lane in rank order, at most `demand` each; rows another server
// is claiming are skipped, never waited for; concurrency keys are counted under their lock.
// Leaves to others: who gets what (`domain/admit.ts`), writing the claim (`runs.ts`,
// `attempts.ts`).

import type { Run } from "../domain/run.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import type { RunRow } from "./run-rows.ts";
import { runColumns, runOf } from "./run-rows.ts";

/** The union of what the waiting claims of one project could do. */
export type Demand = {
  readonly projectId: string;
  readonly demand: number;
  readonly runners: readonly string[];
  /** Null serves every queue. */
  readonly queues: readonly string[] | null;
  readonly capabilities: readonly string[];
  readonly agents: readonly string[];
  readonly runtimes: readonly string[];
  /** Runs of lanes without an agent need this priority: all who ask are on call. */
  readonly minPriority: number;
};

/**
 * Below every rank: where a lane without a floor is searched from. Chosen by `case`: row-level
 * security keeps `coalesce` out of the index condition, and the floor would only filter.
 */
const LOWEST = Number.MIN_SAFE_INTEGER;

/** Lanes one search sees of a project. */
export const MAX_LANES = 64;

const candidates = statement(
  "claim_candidates",
  `select ${runColumns}
   from json_to_recordset($1::json) as w(project_id uuid, demand integer, runners text[],
     queues text[], capabilities text[], agents text[], runtimes text[], min_priority integer)
   cross join lateral (
     select l.id, l.agent, h.rank from signalbox.lane l
     left join unnest($2::uuid[], $3::bigint[]) as f(lane_id, rank) on f.lane_id = l.id
     cross join lateral (select r.rank from signalbox.run r where r.lane_id = l.id
       and r.rank >= case when f.rank is null then ${LOWEST} else f.rank end
       and r.state = 'pending' and r.held = 0
       and (l.agent is not null or r.priority >= w.min_priority)
       order by r.rank, r.id limit 1) h
     where l.project_id = w.project_id and l.runner = any (w.runners)
       and l.id <> all ($4::uuid[])
       and (w.queues is null or l.queue = any (w.queues))
       and l.requires <@ w.capabilities
       and (l.agent is null or l.agent = any (w.agents))
       and (l.runtime is null or l.runtime = any (w.runtimes))
       and not exists (select from signalbox.queue q where q.project_id = l.project_id
         and q.name = l.queue and q.paused_at is not null)
     order by h.rank, l.id limit ${MAX_LANES}) l
   cross join lateral (
     select r.* from signalbox.run r where r.lane_id = l.id and r.rank >= l.rank
       and r.state = 'pending' and r.held = 0
       and (l.agent is not null or r.priority >= w.min_priority)
     order by r.rank, r.id limit w.demand for no key update skip locked) r`,
);

/** Nothing in a lane below this rank is ready. */
export type LaneFloor = { readonly laneId: string; readonly rank: number };

/**
 * Locks up to `demand` ready runs of each servable lane that is not `shut`. SKIP LOCKED: another
 * server's are left.
 */
export async function lockCandidates(
  runner: Runner,
  demands: readonly Demand[],
  { floors, shut }: { floors: readonly LaneFloor[]; shut: readonly string[] },
): Promise<Run[]> {
  const records = demands.map((demand) => ({
    project_id: demand.projectId,
    demand: demand.demand,
    runners: demand.runners,
    queues: demand.queues,
    capabilities: demand.capabilities,
    agents: demand.agents,
    runtimes: demand.runtimes,
    min_priority: demand.minPriority,
  }));
  const rows = await runner.query<RunRow>(candidates, [
    JSON.stringify(records),
    floors.map((floor) => floor.laneId),
    floors.map((floor) => floor.rank),
    shut,
  ]);
  return rows.map(runOf);
}

const lockKeys = statement(
  "lock_concurrency_keys",
  `select pg_advisory_xact_lock(k.h) from (select distinct
     hashtextextended(n.project_id::text || n.key, 7203) as h
   from unnest($1::uuid[], $2::text[]) as n(project_id, key) order by 1) k`,
);
const countKeys = statement(
  "count_concurrency_keys",
  `select n.project_id, n.key, c.live
   from (select distinct * from unnest($1::uuid[], $2::text[]) as u(project_id, key)) n
   cross join lateral (select count(*)::integer as live from signalbox.run r
     where r.project_id = n.project_id and r.concurrency_key = n.key
       and r.concurrency_key is not null and r.lease_expires_at is not null) c`,
);

export type KeyRef = { readonly projectId: string; readonly key: string };

/** Name of a key across projects, for maps. */
export function keyName(ref: KeyRef): string {
  return `${ref.projectId}/${ref.key}`;
}

/**
 * Live attempts per concurrency key, counted under the keys' locks: two servers never both see the
 * last free place. Concurrency: advisory locks in order, after all run locks, held to the commit.
 */
export async function countLiveByKey(
  runner: Runner,
  keys: readonly KeyRef[],
): Promise<Map<string, number>> {
  const values = [keys.map((key) => key.projectId), keys.map((key) => key.key)];
  const [, rows] = await Promise.all([
    runner.query(lockKeys, values),
    runner.query<{ project_id: string; key: string; live: number }>(countKeys, values),
  ]);
  return new Map(
    rows.map((row) => [keyName({ projectId: row.project_id, key: row.key }), row.live]),
  );
}

/** Live attempts per concurrency key as they stand, without locks: for submissions and explain. */
export async function peekLiveByKey(
  runner: Runner,
  keys: readonly KeyRef[],
): Promise<Map<string, number>> {
  const rows = await runner.query<{ project_id: string; key: string; live: number }>(countKeys, [
    keys.map((key) => key.projectId),
    keys.map((key) => key.key),
  ]);
  return new Map(
    rows.map((row) => [keyName({ projectId: row.project_id, key: row.key }), row.live]),
  );
}

const waitingForKey = statement(
  "waiting_for_key",
  `select r.id from signalbox.run r where r.project_id = $1 and r.concurrency_key = $2
     and r.concurrency_key is not null and r.state = 'pending' and r.held & 4 = 4
   order by r.rank, r.id limit $3`,
);

/** The next runs in line for a key that has become free. Reads without locks: a hint, no more. */
export async function nextForKey(runner: Runner, ref: KeyRef, limit: number): Promise<string[]> {
  const rows = await runner.query<{ id: string }>(waitingForKey, [ref.projectId, ref.key, limit]);
  return rows.map((row) => row.id);
}
