// The process zoo: children that behave badly, and an observer that does not trust our own code.
// Promises: every animal carries a mark of its test in the environment, inherited by all it starts
// (or, where it clears its environment, in its arguments); the observer finds living processes by
// that mark in /proc, independently of `proc-table.ts`. Linux only.

import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A mark no other test or earlier run has. Also usable as an argument of `sleep`-like scripts. */
export function newMark(): string {
  return `zoo-${randomUUID()}`;
}

/** Shell scripts by the habit they show. `$MARK` is in the environment; `$0` is the mark too. */
export const zoo: Readonly<Record<string, string>> = {
  sleeps: "sleep 1000",
  "ignores SIGTERM": "trap '' TERM; while :; do sleep 0.1; done",
  "has grandchildren": "sh -c 'sleep 1000 & sleep 1000 & wait' & sleep 1000 & wait",
  "double forks into new sessions": "setsid sh -c 'setsid sleep 1000 & exit 0'; exit 0",
  "double forks and ignores SIGTERM":
    "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & sleep 1000",
  "leaves a grandchild that holds stdout": "sleep 3600 & exit 0",
  "stops itself": "kill -STOP $$; sleep 1000",
  "makes zombies": "sh -c 'sleep 0 & exec sleep 1000' & sleep 1000",
  "forks 32 times": "f() { [ $1 -gt 0 ] && { f $(($1 - 1)) & f $(($1 - 1)) & }; sleep 1000; }; f 4",
  "keeps respawning": "setsid sh -c 'while :; do sleep 0.02; done' & wait",
  "clears the environment in its group": "env -i sh -c 'sleep 1000; :' \"$0\" & exit 0",
  "starts another session and waits": "setsid -w sh -c 'sleep 1000; :'; :",
};

/** Pids of living processes that carry the mark in their environment or arguments. */
export function living(mark: string): number[] {
  const pids: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const stat = read(`/proc/${name}/stat`);
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    if (state === "" || state === "Z" || state === "X") continue;
    const marked =
      read(`/proc/${name}/environ`).includes(mark) || read(`/proc/${name}/cmdline`).includes(mark);
    if (marked) pids.push(Number(name));
  }
  return pids;
}

/** State letters of the living processes with the mark, such as `SST`. */
export function statesOf(mark: string): string {
  const states = living(mark).map((pid) => {
    const stat = read(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  });
  return states.join("");
}

/** Pids of the supervisors that this worker process has forked. */
export function supervisorsOf(workerPid: number): number[] {
  return living("supervisor-main.js").filter((pid) =>
    read(`/proc/${pid}/status`).includes(`PPid:\t${workerPid}\n`),
  );
}

/** Polls until the condition holds. Throws after `limitMs` with what was waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await sleep(15);
  }
}

/** Ends whatever a failed test left behind: only processes with its own mark. */
export function clearUp(mark: string): void {
  for (const pid of living(mark)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
