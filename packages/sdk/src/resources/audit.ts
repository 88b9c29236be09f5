// The audit trail: who did what, when, to what and why.
// Promises: newest first; read from the register, where nothing is changed.
// Leaves to others: all other events (`events.ts`).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type { AuditEntry, Page } from "../wire.ts";

/** Which entries to list. All given conditions must hold. */
export type AuditFilter = PageQuery & {
  /** `key:<prefix>` or `session:<prefix>`. */
  actor?: string;
  /** Type of the event: `queue.paused`, `key.created`, … */
  type?: string;
  /** Only what was done to this run; not in the installation's own trail. */
  run?: string;
  from?: string;
  to?: string;
  /** The installation's own trail instead of a project's; needs the owner's key. */
  installation?: boolean;
};

/** `signalbox.audit` */
export class Audit {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of the trail, newest first.
   *
   * @example
   * const { items } = await signalbox.audit.list({ type: "project.stopped" });
   */
  list(filter: AuditFilter = {}): Promise<Page<AuditEntry>> {
    const { installation, ...query } = filter;
    const path = installation === true ? "/v1/installation/audit" : "/v1/audit";
    return this.#http.get(path, { query });
  }

  /**
   * All entries that match, page by page.
   *
   * @example
   * for await (const deed of signalbox.audit.iterate()) console.log(deed.actor, deed.type);
   */
  iterate(filter: AuditFilter = {}): AsyncIterable<AuditEntry> {
    const page = (cursor?: string): Promise<Page<AuditEntry>> =>
      this.list(cursor === undefined ? filter : { ...filter, cursor });
    return allItems(page, filter.cursor);
  }
}
