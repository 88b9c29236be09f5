// A server for the time of one command, in its own process: `run` needs one, and the register can
// be read without `up`. Promises: two commands that start at once share one server; when the
// command whose process it was ends, another that still needs it takes over on the same address, so
// runs go on; an external database is only used if this data folder was used with it before, so a
// DATABASE_URL that belongs to somebody's application is left alone.
// Leaves to others: servers that stay (`up`).

import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import { keyFilesOf, readServerFile, type ServerFile } from "../data-folder.ts";
import type { SignalboxServer } from "../index.ts";
import { EmbeddedRefused } from "../postgres/refused.ts";
import { runningServer } from "./discovery.ts";
import { loggerFrom } from "./log.ts";
import type { Screen } from "./screen.ts";

export type Around = { config: Config; screen: Screen };

/** Either the server another process holds, or our own. */
export type Served = { file: ServerFile; own: SignalboxServer | null };

/** A first start takes a second; on a slow disk, or with a log to replay, some more. */
const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 100;
const TAKE_OVER_EVERY_MS = 250;

/** The database that a data folder was used with before: null is the one in the box. */
export async function databaseOf(config: Config, folder: string): Promise<string | null> {
  const url = config.databaseUrl;
  if (url === null) return null;
  const { databaseName } = await import("../database-address.ts");
  const { owner, cli } = keyFilesOf(folder, databaseName(url));
  return fs.existsSync(owner) || fs.existsSync(cli) ? url : null;
}

/** Starts a server in this process, or finds the one that somebody else was quicker to start. */
export async function serveBriefly(around: Around, folder: string): Promise<Served> {
  const progress = around.screen.progress("starting a server for this command …");
  try {
    for (const until = performance.now() + PATIENCE_MS; ;) {
      try {
        const own = await start(around, folder, 0);
        return { file: readServerFile(own.dataDir) as ServerFile, own };
      } catch (error) {
        if (!isHeld(error) || performance.now() > until) throw error;
      }
      // Whoever holds the folder is about to serve, or about to go.
      await sleep(LOOK_EVERY_MS);
      const file = runningServer(folder);
      if (file !== null) return { file, own: null };
    }
  } finally {
    progress.done();
  }
}

async function start(
  { config, screen }: Around,
  folder: string,
  port: number,
): Promise<SignalboxServer> {
  const databaseUrl = await databaseOf(config, folder);
  // Loaded when needed: most commands talk to a server that runs, and should not wait for this.
  const { createSignalbox } = await import("../index.ts");
  const logLevel = config.logLevel === "debug" ? "debug" : "error";
  const server = await createSignalbox({
    dataDir: folder,
    brief: true,
    logger: loggerFrom({ ...config, logLevel }, screen.asideColours),
    ...(databaseUrl !== null && { databaseUrl }),
  });
  try {
    await server.listen({ host: "127.0.0.1", port });
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const isHeld = (error: unknown): boolean =>
  error instanceof EmbeddedRefused && error.code === "held";

/**
 * Watches over the server a long command depends on: when it goes, this process serves on in its
 * place. Returns how to end that.
 */
export function keepServed(around: Around, served: Served): () => Promise<void> {
  const folder = served.file.data_folder;
  const port = Number(new URL(served.file.url).port);
  const ending = new AbortController();
  let { own } = served;
  const watch = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      await sleep(TAKE_OVER_EVERY_MS, undefined, { signal: ending.signal }).catch(() => {});
      if (ending.signal.aborted || own !== null || runningServer(folder) !== null) continue;
      // Somebody quicker, or the old one not quite gone: the next round tells.
      own = await start(around, folder, port).catch(() => null);
    }
  };
  const watching = served.file.brief ? watch() : Promise.resolve();
  return async () => {
    ending.abort();
    await watching;
    await own?.stop();
  };
}
