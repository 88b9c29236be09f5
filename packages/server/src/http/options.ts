// What the doors are made with, and every number of theirs in one table.
// Promises: all limits that are not of the law stand here with their reason.
// Leaves to others: reading the environment (config), choosing address and port (cli).

import type { Clock } from "../std/clock.ts";
import type { Logger } from "../std/logger.ts";
import type { Pace, Rate } from "./rates.ts";
import type { Dashboard } from "./dashboard.ts";
import type { BodyClass } from "./route.ts";

export type HttpOptions = {
  readonly logger: Logger;
  readonly version: string;
  /** Host names besides the loopback ones under which this server may be addressed. */
  readonly allowedHosts?: readonly string[];
  /** What `/` shows; absent or null: one page without data. */
  readonly dashboard?: Dashboard | null;
  readonly bodyLimits?: Partial<Record<BodyClass, number>>;
  readonly streams?: Partial<StreamTimes>;
  /** How much one key may ask; defaults in `rates.ts`. */
  readonly rates?: Partial<Record<Pace, Rate>>;
  readonly clock?: Clock;
  /** Check every answer against its schema; a difference is a bug and answers 500. For tests. */
  readonly checkResponses?: boolean;
};

export type StreamTimes = {
  /** A comment is sent this often, so that both sides notice a dead connection. */
  readonly pingMs: number;
  /** A reader that takes nothing for this long is closed; it resumes with its last id. */
  readonly stallMs: number;
};

export const streamTimes: StreamTimes = { pingMs: 15_000, stallMs: 30_000 };

const KIB = 1024;
const MIB = 1024 * KIB;

/** Bytes of a whole request body, by class of route. */
export const bodyLimits: Readonly<Record<BodyClass, number>> = {
  small: 64 * KIB, // names, reasons, fences
  run: 512 * KIB, // input 256 KiB, metadata and authorization 16 KiB each, names
  batch: 16 * MIB, // 1,000 runs of 16 KiB each
  events: 8 * MIB, // 500 events; senders flush long before
  reports: 16 * MIB, // output is at most 1 MiB each
  heartbeats: 8 * MIB, // checkpoints are at most 256 KiB each
};

export const timeouts = {
  headersMs: 10_000,
  /** Also the time a request has to arrive in full. */
  requestMs: 30_000,
  keepAliveMs: 75_000,
  /** Half-open and overdue connections are looked for this often. */
  checkingMs: 5_000,
  /** Requests in progress have this long once the server is asked to stop. */
  drainMs: 10_000,
} as const;

export const connectionLimits = { headerBytes: 16 * KIB, connections: 20_000 } as const;

/** Wrong keys per minute and address before 401 becomes 429. */
export const badKeys = { most: 10, windowMs: 60_000 } as const;
