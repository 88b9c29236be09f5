// Runs: submit, look at, follow, wait for, cancel and kill.
// Promises: a submission is safe to retry, since it always carries an idempotency key; waiting and
// following outlive restarts of the server.
// Leaves to others: what a handle adds (`run-handle.ts`), the rules (server).

import { isSignalboxError } from "../errors.ts";
import { follow } from "../event-stream.ts";
import type { Http } from "../http.ts";
import { newIdempotencyKey } from "../idempotency.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import { backoffMs, isRetryable, sleep } from "../retry.ts";
import { RunHandle } from "../run-handle.ts";
import { isTerminal } from "../run-state.ts";
import { bulk } from "./dead-letters.ts";
import { SubmitSender } from "./submit-sender.ts";
import type {
  Attempt,
  BatchSubmission,
  BatchSubmitResult,
  BulkRequest,
  BulkResult,
  Event,
  Explanation,
  Page,
  Run,
  RunCounts,
  RunFilter,
  RunStatus,
  RunSubmission,
  RunSummary,
} from "../wire.ts";

export type RunEventQuery = PageQuery & {
  after_seq?: string;
  before_seq?: string;
  order?: "asc" | "desc";
  type?: string;
  /** Only events whose type or data contains this, in any case of letters. */
  text?: string;
  /** Only what was written to stderr, or with this level or a worse one. */
  level?: "warning";
  /** Only from these. */
  source?: readonly Event["source"][];
  /** Without these types; one that ends in a dot is the beginning of types (`tool.call.`). */
  without?: readonly string[];
};

export type WaitOptions = {
  /** Stop waiting after this long, in milliseconds. Default: wait as long as it takes. */
  timeoutMs?: number;
  signal?: AbortSignal;
};

export type FollowRunOptions = {
  /** Only events after this number. Default: all. */
  afterSeq?: string;
  signal?: AbortSignal;
};

/** One long poll. The server takes at most 30,000. */
const POLL_MS = 25_000;
const POLL_MARGIN_MS = 10_000;
/** A poll that ends sooner without news is followed by a wait of this length. */
const QUICK_MS = 250;
/** How long a wait goes on without any answer before it gives up: 5 minutes. */
const PATIENCE_MS = 300_000;

/** `signalbox.runs` */
export class Runs {
  readonly #http: Http;
  readonly #sender: SubmitSender;

  constructor(http: Http) {
    this.#http = http;
    this.#sender = new SubmitSender(http);
  }

  /**
   * Submits a run. Without `idempotency_key` one is made, so that a retry after a lost answer finds
   * the same run. Calls made while another is under way share a request. Throws 400
   * `validation_failed`, 422 `idempotency_mismatch`.
   *
   * @example
   * const run = await signalbox.runs.submit({ agent: "reviewer", input: { pr: 42 } });
   * const output = await run.result();
   */
  async submit(
    submission: RunSubmission,
    options: { signal?: AbortSignal } = {},
  ): Promise<RunHandle> {
    return new RunHandle(this, await this.#sender.submit(submission, options.signal));
  }

  /**
   * Submits up to 1,000 runs, each with its own result, in the order of the items. Items may name
   * each other: `ref: "a"` here, `depends_on: ["#a"]` there.
   *
   * @example
   * const results = await signalbox.runs.submitMany([{ ref: "a" }, { depends_on: ["#a"] }]);
   * const refused = results.filter((result) => !result.ok);
   */
  async submitMany(
    submissions: readonly BatchSubmission[],
    options: { signal?: AbortSignal } = {},
  ): Promise<BatchSubmitResult[]> {
    const items = submissions.map((item) =>
      item.idempotency_key === undefined ? { ...item, idempotency_key: newIdempotencyKey() } : item,
    );
    const request = { body: { items }, signal: options.signal, retry: true };
    const answer = await this.#http.post<{ results: BatchSubmitResult[] }>(
      "/v1/runs/batch",
      request,
    );
    return answer.results;
  }

  /**
   * One page of runs, newest first. Of several filters that seldom meet a page looks at 30,000
   * runs: it may hold few or none and still have more behind it.
   *
   * @example
   * const { items, next_cursor } = await signalbox.runs.list({ state: "failed", limit: 20 });
   */
  list(filter: RunFilter & PageQuery = {}): Promise<Page<RunSummary>> {
    return this.#http.get("/v1/runs", { query: filter });
  }

  /**
   * All runs that match, newest first, page by page.
   *
   * @example
   * for await (const run of signalbox.runs.iterate({ tag: "nightly" })) console.log(run.id);
   */
  iterate(filter: RunFilter & PageQuery = {}): AsyncIterable<RunSummary> {
    const page = (cursor?: string): Promise<Page<RunSummary>> =>
      this.list(cursor === undefined ? filter : { ...filter, cursor });
    return allItems(page, filter.cursor);
  }

  /**
   * How many runs are in which state, each counted up to 10,000.
   *
   * @example
   * const { counts, most } = await signalbox.runs.counts();
   * const failed = counts.failed === most ? `${most} or more` : counts.failed;
   */
  counts(): Promise<RunCounts> {
    return this.#http.get("/v1/runs/counts");
  }

  /**
   * The whole record of a run. Throws 404 `not_found`.
   *
   * @example
   * const { state, output } = await signalbox.runs.get(id);
   */
  get(id: string): Promise<Run> {
    return this.#http.get(pathOf(id));
  }

  /**
   * A handle on a run that exists, as `submit` returns it.
   *
   * @example
   * const output = await (await signalbox.runs.handle(id)).result();
   */
  async handle(id: string): Promise<RunHandle> {
    return new RunHandle(this, { run: await this.get(id), created: false });
  }

  /**
   * Waits until the run is terminal and returns it; with `timeoutMs` it returns the run as it is
   * then. Goes on through restarts of the server; gives up after 5 minutes without any answer.
   *
   * @example
   * const run = await signalbox.runs.wait(id, { timeoutMs: 60_000 });
   */
  async wait(id: string, options: WaitOptions = {}): Promise<Run> {
    const { signal, timeoutMs = Infinity } = options;
    const until = performance.now() + timeoutMs;
    let answeredAt = performance.now();
    let failures = 0;
    for (;;) {
      const askedAt = performance.now();
      try {
        const run = await this.#poll(id, { ms: Math.min(POLL_MS, until - askedAt), signal });
        answeredAt = performance.now();
        failures = 0;
        if (isTerminal(run.state) || answeredAt >= until) return run;
        // A server that is shutting down may answer at once.
        if (answeredAt - askedAt < QUICK_MS) await sleep(QUICK_MS, signal);
      } catch (error) {
        const now = performance.now();
        const isOver = now >= until || now - answeredAt > PATIENCE_MS;
        if (signal?.aborted || !isRetryable(error) || isOver) throw error;
        failures += 1;
        const asked = isSignalboxError(error) ? (error.retryAfterMs ?? 0) : 0;
        const waitMs = Math.max(asked, backoffMs(failures, { baseMs: 250, capMs: 5_000 }));
        await sleep(Math.min(waitMs, until - now), signal);
      }
    }
  }

  /** One long poll of at most `ms`. */
  #poll(id: string, { ms, signal }: { ms: number; signal: AbortSignal | undefined }): Promise<Run> {
    const pollMs = Math.max(0, Math.round(ms));
    return this.#http.get(`${pathOf(id)}/wait`, {
      query: { timeout_ms: pollMs },
      timeoutMs: pollMs + POLL_MARGIN_MS,
      retry: false,
      signal,
    });
  }

  /**
   * Asks the run to stop. A live one is told and has 30 s; with `cascade` its children too.
   * Throws 409 `already_terminal`.
   *
   * @example
   * await signalbox.runs.cancel(id, { reason: "superseded", cascade: true });
   */
  cancel(id: string, options: { reason?: string; cascade?: boolean } = {}): Promise<RunStatus> {
    return this.#http.post(`${pathOf(id)}/cancel`, { body: options, retry: true });
  }

  /**
   * Asks every run that matches to stop. With `dry_run` it only counts; then `confirm_count` says
   * how many were counted. Throws 409 `count_changed` when more match by now.
   *
   * @example
   * const which = { filter: { queue: "mail" }, reason: "the list was wrong" };
   * const { matched } = await signalbox.runs.cancelMany({ ...which, dry_run: true });
   * await signalbox.runs.cancelMany({ ...which, confirm_count: matched });
   */
  cancelMany(request: BulkRequest & { reason: string; cascade?: boolean }): Promise<BulkResult> {
    return bulk(this.#http, "/v1/runs/cancel", request);
  }

  /**
   * Ends the run at once, without waiting for its worker. Needs a reason. Throws 409
   * `already_terminal`.
   *
   * @example
   * await signalbox.runs.kill(id, { reason: "leaks customer data" });
   */
  kill(id: string, options: { reason: string }): Promise<RunStatus> {
    return this.#http.post(`${pathOf(id)}/kill`, { body: options, retry: true });
  }

  /**
   * Why the run is not running now, in words and codes.
   *
   * @example
   * const { summary, reasons } = await signalbox.runs.explain(id);
   */
  explain(id: string): Promise<Explanation> {
    return this.#http.get(`${pathOf(id)}/explain`);
  }

  /**
   * Every attempt of the run, oldest first.
   *
   * @example
   * const last = (await signalbox.runs.attempts(id)).at(-1);
   */
  async attempts(id: string): Promise<Attempt[]> {
    return (await this.#http.get<{ items: Attempt[] }>(`${pathOf(id)}/attempts`)).items;
  }

  /**
   * One page of the runs that this run submitted.
   *
   * @example
   * const { items } = await signalbox.runs.children(id);
   */
  children(id: string, query: PageQuery = {}): Promise<Page<RunSummary>> {
    return this.#http.get(`${pathOf(id)}/children`, { query });
  }

  /**
   * One page of the run's events, forward or backward by `seq`. With `text`, `level`, `source` or
   * `without` a page looks at 50,000 events at most: it may hold few and still have more behind it.
   *
   * @example
   * const { items } = await signalbox.runs.events(id, { order: "desc", limit: 10 });
   */
  events(id: string, query: RunEventQuery = {}): Promise<Page<Event>> {
    return this.#http.get(`${pathOf(id)}/events`, { query });
  }

  /**
   * The run's events as they happen, from the first or from `afterSeq`. Goes on through broken
   * connections without a gap, and ends after the terminal event.
   *
   * @example
   * for await (const event of signalbox.runs.follow(id)) console.log(event.seq, event.type);
   */
  async *follow(id: string, options: FollowRunOptions = {}): AsyncGenerator<Event> {
    const lastEventId = options.afterSeq ?? "";
    const { signal } = options;
    const stream = follow(this.#http, { path: `${pathOf(id)}/events`, lastEventId, signal });
    for await (const message of stream) {
      if (message.event === "end") return;
      yield JSON.parse(message.data) as Event;
    }
  }
}

function pathOf(id: string): string {
  return `/v1/runs/${encodeURIComponent(id)}`;
}
