// One server per data folder. The lock is taken before anything else is looked at.
// Two locks in one: a flock(2) on lock/flock where the `flock` tool exists (Node cannot lock; the
// kernel frees it however the holder dies, and it works across containers), and always a record
// lock/holder.<n> that says who holds it. Without the tool the record alone decides: it is
// checked by pid and start mark, which cannot see into other containers.
// Promise: two holders never, also when both find a dead holder at once. The highest number is
// the holder; numbers only grow and the highest record is never removed, only marked as free.

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";

import { environment } from "./command.ts";
import { here, markOf } from "./processes.ts";
import { EmbeddedRefused, errorCode } from "./refused.ts";
import { until } from "./waiting.ts";

export type Holder = {
  pid: number;
  /** When that process started, ISO 8601. */
  started: string;
  command: string;
  host: string;
};

type Entry = Holder & { mark: string; boot: string; namespace: string; free: boolean };
type Numbered = { number: number; record: Entry | undefined };

export type FolderLock = { release: () => void };
export type TryLock = "taken" | "busy" | "no_tool";

/** Locks an open file for as long as any copy of the descriptor is open, in any process. */
export function tryFlock(fd: number, tool = "flock"): TryLock {
  const stdio = ["ignore", "ignore", "ignore", fd] as const;
  const { status } = spawnSync(tool, ["-n", "3"], { env: environment, stdio: [...stdio] });
  if (status === 0) return "taken";
  return status === 1 ? "busy" : "no_tool";
}

const folderOf = (dataDir: string): string => join(dataDir, "lock");

function myself(): Entry {
  const started = new Date(Date.now() - process.uptime() * 1000).toISOString();
  const command = process.argv.join(" ").slice(0, 500);
  const mark = markOf(process.pid) ?? "";
  return { pid: process.pid, started, command, mark, free: false, ...here };
}

function read(path: string): Entry | undefined {
  try {
    return JSON.parse(fs.readFileSync(path, "utf8")) as Entry;
  } catch {
    return undefined;
  }
}

function highest(folder: string): Numbered | undefined {
  const numbers = fs
    .readdirSync(folder)
    .flatMap((name) => (/^holder\.\d+$/.test(name) ? Number(name.slice(7)) : []));
  if (numbers.length === 0) return undefined;
  const number = Math.max(...numbers);
  return { number, record: read(join(folder, `holder.${number}`)) };
}

const sameWorld = (record: Entry): boolean =>
  record.boot === here.boot &&
  record.namespace === here.namespace &&
  (here.boot !== "" || record.host === here.host);

const alive = (record: Entry | undefined): boolean =>
  record !== undefined && !record.free && sameWorld(record) && record.mark === markOf(record.pid);

/** Who holds this data folder now, as far as this machine and container can see. */
export function describeHolder(dataDir: string): Holder | null {
  const folder = folderOf(dataDir);
  if (!fs.existsSync(folder)) return null;
  const record = highest(folder)?.record;
  if (record === undefined || !alive(record)) return null;
  const { pid, started, command, host } = record;
  return { pid, started, command, host };
}

/** Writes a record under the next free number: `link` is atomic and never overwrites. */
function claim(folder: string): number | undefined {
  const draft = join(folder, `draft-${process.pid}-${randomBytes(4).toString("hex")}`);
  fs.writeFileSync(draft, JSON.stringify(myself()), { mode: 0o600 });
  try {
    for (;;) {
      const top = highest(folder);
      if (alive(top?.record)) return undefined;
      const number = (top?.number ?? 0) + 1;
      const path = join(folder, `holder.${number}`);
      try {
        fs.linkSync(draft, path);
      } catch (error) {
        if (errorCode(error) === "EEXIST") continue;
        throw error;
      }
      // Our look may have been so old that the number had already come and gone.
      if (highest(folder)?.number === number) return number;
      fs.rmSync(path, { force: true });
    }
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/** Removes older records, and drafts whose writer was killed before it could. */
function sweep(folder: string, number: number): void {
  for (const name of fs.readdirSync(folder)) {
    const [, kind, digits] = /^(holder\.|draft-)(\d+)/.exec(name) ?? [];
    const old = kind === "holder." && Number(digits) < number;
    const left = kind === "draft-" && markOf(Number(digits)) === undefined;
    if (old || left) fs.rmSync(join(folder, name), { force: true });
  }
}

/** The record first: whoever gets the lock next must not take us for its holder. */
function free(folder: string, number: number, fd: number): void {
  const draft = join(folder, `draft-${process.pid}-free`);
  try {
    fs.writeFileSync(draft, JSON.stringify({ ...myself(), free: true }), { mode: 0o600 });
    fs.renameSync(draft, join(folder, `holder.${number}`));
  } catch {
    // A full disk, or the folder is gone: the record then frees itself when this process ends.
    fs.rmSync(draft, { force: true });
  }
  fs.closeSync(fd);
}

function refusal(dataDir: string): EmbeddedRefused {
  const holder = describeHolder(dataDir);
  const last = highest(folderOf(dataDir))?.record;
  const elsewhere = last === undefined ? "" : ` (last seen: host ${last.host})`;
  const who =
    holder === null
      ? `a process this one cannot see, in another container or on another machine${elsewhere}`
      : `process ${holder.pid}, started ${holder.started}: ${holder.command}`;
  return new EmbeddedRefused("held", `${dataDir} is in use by ${who}. Nothing was touched.`);
}

/** A process that was just killed holds its lock until the kernel has taken it apart. */
const graceMs = 300;

export async function takeLock(dataDir: string, tool = "flock"): Promise<FolderLock> {
  const folder = folderOf(dataDir);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fd = fs.openSync(join(folder, "flock"), "a", 0o600);
  let number: number | undefined;
  try {
    const take = (): number | undefined =>
      tryFlock(fd, tool) === "busy" ? undefined : claim(folder);
    number = await until(graceMs, take, 25);
  } finally {
    if (number === undefined) fs.closeSync(fd);
  }
  if (number === undefined) throw refusal(dataDir);
  const mine = number;
  sweep(folder, mine);
  return { release: () => free(folder, mine, fd) };
}
