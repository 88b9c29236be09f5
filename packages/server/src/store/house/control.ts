// The installation's own pulse, its servers, and what only the owner sees.
// Promises: the control heartbeat is moved on by compare-and-set, so that one server at a time
// deals with an outage; the lists are bounded.
// Leaves to others: what an outage means (engine).

import type { Runner } from "../db.ts";
import { statement } from "../db.ts";
import type { ProjectRow } from "../projects.ts";
import { projectColumns, projectTables } from "../projects.ts";

const readPulse = statement(
  "read_pulse",
  `select h.at, h.at::text as exact, clock_timestamp() as now
   from (select 1) one left join signalbox.control_heartbeat h on h.id = 1`,
);
const firstPulse = statement(
  "first_pulse",
  `insert into signalbox.control_heartbeat (id, at) values (1, clock_timestamp())
   on conflict (id) do nothing`,
);
const movePulse = statement(
  "move_pulse",
  `update signalbox.control_heartbeat set at = clock_timestamp()
   where id = 1 and at = $1::timestamptz returning 1 as moved`,
);

export type Pulse = { at: number | null; exact: string | null; now: number };

/** When a server of this installation last said that it is up. */
export async function readControlPulse(runner: Runner): Promise<Pulse> {
  const rows = await runner.query<Pulse>(readPulse);
  return rows[0] as Pulse;
}

/** Says that the house is up; false when another server said so since `exact` was read. */
export async function moveControlPulse(runner: Runner, exact: string | null): Promise<boolean> {
  if (exact === null) {
    await runner.query(firstPulse);
    return true;
  }
  return (await runner.query(movePulse, [exact])).length > 0;
}

const beat = statement(
  "server_beat",
  `insert into signalbox.server as s (id, version, started_at, seen_at)
   values ($1, $2, clock_timestamp(), clock_timestamp())
   on conflict (id) do update set seen_at = clock_timestamp()`,
);
const others = statement(
  "other_servers",
  `select count(*)::integer as n from signalbox.server s
   where s.id <> $1 and s.seen_at > clock_timestamp() - interval '15 seconds'`,
);
const leave = statement("server_leave", "delete from signalbox.server where id = $1");
const forget = statement(
  "forget_servers",
  "delete from signalbox.server where seen_at < clock_timestamp() - interval '1 day'",
);

/** Says that this server is up and returns how many others are. */
export async function serverBeat(runner: Runner, id: string, version: string): Promise<number> {
  await runner.query(beat, [id, version]);
  const rows = await runner.query<{ n: number }>(others, [id]);
  return rows[0]?.n ?? 0;
}

export async function serverLeave(runner: Runner, id: string): Promise<void> {
  await runner.query(leave, [id]);
  await runner.query(forget);
}

/** Projects that one statement reads. */
export const PROJECTS_PAGE = 1000;
const allProjects = statement(
  "all_projects",
  `select ${projectColumns} from ${projectTables} where p.name > $1
   order by p.name limit ${PROJECTS_PAGE}`,
);
const oneProject = statement(
  "one_project",
  `select ${projectColumns} from ${projectTables}
   where p.id::text = $1 or p.name = $1 order by p.id limit 1`,
);

/** A page of projects after a name, in the order of names. */
export async function listAllProjects(runner: Runner, after: string): Promise<ProjectRow[]> {
  return runner.query<ProjectRow>(allProjects, [after]);
}

/** A project by its UUID or name, for the owner of the installation. */
export async function findAnyProject(runner: Runner, idOrName: string): Promise<ProjectRow | null> {
  const rows = await runner.query<ProjectRow>(oneProject, [idOrName]);
  return rows[0] ?? null;
}
