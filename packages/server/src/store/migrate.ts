// Migrations: forward only, checksummed, one transaction each, under a lock.
// Promises: two processes never migrate at once; a changed file or a schema newer than this program
// is refused before anything is written; a step gets its locks within 3 s or fails cleanly.
// Leaves to others: what the tables mean (`migrations/*.sql`), exit codes (cli).

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import pg from "pg";
import type { Connection } from "./db.ts";
import { sessionConfig } from "./db.ts";

/** Refused for a reason a person must settle: exit code 78. */
export class SchemaRefused extends Error {
  readonly exitCode = 78;
  override readonly name = "SchemaRefused";
}

type Step = { version: number; name: string; sql: string; checksum: string };

const folder = new URL("./migrations/", import.meta.url);
const OLDEST_SERVER = 150_000;

function steps(): Step[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_.*\.sql$/.test(name))
    .toSorted()
    .map((name) => {
      const sql = readFileSync(new URL(name, folder), "utf8");
      const checksum = createHash("sha256").update(sql).digest("hex");
      return { version: Number(name.slice(0, 4)), name, sql, checksum };
    });
}

/** The newest schema version this program knows. */
export function programVersion(): number {
  return steps().at(-1)?.version ?? 0;
}

/**
 * Brings the database to this program's schema. Returns the names of the steps it applied.
 * Errors: `SchemaRefused` (newer schema, changed step, PostgreSQL older than 15), or the
 * database's.
 */
export async function migrate(connection: Connection): Promise<string[]> {
  const client = new pg.Client({
    ...sessionConfig(connection, {
      role: null,
      applicationName: "signalbox migrate",
      statementTimeoutMs: 120_000,
      lockTimeoutMs: 3000,
    }),
  });
  client.on("error", () => {});
  await client.connect();
  try {
    await checkServer(client);
    if (await isCurrent(client)) return [];
    await client.query("set client_min_messages = warning");
    await prepare(client);
    const applied: string[] = [];
    for (const step of steps()) {
      if (await apply(client, step)) applied.push(step.name);
    }
    await refuseNewer(client);
    return applied;
  } finally {
    await client.end();
  }
}

async function checkServer(client: pg.Client): Promise<void> {
  const result = await client.query<{ v: string }>(
    "select current_setting('server_version_num') v",
  );
  if (Number(result.rows[0]?.v) < OLDEST_SERVER) {
    throw new SchemaRefused("The database is older than PostgreSQL 15; use 15 or newer.");
  }
}

/** Whether exactly this program's steps are applied, as at almost every start: nothing to lock. */
async function isCurrent(client: pg.Client): Promise<boolean> {
  const there = await client.query<{ it: string | null }>(
    "select to_regclass('signalbox.schema_migration') it",
  );
  if (there.rows[0]?.it === null) return false;
  const { rows } = await client.query<{ checksum: string }>(
    "select checksum from signalbox.schema_migration order by version",
  );
  const known = steps();
  return (
    rows.length === known.length && rows.every((row, at) => row.checksum === known[at]?.checksum)
  );
}

/** The table of applied steps; made under the same lock as every step. */
async function prepare(client: pg.Client): Promise<void> {
  await inTransaction(client, async () => {
    await client.query("create schema if not exists signalbox");
    await client.query(`create table if not exists signalbox.schema_migration (
      version integer primary key, name text not null, checksum text not null,
      applied_at timestamptz not null default clock_timestamp())`);
  });
  await refuseNewer(client);
}

async function refuseNewer(client: pg.Client): Promise<void> {
  const result = await client.query<{ version: number | null }>(
    "select max(version) as version from signalbox.schema_migration",
  );
  const found = result.rows[0]?.version ?? 0;
  const known = programVersion();
  if (found > known) {
    throw new SchemaRefused(
      `The database has schema ${found}, this program knows ${known}; start a newer signalbox.`,
    );
  }
}

async function apply(client: pg.Client, step: Step): Promise<boolean> {
  return inTransaction(client, async () => {
    const found = await client.query<{ checksum: string }>(
      "select checksum from signalbox.schema_migration where version = $1",
      [step.version],
    );
    const before = found.rows[0];
    if (before !== undefined) {
      if (before.checksum === step.checksum) return false;
      throw new SchemaRefused(
        `Migration ${step.name} was changed after it was applied; restore the original file.`,
      );
    }
    await client.query(step.sql);
    await client.query(
      "insert into signalbox.schema_migration (version, name, checksum) values ($1, $2, $3)",
      [step.version, step.name, step.checksum],
    );
    return true;
  });
}

async function inTransaction<T>(client: pg.Client, use: () => Promise<T>): Promise<T> {
  await client.query("begin");
  try {
    await client.query("set local lock_timeout = 60000");
    await client.query("select pg_advisory_xact_lock(hashtext('signalbox.migrate'))");
    await client.query("set local lock_timeout = 3000");
    const result = await use();
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}
