// Why due runs have not been claimed: which set of reasons, since when, what was told.
// Promises: one row per run that was found blocked; the set is told once per change, at most 20
// times per run.
// Leaves to others: the reasons (`domain/why.ts`), the event (`decide`).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

const heads = statement(
  "waiting_heads",
  `select r.id from signalbox.run r where r.lane_id = $1 and r.state = 'pending' and r.held = 0
     and r.created_at <= statement_timestamp()
       + make_interval(secs => $2::double precision / 1000) - interval '30 seconds'
   order by r.rank, r.id limit $3`,
);

/** The first ready runs of a lane that have waited for 30 s. */
export async function waitingHeads(
  runner: Runner,
  laneId: string,
  { offsetMs, limit }: { offsetMs: number; limit: number },
): Promise<string[]> {
  const rows = await runner.query<{ id: string }>(heads, [laneId, offsetMs, limit]);
  return rows.map((row) => row.id);
}

const note = statement(
  "note_blocks",
  `insert into signalbox.run_block as b (run_id, project_id, codes, since)
   select n.id, $2, $3, clock_timestamp() + make_interval(secs => $4::double precision / 1000)
   from unnest($1::uuid[]) as n(id) order by n.id
   on conflict (run_id) do update set codes = excluded.codes,
     since = case when b.codes = excluded.codes then b.since else excluded.since end
   returning b.run_id, b.told < 20 and b.told_codes is distinct from b.codes
     and b.since <= clock_timestamp() + make_interval(secs => $4::double precision / 1000)
       - interval '30 seconds' as tell`,
);

/** Notes what blocks these runs now; returns those for which the set has stood for 30 s untold. */
export async function noteBlocks(
  runner: Runner,
  block: { projectId: string; runIds: readonly string[]; codes: string; offsetMs: number },
): Promise<string[]> {
  const values = [block.runIds, block.projectId, block.codes, block.offsetMs];
  const rows = await runner.query<{ run_id: string; tell: boolean }>(note, values);
  return rows.filter((row) => row.tell).map((row) => row.run_id);
}

const told = statement(
  "told_blocks",
  `update signalbox.run_block b set told = b.told + 1, told_codes = b.codes
   where b.run_id = any ($1::uuid[])`,
);

/** Notes that the set of these runs was told. */
export async function blocksTold(runner: Runner, runIds: readonly string[]): Promise<void> {
  await runner.query(told, [runIds]);
}
