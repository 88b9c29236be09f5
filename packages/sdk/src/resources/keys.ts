// Keys: who may talk to a project.
// Promises: a key is shown once, in the answer of `create`, which is therefore never sent twice.
// Leaves to others: what each role may do (server).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { ApiKey, CreatedKey, Page, Role } from "../wire.ts";

/** `signalbox.keys` */
export class Keys {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Makes a key. Keep `key`: it is never shown again.
   *
   * @example
   * const { key } = await signalbox.keys.create({ name: "build-7", roles: ["worker"] });
   */
  create(options: { name: string; roles: Role[]; expires_at?: string }): Promise<CreatedKey> {
    return this.#http.post("/v1/keys", { body: options });
  }

  /**
   * One page of keys, without the keys themselves.
   *
   * @example
   * const live = (await signalbox.keys.list()).items.filter((key) => key.revoked_at === null);
   */
  list(query: PageQuery = {}): Promise<Page<ApiKey>> {
    return this.#http.get("/v1/keys", { query });
  }

  /**
   * Ends a key at once.
   *
   * @example
   * await signalbox.keys.revoke(id);
   */
  revoke(id: string): Promise<ApiKey> {
    return this.#http.post(`/v1/keys/${encodeURIComponent(id)}/revoke`, { body: {}, retry: true });
  }
}
