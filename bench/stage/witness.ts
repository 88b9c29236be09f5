// A witness of the machine: what a plain commit takes, and by how much a thread that does nothing
// else wakes late, while something is measured.
// Promises: a thread and a connection of its own, a table of its own, 1 row per commit, about 50 a
// second; nothing of the product is asked, so what is slow here is not the product's doing.
// Leaves to others: judging (nobody judges a machine).

import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** What the witness saw since the last time it was asked. */
export type Seen = {
  /** The longest plain commit, milliseconds. */
  readonly commit_most_ms: number;
  /** The latest waking, milliseconds behind its time. */
  readonly late_most_ms: number;
};

export class Witness {
  readonly #thread: Worker;

  private constructor(thread: Worker) {
    this.#thread = thread;
  }

  /** Begins to look. `url` names the database whose disk is watched. */
  static async begin(url: string): Promise<Witness> {
    const thread = new Worker(new URL("./witness-thread.js", import.meta.url), {
      workerData: { url },
    });
    await once(thread, "message");
    return new Witness(thread);
  }

  async seen(): Promise<Seen> {
    const answer = once(this.#thread, "message");
    this.#thread.postMessage("seen");
    return (await answer)[0] as Seen;
  }

  async end(): Promise<void> {
    const ended = once(this.#thread, "exit");
    this.#thread.postMessage("end");
    await ended;
  }
}
