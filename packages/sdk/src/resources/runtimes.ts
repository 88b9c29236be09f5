// Runtimes: the server's records of worker processes.
// Promises: reads and registrations are safe to repeat.
// Leaves to others: heartbeats and claims (`worker/`).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type { Page, Runtime, RuntimeRegistration } from "../wire.ts";

/** `signalbox.runtimes` */
export class Runtimes {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of runtimes.
   *
   * @example
   * const online = (await signalbox.runtimes.list()).items.filter((rt) => rt.state === "online");
   */
  list(query: PageQuery = {}): Promise<Page<Runtime>> {
    return this.#http.get("/v1/runtimes", { query });
  }

  /**
   * All runtimes, page by page.
   *
   * @example
   * for await (const runtime of signalbox.runtimes.iterate()) console.log(runtime.name);
   */
  iterate(query: PageQuery = {}): AsyncIterable<Runtime> {
    return allItems((cursor) => this.list(cursor === undefined ? query : { ...query, cursor }));
  }

  /**
   * One runtime by name. Throws 404 `not_found`.
   *
   * @example
   * const { last_heartbeat_at } = await signalbox.runtimes.get("build-7:4711:x1");
   */
  get(name: string): Promise<Runtime> {
    return this.#http.get(pathOf(name));
  }

  /**
   * Registers a runtime, or registers it again: an absent field keeps its value, null clears it.
   * A `Worker` does this itself.
   *
   * @example
   * await signalbox.runtimes.register("build-7", { runners: ["default"], state: "online" });
   */
  register(name: string, registration: RuntimeRegistration): Promise<Runtime> {
    return this.#http.put(pathOf(name), { body: registration });
  }
}

function pathOf(name: string): string {
  return `/v1/runtimes/${encodeURIComponent(name)}`;
}
