// A database of its own for a test file: copied from the migrated template in some 30 ms.
// Promises: no two files share a row; `drop` works while connections are still open; the suite
// drops what a test forgot.
// Leaves to others: starting the server and migrating the template (global.ts).

import { randomBytes } from "node:crypto";

import pg from "pg";
import { inject } from "vitest";

/** How to reach a database. `host` is a folder when the server listens on a Unix socket. */
export type Connection = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
};

/** What the global setup hands to every test process. */
export type Provided = {
  /** A database for maintenance on the server: may create and drop databases. */
  connection: Connection;
  /** Names of this run's databases begin with it; `<prefix>_template` is the migrated one. */
  prefix: string;
};

declare module "vitest" {
  interface ProvidedContext {
    postgres: Provided;
  }
}

/** A migrated, empty database. */
export type FreshDatabase = {
  connection: Connection;
  /** The same as a URL, for child processes (`DATABASE_URL`). */
  url: string;
  /** Ends all its connections and removes it. Twice does no harm. */
  drop: () => Promise<void>;
};

/** Any number that no one else uses: copies of the template are made one after the other. */
const COPY_LOCK = 7_304_415_001;

/** Makes a new migrated database on the server of the suite. Call it in `beforeAll`. */
export async function freshDatabase(): Promise<FreshDatabase> {
  return newDatabase("template");
}

/** An empty database without any table of ours, for tests of the migrations themselves. */
export async function emptyDatabase(): Promise<FreshDatabase> {
  return newDatabase();
}

async function newDatabase(template?: string): Promise<FreshDatabase> {
  const provided = inject("postgres");
  const connection = await createDatabase(provided, randomBytes(6).toString("hex"), template);
  return {
    connection,
    url: connectionUrl(connection),
    drop: () => dropDatabase(provided.connection, connection.database),
  };
}

/** Creates `<prefix>_<name>`, as a copy of `<prefix>_<template>` if one is named. */
export async function createDatabase(
  { connection, prefix }: Provided,
  name: string,
  template?: string,
): Promise<Connection> {
  const database = `${prefix}_${name}`;
  const source = template === undefined ? "template0" : `${prefix}_${template}`;
  await withClient(connection, async (client) => {
    // PostgreSQL refuses to copy a database that somebody else is connected to, and two copies at
    // once only compete for the disk. The lock ends with the connection.
    await client.query("select pg_advisory_lock($1)", [COPY_LOCK]);
    await client.query(`create database ${quoted(database)} template ${quoted(source)}`);
  });
  return { ...connection, database };
}

/** Removes a database and whoever is connected to it. */
export async function dropDatabase(connection: Connection, name: string): Promise<void> {
  await withClient(connection, async (client) => {
    await client.query(`drop database if exists ${quoted(name)} with (force)`);
  });
}

/** Runs `work` on a connection of its own, which is closed afterwards. */
export async function withClient<T>(
  connection: Connection | { connectionString: string },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A name as an SQL identifier. Statements that create databases take no parameters. */
function quoted(name: string): string {
  return pg.escapeIdentifier(name);
}

/** `postgres://user:password@/database?host=…&port=…`: valid for sockets and for TCP. */
function connectionUrl({ host, port, user, password, database }: Connection): string {
  const who = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  const where = new URLSearchParams({ host, port: String(port) });
  return `postgres://${who}@/${encodeURIComponent(database)}?${where.toString()}`;
}
