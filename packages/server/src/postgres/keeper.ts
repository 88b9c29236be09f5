// Keeps one postmaster running for as long as the server wants it.
// Promise: a postmaster or watcher that dies (kill -9, out of memory) is replaced on the same
// socket with the same password, so that a connection pool only has to reconnect; eight failures
// in a row (some 10 s) end the trying and the owner is told, but a full disk is waited for.
// Stopping: fast, after 10 s immediate.
// Leaves to others: everything before the first launch (index.ts).

import * as fs from "node:fs";

import type { Binaries } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import type { OsUser } from "./command.ts";
import { endProcesses, healPidFile } from "./leftovers.ts";
import { checkServing, connectionTo, waitReady } from "./session.ts";
import { asRefused } from "./refused.ts";
import { settingArguments } from "./settings.ts";
import { port } from "./sockets.ts";
import { pause, settlesWithin } from "./waiting.ts";
import { launch, type Watched } from "./watcher.ts";

export type Keep = {
  cluster: Cluster;
  binaries: Binaries;
  user: OsUser;
  socketDir: string;
  lockFd: number;
  settings: Record<string, string>;
  log: (line: string) => void;
  launched: () => void;
  lost: (error: Error) => void;
};

export type Keeper = { pid: () => number; stop: () => Promise<void> };

const maximumLog = 4 * 2 ** 20;
const tries = 8;

function openLog(path: string): number {
  if (fs.existsSync(path) && fs.statSync(path).size > maximumLog) fs.renameSync(path, `${path}.1`);
  return fs.openSync(path, "a", 0o600);
}

/** One start: ends with a database that serves, or with nothing running. */
async function start(keep: Keep): Promise<Watched> {
  const { cluster, socketDir } = keep;
  healPidFile(cluster);
  const own = { hbaFile: cluster.hba, socketDir, port, name: cluster.name };
  const args = ["-D", cluster.data, ...settingArguments(own, keep.settings)];
  const logFd = openLog(cluster.log);
  const logged = fs.fstatSync(logFd).size;
  const { user, lockFd, binaries } = keep;
  try {
    const watched = await launch({ postgres: binaries.postgres, args, user, logFd, lockFd });
    keep.launched();
    try {
      await waitReady(cluster, watched, logged, keep.log);
      await checkServing(cluster, connectionTo(cluster, socketDir));
      return watched;
    } catch (error) {
      watched.close();
      await endProcesses(cluster);
      throw error;
    }
  } finally {
    fs.closeSync(logFd);
  }
}

async function halt(keep: Keep, watched: Watched): Promise<void> {
  watched.ask("fast");
  if (!(await settlesWithin(10_000, watched.ended))) {
    keep.log("PostgreSQL did not stop within 10 s; stopping it at once");
    watched.ask("immediate");
    await settlesWithin(6_000, watched.ended);
  }
  watched.close();
  // Finds nothing, unless the watcher was killed on the way.
  await endProcesses(keep.cluster);
}

export async function keepRunning(keep: Keep): Promise<Keeper> {
  let current = await start(keep);
  let stopping: Promise<void> | undefined;

  const isStopping = (): boolean => stopping !== undefined;

  const restart = async (): Promise<boolean> => {
    for (let failures = 0; !isStopping();) {
      try {
        await endProcesses(keep.cluster);
        current = await start(keep);
        return true;
      } catch (error) {
        const why = asRefused(error, keep.cluster.folder);
        keep.log(why.message);
        if (why.code !== "disk_full") failures += 1;
        if (failures >= tries) keep.lost(why);
        if (failures >= tries) return false;
        await pause(Math.min(250 * 2 ** failures, 2_000));
      }
    }
    return false;
  };

  const watch = async (): Promise<void> => {
    for (;;) {
      const code = await current.ended;
      if (stopping !== undefined) return;
      keep.log(`PostgreSQL or its watcher ended (${code ?? "killed"}); starting it again`);
      current.close();
      if (!(await restart())) return;
    }
  };

  const watching = watch().catch((error: unknown) => {
    keep.lost(error instanceof Error ? error : new Error(String(error)));
  });
  const stop = async (): Promise<void> => {
    // Once now, and once more for what a restart under way may just have brought up.
    await halt(keep, current);
    await watching;
    await halt(keep, current);
  };
  return { pid: () => current.pid, stop: () => (stopping ??= stop()) };
}
