// Dead letters: failed runs that wait for a person, by what their errors have in common.
// Promises: redrive and discard are safe to repeat; acts on many count first and go on until all
// that was confirmed is done.
// Leaves to others: what fails for good (server).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type {
  BulkRequest,
  BulkResult,
  DeadLetter,
  DeadLetterGroup,
  DeadLetterStatus,
  Page,
  RedriveChanges,
  Redriven,
  RunSummary,
} from "../wire.ts";

/** Which dead letters. Default: those that wait. */
export type DeadLetterFilter = PageQuery & {
  status?: DeadLetterStatus;
  queue?: string;
  agent?: string;
};

/** Which runs, and how many were counted. */
export type BulkSelection = Omit<BulkRequest, "dry_run" | "cursor">;

/** `signalbox.deadLetters` */
export class DeadLetters {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of groups, the one that grew last first.
   *
   * @example
   * const { items } = await signalbox.deadLetters.list({ queue: "mail" });
   * for (const { count, pattern } of items) console.log(count, pattern);
   */
  list(filter: DeadLetterFilter = {}): Promise<Page<DeadLetterGroup>> {
    return this.#http.get("/v1/dead-letters", { query: filter });
  }

  /**
   * One page of the letters of a group, newest first.
   *
   * @example
   * const { items } = await signalbox.deadLetters.ofGroup(fingerprint, { limit: 20 });
   */
  ofGroup(fingerprint: string, filter: DeadLetterFilter = {}): Promise<Page<DeadLetter>> {
    const path = `/v1/dead-letters/${encodeURIComponent(fingerprint)}`;
    return this.#http.get(path, { query: filter });
  }

  /**
   * Tries a dead letter again as a new run. Throws 409 `dead_letter_closed` (its `became` names the
   * run it was redriven into), 409 `not_a_dead_letter`.
   *
   * @example
   * const { run } = await signalbox.deadLetters.redrive(id, { agent: "reviewer-2" });
   */
  redrive(id: string, changes: RedriveChanges = {}): Promise<Redriven> {
    const path = `/v1/runs/${encodeURIComponent(id)}/redrive`;
    return this.#http.post(path, { body: changes, retry: true });
  }

  /**
   * Puts a dead letter away. Throws 409 `dead_letter_closed`, 409 `not_a_dead_letter`.
   *
   * @example
   * await signalbox.deadLetters.discard(id, { note: "the customer has left" });
   */
  discard(id: string, options: { note: string }): Promise<RunSummary> {
    const path = `/v1/runs/${encodeURIComponent(id)}/discard`;
    return this.#http.post(path, { body: options, retry: true });
  }

  /**
   * How many open dead letters match, with the newest ten; changes nothing.
   *
   * @example
   * const { matched } = await signalbox.deadLetters.count({ filter: { fingerprint } });
   */
  count(which: Pick<BulkRequest, "filter" | "runs">): Promise<BulkResult> {
    const body = { ...which, dry_run: true };
    return this.#http.post("/v1/runs/redrive", { body, retry: true });
  }

  /**
   * Redrives every open dead letter that matches. Throws 409 `count_changed` when more match than
   * `confirm_count`.
   *
   * @example
   * const filter = { fingerprint };
   * const { matched } = await signalbox.deadLetters.count({ filter });
   * await signalbox.deadLetters.redriveMany({ filter, confirm_count: matched });
   */
  redriveMany(which: BulkSelection, changes: RedriveChanges = {}): Promise<BulkResult> {
    return bulk(this.#http, "/v1/runs/redrive", { ...which, changes });
  }

  /**
   * Discards every open dead letter that matches. Throws 409 `count_changed`.
   *
   * @example
   * const note = "provider was down";
   * await signalbox.deadLetters.discardMany({ runs: [id], confirm_count: 1, note });
   */
  discardMany(which: BulkSelection & { note: string }): Promise<BulkResult> {
    return bulk(this.#http, "/v1/runs/discard", which);
  }
}

/** Sends an act again and again until it has done all; the sum of what was done. */
export async function bulk(
  http: Http,
  path: string,
  request: BulkRequest & { readonly changes?: RedriveChanges },
): Promise<BulkResult> {
  let sum: BulkResult | null = null;
  let cursor: string | null = null;
  do {
    const body = cursor === null ? request : { ...request, cursor };
    const one: BulkResult = await http.post(path, { body, retry: true });
    sum = sum === null ? one : added(sum, one);
    cursor = one.next_cursor;
  } while (cursor !== null);
  return sum;
}

function added(sum: BulkResult, one: BulkResult): BulkResult {
  return {
    ...one,
    matched: sum.matched,
    done: sum.done + one.done,
    refused: sum.refused + one.refused,
    refusals: [...sum.refusals, ...one.refusals].slice(0, 20),
    became: [...sum.became, ...one.became],
  };
}
