// The batch sender: many small writes of a worker, few requests.
// Promises: everything queued when a request ends goes in the next one (no timer: a lone item waits
// for nobody); two requests are under way at most, so that one is made while the other is answered;
// items about one subject keep their order; an item is given up only when the server refuses it,
// never because the server is away; one refused item does not fail its neighbours (a request
// refused as a whole is halved until the cause stands alone).
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
  /** What it is about: its items are never in two requests at once. */
  subject: string;
  json: string;
  bytes: number;
  parts: number;
  resolve: (result: never) => void;
  reject: (error: SignalboxError) => void;
};

const MAX_REQUESTS = 2;
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
  #requests = 0;
  /** Subjects of the requests under way. */
  readonly #underWay = new Set<string>();
  #limit = MAX_ITEMS;
  #failures = 0;
  #idle: (() => void)[] = [];

  constructor(options: BatchSenderOptions) {
    this.#options = options;
  }

  /**
   * Takes an item as JSON, about a `subject`; `parts`: how many things it holds. Resolves with its
   * result; rejects when it is refused or the sender is closed.
   */
  push(subject: string, json: string, parts = 1): Promise<Result> {
    if (this.#closing.signal.aborted) return Promise.reject(closed());
    const sent = new Promise<Result>((resolve, reject) => {
      const bytes = Buffer.byteLength(json);
      this.#queue.push({ subject, json, bytes, parts, resolve, reject });
    });
    // While the server is away one request at a time asks for it.
    if (this.#requests < (this.#failures === 0 ? MAX_REQUESTS : 1)) {
      this.#requests += 1;
      void this.#sendAll();
    }
    return sent;
  }

  /** Resolves when everything pushed so far and meanwhile has been answered. */
  idle(): Promise<void> {
    if (this.#requests === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Gives up: what is still queued rejects with code `worker_stopped`. */
  close(): void {
    this.#closing.abort(closed());
  }

  async #sendAll(): Promise<void> {
    await Promise.resolve(); // what is pushed in the same turn goes together
    while (!this.#closing.signal.aborted) {
      const batch = this.#take();
      if (batch.length === 0) break;
      for (const { subject } of batch) this.#underWay.add(subject);
      const waitMs = await this.#sendOne(batch);
      for (const { subject } of batch) this.#underWay.delete(subject);
      if (waitMs === 0) continue;
      if (this.#requests > 1) break; // the other one goes on asking
      await sleep(waitMs, this.#closing.signal).catch(() => {});
    }
    this.#requests -= 1;
    if (this.#requests > 0) return;
    for (const item of this.#queue.splice(0)) item.reject(closed());
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** The head of what may go: at most 200 items, 500 parts or about 1 MiB, and at least one. */
  #take(): Item[] {
    const taken: Item[] = [];
    const left: Item[] = [];
    let bytes = 0;
    let parts = 0;
    for (const [at, item] of this.#queue.entries()) {
      if (this.#underWay.has(item.subject)) {
        left.push(item);
        continue;
      }
      bytes += item.bytes;
      parts += item.parts;
      const isFull = taken.length === this.#limit || bytes > MAX_BYTES || parts > MAX_PARTS;
      if (taken.length > 0 && isFull) {
        left.push(...this.#queue.slice(at));
        break;
      }
      taken.push(item);
    }
    this.#queue = left;
    return taken;
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
