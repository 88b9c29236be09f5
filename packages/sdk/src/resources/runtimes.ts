// Runtimes: the server's records of worker processes.
// Promises: reads, registrations and drains are safe to repeat.
// Leaves to others: heartbeats and claims (`worker/`).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type { Page, Runtime, RuntimeRegistration } from "../wire.ts";

/** Which runtimes to list. All given conditions must hold. */
export type RuntimeFilter = PageQuery & {
  state?: Runtime["state"];
  /** Those that work as this agent. */
  agent?: string;
  /** `key:value` */
  label?: string;
};

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
   * const { items } = await signalbox.runtimes.list({ state: "online", label: "zone:a" });
   */
  list(filter: RuntimeFilter = {}): Promise<Page<Runtime>> {
    return this.#http.get("/v1/runtimes", { query: filter });
  }

  /**
   * All runtimes, page by page.
   *
   * @example
   * for await (const runtime of signalbox.runtimes.iterate()) console.log(runtime.name);
   */
  iterate(filter: RuntimeFilter = {}): AsyncIterable<Runtime> {
    const page = (cursor?: string): Promise<Page<Runtime>> =>
      this.list(cursor === undefined ? filter : { ...filter, cursor });
    return allItems(page, filter.cursor);
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

  /**
   * Lets a runtime finish what it has and claim nothing more, as before a deploy.
   *
   * @example
   * await signalbox.runtimes.drain("build-7", { reason: "new image" });
   */
  drain(name: string, options: { reason: string }): Promise<Runtime> {
    return this.#http.post(`${pathOf(name)}/drain`, { body: options, retry: true });
  }
}

function pathOf(name: string): string {
  return `/v1/runtimes/${encodeURIComponent(name)}`;
}
