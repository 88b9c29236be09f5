// What the kernel says about processes, read from /proc independently of the product's own code.
// Promises: only reads; a process that ends meanwhile is simply not there. Linux only: campaigns
// that need it say so instead of passing.
// Leaves to others: which processes matter.

import { readdirSync, readFileSync } from "node:fs";

/** One line of the process table. `state` is the kernel's letter: R, S, D, T (stopped), Z … */
export type ProcessLine = { pid: number; parent: number; state: string; command: string };

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function lineOf(pid: number): ProcessLine | null {
  const stat = read(`/proc/${pid}/stat`);
  // The name may hold blanks and brackets: what follows starts behind the last bracket.
  const rest = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parent] = rest;
  if (state === undefined || parent === undefined || stat === "") return null;
  const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  return { pid, state, parent: Number(parent), command };
}

/** Every process that can be seen. */
export function processTable(): ProcessLine[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => lineOf(Number(name)) ?? []);
}

/** Whether a process lives (a zombie does not). */
export function isAlive(pid: number): boolean {
  const line = lineOf(pid);
  return line !== null && line.state !== "Z" && line.state !== "X";
}

/** A process and everything below it, parents first. */
export function treeOf(pid: number): ProcessLine[] {
  const table = processTable();
  const tree = table.filter((line) => line.pid === pid);
  for (const member of tree) {
    tree.push(...table.filter((line) => line.parent === member.pid));
  }
  return tree;
}

/** Living processes whose environment holds exactly this variable, as `NAME=value`. */
export function markedWith(variable: string): ProcessLine[] {
  return processTable().filter(({ pid, state }) => {
    if (pid === process.pid || state === "Z" || state === "X") return false;
    return read(`/proc/${pid}/environ`).split("\0").includes(variable);
  });
}

/** Proportional share of memory in KiB: shared pages are split between those who share them. */
export function sharedMemoryKib(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`));
  return match === null ? 0 : Number(match[1]);
}
