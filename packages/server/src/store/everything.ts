// The stop of everything: one row that every claim and every renewal reads.
// Promises: set and lifted under the lock that claims and renewals of all projects share, in one
// transaction with an event on every project's stream.
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

const set = statement(
  "set_everything_stop",
  `update signalbox.everything e set stopped_at = case when $1::text is null then null
     else clock_timestamp() end, stop_reason = $1, stopped_by = $2, stop_cancels = $3
   where e.id = 1 and (e.stopped_at is null) <> ($1::text is null) returning 1 as changed`,
);

/** Stops (reason given) or resumes everything; false when it was so already. */
export async function setEverythingStop(runner: Runner, stop: Stop | null): Promise<boolean> {
  const values = [stop?.reason ?? null, stop?.by ?? null, stop?.cancels ?? false];
  return (await runner.query(set, values)).length > 0;
}

const numbers = statement(
  "next_project_seqs",
  `update signalbox.project p set last_seq = p.last_seq + 1
   where p.id = any (array(select q.id from signalbox.project q where q.id = any ($1::uuid[])
     order by q.id for no key update)) returning p.id, p.last_seq`,
);

/** The next number of each project's own stream, under its row lock, locked in order of id. */
export async function nextProjectSeqs(
  runner: Runner,
  ids: readonly string[],
): Promise<{ id: string; last_seq: number }[]> {
  return runner.query<{ id: string; last_seq: number }>(numbers, [ids]);
}
