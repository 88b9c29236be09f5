// What every flush needs around its statements: begin, name the projects, the time, the flush row,
// commit. Promises: the time of a flush is the database's, read after its locks were taken; the
// flush row commits with it, so an unknown outcome can be looked up for an hour (F-53).
// Leaves to others: the statements in between.

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

const begin = statement("begin", "begin");
const commit = statement("commit", "commit");
const rollback = statement("rollback", "rollback");
const name = statement("name_projects", "select set_config('app.projects', $1, true)");
const now = statement(
  "now",
  "select clock_timestamp() + make_interval(secs => $1::double precision / 1000) as now",
);
const record = statement(
  "record_flush",
  `insert into signalbox.flush (id, at) values ($1, clock_timestamp())
   returning pg_current_xact_id()::xid::text as version`,
);
const find = statement("find_flush", "select 1 as found from signalbox.flush where id = $1");

/** Begins a transaction that sees these projects. The answer of neither statement is waited for. */
export function beginFlush(runner: Runner, projects: readonly string[]): Promise<unknown> {
  return Promise.all([runner.query(begin), runner.query(name, [`{${projects.join(",")}}`])]);
}

/** The database's clock in milliseconds, moved by `offsetMs` (0 outside tests). */
export async function readNow(runner: Runner, offsetMs: number): Promise<number> {
  const rows = await runner.query<{ now: number }>(now, [offsetMs]);
  return rows[0]?.now as number;
}

/** Returns the version that every row written in this transaction will have (`xmin`). */
export async function recordFlush(runner: Runner, id: string): Promise<string> {
  const rows = await runner.query<{ version: string }>(record, [id]);
  return rows[0]?.version as string;
}

export function commitFlush(runner: Runner): Promise<unknown> {
  return runner.query(commit);
}

export function rollbackFlush(runner: Runner): Promise<unknown> {
  return runner.query(rollback);
}

/** Whether a flush of unknown outcome committed. */
export async function flushCommitted(runner: Runner, id: string): Promise<boolean> {
  return (await runner.query(find, [id])).length > 0;
}
