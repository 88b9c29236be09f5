// Logins: links that open a session in a browser, and the sessions that are open.
// Promises: a link is in one answer, the one that made it; the secret of a session is in no answer:
// the browser keeps it as a cookie that no script reads.
// Leaves to others: what a session may do (its key's roles).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { Login, OwnSession, Page, Session } from "../wire.ts";

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
   * Opens a session in this browser with the code of a link, once. For pages of the server's own
   * origin, with a client made with `session: true`. Throws 401 `unauthorized`.
   *
   * @example
   * const browser = new Signalbox({ url: location.origin, session: true });
   * await browser.sessions.open(code);
   */
  open(code: string): Promise<OwnSession> {
    return this.#http.post("/v1/sessions", { body: { code }, open: true });
  }

  /**
   * The session of this browser, and what it may do. Throws 401 `unauthorized` without one.
   *
   * @example
   * const { permissions } = await browser.sessions.own();
   */
  own(): Promise<OwnSession> {
    return this.#http.get("/v1/session");
  }

  /**
   * Ends the session of this browser, and takes the cookie out of it.
   *
   * @example
   * await browser.sessions.endOwn();
   */
  endOwn(): Promise<Session> {
    return this.#http.post("/v1/session/end", { body: {} });
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
