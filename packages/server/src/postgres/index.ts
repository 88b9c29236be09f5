// The PostgreSQL in the box: `signalbox up` without DATABASE_URL runs this one.
// Promise: one server per data folder, a second one is refused within a second and touches
// nothing; durable and private settings; it stops when this process stops, however that
// happens, and comes back by itself after any kill; no step by hand is ever needed.
// Order: lock, account, place, programs, leftovers, files, postmaster.
// Leaves to others: migrations, pools, draining before `stop`, printing refusals.

import * as fs from "node:fs";
import { join, resolve } from "node:path";

import { findBinaries } from "./binaries.ts";
import { checkOurs, endedCleanly, openCluster } from "./cluster.ts";
import { keepRunning } from "./keeper.ts";
import { takeCluster } from "./leftovers.ts";
import { takeLock } from "./lock.ts";
import { chooseUser } from "./os-user.ts";
import { findPlace, knownPlace, onNetwork, settlePlace } from "./place.ts";
import { asRefused, EmbeddedRefused } from "./refused.ts";
import { type Connection, connectionTo, urlOf } from "./session.ts";
import { removeSockets, socketFolder } from "./sockets.ts";

export { describeHolder } from "./lock.ts";
export { EmbeddedRefused } from "./refused.ts";

export type EmbeddedOptions = {
  /** For example `/project/.signalbox`; the database lives below it or where it points to. */
  dataDir: string;
  log?: (line: string) => void;
  /** Called once if the database died and could not be started again: end the process. */
  onLost?: (error: Error) => void;
  /** Called when the postmaster has become a process, some 0.1 s before it serves. */
  onLaunched?: () => void;
  /** Extra PostgreSQL settings, for tests only; the durable ones cannot be turned off. */
  settings?: Record<string, string>;
  /** The `flock` tool, for tests only. */
  lockTool?: string;
};

/**
 * cold: first start. warm: after a clean stop. recovered: after a crash. adopted: a postmaster
 * that had outlived its server was found, ended cleanly, and started anew.
 */
export type Started = "cold" | "warm" | "adopted" | "recovered";

export type Embedded = {
  /** For `pg`: `new pg.Pool({ connectionString: url })`. Holds the password. */
  url: string;
  connection: Connection;
  /** The postmaster; another one after it was killed and replaced. */
  readonly pid: number;
  started: Started;
  /** Fast shutdown, after 10 s an immediate one. Safe to call twice. */
  stop: () => Promise<void>;
};

type Undo = () => void;

/** What has to be true of the folder before the lock can be taken in it. */
function openDataDir(path: string): string {
  if (fs.existsSync(path) && !fs.statSync(path).isDirectory()) {
    throw new EmbeddedRefused("not_ours", `${path} is a file; the data folder has to be a folder.`);
  }
  fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  return fs.realpathSync(path);
}

/** The data directory of an existing database, null before the first start. */
function existingData(dataDir: string): string | null {
  const place = knownPlace(dataDir);
  const folder = place === undefined ? "" : join(place, "postgres");
  if (!fs.existsSync(folder)) return null;
  checkOurs(folder);
  return join(folder, "data");
}

async function startUnderLock(options: EmbeddedOptions, dataDir: string, undo: Undo[]) {
  const log = options.log ?? (() => {});
  const user = await chooseUser(existingData(dataDir));
  const place = await findPlace(dataDir, user);
  if (onNetwork(place)) log(`${place} is on a network file system: locks may not hold there`);
  // A copy of the data folder points to the same place: the original may be running there.
  if (place !== dataDir) undo.push((await takeLock(place, options.lockTool)).release);
  const binaries = await findBinaries(user, place);
  const { cluster, fresh } = await openCluster(place, binaries, user);
  settlePlace(dataDir, place);
  const held = await takeCluster(cluster, options.lockTool);
  undo.push(() => fs.closeSync(held.fd));
  const clean = endedCleanly(cluster);
  const socketDir = await socketFolder(cluster, user);
  undo.push(() => removeSockets(cluster));
  const keeper = await keepRunning({
    cluster,
    binaries,
    user,
    socketDir,
    lockFd: held.fd,
    settings: options.settings ?? {},
    log,
    launched: options.onLaunched ?? (() => {}),
    lost: options.onLost ?? ((error) => log(error.message)),
  });
  const connection = connectionTo(cluster, socketDir);
  const found: Started = held.adopted ? "adopted" : "warm";
  const started: Started = fresh ? "cold" : clean ? found : "recovered";
  return { keeper, connection, started };
}

export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const asked = resolve(options.dataDir);
  const undo: Undo[] = [];
  const release = (): void => {
    for (const step of undo.splice(0).toReversed()) step();
  };
  try {
    const dataDir = openDataDir(asked);
    const lock = await takeLock(dataDir, options.lockTool);
    undo.push(lock.release);
    const { keeper, connection, started } = await startUnderLock(options, dataDir, undo);
    return {
      url: urlOf(connection),
      connection,
      started,
      get pid() {
        return keeper.pid();
      },
      stop: () => keeper.stop().finally(release),
    };
  } catch (error) {
    release();
    throw asRefused(error, asked);
  }
}
