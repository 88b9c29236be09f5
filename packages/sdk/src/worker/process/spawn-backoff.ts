// Keeps a worker whose command cannot be started from burning through the queue.
// Promises: after the n-th failed start in a row the attempt waits 1 s · 2^(n-1), at most 60 s,
// before it fails; ten failed starts within 10 minutes are told once, so that the worker can stop
// claiming. A start that succeeds ends the series.
// Leaves to others: declaring the runtime as draining.

import { sleep } from "../../retry.ts";

export type SpawnBackoffOptions = {
  /** Wait after the first failed start. Default 1,000 ms. */
  baseMs?: number;
  /** Longest wait. Default 60,000 ms. */
  capMs?: number;
  /** Called at the tenth failed start within 10 minutes, with the reason. */
  onCrashLoop?: (reason: string) => void;
};

const CRASH_LIMIT = 10;
const CRASH_WINDOW_MS = 10 * 60_000;

export class SpawnBackoff {
  readonly #options: SpawnBackoffOptions;
  #series = 0;
  #failures: number[] = [];

  constructor(options: SpawnBackoffOptions) {
    this.#options = options;
  }

  succeeded(): void {
    this.#series = 0;
  }

  /** Counts a failed start and waits. An abort ends the wait early. */
  async failed(reason: string, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#series += 1;
    this.#failures = this.#failures.filter((at) => now - at < CRASH_WINDOW_MS);
    this.#failures.push(now);
    if (this.#failures.length >= CRASH_LIMIT) {
      const count = this.#failures.length;
      this.#failures = [];
      this.#options.onCrashLoop?.(`${count} starts failed within 10 minutes: ${reason}`);
    }
    const { baseMs = 1_000, capMs = 60_000 } = this.#options;
    const waitMs = Math.min(capMs, baseMs * 2 ** Math.min(this.#series - 1, 30));
    await sleep(waitMs, signal).catch(() => null);
  }
}
