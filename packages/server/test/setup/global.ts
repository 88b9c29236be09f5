// Runs once before the suite: one PostgreSQL for all test files, and one migrated template.
// Promises: TEST_DATABASE_URL is used if set (and said aloud); otherwise the embedded server starts
// in a temporary folder. Whatever the tests leave behind is dropped at the end.
// Leaves to others: a database per test file (`freshDatabase`), servers that a test starts itself.

import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pg from "pg";
import type { TestProject } from "vitest/node";

import { startEmbedded } from "../../src/postgres/index.ts";
import { migrate } from "../../src/store/migrate.ts";
import { createDatabase, dropDatabase, withClient } from "./database.ts";
import type { Connection, Provided } from "./database.ts";

type Server = { connection: Connection; stop: () => Promise<void> };

/** Called by vitest; what it returns runs after the last test. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await openServer();
  const prefix = `signalbox_test_${randomBytes(4).toString("hex")}`;
  const provided: Provided = { connection: server.connection, prefix };
  try {
    await migrate(await createDatabase(provided, "template"));
  } catch (error) {
    await close(server, prefix);
    throw error;
  }
  project.provide("postgres", provided);
  return () => close(server, prefix);
}

async function openServer(): Promise<Server> {
  const url = process.env["TEST_DATABASE_URL"];
  if (url !== undefined && url !== "") return external(url);
  const dataDir = await mkdtemp(join(tmpdir(), "signalbox-test-"));
  await chmod(dataDir, 0o755); // the server may run as another user than the tests
  const { connection, stop } = await startEmbedded({ dataDir });
  say(`tests use the embedded PostgreSQL in ${dataDir}`);
  return {
    connection,
    stop: async () => {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function external(url: string): Server {
  const { host, port, user = "", password, database = "" } = new pg.Client(url);
  say(`tests use the PostgreSQL of TEST_DATABASE_URL: ${user}@${host}:${port}/${database}`);
  return {
    connection: { host, port, user, password: password ?? "", database },
    stop: async () => {},
  };
}

/** Drops every database of this run of the suite, then stops the server if it is ours. */
async function close(server: Server, prefix: string): Promise<void> {
  const names = await withClient(server.connection, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      "select datname from pg_database where starts_with(datname, $1) order by datname",
      [prefix],
    );
    return rows.map(({ datname }) => datname);
  });
  for (const name of names) await dropDatabase(server.connection, name);
  await server.stop();
}

function say(sentence: string): void {
  process.stdout.write(`${sentence}\n`);
}
