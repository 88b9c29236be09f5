// Dispatch order inside a project as one number: the smaller rank goes first.
// Promises: critical runs (priority ≥ 80) stand before all others; below that a point of priority
// is worth 15 minutes of waiting, so nothing starves (I-37). Frozen at submit, kept over requeues.
// Source of the rule: model §2 "Dispatch order".

import { limits } from "./limits.ts";
import type { Instant } from "./run.ts";

/** Lifts critical runs above every other: larger than any instant of the next 3,000 years. */
const CRITICAL_LIFT = 100_000_000_000_000;
const CRITICAL = 80;

/**
 * Rank of a run submitted at `createdAt` with `priority` 0–99.
 *
 * @example
 * rank(1_000_000, 40) < rank(1_000_000, 20); // true: equal age, higher priority first
 */
export function rank(createdAt: Instant, priority: number): number {
  const aged = createdAt - limits.ageingMsPerPoint * priority;
  return priority >= CRITICAL ? aged - CRITICAL_LIFT : aged;
}

/** Whether a rank belongs to a critical run. */
export function isCriticalRank(value: number): boolean {
  return value < -CRITICAL_LIFT / 2;
}
