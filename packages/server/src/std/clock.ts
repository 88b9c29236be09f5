// The clock: the only place that reads time or arms a timer, so that tests can inject their own.
// Promises: `mono` never runs backwards; a deadline never fires early and never overflows Node's
// timers (above 2^31 - 1 ms, 24.8 days, Node fires at once): long waits are re-armed daily.
// Leaves to others: facts. The database's `now()` dates what is stored, not `wall`.

import { assert } from "./assert.ts";

/** Time as the program sees it. All figures are milliseconds. */
export type Clock = {
  /** Milliseconds since 1970 (UTC). May jump: use it to show instants, never to measure. */
  readonly wall: () => number;
  /** Milliseconds since an arbitrary start, with fractions; never backwards: measure with it. */
  readonly mono: () => number;
  /**
   * Calls `fn` once, at least `ms` from now (negative counts as 0, `Infinity` never fires).
   * The returned function cancels it; cancelling twice, or after it fired, does nothing.
   * A pending deadline keeps the process alive: whoever sets one cancels it.
   */
  readonly setDeadline: (ms: number, fn: () => void) => () => void;
};

/** The longest single timer: 24 hours. Anything above 2^31 - 1 ms would fire at once. */
export const LONGEST_TIMER_MS = 86_400_000;

/** The clock of the machine. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  mono: () => performance.now(),
  setDeadline: (ms, fn) => {
    assert(!Number.isNaN(ms), "setDeadline: ms is not a number");
    const due = performance.now() + Math.max(0, ms);
    let timer: NodeJS.Timeout;
    // Node rounds down and may fire up to 1 ms early: look again before calling.
    const arm = (): void => {
      const left = Math.min(Math.ceil(due - performance.now()), LONGEST_TIMER_MS);
      timer = setTimeout(() => (performance.now() >= due ? fn() : arm()), Math.max(left, 0));
    };
    arm();
    return () => clearTimeout(timer);
  },
};
