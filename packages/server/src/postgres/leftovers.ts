// What an earlier server left behind: a postmaster or backends still alive, and pid files that
// would stop PostgreSQL from starting. Called under the folder's lock only.
// Promise: after it no process of this database runs, so at most one postmaster ever does;
// only processes identified as this database's are signalled (processes.ts); no manual step is
// ever needed for a stale, recycled, zombie, empty or garbled postmaster.pid.

import * as fs from "node:fs";
import { join } from "node:path";

import type { Cluster } from "./cluster.ts";
import { type TryLock, tryFlock } from "./lock.ts";
import { type Ours, processesOf, signal } from "./processes.ts";
import { EmbeddedRefused, errorCode } from "./refused.ts";
import { now, until } from "./waiting.ts";

/** Fast shutdown first, immediate when it takes long: a restart has 3 s in all. */
const impatientMs = 1_500;
const giveUpMs = 15_000;
/** A lock held by nobody we can see: another container. A process just ending needs less. */
const invisibleMs = 700;

/** The signal for one process now; undefined leaves it alone. */
function orderFor(target: Ours, chief: boolean, waitedMs: number): NodeJS.Signals | undefined {
  const patient = waitedMs < impatientMs;
  if (target.postmaster) return patient ? "SIGINT" : "SIGQUIT";
  // Children of a live postmaster are its own matter; orphans end by themselves, most at once.
  if (chief || waitedMs < 200) return undefined;
  return patient ? "SIGQUIT" : "SIGKILL";
}

/** Ends every process of this database that is visible here; true if a postmaster was among. */
export async function endProcesses(cluster: Cluster): Promise<boolean> {
  const start = now();
  const sent = new Set<string>();
  let adopted = false;
  const gone = await until(giveUpMs, () => {
    const left = processesOf(cluster);
    if (left.length === 0) return true;
    const chief = left.some((one) => one.postmaster);
    adopted ||= chief;
    for (const target of left) {
      const order = orderFor(target, chief, now() - start);
      if (order === undefined || sent.has(`${target.pid} ${order}`)) continue;
      sent.add(`${target.pid} ${order}`);
      signal(target, cluster, order);
    }
    return undefined;
  });
  if (gone) return adopted;
  const pids = processesOf(cluster).map((one) => one.pid);
  throw new Error(`processes ${pids.join(", ")} of the earlier database do not end`);
}

export type ClusterLock = { fd: number; adopted: boolean };

/**
 * The lock that every process of the database inherits: as long as one lives, in whatever
 * container, it is held. Without the lock tool only what is visible here counts.
 */
export async function takeCluster(cluster: Cluster, tool = "flock"): Promise<ClusterLock> {
  const fd = fs.openSync(cluster.lock, "a", 0o600);
  let adopted = false;
  const answer = await until<TryLock>(invisibleMs, async () => {
    adopted = (await endProcesses(cluster)) || adopted;
    const tried = tryFlock(fd, tool);
    return tried === "busy" ? undefined : tried;
  });
  if (answer !== undefined) return { fd, adopted };
  fs.closeSync(fd);
  throw new EmbeddedRefused(
    "held",
    `The database in ${cluster.folder} is run by processes this one cannot see: by another ` +
      `container, or from another folder that points to it. Nothing was touched.`,
  );
}

const exists = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
};

/**
 * PostgreSQL takes a file that names a dead process for stale by itself, and checks with it that
 * no old backend holds its shared memory: such a file stays. One it would stumble over goes;
 * no process of this database is alive here, so whoever has that pid now is not meant.
 */
export function healPidFile(cluster: Cluster): void {
  const path = join(cluster.data, "postmaster.pid");
  if (!fs.existsSync(path)) return;
  const [first = ""] = fs.readFileSync(path, "utf8").split("\n");
  const pid = Math.abs(Number(first.trim()));
  const readable = Number.isSafeInteger(pid) && pid > 0 && pid < 2 ** 31;
  if (!readable || exists(pid)) fs.rmSync(path);
}
