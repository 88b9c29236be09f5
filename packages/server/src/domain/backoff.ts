// How long a failed run waits before its next attempt.
// Promises: exact and finite for any n; 0 ≤ delay ≤ cap; grows with n when jitter is 0 (F-28).
// Leaves to others: randomness (a number 0 ≤ r < 1 is passed in) and the clock.

import type { Backoff } from "./run.ts";

/**
 * Delay in milliseconds before attempt `n + 1`, after `n ≥ 1` counted attempts.
 * `min(cap, base · factor^(n−1))`, spread by ± jitter, never above the cap.
 *
 * @example
 * backoffMs({ baseMs: 5000, factor: 2, capMs: 900_000, jitter: 0 }, 3, 0); // 20000
 */
export function backoffMs(backoff: Backoff, n: number, random: number): number {
  // Large n overflow to Infinity, which the cap takes; only 0 × Infinity would be no number.
  const growth = backoff.factor ** Math.max(0, n - 1);
  const plain = backoff.baseMs === 0 ? 0 : Math.min(backoff.capMs, backoff.baseMs * growth);
  const spread = 1 + backoff.jitter * (2 * random - 1);
  return Math.round(Math.min(backoff.capMs, Math.max(0, plain * spread)));
}
