// Options of a worker: their defaults, their limits, and how they fit together.
// Promises: what cannot work is refused when the worker is made, not at three in the night.
// Leaves to others: everything done with them (`worker.ts`).

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";

import type { AttemptListener } from "./attempt-news.ts";
import type { KeeperFactory } from "./keeper.ts";

export type WorkerOptions = {
  /** Agents this worker works as. Without one it takes only runs that need none. */
  agents?: readonly string[];
  /** Runs at a time, 1 … 10,000. Default 8. */
  concurrency?: number;
  /** Name of the runtime, unique in the project. Default `host:pid:random`. */
  runtime?: string;
  /** Runners to claim for. Default: those that have a handler. */
  runners?: readonly string[];
  /** Queues to serve. Default: all. */
  queues?: readonly string[];
  /** What runs may require. */
  capabilities?: readonly string[];
  labels?: { readonly [key: string]: string };
  /** Version of the code of the handlers, shown with the runtime. */
  version?: string;
  /** Lease of each claim, 1,000 … 3,600,000 ms. Default 20,000. */
  leaseMs?: number;
  /** Time between heartbeats, at most half of the lease. Default 5,000 ms. */
  heartbeatMs?: number;
  /** How long `stop` lets live runs finish before they are given back. Default 25,000 ms. */
  drainMs?: number;
  /** Drain on SIGTERM and SIGINT. Default true. */
  signals?: boolean;
  /** Hears of everything that went wrong and is being tried again. Default: a process warning. */
  onError?: (error: unknown) => void;
  /**
   * Told when an attempt was claimed and when it is over: for metrics of your own. Must return
   * soon.
   *
   * @example
   * onAttempt: (news) => {
   *   if (news.what === "ended") ended.inc({ runner: news.runner, outcome: news.outcome });
   * }
   */
  onAttempt?: AttemptListener;
  /** Who keeps the leases. Default: a thread of this process. */
  keeper?: KeeperFactory;
};

/** Options with every default filled in. */
export type Settings = Required<Omit<WorkerOptions, Unset>> & Pick<WorkerOptions, Unset>;
/** Options without a default. */
type Unset = "onAttempt" | "queues" | "runners" | "version";

/** Fills in defaults. Throws a RangeError for what cannot work. */
export function settingsOf(
  options: WorkerOptions,
  defaults: Pick<Settings, "keeper" | "onError">,
): Settings {
  const settings: Settings = {
    agents: [],
    concurrency: 8,
    runtime: `${hostname()}:${process.pid}:${randomBytes(3).toString("hex")}`,
    capabilities: [],
    labels: {},
    leaseMs: 20_000,
    heartbeatMs: 5_000,
    drainMs: 25_000,
    signals: true,
    ...defaults,
    ...options,
  };
  const { concurrency, drainMs, heartbeatMs, leaseMs } = settings;
  inRange("concurrency", concurrency, { least: 1, most: 10_000 });
  inRange("leaseMs", leaseMs, { least: 1_000, most: 3_600_000 });
  inRange("drainMs", drainMs, { least: 0, most: 86_400_000 });
  // Two heartbeats per lease at least, or one slow answer costs the run.
  inRange("heartbeatMs", heartbeatMs, { least: 50, most: leaseMs / 2 });
  return settings;
}

function inRange(name: string, value: number, range: { least: number; most: number }): void {
  if (Number.isInteger(value) && value >= range.least && value <= range.most) return;
  const wanted = `a whole number from ${range.least} to ${range.most}`;
  throw new RangeError(`Worker: ${name} is ${value}, must be ${wanted}`);
}
