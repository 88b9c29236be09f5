// A service: one piece of background work, done in rounds (sweeps, doorbells, deliveries).
// Promises: never two rounds at once; a wake during a round causes one more right after it; a
// round that throws is logged and tried again after 250 ms, doubling to 5 s; `stop` waits for the
// round in progress and leaves no timer.
// Leaves to others: what a round does, and being safe when several servers do the same.

import { assert } from "./assert.ts";
import type { Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";

/**
 * One round. Returns in how many milliseconds the next one is due, or null to wait for a wake.
 * `stopping` is aborted when the service is being stopped: end early, leave nothing half done.
 */
export type Round = (stopping: AbortSignal) => Promise<number | null>;

/** What a service is made from. */
export type ServiceOptions = {
  /** For log lines, for example `sweep.leases`. */
  name: string;
  round: Round;
  clock: Clock;
  logger: Logger;
};

// 250 ms, 500 ms, 1 s … 5 s. No jitter: the rounds of one process do not compete with each other.
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;

/** Background work that repeats until it is stopped. Made once, started once, stopped once. */
export class Service {
  readonly #options: ServiceOptions;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | null = null;
  /** When the next round is due on the monotonic clock; -Infinity: at once. */
  #due = -Infinity;
  #failures = 0;
  /** After a failure: no round before this instant, whoever wakes. */
  #retryAt = -Infinity;
  /** Ends the wait between two rounds so that `#due` is looked at again. */
  #lookAgain: () => void = () => {};

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** Begins with a round at once. */
  start(): void {
    assert(this.#loop === null, `service ${this.#options.name} is started twice`);
    this.#loop = this.#repeat();
  }

  /** The next round starts at once, or right after the present one. After a failure: in time. */
  wake(): void {
    this.wakeWithin(0);
  }

  /** The next round starts in `ms` milliseconds at the latest. */
  wakeWithin(ms: number): void {
    assert(!Number.isNaN(ms), "wakeWithin: ms is not a number");
    const due = ms <= 0 ? -Infinity : this.#options.clock.mono() + ms;
    if (due >= this.#due) return;
    this.#due = due;
    this.#lookAgain();
  }

  /** No further round; resolves when the one in progress has ended. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#lookAgain();
    await this.#loop;
  }

  async #repeat(): Promise<void> {
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      this.#due = Infinity; // from here on a wake asks for one more round
      const next = await this.#oneRound();
      if (next !== null) this.wakeWithin(next);
      await this.#waitUntil(() => this.#retryAt);
      await this.#waitUntil(() => this.#due);
    }
  }

  async #oneRound(): Promise<number | null> {
    const { clock, logger, name, round } = this.#options;
    try {
      const next = await round(this.#stopping.signal);
      assert(next === null || !Number.isNaN(next), "a round returned NaN");
      this.#failures = 0;
      return next;
    } catch (error) {
      if (this.#stopping.signal.aborted) return null;
      this.#failures += 1;
      const retryMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
      this.#retryAt = clock.mono() + retryMs;
      const fields = { service: name, err: error, failures: this.#failures, retry_ms: retryMs };
      logger.error(fields, "a round of a service failed, trying again");
      return 0;
    }
  }

  /** Waits until `due()` has passed or the service is being stopped. */
  async #waitUntil(due: () => number): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopping.signal.aborted && clock.mono() < due()) {
      await new Promise<void>((resolve) => {
        const cancelDeadline = clock.setDeadline(due() - clock.mono(), resolve);
        this.#lookAgain = () => {
          cancelDeadline();
          resolve();
        };
      });
    }
    this.#lookAgain = () => {};
  }
}
