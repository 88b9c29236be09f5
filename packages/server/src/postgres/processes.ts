// Who is who among processes. A pid alone proves nothing: pids are used again, and a zombie
// still answers to one. A process is the same if pid and start mark are the same; it is ours if
// its command names our data folder and, where the system shows them, its program and its
// working folder agree. Linux reads /proc, other systems ask `ps`.
// Promise: nothing here signals a process that was not identified in the same breath.

import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { hostname } from "node:os";

import { environment } from "./command.ts";

type Seen = { pid: number; parent: number; mark: string; zombie: boolean; words: string[] };
export type Ours = { pid: number; mark: string; postmaster: boolean };

/** The watcher's $0: its command line repeats the postmaster's and must not pass for it. */
export const watcherTitle = "signalbox-watch";

/** What makes processes recognisable as those of one database. */
export type Traits = { data: string; name: string };

const attempt = <Value>(read: () => Value): Value | undefined => {
  try {
    return read();
  } catch {
    return undefined;
  }
};

const text = (path: string): string | undefined => attempt(() => readFileSync(path, "utf8"));
const hasProc = text("/proc/self/stat") !== undefined;

/** Pids and start marks mean something only inside one boot and one pid namespace. */
export const here = {
  host: hostname(),
  boot: text("/proc/sys/kernel/random/boot_id")?.trim() ?? "",
  namespace: attempt(() => readlinkSync("/proc/self/ns/pid")) ?? "",
};

/** /proc/<pid>/stat: the name in brackets may hold spaces, so fields are counted behind it. */
function fromProc(pid: number): Seen | undefined {
  const stat = text(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent = "0"] = fields;
  const words = (text(`/proc/${pid}/cmdline`) ?? "").split("\0");
  const zombie = state === "Z" || state === "X";
  return { pid, parent: Number(parent), mark: fields[19] ?? "", zombie, words };
}

/** One line of `ps -o pid=,ppid=,stat=,lstart=,command=`; lstart is five words. */
function fromPs(line: string): Seen | undefined {
  const parts = line.trim().split(/\s+/);
  const [pid, parent, state, ...rest] = parts;
  if (pid === undefined || parent === undefined || state === undefined) return undefined;
  const mark = rest.slice(0, 5).join(" ");
  const zombie = state.startsWith("Z");
  return { pid: Number(pid), parent: Number(parent), mark, zombie, words: rest.slice(5) };
}

function ps(...which: string[]): Seen[] {
  const columns = ["-ww", "-o", "pid=,ppid=,stat=,lstart=,command="];
  const answer = spawnSync("ps", [...which, ...columns], { env: environment, encoding: "utf8" });
  const lines = (answer.stdout ?? "").split("\n");
  return lines.map(fromPs).filter((seen) => seen !== undefined);
}

const look = (pid: number): Seen | undefined => (hasProc ? fromProc(pid) : ps("-p", `${pid}`)[0]);

/** The start mark of a live process, undefined for one that is gone or a zombie. */
export function markOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const seen = look(pid);
  return seen === undefined || seen.zombie ? undefined : seen.mark;
}

/**
 * Postmaster: runs `postgres -D <our data>`. Its children: titled `postgres: <our name>: …`.
 * Program and working folder are checked too, except where the system hides them (root without
 * CAP_SYS_PTRACE, as in a default container, may not look at a process of another account).
 */
function identify(seen: Seen, traits: Traits): Ours | undefined {
  if (seen.zombie) return undefined;
  const line = seen.words.join(" ");
  const [program = ""] = line.split(` -D ${traits.data} `, 1);
  const postmaster =
    program !== line && program.endsWith("/postgres") && !program.includes(watcherTitle);
  if (!postmaster && !line.startsWith(`postgres: ${traits.name}: `)) return undefined;
  if (hasProc && !looksRight(seen.pid, traits)) return undefined;
  return { pid: seen.pid, mark: seen.mark, postmaster };
}

function looksRight(pid: number, traits: Traits): boolean {
  const program = attempt(() => readlinkSync(`/proc/${pid}/exe`));
  if (program !== undefined && !/\/postgres( \(deleted\))?$/.test(program)) return false;
  const folder = attempt(() => statSync(`/proc/${pid}/cwd`));
  const data = attempt(() => statSync(traits.data));
  if (folder === undefined || data === undefined) return true;
  return folder.dev === data.dev && folder.ino === data.ino;
}

/** Every live process of this database that this pid namespace can see. */
export function processesOf(traits: Traits): Ours[] {
  const pids = hasProc ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
  const seen = hasProc ? pids.map((pid) => fromProc(Number(pid))) : ps("-ax");
  const ours = seen.flatMap((one) => (one && identify(one, traits)) ?? []);
  const parents = new Map(seen.map((one) => [one?.pid, one?.parent]));
  // A child that has not set its title yet still looks like the postmaster it was forked from.
  const chiefs = new Set(ours.filter((one) => one.postmaster).map((one) => one.pid));
  return ours.map((one) => ({
    ...one,
    postmaster: one.postmaster && !chiefs.has(parents.get(one.pid) ?? 0),
  }));
}

/** Signals it if it still is the process that was identified; false when it is gone. */
export function signal(target: Ours, traits: Traits, name: NodeJS.Signals): boolean {
  const seen = look(target.pid);
  if (seen === undefined || seen.mark !== target.mark) return false;
  if (identify(seen, traits) === undefined) return false;
  return attempt(() => process.kill(target.pid, name)) ?? false;
}
