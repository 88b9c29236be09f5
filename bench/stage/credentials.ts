// How a campaign gets at a server it has started: through `server.json` in the data folder, like
// every command on that machine.
// Promises: nothing is guessed and nothing of the user's own servers is read.
// Leaves to others: using the key and the address of the database.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Credentials = {
  /** The owner's key: may allow what nobody else may. */
  ownerKey: string;
  /** The key of this machine's commands: does everything in the default project. */
  key: string;
  databaseUrl: string;
};

type ServerFile = { cli_key_file: string; owner_key_file: string; database_url?: string };

/** What the campaign knows already: of a server on a database that another server uses too. */
export type Known = { databaseUrl?: string; key?: string; eventsUrl?: string };

/** Reads what a running server has left for commands. */
export function readCredentials(data: string, known: Known): Credentials {
  const text = readFileSync(join(data, "server.json"), "utf8");
  const file = JSON.parse(text) as ServerFile;
  const databaseUrl = known.databaseUrl ?? file.database_url;
  if (databaseUrl === undefined) throw new Error("server.json names no database");
  const key = known.key ?? readFileSync(file.cli_key_file, "utf8").trim();
  // Only the server that made the database has it.
  const isMine = existsSync(file.owner_key_file);
  const ownerKey = isMine ? readFileSync(file.owner_key_file, "utf8").trim() : "";
  return { key, ownerKey, databaseUrl };
}

/** Variables that would lead a command to another server, taken away. */
export const cleared: Record<string, undefined> = {
  DATABASE_URL: undefined,
  SIGNALBOX_EVENTS_URL: undefined,
  SIGNALBOX_DATA: undefined,
  SIGNALBOX_LISTEN: undefined,
  SIGNALBOX_URL: undefined,
  SIGNALBOX_KEY: undefined,
  SIGNALBOX_PROJECT: undefined,
};
