// A witness of the machine: what a plain commit takes, and by how much a thread that does nothing
// else wakes late, while something is measured.
// Promises: a thread and a connection of its own, a table of its own, 1 row per commit, at most 50
// a second; nothing of the product is asked, so what is slow here is not the product's doing.
// Leaves to others: judging (nobody judges a machine).

import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { until } from "./until.ts";

/** What the witness saw since the last time it was asked. */
export type Seen = {
  /** The longest plain commit, milliseconds. */
  readonly commitMostMs: number;
  /** The latest waking, milliseconds behind its time. */
  readonly lateMostMs: number;
};

/** Where the thread writes what it sees: 32-bit integers, times in microseconds. */
export const board = { isOver: 0, commits: 1, commitMostUs: 2, lateMostUs: 3 } as const;

export class Witness {
  readonly #thread: Worker;
  readonly #board: Int32Array;

  private constructor(thread: Worker, seen: Int32Array) {
    this.#thread = thread;
    this.#board = seen;
  }

  /** Begins to look. `url` names the database whose disk is watched. */
  static async begin(url: string): Promise<Witness> {
    const seen = new Int32Array(new SharedArrayBuffer(4 * Object.keys(board).length));
    const thread = new Worker(new URL("./witness-thread.js", import.meta.url), {
      workerData: { url, seen },
    });
    const isLooking = () => Atomics.load(seen, board.commits) > 0;
    await until("the witness looks", isLooking, { limitMs: 10_000 });
    return new Witness(thread, seen);
  }

  /** The worst since the last time; forgets it. */
  take(): Seen {
    return {
      commitMostMs: Atomics.exchange(this.#board, board.commitMostUs, 0) / 1000,
      lateMostMs: Atomics.exchange(this.#board, board.lateMostUs, 0) / 1000,
    };
  }

  async end(): Promise<void> {
    const ended = once(this.#thread, "exit");
    Atomics.store(this.#board, board.isOver, 1);
    await ended;
  }
}
