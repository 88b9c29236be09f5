// Usage: what was consumed, by agent, account, model and day.
// Promises: what nobody reported is absent, which is not zero.
// Leaves to others: how much may be consumed (`allowances.ts`).

import type { Http } from "../http.ts";
import type { UsageRow } from "../wire.ts";

/** Which consumption to show. Instants are ISO 8601; default the last 7 days, of a run all. */
export type UsageFilter = {
  from?: string;
  to?: string;
  agent?: string;
  account?: string;
  /** Only of this run. */
  run?: string;
};

/** `signalbox.usage` */
export class UsageReport {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * What was consumed, one row per agent, account, model and day.
   *
   * @example
   * const rows = await signalbox.usage.list({ agent: "reviewer" });
   * const micros = rows.reduce((sum, { usage }) => sum + (usage.cost_micros ?? 0), 0);
   */
  async list(filter: UsageFilter = {}): Promise<UsageRow[]> {
    const { items } = await this.#http.get<{ items: UsageRow[] }>("/v1/usage", { query: filter });
    return items;
  }
}
