// Deadlines on promises: nothing in the house waits for ever for somebody else.
// Promises: settles with the promise or rejects at the deadline, and leaves no timer behind; a
// rejection that arrives after the deadline is swallowed, since its waiter has gone.
// Leaves to others: stopping the work itself. A promise cannot be cancelled: pass a signal too.

import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";

/** The promise was not settled in time. `what` says what was waited for, `ms` for how long. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
  readonly what: string;
  readonly ms: number;

  constructor(what: string, ms: number) {
    super(`${what} took longer than ${ms} ms`);
    this.what = what;
    this.ms = ms;
  }
}

/** `promise`, or a rejection with {@link DeadlineExceeded} after `ms` milliseconds. */
export async function withDeadline<T>(
  promise: PromiseLike<T>,
  ms: number,
  what: string,
  clock: Clock = systemClock,
): Promise<T> {
  let cancelDeadline = (): void => {};
  const deadline = new Promise<never>((_, reject) => {
    cancelDeadline = clock.setDeadline(ms, () => reject(new DeadlineExceeded(what, ms)));
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    cancelDeadline();
  }
}
