// Checkpoints of one attempt on their way to the server.
// Promises: the newest wins; whoever saved an older one is answered when the newest is stored; what
// is not stored yet goes along with a failure or a release.
// Leaves to others: sending (the keeper, with its heartbeats).

import { errorOf } from "../errors.ts";
import type { Json } from "../wire.ts";

type Waiter = { resolve: () => void; reject: (error: unknown) => void };

/** The checkpoints of one attempt. */
export class CheckpointSaver {
  readonly #send: (checkpoint: Json) => void;
  #pending: { value: Json } | null = null;
  #waiters: Waiter[] = [];
  #over: { reason: unknown } | null = null;

  constructor(send: (checkpoint: Json) => void) {
    this.#send = send;
  }

  /** Resolves when this checkpoint or a newer one is stored. */
  save(checkpoint: Json): Promise<void> {
    if (this.#over !== null) return Promise.reject(this.#over.reason);
    this.#pending = { value: checkpoint };
    this.#send(checkpoint);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** The keeper's answer. */
  answered(stored: boolean): void {
    this.#pending = null;
    const message = "checkpoint_refused: the server did not take the checkpoint";
    const facts = { message, code: "checkpoint_refused", status: 0, retryable: false };
    for (const { reject, resolve } of this.#waiters.splice(0)) {
      if (stored) resolve();
      else reject(errorOf(facts));
    }
  }

  /** What a report should carry: the checkpoint that is not known to be stored. */
  unsaved(): { checkpoint?: Json } {
    return this.#pending === null ? {} : { checkpoint: this.#pending.value };
  }

  /** The attempt is over: whoever still waits is told so. */
  end(reason: unknown): void {
    this.#over ??= { reason };
    for (const { reject } of this.#waiters.splice(0)) reject(reason);
  }
}
