// Logins: links that open a session in a browser, and the sessions that are open.
// Promises: a link is in one answer, the one that made it.
// Leaves to others: opening it (a browser, at `/login`), what a session may do (its key's roles).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { Login, Page, Session } from "../wire.ts";

/** Whose: the project's (default), or the owner's (`installation`, needs the owner's key). */
type Whose = { installation?: boolean };

/** `signalbox.sessions` */
export class Sessions {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Makes a link that opens one session with the rights of this key, within ten minutes, once.
   *
   * @example
   * const { path } = await signalbox.sessions.link();
   * console.log(`http://127.0.0.1:4400${path}`);
   */
  link(): Promise<Login> {
    return this.#http.post("/v1/logins", { body: {} });
  }

  /**
   * One page of the sessions that are open.
   *
   * @example
   * const { items } = await signalbox.sessions.list();
   */
  list(query: PageQuery & Whose = {}): Promise<Page<Session>> {
    const { installation, ...page } = query;
    return this.#http.get(pathOf(installation), { query: page });
  }

  /**
   * Ends a session at once. Throws 404 `not_found`.
   *
   * @example
   * await signalbox.sessions.end(id);
   */
  end(id: string, options: Whose = {}): Promise<Session> {
    const path = `${pathOf(options.installation)}/${encodeURIComponent(id)}/end`;
    return this.#http.post(path, { body: {}, retry: true });
  }
}

function pathOf(installation: boolean | undefined): string {
  return installation === true ? "/v1/installation/sessions" : "/v1/sessions";
}
