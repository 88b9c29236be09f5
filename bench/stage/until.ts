// Waiting for something that will be true, with a deadline.
// Promises: never waits longer than asked; says what it waited for when it gives up.
// Leaves to others: what is worth waiting for.

import { setTimeout as sleep } from "node:timers/promises";

export { sleep };

/** How long to wait in all, and between two looks. Milliseconds. */
export type Patience = { limitMs: number; everyMs?: number };

/** Asks until the answer is neither null, undefined nor false, and returns it. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  { limitMs, everyMs = 25 }: Patience,
): Promise<Exclude<T, null | undefined | false>> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) {
      return answer as Exclude<T, null | undefined | false>;
    }
    if (performance.now() >= end) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await sleep(everyMs);
  }
}
