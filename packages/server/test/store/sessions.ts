// Raw sessions for conformance tests: SQL as one of the two roles, or as the owner of the tables,
// each attempt in a transaction of its own that leaves nothing behind.

import pg from "pg";
import type { RoleName } from "../../src/store/db.ts";
import { sessionConfig } from "../../src/store/db.ts";
import type { Connection } from "../setup/database.ts";

/** Opens a session as the app does: the role is set at the start of the session. */
export async function openAs(connection: Connection, role: RoleName | null): Promise<pg.Client> {
  const client = new pg.Client(
    sessionConfig(connection, {
      role,
      applicationName: "signalbox conformance",
      statementTimeoutMs: 30_000,
      lockTimeoutMs: 2000,
    }),
  );
  await client.connect();
  // Runs a statement, says what came of it, and undoes it in any case.
  await client.query(`create function pg_temp.outcome(statement text) returns text
    language plpgsql as $$
    declare
      touched bigint;
      what text;
    begin
      begin
        execute statement;
        get diagnostics touched = row_count;
        raise exception 'undo' using errcode = 'SBUND', detail = touched::text;
      exception when others then
        get stacked diagnostics what = constraint_name;
        if sqlstate = 'SBUND' then return 'rows ' || touched; end if;
        return trim(sqlstate || ' ' || coalesce(what, ''));
      end;
    end $$`);
  return client;
}

/**
 * What came of each statement, seen from these projects: `rows <n>`, or SQLSTATE and constraint.
 * All in one transaction, each undone before the next; nothing is kept.
 */
export async function outcomesOf(
  client: pg.Client,
  projects: readonly string[],
  statements: readonly string[],
): Promise<string[]> {
  await client.query("begin");
  try {
    await nameProjects(client, projects);
    const { rows } = await client.query<{ outcome: string }>(
      `select pg_temp.outcome(s.statement) as outcome
       from unnest($1::text[]) with ordinality as s(statement, n) order by s.n`,
      [statements],
    );
    return rows.map((row) => row.outcome);
  } finally {
    await client.query("rollback");
  }
}

export async function nameProjects(client: pg.Client, projects: readonly string[]): Promise<void> {
  const value = projects.length === 0 ? "" : `{${projects.join(",")}}`;
  await client.query("select set_config('app.projects', $1, true)", [value]);
}

/** A value as an SQL literal. Only for statements these tests build from their own tables. */
export function literal(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return pg.escapeLiteral(value);
  return pg.escapeLiteral(JSON.stringify(value));
}
