// The database: can it be reached, is it new enough, durable, and of our schema?
// Promises: reads settings and counts only; every session ends at once.
// Leaves to others: changing anything. (The statements here read the server's own settings, not the
// register, so they stand here and not in store/.)

import pg from "pg";
import { asDatabaseRefusal } from "../../database-address.ts";
import { programVersion } from "../../store/migrate.ts";
import { clocks, fail, type Finding, ok, warn } from "./check.ts";

type Setting = { name: string; setting: string };

const OLDEST = 150_000;
const FEW_CONNECTIONS = 20;

/** What each setting should be, and what happens otherwise. */
const durable: readonly { name: string; good: readonly string[]; says: string }[] = [
  { name: "fsync", good: ["on"], says: "a crash of the machine can destroy the database" },
  { name: "full_page_writes", good: ["on"], says: "a crash in mid-write can destroy pages" },
  {
    name: "synchronous_commit",
    good: ["on", "local", "remote_write", "remote_apply"],
    says: "acknowledged work can be lost in a crash",
  },
];

export async function lookAtDatabase(url: string): Promise<Finding[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
    application_name: "signalbox doctor",
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return [
      ...(await lookAtVersion(client)),
      ...(await lookAtSettings(client)),
      ...(await lookAtClock(client)),
      ...(await lookAtSchema(client)),
      ...(await lookAtRoles(client)),
    ];
  } catch (error) {
    const refusal = asDatabaseRefusal(error, url);
    const says = refusal instanceof Error ? refusal.message : String(refusal);
    return [fail("database", says, "see the message")];
  } finally {
    await client.end().catch(() => {});
  }
}

const CURRENT = "database.schema";

/** Whether the database was found to have this program's schema. */
export function hasOurSchema(findings: readonly Finding[]): boolean {
  return findings.some(({ check, verdict, says }) => {
    return check === CURRENT && verdict === "ok" && says.startsWith("schema ");
  });
}

async function lookAtVersion(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ number: number; words: string }>(
    "select current_setting('server_version_num')::integer as number, " +
      "current_setting('server_version') as words",
  );
  const { number = 0, words = "" } = rows[0] ?? {};
  const says = `PostgreSQL ${words} answers`;
  return [number >= OLDEST ? ok("database", says) : fail("database", says, "use 15 or newer")];
}

async function lookAtSettings(client: pg.Client): Promise<Finding[]> {
  const names = [...durable.map(({ name }) => name), "max_connections", "server_encoding"];
  const { rows } = await client.query<Setting>(
    "select name, setting from pg_settings where name = any($1) order by name",
    [names],
  );
  const found = new Map(rows.map(({ name, setting }) => [name, setting]));
  const findings = durable.map(({ name, good, says }) => {
    const setting = found.get(name) ?? "unknown";
    return good.includes(setting)
      ? ok(`database.${name}`, `${name} = ${setting}`)
      : fail(`database.${name}`, `${name} = ${setting}: ${says}`, `set ${name} = on`);
  });
  const encoding = found.get("server_encoding") ?? "";
  if (encoding !== "UTF8") {
    const todo = "create the database with encoding UTF8";
    findings.push(fail("database.encoding", `the encoding is ${encoding}`, todo));
  }
  const most = Number(found.get("max_connections"));
  if (most < FEW_CONNECTIONS) {
    const says = `max_connections = ${most}; a server holds 12`;
    findings.push(warn("database.connections", says, "allow more connections"));
  }
  return findings;
}

async function lookAtClock(client: pg.Client): Promise<Finding[]> {
  const asked = Date.now();
  const { rows } = await client.query<{ ms: string }>(
    "select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms",
  );
  const skew = Number(rows[0]?.ms) - (asked + Date.now()) / 2;
  const todo = "set the clocks by NTP: facts are dated by the database";
  return [clocks("database.clock", skew, { whose: "the database's", todo })];
}

async function lookAtSchema(client: pg.Client): Promise<Finding[]> {
  const known = programVersion();
  const there = await client.query<{ there: boolean }>(
    "select to_regclass('signalbox.schema_migration') is not null as there",
  );
  if (there.rows[0]?.there !== true) {
    return [ok(CURRENT, "no schema yet; `up` or `db migrate` makes it")];
  }
  const { rows } = await client.query<{ version: number | null }>(
    "select max(version) as version from signalbox.schema_migration",
  );
  const found = rows[0]?.version ?? 0;
  const says = `schema ${found}, this program knows ${known}`;
  if (found > known) return [fail(CURRENT, says, "use a newer signalbox")];
  if (found === known) return [ok(CURRENT, says)];
  return [warn(CURRENT, says, "`up` or `db migrate` brings it up to date")];
}

async function lookAtRoles(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string; member: boolean; strong: boolean }>(
    `select rolname as name, pg_has_role(current_user, oid, 'member') as member,
       rolsuper or rolbypassrls as strong
     from pg_roles where rolname in ('signalbox_app', 'signalbox_house') order by rolname`,
  );
  if (rows.length < 2)
    return [ok("database.roles", "no roles yet; the first migration makes them")];
  const strong = rows.filter((row) => row.strong).map(({ name }) => name);
  if (strong.length > 0) {
    const todo = "alter role … nosuperuser nobypassrls: else projects are not kept apart";
    return [fail("database.roles", `${strong.join(", ")} may see every project`, todo)];
  }
  const missing = rows.filter((row) => !row.member).map(({ name }) => name);
  if (missing.length === 0) return [ok("database.roles", "both roles are there, and ours")];
  const todo = `grant ${missing.join(", ")} to the user of DATABASE_URL`;
  return [fail("database.roles", `this user may not act as ${missing.join(", ")}`, todo)];
}
