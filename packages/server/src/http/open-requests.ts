// Open requests: long polls and streams that wait, so that they can be told to stop waiting.
// Promises: each is told once, when its client has gone or when the server stops; nothing is kept
// of a request that has ended (F-109).
// Leaves to others: what they do when told (engine, `sse.ts`).

import type { ServerResponse } from "node:http";

export class OpenRequests {
  readonly #open = new Set<AbortController>();
  readonly #stopping = new AbortController();

  /** Aborted when the server stops. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** How many wait now. */
  get size(): number {
    return this.#open.size;
  }

  /** A signal of its own for a response that may wait long. */
  track(response: ServerResponse): AbortController {
    const controller = new AbortController();
    if (this.#stopping.signal.aborted || response.destroyed) controller.abort();
    this.#open.add(controller);
    response.once("close", () => {
      this.#open.delete(controller);
      controller.abort();
    });
    return controller;
  }

  /** Tells all that wait, and every later one, that the server stops. */
  stop(): void {
    this.#stopping.abort();
    for (const controller of this.#open) controller.abort();
  }
}
