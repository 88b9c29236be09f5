// Queues: the waiting lines of a project.
// Promises: pausing and resuming are safe to repeat.
// Leaves to others: what a paused queue holds back (server).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { Page, Queue } from "../wire.ts";

/** `signalbox.queues` */
export class Queues {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of queues, with how many runs are pending and live in each.
   *
   * @example
   * const { items } = await signalbox.queues.list();
   */
  list(query: PageQuery = {}): Promise<Page<Queue>> {
    return this.#http.get("/v1/queues", { query });
  }

  /**
   * Holds back the runs of a queue; live ones go on.
   *
   * @example
   * await signalbox.queues.pause("mail", { reason: "provider is down" });
   */
  pause(name: string, options: { reason: string }): Promise<Queue> {
    return this.#http.post(`${pathOf(name)}/pause`, { body: options, retry: true });
  }

  /**
   * Lets the runs of a queue go again.
   *
   * @example
   * await signalbox.queues.resume("mail");
   */
  resume(name: string, options: { reason?: string } = {}): Promise<Queue> {
    return this.#http.post(`${pathOf(name)}/resume`, { body: options, retry: true });
  }
}

function pathOf(name: string): string {
  return `/v1/queues/${encodeURIComponent(name)}`;
}
