// Retry: when a call is tried again, and how long to wait before.
// Promises: only faults that say "nothing happened, or it is safe to repeat" are repeated; waits
// grow exponentially with jitter, so that many clients do not come back at the same instant;
// `Retry-After` is honoured up to 30 s, a longer one is handed to the caller as the error.
// Leaves to others: knowing whether the call is safe to repeat (`http.ts`, the resource files).

import { isSignalboxError } from "./errors.ts";

export type Backoff = { baseMs: number; capMs: number };

/** At most 5 tries: waits of about 0.25, 0.5, 1 and 2 s. */
const TRIES = 5;
const CALL_BACKOFF: Backoff = { baseMs: 250, capMs: 10_000 };
const LONGEST_RETRY_AFTER_MS = 30_000;
/** setTimeout takes no more than this; beyond it fires at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Wait before try `failures + 1`: base · 2^(failures − 1), capped, ± 25 % jitter. */
export function backoffMs(failures: number, { baseMs, capMs }: Backoff): number {
  const exact = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return exact * (0.75 + Math.random() * 0.5);
}

/** Whether the same call can succeed later: no answer, 429, 503, or the problem says so. */
export function isRetryable(error: unknown): boolean {
  if (!isSignalboxError(error)) return false;
  return error.retryable || error.status === 429 || error.status === 503;
}

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      },
      Math.min(Math.max(ms, 0), LONGEST_TIMER_MS),
    );
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Calls `send` until it succeeds, at most 5 times. Throws the last error. */
export async function withRetries<T>(send: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await send();
    } catch (error) {
      if (failures >= TRIES || signal?.aborted || !isRetryable(error)) throw error;
      const asked = isSignalboxError(error) ? (error.retryAfterMs ?? 0) : 0;
      if (asked > LONGEST_RETRY_AFTER_MS) throw error;
      await sleep(Math.max(asked, backoffMs(failures, CALL_BACKOFF)), signal);
    }
  }
}
