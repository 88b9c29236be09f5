// The tree of one attempt: its leader and everything that came from it, to be frozen or killed.
// Promises: a signal goes only to processes whose (pid, start time) were just read; members are
// found by process group, by parent and, when re-parented or in a session of their own, by the
// marker `SIGNALBOX_ATTEMPT_ID` in their environment. Killing goes on until nothing is found.
// Limits: without `/proc` (macOS) only the process group is reached. A process that leaves the
// group, loses its parent *and* clears its environment is not found; see the promises in the docs.
// Leaves to others: when to kill (`ward.ts`), what the exit means (`exit-policy.ts`).

import { setTimeout as sleep } from "node:timers/promises";
import {
  environmentHolds,
  hasProcessTable,
  listProcesses,
  readProcess,
  type ProcessRow,
} from "./proc-table.ts";

/** Name of the variable that marks every process of an attempt. */
export const ATTEMPT_MARKER = "SIGNALBOX_ATTEMPT_ID";

/** What identifies a tree. The leader is the first process; it leads its own group and session. */
export type Tree = {
  pid: number;
  /** Its process group; null = it leads none, only single processes are signalled. */
  pgid: number | null;
  /** Ticks since boot; null where the system does not tell. */
  startTime: number | null;
  /** Value of the marker; null = do not look for it. */
  attemptId: string | null;
};

export type KillOptions = {
  /** From SIGTERM to SIGKILL. 0 = SIGKILL at once. Default 10,000 ms. */
  graceMs?: number;
  /** Continue stopped processes so that they can act on SIGTERM. Default true. */
  wake?: boolean;
  /** Ends the grace early: SIGKILL now. */
  hurry?: AbortSignal;
};

/** Pids that were still alive 2 s after SIGKILL: not ours to signal, or stuck in the kernel. */
export type KillResult = { survivors: number[] };

const SLAY_LIMIT_MS = 2_000;
const SLAY_PAUSE_MS = 20;
const FREEZE_PASSES = 10;

/** One tree. Remembers the members it has seen, so that they are found again when re-parented. */
export class ProcessTree {
  readonly #tree: Tree;
  readonly #seen = new Map<number, number>();

  constructor(tree: Tree) {
    this.#tree = tree;
    if (tree.startTime !== null) this.#seen.set(tree.pid, tree.startTime);
  }

  /** Living members, from one snapshot of the process table. Always empty without one. */
  members(): ProcessRow[] {
    const rows = listProcesses();
    const found = new Map<number, ProcessRow>();
    for (const row of rows) if (this.#isSeed(row)) found.set(row.pid, row);
    if (found.size < rows.length) {
      for (const row of this.#orphans(rows, found)) found.set(row.pid, row);
      addDescendants(rows, found);
    }
    found.delete(process.pid);
    found.delete(1);
    for (const row of found.values()) this.#seen.set(row.pid, row.startTime);
    return [...found.values()].filter((row) => !row.dead);
  }

  /** True while a member lives. Without a process table: while the group answers. */
  alive(): boolean {
    return hasProcessTable ? this.members().length > 0 : this.#signalGroup(0);
  }

  /** Sends one signal to every member. Returns how many processes were found. */
  signal(name: NodeJS.Signals): number {
    if (!hasProcessTable) return this.#signalGroup(name) ? 1 : 0;
    const members = this.members();
    this.#send(members, name);
    return members.length;
  }

  /** Stops every member, again and again until a snapshot shows nobody still running. */
  freeze(): void {
    if (!hasProcessTable) return void this.#signalGroup("SIGSTOP");
    const told = new Set<string>();
    for (let pass = 0; pass < FREEZE_PASSES; pass += 1) {
      const running = this.members().filter((row) => row.state !== "T");
      const fresh = running.filter((row) => !told.has(`${row.pid}:${row.startTime}`));
      if (fresh.length === 0) return;
      for (const row of fresh) told.add(`${row.pid}:${row.startTime}`);
      this.#send(fresh, "SIGSTOP");
    }
  }

  /** Continues every member. */
  thaw(): void {
    this.signal("SIGCONT");
  }

  /** SIGTERM, grace, SIGKILL. Resolves when nothing is left, or with the survivors. */
  async kill(options: KillOptions = {}): Promise<KillResult> {
    const graceMs = options.graceMs ?? 10_000;
    if (graceMs > 0 && options.hurry?.aborted !== true) {
      // TERM first: a stopped process that is continued then wakes up to a pending TERM and does
      // no more work. The other order would let it run on for a moment.
      if (this.signal("SIGTERM") === 0) return { survivors: [] };
      if (options.wake !== false) this.signal("SIGCONT");
      if (await this.#goneWithin(graceMs, options.hurry)) return { survivors: [] };
    }
    return { survivors: await this.#slay() };
  }

  async #goneWithin(graceMs: number, hurry: AbortSignal | undefined): Promise<boolean> {
    const end = performance.now() + graceMs;
    for (let pause = 10; performance.now() < end; pause = Math.min(pause * 2, 250)) {
      if (!this.#anySeenAlive() && !this.alive()) return true;
      const wait = Math.min(pause, Math.max(1, end - performance.now()));
      await sleep(wait, undefined, hurry === undefined ? {} : { signal: hurry }).catch(() => null);
      if (hurry?.aborted === true) return false;
    }
    return !this.alive();
  }

  async #slay(): Promise<number[]> {
    const end = performance.now() + SLAY_LIMIT_MS;
    for (;;) {
      if (this.signal("SIGKILL") === 0) return [];
      await sleep(SLAY_PAUSE_MS);
      if (performance.now() > end) return this.members().map((row) => row.pid);
    }
  }

  // Cheap check between full snapshots: a few files instead of the whole table.
  #anySeenAlive(): boolean {
    for (const [pid, startTime] of this.#seen) {
      const row = readProcess(pid);
      if (row !== null && !row.dead && row.startTime === startTime) return true;
      this.#seen.delete(pid);
    }
    return false;
  }

  // A seed is proven by itself: known by (pid, start time), or in the leader's group. A group
  // number cannot be handed out again while the group has members; if its pid now belongs to
  // another process (other start time), so does the group.
  #isSeed(row: ProcessRow): boolean {
    if (this.#seen.get(row.pid) === row.startTime) return true;
    const { pid, pgid, startTime } = this.#tree;
    if (startTime === null || row.startTime < startTime) return false;
    if (pgid === null || row.pgid !== pgid || row.session !== pgid || row.pid === pid) return false;
    const leader = readProcess(pid);
    return leader === null || leader.startTime === startTime;
  }

  // Only processes younger than the leader can be its descendants: that spares reading the
  // environment of nearly everything on the machine.
  *#orphans(rows: ProcessRow[], found: Map<number, ProcessRow>): Iterable<ProcessRow> {
    const { attemptId, startTime } = this.#tree;
    if (attemptId === null) return;
    for (const row of rows) {
      if (row.dead || found.has(row.pid) || row.pid === process.pid) continue;
      if (startTime !== null && row.startTime < startTime) continue;
      if (environmentHolds(row.pid, `${ATTEMPT_MARKER}=${attemptId}`)) yield row;
    }
  }

  // The group first and in one call, which no fork can slip through; then whoever left it.
  #send(members: ProcessRow[], name: NodeJS.Signals): void {
    const { pgid } = this.#tree;
    const inGroup = (row: ProcessRow): boolean => row.pgid === pgid && row.session === pgid;
    if (members.some(inGroup)) this.#signalGroup(name);
    for (const row of members) {
      if (inGroup(row)) continue;
      if (readProcess(row.pid)?.startTime === row.startTime) signalPid(row.pid, name);
    }
  }

  #signalGroup(name: NodeJS.Signals | 0): boolean {
    const { pgid } = this.#tree;
    return pgid !== null && pgid > 1 && signalPid(-pgid, name);
  }
}

/** Kills a tree: SIGTERM, grace, SIGKILL until a snapshot of the process table finds nobody. */
export function killTree(tree: Tree, options: KillOptions = {}): Promise<KillResult> {
  return new ProcessTree(tree).kill(options);
}

function addDescendants(rows: ProcessRow[], found: Map<number, ProcessRow>): void {
  const children = new Map<number, ProcessRow[]>();
  for (const row of rows) {
    const siblings = children.get(row.ppid);
    if (siblings === undefined) children.set(row.ppid, [row]);
    else siblings.push(row);
  }
  const open = [...found.keys()];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const row of children.get(pid) ?? []) {
      if (found.has(row.pid)) continue;
      found.set(row.pid, row);
      open.push(row.pid);
    }
  }
}

/** True when the signal could be sent. Gone (ESRCH) and not ours (EPERM) are both "no". */
function signalPid(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
