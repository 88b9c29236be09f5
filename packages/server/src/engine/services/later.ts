// A note written a moment later, beside the requests: what several requests say goes in one write.
// Promises: at most one write is under way; a failed one is logged and what it carried is lost;
// `stop` writes what is left and leaves no timer.
// Leaves to others: what is gathered and written.

import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";

export type LaterOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is written, for the log. */
  readonly what: string;
  readonly write: () => Promise<void>;
};

const SOON_MS = 1000;

export class Later {
  readonly #options: LaterOptions;
  #cancel: (() => void) | null = null;
  #writing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: LaterOptions) {
    this.#options = options;
  }

  /** There is something to write: within a second. */
  arm(): void {
    if (this.#stopped) return;
    this.#cancel ??= this.#options.clock.setDeadline(SOON_MS, () => {
      this.#cancel = null;
      this.#begin();
    });
  }

  /** Writes what there is now. */
  async settled(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    this.#begin();
    await this.#writing;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.settled();
  }

  #begin(): void {
    const { write, logger, what } = this.#options;
    this.#writing = this.#writing.then(write).catch((error: unknown) => {
      logger.warn({ err: error }, `${what} could not be written`);
    });
  }
}
