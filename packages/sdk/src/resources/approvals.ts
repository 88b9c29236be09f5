// Approvals: the inbox of questions, and answering them.
// Promises: answering is safe to repeat: the same answer of the same key succeeds again, any other
// is a `ConflictError` that says who was first.
// Leaves to others: asking (`attempt.approval` of a worker).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type {
  Approval,
  ApprovalAnswer,
  ApprovalLink,
  ApprovalRisk,
  ApprovalStatus,
  Page,
} from "../wire.ts";

/** Which approvals a list holds. */
export type ApprovalFilter = PageQuery & {
  /** `pending` is the inbox. */
  status?: ApprovalStatus;
  agent?: string;
  risk?: ApprovalRisk;
  run_id?: string;
  /** By when they were asked. Default `asc`, the oldest first. */
  order?: "asc" | "desc";
};

/** `signalbox.approvals`. */
export class Approvals {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of approvals across runs, the oldest first unless `order` is `desc`.
   *
   * @example
   * const { items } = await signalbox.approvals.list({ status: "pending" });
   */
  list(filter: ApprovalFilter = {}): Promise<Page<Approval>> {
    return this.#http.get("/v1/approvals", { query: filter });
  }

  /**
   * Every approval that fits, page by page.
   *
   * @example
   * for await (const approval of signalbox.approvals.iterate({ status: "pending" })) {
   *   console.log(approval.title);
   * }
   */
  iterate(filter: ApprovalFilter = {}): AsyncIterable<Approval> {
    const page = (cursor?: string): Promise<Page<Approval>> =>
      this.list(cursor === undefined ? filter : { ...filter, cursor });
    return allItems(page, filter.cursor);
  }

  /**
   * One approval. With `wait_s` (at most 30) it is answered as soon as it is decided.
   *
   * @example
   * const approval = await signalbox.approvals.get(id, { wait_s: 30 });
   */
  get(id: string, query: { wait_s?: number } = {}): Promise<Approval> {
    const timeoutMs = ((query.wait_s ?? 0) + 15) * 1000;
    return this.#http.get(pathOf(id), { query, timeoutMs });
  }

  /**
   * Approves: as it was asked, or with edited arguments.
   *
   * @example
   * await signalbox.approvals.approve(id, { comment: "fine", arguments: { pr: 42 } });
   */
  approve(id: string, answer: ApprovalAnswer = {}): Promise<Approval> {
    return this.#http.post(`${pathOf(id)}/approve`, { body: answer, retry: true });
  }

  /**
   * Rejects: the run ends `cancelled`.
   *
   * @example
   * await signalbox.approvals.reject(id, { comment: "not on a Friday" });
   */
  reject(id: string, answer: { comment?: string } = {}): Promise<Approval> {
    return this.#http.post(`${pathOf(id)}/reject`, { body: answer, retry: true });
  }

  /**
   * Makes a callback link: whoever has it can answer this one question, once. It replaces an
   * earlier one and is shown only now.
   *
   * @example
   * const { path } = await signalbox.approvals.link(id);
   */
  link(id: string): Promise<ApprovalLink> {
    return this.#http.post(`${pathOf(id)}/link`, { body: {} });
  }
}

function pathOf(id: string): string {
  return `/v1/approvals/${encodeURIComponent(id)}`;
}
