// Short polling with a deadline: the only clock of this room.
// Promise: never waits past its deadline (plus one step), never sleeps when the answer is there.
// Why polling: a lock file, a socket and a foreign process offer nothing to subscribe to.

import { setTimeout as pause } from "node:timers/promises";

export { pause };

/** Milliseconds on a clock that is never set back. */
export const now = (): number => performance.now();

/** Asks until the answer is not undefined; undefined once `ms` have passed. */
export async function until<Answer>(
  ms: number,
  ask: () => Answer | undefined | Promise<Answer | undefined>,
  everyMs = 10,
): Promise<Answer | undefined> {
  const end = now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (now() >= end) return undefined;
    await pause(everyMs);
  }
}

/** True when the promise settled within `ms`. The timer never keeps the process alive. */
export async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = pause(ms, false, { signal: timer.signal }).catch(() => false);
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    timer.abort();
  }
}
