// The process table of the system, read from Linux `/proc`: who a pid is, and what it was given.
// Promises: a process is named by (pid, start time), never by its pid alone, because the kernel
// hands pids out again; a process that vanishes while it is read is simply absent.
// Reads are synchronous on purpose: a snapshot that yields to other work is out of date when used.
// A stat costs about 15 µs, so 500 processes cost 8 ms. Other systems have no table here.
// Leaves to others: which of these processes belong together (`tree.ts`).

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Whether `/proc` tells start times and environments. If not, only process groups are used. */
export const hasProcessTable: boolean = process.platform === "linux";

/** A process as the kernel names it. `startTime` is in clock ticks (10 ms) since boot. */
export type ProcessIdentity = { pid: number; startTime: number };

export type ProcessRow = ProcessIdentity & {
  ppid: number;
  pgid: number;
  session: number;
  /** One letter: R, S, D running or sleeping, T and t stopped, Z and X dead. */
  state: string;
  /** Dead, and only waiting to be reaped. A zombie whose other threads still run is not dead. */
  dead: boolean;
};

/** Reads one process; null when there is none, or no table. */
export function readProcess(pid: number): ProcessRow | null {
  if (!hasProcessTable) return null;
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return null;
  }
}

/** Every process this one can see, in the order of the directory. Empty where there is no table. */
export function listProcesses(): ProcessRow[] {
  if (!hasProcessTable) return [];
  const rows: ProcessRow[] = [];
  for (const name of readdirSync("/proc")) {
    const first = name.charCodeAt(0);
    if (first < 49 || first > 57) continue;
    const row = readProcess(Number(name));
    if (row !== null) rows.push(row);
  }
  return rows;
}

/** Start time of a process in ticks since boot; null when it is gone or there is no table. */
export function startTimeOf(pid: number): number | null {
  return readProcess(pid)?.startTime ?? null;
}

/** True when this very process, not a later one with the same pid, is alive. */
export function isAlive(identity: ProcessIdentity): boolean {
  const row = readProcess(identity.pid);
  return row !== null && !row.dead && row.startTime === identity.startTime;
}

/** The environment a process was started with; null when it is gone or belongs to someone else. */
export function environmentOf(pid: number): Map<string, string> | null {
  const text = environText(pid);
  if (text === null) return null;
  const entries = new Map<string, string>();
  for (const entry of text.split("\0")) {
    const equals = entry.indexOf("=");
    if (equals > 0) entries.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  return entries;
}

/** True when the environment of the process holds exactly this `NAME=value`. */
export function environmentHolds(pid: number, entry: string): boolean {
  const text = environText(pid);
  if (text === null) return false;
  return text.startsWith(`${entry}\0`) || text.includes(`\0${entry}\0`);
}

/** The pid namespace of a process: a pid means nothing outside its own. Null when unreadable. */
export function pidNamespaceOf(pid: number | "self"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return null;
  }
}

function environText(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return null;
  }
}

// The second field is the command in parentheses and may itself contain spaces and parentheses,
// so the fields are counted from the last one. proc(5): state is 3, starttime is 22.
function parseStat(pid: number, text: string): ProcessRow | null {
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const field = (number: number): string => fields[number - 3] ?? "";
  const startTime = Number(field(22));
  if (close < 0 || !Number.isFinite(startTime)) return null;
  const state = field(3);
  const threads = Number(field(20));
  return {
    pid,
    startTime,
    ppid: Number(field(4)),
    pgid: Number(field(5)),
    session: Number(field(6)),
    state,
    dead: state === "X" || state === "x" || (state === "Z" && threads <= 1),
  };
}
