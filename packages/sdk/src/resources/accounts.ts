// Accounts: the provider accounts that agents draw on, and the limits that were met there.
// Promises: names may hold slashes (`anthropic/max-1`); a report of a limit is sent once, the rest
// is safe to repeat.
// Leaves to others: reading what a provider said (server), limits met in a run (`worker/`).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type { Account, AccountRegistration, LimitReport, Page } from "../wire.ts";

/** `signalbox.accounts` */
export class Accounts {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of accounts with their limits, by name.
   *
   * @example
   * const { items } = await signalbox.accounts.list();
   * const closed = items.filter((one) => one.exhaustions.some(({ state }) => state === "closed"));
   */
  list(query: PageQuery = {}): Promise<Page<Account>> {
    return this.#http.get("/v1/accounts", { query });
  }

  /**
   * All accounts, page by page.
   *
   * @example
   * for await (const account of signalbox.accounts.iterate()) console.log(account.name);
   */
  iterate(query: PageQuery = {}): AsyncIterable<Account> {
    const page = (cursor?: string): Promise<Page<Account>> =>
      this.list(cursor === undefined ? query : { ...query, cursor });
    return allItems(page, query.cursor);
  }

  /**
   * One account by name. Throws 404 `not_found`.
   *
   * @example
   * const { exhaustions } = await signalbox.accounts.get("anthropic/max-1");
   */
  get(name: string): Promise<Account> {
    return this.#http.get(pathOf(name));
  }

  /**
   * Registers an account, or changes it: an absent field keeps its value, null is the default.
   *
   * @example
   * await signalbox.accounts.register("anthropic/max-1", { provider: "anthropic" });
   */
  register(name: string, registration: AccountRegistration): Promise<Account> {
    return this.#http.put(pathOf(name), { body: registration });
  }

  /**
   * Reports that a provider's limit was met outside of a run. In a run throw `attempt.exhausted`
   * instead: it also gives the run back.
   *
   * @example
   * await signalbox.accounts.exhausted("anthropic/max-1", {
   *   status: response.status,
   *   headers: Object.fromEntries(response.headers),
   *   message: await response.text(),
   * });
   */
  exhausted(name: string, report: LimitReport): Promise<Account> {
    return this.#http.post(`${pathOf(name)}/exhausted`, { body: report });
  }

  /**
   * Says that limits are over: one run tries each. With `model` only the limit of that model; with
   * `model: null` only that of the whole account.
   *
   * @example
   * await signalbox.accounts.recover("anthropic/max-1", { reason: "the invoice is paid" });
   */
  recover(name: string, options: { model?: string | null; reason: string }): Promise<Account> {
    return this.#http.post(`${pathOf(name)}/recover`, { body: options, retry: true });
  }
}

function pathOf(name: string): string {
  return `/v1/accounts/${encodeURIComponent(name)}`;
}
