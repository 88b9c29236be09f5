// On what a figure was measured: without this a figure says nothing.
// Promises: reads only; names no machine, no user and no path.
// Leaves to others: what the database says about itself (register.ts).

import { execFileSync } from "node:child_process";
import type { StdioOptions } from "node:child_process";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";

import { root } from "./places.ts";

export type Machine = {
  cores: number;
  processor: string;
  memory_gib: number;
  node: string;
  system: string;
  /** Load average of the last minute before the campaign: what else this machine was doing. */
  load_before: number;
  /** Said by the database that was measured; null when the campaign had none of its own. */
  postgres: Record<string, string> | null;
};

/** Everything but what the database says; asked before the campaign begins. */
export function machine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? "unknown",
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    system: `${process.platform} ${process.arch}`,
    load_before: Number((loadavg()[0] ?? 0).toFixed(2)),
    postgres: null,
  };
}

function git(...args: string[]): string | null {
  try {
    const stdio: StdioOptions = ["ignore", "pipe", "ignore"];
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio }).trim();
  } catch {
    return null;
  }
}

/** The commit of the tree; `+` when sources differ from it, `unknown` outside a clone. */
export function commit(): string {
  const head = git("rev-parse", "--short=12", "HEAD");
  if (head === null) return "unknown";
  const changed = git("status", "--porcelain", "--", "packages", "bench", "package-lock.json");
  return changed === "" ? head : `${head}+`;
}
