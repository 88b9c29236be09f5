// Deadlines on requests: one abort signal made of a time limit and the caller's own signal.
// Promises: `clear` leaves no timer and no listener behind, so that a signal which lives as long as
// the process does not collect one listener per request (as `AbortSignal.any` did in Node 20).
// Leaves to others: turning the abort into the right error (`http.ts`).

import { LONGEST_TIMER_MS } from "./retry.ts";

/** A running deadline. Always call `clear`. */
export type Deadline = {
  readonly signal: AbortSignal;
  /** Whether the time limit, not the caller, aborted it. */
  expired(): boolean;
  /** Starts the time limit again, now of `ms`; for streams, where each read has its own. */
  restart(ms: number): void;
  /** Ends the time limit, keeps the caller's signal connected. */
  pause(): void;
  clear(): void;
};

/** Begins a deadline of `ms`, which also ends when `outer` is aborted. */
export function startDeadline(ms: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController();
  let expired = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pause = (): void => clearTimeout(timer);
  const restart = (next: number): void => {
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        expired = true;
        controller.abort();
      },
      Math.min(next, LONGEST_TIMER_MS),
    );
  };
  const follow = (): void => controller.abort(outer?.reason);
  if (outer?.aborted) follow();
  else {
    outer?.addEventListener("abort", follow, { once: true });
    restart(ms);
  }
  return {
    signal: controller.signal,
    expired: () => expired,
    restart,
    pause,
    clear() {
      pause();
      outer?.removeEventListener("abort", follow);
    },
  };
}

/** Waits for `promise`, at most `ms`. Returns whether it settled in time; never rejects. */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.min(ms, LONGEST_TIMER_MS));
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([settled, tooLate]);
  clearTimeout(timer);
  return inTime;
}
