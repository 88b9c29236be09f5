// The start-up self-check: is the second net really hung? (F-71)
// Promises: refuses to start when the roles could bypass row-level security, or a table of ours has
// none, or one that its owner escapes: an inert net is worse than none, because it is relied on.
// Leaves to others: creating the roles and policies (migrations).

import type { Reader, Runner } from "./db.ts";
import { statement } from "./db.ts";
import { SchemaRefused } from "./migrate.ts";

const role = statement(
  "check_role",
  `select r.rolname as name, r.rolsuper or r.rolbypassrls as escapes, exists (
     select from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'signalbox' and c.relowner = r.oid) as owns
   from pg_roles r where r.rolname = current_user`,
);
const bare = statement(
  "check_tables",
  `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname = 'signalbox' and c.relkind in ('r', 'p') and c.relname <> 'schema_migration'
     and not (c.relrowsecurity and c.relforcerowsecurity) order by c.relname`,
);

/** Refuses (`SchemaRefused`, exit code 78) unless both roles are bound by row-level security. */
export async function checkIsolation(app: Reader, house: Reader): Promise<void> {
  await Promise.all([
    app.within([], (runner) => checkRole(runner, "signalbox_app").then(() => checkTables(runner))),
    house.within([], (runner) => checkRole(runner, "signalbox_house")),
  ]);
}

async function checkRole(runner: Runner, expected: string): Promise<void> {
  const rows = await runner.query<{ name: string; escapes: boolean; owns: boolean }>(role);
  const found = rows[0];
  if (found?.name !== expected) {
    throw new SchemaRefused(
      `The database session acts as "${found?.name}" instead of "${expected}"; grant that role ` +
        "to the user of DATABASE_URL (a pooler in front must pass start-up options on).",
    );
  }
  if (found.escapes || found.owns) {
    throw new SchemaRefused(
      `Role "${expected}" can bypass row-level security (superuser, bypassrls or table owner); ` +
        "take that right away: the isolation of projects rests on it.",
    );
  }
}

async function checkTables(runner: Runner): Promise<void> {
  const rows = await runner.query<{ name: string }>(bare);
  if (rows.length === 0) return;
  const names = rows.map((row) => row.name).join(", ");
  throw new SchemaRefused(`Tables without forced row-level security: ${names}.`);
}
