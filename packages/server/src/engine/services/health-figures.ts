// The figures of the house, read from the database when somebody asks and at most every five
// seconds. Promises: askers at the same time share one reading; a database that is slow or away
// leaves the figures out and is told as such, nothing throws.
// Leaves to others: the statement (store/house/figures.ts), names (engine/metrics/of-house.ts).

import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";
import type { Reader, Runner } from "../../store/db.ts";
import type { FigureRow } from "../../store/house/figures.ts";
import { readFigures } from "../../store/house/figures.ts";

export type HouseFiguresOptions = {
  readonly house: Reader;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly offsetMs: () => number;
};

/** Counts of another part, such as approvals that wait: `label` is one of a fixed set of words. */
export type Count = { readonly label: string; readonly value: number };

type Counting = {
  readonly read: (runner: Runner) => Promise<readonly Count[]>;
  counts: readonly Count[];
};

/** What was read at one instant. */
export type Reading = { readonly at: number; readonly rows: readonly FigureRow[] };

const FRESH_MS = 5000;

export class HouseFigures {
  readonly #options: HouseFiguresOptions;
  readonly #others: Counting[] = [];
  #asked: Promise<void> | null = null;
  #askedAt = -Infinity;
  #reading: Reading | null = null;

  constructor(options: HouseFiguresOptions) {
    this.#options = options;
  }

  /** The last reading; null when it failed, or nobody has asked yet. */
  get reading(): Reading | null {
    return this.#reading;
  }

  /**
   * Reads these counts along with the rest, as the role `house`: `read` sends one cheap statement.
   * Returns how they were when last read; null while that is not known.
   */
  also(read: Counting["read"]): () => readonly Count[] | null {
    const counting: Counting = { read, counts: [] };
    this.#others.push(counting);
    return () => (this.#reading === null ? null : counting.counts);
  }

  /** Reads again, unless what is there is at most five seconds old. Never rejects. */
  refresh(): Promise<void> {
    const now = this.#options.clock.mono();
    if (this.#asked !== null) return this.#asked;
    if (now - this.#askedAt < FRESH_MS) return Promise.resolve();
    this.#askedAt = now;
    this.#asked = this.#read().finally(() => {
      this.#asked = null;
    });
    return this.#asked;
  }

  async #read(): Promise<void> {
    const { house, clock, logger, offsetMs } = this.#options;
    try {
      const rows = await house.within([], async (runner) => {
        const found = await readFigures(runner, offsetMs());
        for (const other of this.#others) other.counts = await other.read(runner);
        return found;
      });
      this.#reading = { at: clock.wall() + offsetMs(), rows };
    } catch (error) {
      this.#reading = null;
      logger.warn({ err: error }, "the figures of the house could not be read");
    }
  }
}
