// Keys: who may talk to a project.
// Promises: a key is shown once, in the answer of `create` or `rotate`; a request that carries an
// idempotency key may be sent again, all others are not.
// Leaves to others: what each role may do (server).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { ApiKey, CreatedKey, Page, Role } from "../wire.ts";

/** Whose: the project's (default), or the owner's (`installation`, needs the owner's key). */
type Whose = { installation?: boolean };

export type NewKey = {
  name: string;
  roles: Role[];
  expires_at?: string;
  /** A worker's key that may work as these agents only. */
  agents?: string[];
};

export type KeyRotation = {
  /** Seconds for which the old key lives on; default a day, 0 ends it at once. */
  overlap_s?: number;
  /** Default: the new key lasts as long as the old one was made for. */
  expires_at?: string;
};

/** Same key and body: the same answer, for 7 days; it makes the request safe to send again. */
type Repeatable = { idempotencyKey?: string };

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
  create(options: NewKey & Repeatable): Promise<CreatedKey> {
    const { idempotencyKey, ...body } = options;
    return this.#http.post("/v1/keys", { body, ...repeatable(idempotencyKey) });
  }

  /**
   * One page of keys, without the keys themselves.
   *
   * @example
   * const live = (await signalbox.keys.list()).items.filter((key) => key.revoked_at === null);
   */
  list(query: PageQuery & Whose = {}): Promise<Page<ApiKey>> {
    const { installation, ...page } = query;
    return this.#http.get(pathOf(installation), { query: page });
  }

  /**
   * Makes a key in place of another, which lives on for a day unless said otherwise.
   *
   * @example
   * const { key } = await signalbox.keys.rotate(id, { overlap_s: 3600 });
   */
  rotate(id: string, options: KeyRotation & Repeatable & Whose = {}): Promise<CreatedKey> {
    const { idempotencyKey, installation, ...body } = options;
    const path = `${pathOf(installation)}/${encodeURIComponent(id)}/rotate`;
    return this.#http.post(path, { body, ...repeatable(idempotencyKey) });
  }

  /**
   * Ends a key at once. The last lasting key of the owner is refused.
   *
   * @example
   * await signalbox.keys.revoke(id);
   */
  revoke(id: string, options: Whose = {}): Promise<ApiKey> {
    const path = `${pathOf(options.installation)}/${encodeURIComponent(id)}/revoke`;
    return this.#http.post(path, { body: {}, retry: true });
  }
}

function pathOf(installation: boolean | undefined): string {
  return installation === true ? "/v1/installation/keys" : "/v1/keys";
}

function repeatable(key: string | undefined): { headers?: Record<string, string>; retry?: true } {
  return key === undefined ? {} : { headers: { "idempotency-key": key }, retry: true };
}
