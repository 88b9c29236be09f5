// A clock that moves only when a test says so, for code that takes a `Clock`.
// Promises: `advance` fires deadlines in the order they are due, each at its own instant, and lets
// the promises they settle run before the next one.
// Leaves to others: the time of the database, which tests move with their own `now`.

import type { Clock } from "../../src/std/clock.ts";

/** A {@link Clock} under a test's control. `wall` starts at 2026-01-01T00:00:00Z, `mono` at 0. */
export type ManualClock = Clock & {
  /** Moves time forward by `ms`, firing what falls due, and waits for what that starts. */
  readonly advance: (ms: number) => Promise<void>;
  /** How many deadlines are pending. */
  readonly pending: () => number;
};

const START = Date.UTC(2026, 0, 1);

/** Makes a {@link ManualClock}. */
export function manualClock(): ManualClock {
  let now = 0;
  let pending: { due: number; fn: () => void }[] = [];
  // Promise chains of any sane length end within one turn of the event loop.
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    wall: () => START + now,
    mono: () => now,
    setDeadline(ms, fn) {
      const entry = { due: now + Math.max(0, ms), fn };
      pending.push(entry);
      return () => void (pending = pending.filter((other) => other !== entry));
    },
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        const [next] = pending.filter(({ due }) => due <= until).toSorted((a, b) => a.due - b.due);
        if (next === undefined) break;
        pending = pending.filter((entry) => entry !== next);
        now = next.due;
        next.fn();
        await settle();
      }
      now = until;
    },
    pending: () => pending.length,
  };
}
