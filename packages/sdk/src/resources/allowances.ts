// Allowances: what a project, an agent, an account or a model may consume in a window.
// Promises: creating and deleting are sent once; changing is safe to repeat.
// Leaves to others: what was consumed (`usage.ts`), reserving and settling (server).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type { Allowance, AllowanceInput, Page } from "../wire.ts";

/** What of an allowance can change; absent = keep. */
export type AllowanceChange = Partial<Pick<AllowanceInput, "limit" | "mode" | "default_reserve">>;

/** `signalbox.allowances` */
export class Allowances {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of allowances with what is spent and reserved.
   *
   * @example
   * const { items } = await signalbox.allowances.list();
   * const full = items.filter(({ spent, reserved, limit }) => spent + reserved >= limit);
   */
  list(query: PageQuery = {}): Promise<Page<Allowance>> {
    return this.#http.get("/v1/allowances", { query });
  }

  /**
   * All allowances, page by page.
   *
   * @example
   * for await (const one of signalbox.allowances.iterate()) console.log(one.id, one.spent);
   */
  iterate(query: PageQuery = {}): AsyncIterable<Allowance> {
    const page = (cursor?: string): Promise<Page<Allowance>> =>
      this.list(cursor === undefined ? query : { ...query, cursor });
    return allItems(page, query.cursor);
  }

  /**
   * One allowance. Throws 404 `not_found`.
   *
   * @example
   * const { spent, reserved, limit } = await signalbox.allowances.get(id);
   */
  get(id: string): Promise<Allowance> {
    return this.#http.get(pathOf(id));
  }

  /**
   * Limits what somebody may consume. Throws 400 `validation_failed`.
   *
   * @example
   * await signalbox.allowances.create({
   *   scope: "agent",
   *   name: "reviewer",
   *   metric: "cost_micros",
   *   limit: 5_000_000, // 5 USD
   *   window: "day",
   *   time_zone: "Europe/Berlin",
   * });
   */
  create(input: AllowanceInput): Promise<Allowance> {
    return this.#http.post("/v1/allowances", { body: input });
  }

  /**
   * Changes limit, mode or default reserve; what was spent stays spent.
   *
   * @example
   * await signalbox.allowances.update(id, { limit: 10_000_000 });
   */
  update(id: string, change: AllowanceChange): Promise<Allowance> {
    return this.#http.put(pathOf(id), { body: change });
  }

  /**
   * Ends an allowance: it limits nothing any more. Throws 404 `not_found`.
   *
   * @example
   * await signalbox.allowances.delete(id);
   */
  delete(id: string): Promise<Allowance> {
    return this.#http.post(`${pathOf(id)}/delete`, { body: {} });
  }
}

function pathOf(id: string): string {
  return `/v1/allowances/${encodeURIComponent(id)}`;
}
