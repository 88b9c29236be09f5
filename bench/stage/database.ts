// A PostgreSQL for servers that are given one: TEST_DATABASE_URL, or the one in the box started
// here as if it were somebody's.
// Promises: a new database with a name of its own, dropped at the end; nothing else on that server
// is touched.
// Leaves to others: migrating (the first server on it).

import { randomBytes } from "node:crypto";
import { pathToFileURL } from "node:url";

import { serverModule } from "./places.ts";
import { Client } from "./postgres.ts";

export type OwnDatabase = {
  url: string;
  /** Where it lives, for the evidence. */
  where: string;
  /** Another new database on the same server, dropped with this one; its URL. */
  another: () => Promise<string>;
  close: () => Promise<void>;
};

type Host = { url: string; stop: () => Promise<void> };

const GIVEN = "TEST_DATABASE_URL";

type Settings = Record<string, string>;
type Starter = (options: { dataDir: string; settings: Settings }) => Promise<Host>;

async function findHost(folder: string, settings: Settings): Promise<Host> {
  const given = process.env[GIVEN] ?? "";
  if (given !== "") return { url: given, stop: async () => {} };
  const module = (await import(pathToFileURL(serverModule("postgres/index.js")).href)) as {
    startEmbedded: Starter;
  };
  return module.startEmbedded({ dataDir: folder, settings });
}

async function onHost(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Makes the database. `folder` (an empty one) and `settings` are for the PostgreSQL in the box. */
export async function makeDatabase(folder: string, settings: Settings = {}): Promise<OwnDatabase> {
  const host = await findHost(folder, settings);
  const names: string[] = [];
  const another = async (): Promise<string> => {
    const name = `signalbox_campaign_${randomBytes(5).toString("hex")}`;
    names.push(name);
    await onHost(host.url, `create database ${name}`);
    // Not `new URL`: one that names a socket has no host, which it refuses.
    return host.url.replace(/^(postgres(?:ql)?:\/\/[^/]*\/)[^?]*/, `$1${name}`);
  };
  return {
    url: await another(),
    another,
    where: process.env[GIVEN] ? `on the server of ${GIVEN}` : "on a PostgreSQL in the box",
    close: async () => {
      for (const name of names) {
        await onHost(host.url, `drop database if exists ${name} with (force)`);
      }
      await host.stop();
    },
  };
}
