// The batch sender: many small writes of a worker, few requests.
// Promises: everything queued when the previous request ends goes in the next one (no timer: a
// lone item waits for nobody); items keep their order; an item is given up only when the server
// refuses it, never because the server is away; one refused item does not fail its neighbours (a
// request refused as a whole is halved until the cause stands alone).
// Leaves to others: what the items mean (`reporter.ts`, `event-buffer.ts`), and a durable outbox:
// in process a report is lost only with the process, whose lease then ends and the run goes on.

import { errorFromProblem, errorOf, isSignalboxError } from "../errors.ts";
import type { SignalboxError } from "../errors.ts";
import type { Http } from "../http.ts";
import { backoffMs, isRetryable, sleep } from "../retry.ts";
import type { Problem } from "../wire.ts";

export type BatchSenderOptions = {
  http: Http;
  path: string;
  /** Called for every request that failed; the items stay queued. */
  onError: (error: unknown) => void;
};

type Outcome = ({ ok: true } & object) | { ok: false; problem: Problem };
type Item = {
  json: string;
  bytes: number;
  parts: number;
  resolve: (result: never) => void;
  reject: (error: SignalboxError) => void;
};

const MAX_ITEMS = 200;
/** What the items of one request may hold together: the server takes 500 events. */
const MAX_PARTS = 500;
const MAX_BYTES = 1_048_576;
const REQUEST_MS = 15_000;
const BACKOFF = { baseMs: 250, capMs: 5_000 };
/** A key that is refused may be repaired by a person; asking every 5 s would fill their logs. */
const KEY_BACKOFF = { baseMs: 1_000, capMs: 30_000 };

/** Sends items to one route that takes `{items}` and answers `{results}` in the same order. */
export class BatchSender<Result extends object> {
  readonly #options: BatchSenderOptions;
  readonly #closing = new AbortController();
  #queue: Item[] = [];
  #sending = false;
  #limit = MAX_ITEMS;
  #failures = 0;
  #idle: (() => void)[] = [];

  constructor(options: BatchSenderOptions) {
    this.#options = options;
  }

  /**
   * Takes an item as JSON; `parts`: how many things it holds. Resolves with its result; rejects
   * when it is refused or the sender is closed.
   */
  push(json: string, parts = 1): Promise<Result> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    const sent = new Promise<Result>((resolve, reject) => {
      this.#queue.push({ json, bytes: Buffer.byteLength(json), parts, resolve, reject });
    });
    if (!this.#sending) {
      this.#sending = true;
      void this.#sendAll();
    }
    return sent;
  }

  /** Resolves when everything pushed so far and meanwhile has been answered. */
  idle(): Promise<void> {
    if (!this.#sending) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Gives up: what is still queued rejects with code `worker_stopped`. */
  close(): void {
    this.#closing.abort(closed());
  }

  async #sendAll(): Promise<void> {
    await Promise.resolve(); // what is pushed in the same turn goes together
    while (this.#queue.length > 0 && !this.#closing.signal.aborted) {
      const batch = this.#take();
      const waitMs = await this.#sendOne(batch);
      if (waitMs > 0) await sleep(waitMs, this.#closing.signal).catch(() => {});
    }
    for (const item of this.#queue.splice(0)) item.reject(closed());
    this.#sending = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** The head of the queue: at least one item, at most 200, 500 parts or about 1 MiB. */
  #take(): Item[] {
    let count = 0;
    let bytes = 0;
    let parts = 0;
    for (const item of this.#queue) {
      bytes += item.bytes;
      parts += item.parts;
      const isFull = count === this.#limit || bytes > MAX_BYTES || parts > MAX_PARTS;
      if (count > 0 && isFull) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** One request. Returns how long to wait before the next. Never throws. */
  async #sendOne(batch: Item[]): Promise<number> {
    const { http, path } = this.#options;
    try {
      const json = `{"items":[${batch.map((item) => item.json).join(",")}]}`;
      const signal = this.#closing.signal;
      const request = { json, signal, timeoutMs: REQUEST_MS };
      const { results } = await http.post<{ results: Outcome[] }>(path, request);
      this.#limit = MAX_ITEMS;
      return this.#settle(batch, results);
    } catch (error) {
      if (this.#closing.signal.aborted) {
        this.#queue.unshift(...batch);
        return 0;
      }
      this.#options.onError(error);
      return this.#requestFailed(batch, error);
    }
  }

  /** Answers each item; those the server asks to repeat go back to the head, in their order. */
  #settle(batch: Item[], results: Outcome[]): number {
    const again: Item[] = [];
    let asked = 0;
    for (const [index, item] of batch.entries()) {
      const result = results[index];
      if (result?.ok === true) item.resolve(result as never);
      else if (result === undefined) again.push(item);
      else {
        const error = errorFromProblem(result.problem);
        if (isRetryable(error)) {
          again.push(item);
          asked = Math.max(asked, error.retryAfterMs ?? 0);
        } else item.reject(error);
      }
    }
    this.#queue.unshift(...again);
    if (again.length === 0) {
      this.#failures = 0;
      return 0;
    }
    this.#failures += 1;
    return Math.max(asked, backoffMs(this.#failures, BACKOFF));
  }

  #requestFailed(batch: Item[], error: unknown): number {
    const status = isSignalboxError(error) ? error.status : 0;
    const isKey = status === 401 || status === 403;
    if (isRetryable(error) || isKey || status >= 500 || !isSignalboxError(error)) {
      this.#queue.unshift(...batch);
      this.#failures += 1;
      const asked = isSignalboxError(error) ? (error.retryAfterMs ?? 0) : 0;
      return Math.max(asked, backoffMs(this.#failures, isKey ? KEY_BACKOFF : BACKOFF));
    }
    if (batch.length > 1) {
      this.#queue.unshift(...batch);
      this.#limit = Math.ceil(batch.length / 2);
      return 0;
    }
    batch[0]?.reject(error);
    this.#limit = MAX_ITEMS;
    return 0;
  }
}

function closed(): SignalboxError {
  const message = "worker_stopped: the worker stopped before the server had answered";
  return errorOf({ message, code: "worker_stopped", status: 0, retryable: false });
}
