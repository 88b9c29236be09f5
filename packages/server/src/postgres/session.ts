// From "a postmaster runs" to "the database serves": waits, checks what was promised, makes the
// database on the first start.
// Promise: nobody gets a connection to a server whose durability is off; crash recovery is
// waited for and reported each second instead of being mistaken for a failure.

import * as fs from "node:fs";
import { join } from "node:path";

import pg from "pg";

import { type Cluster, database, owner } from "./cluster.ts";
import { errorCode } from "./refused.ts";
import { promised } from "./settings.ts";
import { port } from "./sockets.ts";
import { now, settlesWithin, until } from "./waiting.ts";
import type { Watched } from "./watcher.ts";

export type Connection = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
};

/** Replaying the log takes seconds; a deadline this long only ends what is stuck. */
const readyMs = 120_000;

export const connectionTo = (cluster: Cluster, socketDir: string): Connection => ({
  host: socketDir,
  port,
  user: owner,
  password: cluster.password,
  database,
});

export function urlOf(connection: Connection): string {
  const { user, password, host } = connection;
  const where = `host=${encodeURIComponent(host)}&port=${connection.port}`;
  return `postgres://${user}:${password}@/${connection.database}?${where}`;
}

/** What PostgreSQL said since the log was this long: its reasons before it gave up. */
function lastWords(cluster: Cluster, from: number): string {
  const said = fs.readFileSync(cluster.log).subarray(from).toString().trim();
  const lines = said.split("\n");
  const telling = lines.filter((line) => /FATAL|PANIC|ERROR|HINT|DETAIL/.test(line)).slice(-4);
  return (telling.length > 0 ? telling : lines.slice(-2)).join(" ");
}

/** PostgreSQL writes `ready` into the eighth line of its pid file. */
function isReady(cluster: Cluster, pid: number): boolean {
  try {
    const lines = fs.readFileSync(join(cluster.data, "postmaster.pid"), "utf8").split("\n");
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

/** `from`: how long the log was before this start. */
export async function waitReady(
  cluster: Cluster,
  watched: Watched,
  from: number,
  log: (line: string) => void,
): Promise<void> {
  const start = now();
  let ended = false;
  let told = 0;
  void watched.ended.then(() => (ended = true));
  const ready = await until(readyMs, () => {
    if (ended) throw new Error(lastWords(cluster, from));
    if (isReady(cluster, watched.pid)) return true;
    const seconds = Math.floor((now() - start) / 1_000);
    if (seconds > told) {
      told = seconds;
      log(`PostgreSQL is recovering: ${seconds} s of at most ${readyMs / 1_000} s`);
    }
    return undefined;
  });
  if (!ready) throw new Error(`it was not ready after ${readyMs / 1_000} s`);
}

async function withClient<Answer>(
  connection: Connection,
  ask: (client: pg.Client) => Promise<Answer>,
): Promise<Answer> {
  const client = new pg.Client({
    ...connection,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return await ask(client);
  } finally {
    await settlesWithin(1_000, client.end());
  }
}

async function check(client: pg.Client, cluster: Cluster): Promise<void> {
  const names = [...Object.keys(promised), "data_directory"];
  const { rows } = await client.query<{ name: string; setting: string }>(
    "select name, setting from pg_settings where name = any($1) order by name",
    [names],
  );
  const actual = Object.fromEntries(rows.map((row) => [row.name, row.setting]));
  const expected: Record<string, string> = { ...promised, data_directory: cluster.data };
  const wrong = names.filter((name) => actual[name] !== expected[name]);
  if (wrong.length === 0) return;
  throw new Error(`it runs with ${wrong.map((name) => `${name} = ${actual[name]}`).join(", ")}`);
}

/** Checks the running server and makes the database if a first start did not get so far. */
export async function checkServing(cluster: Cluster, connection: Connection): Promise<void> {
  try {
    await withClient(connection, (client) => check(client, cluster));
  } catch (error) {
    if (errorCode(error) !== "3D000") throw error;
    await withClient({ ...connection, database: "postgres" }, async (client) => {
      await check(client, cluster);
      await client.query(`create database ${database} owner ${owner}`);
    });
  }
}
