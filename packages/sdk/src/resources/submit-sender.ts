// The submit sender: many callers of `runs.submit`, few requests.
// Promises: a lone submission is sent at once, by itself; those that are made while a request is
// under way, or in the same turn, go together in the next one, each with its own answer; one bad
// neighbour fails nobody (a batch that is refused as a whole is halved until the cause stands
// alone); a submission has one key, however often and in whatever company it is sent; the caller's
// abort is heard at once, also when its run is part of a batch.
// Leaves to others: repeating (`http.ts`: safe, since every submission carries a key).

import { errorFromProblem, isSignalboxError } from "../errors.ts";
import type { Http } from "../http.ts";
import { newIdempotencyKey } from "../idempotency.ts";
import { isRetryable } from "../retry.ts";
import type { BatchSubmitResult, RunSubmission, RunSummary } from "../wire.ts";

/** The run and whether it is new: false when the idempotency key was used before. */
export type Submitted = { run: RunSummary; created: boolean };

type Item = {
  submission: RunSubmission;
  json: string;
  /** Its idempotency key, when the caller gave none. */
  key: string | null;
  signal: AbortSignal | undefined;
  resolve: (submitted: Submitted) => void;
  reject: (error: unknown) => void;
};

const MAX_ITEMS = 200;
const MAX_CHARS = 1_000_000;
/** Enough that a request in backoff does not hold up all others. */
const MAX_REQUESTS = 2;

/** Submits runs for everybody who shares a client. */
export class SubmitSender {
  readonly #http: Http;
  #queue: Item[] = [];
  #requests = 0;

  constructor(http: Http) {
    this.#http = http;
  }

  submit(submission: RunSubmission, signal: AbortSignal | undefined): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const json = JSON.stringify(submission);
      const key = submission.idempotency_key === undefined ? newIdempotencyKey() : null;
      const item: Item = { submission, json, key, signal, resolve, reject };
      if (signal !== undefined) this.#hear(item, signal);
      this.#queue.push(item);
      if (this.#requests < MAX_REQUESTS) this.#start();
    });
  }

  /** Tells the caller at once. A run that is on its way may exist nevertheless. */
  #hear(item: Item, signal: AbortSignal): void {
    const abort = (): void => {
      this.#queue = this.#queue.filter((other) => other !== item);
      item.reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    const done = (): void => signal.removeEventListener("abort", abort);
    const { resolve, reject } = item;
    item.resolve = (submitted) => (done(), resolve(submitted));
    item.reject = (error) => (done(), reject(error));
  }

  #start(): void {
    this.#requests += 1;
    // What is submitted in the same turn goes together.
    queueMicrotask(() => void this.#sendAll());
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) await this.#send(this.#take());
    // In the same step as the look at the queue: who comes after it starts a request.
    this.#requests -= 1;
  }

  #take(): Item[] {
    let count = 0;
    let chars = 0;
    for (const item of this.#queue) {
      chars += item.json.length;
      if (count > 0 && (count === MAX_ITEMS || chars > MAX_CHARS)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Never rejects: every item gets its own end. */
  async #send(items: Item[]): Promise<void> {
    if (items.length === 1) return this.#sendOne(items[0] as Item);
    try {
      const json = `{"items":[${items.map(withKey).join(",")}]}`;
      const request = { json, retry: true };
      const { results } = await this.#http.post<{ results: BatchSubmitResult[] }>(
        "/v1/runs/batch",
        request,
      );
      for (const [index, item] of items.entries()) settle(item, results[index]);
    } catch (error) {
      if (isOfItems(error)) {
        const middle = Math.ceil(items.length / 2);
        await this.#send(items.slice(0, middle));
        await this.#send(items.slice(middle));
      } else for (const item of items) item.reject(error);
    }
  }

  async #sendOne({ json, key, signal, resolve, reject }: Item): Promise<void> {
    try {
      const answer = await this.#http.send<RunSummary>("POST", "/v1/runs", {
        json,
        // A key in the body speaks for itself; otherwise ours goes into the header.
        headers: key === null ? {} : { "idempotency-key": key },
        signal,
        retry: true,
      });
      resolve({ run: answer.body, created: answer.status === 201 });
    } catch (error) {
      reject(error);
    }
  }
}

function settle(item: Item, result: BatchSubmitResult | undefined): void {
  if (result?.ok === true) item.resolve({ run: result.run, created: result.created });
  else if (result !== undefined) item.reject(errorFromProblem(result.problem));
  else item.reject(new Error("Signalbox: the answer names fewer runs than were submitted"));
}

/** Whether one item may be the cause; a key that is refused is refused for all of them. */
function isOfItems(error: unknown): boolean {
  if (!isSignalboxError(error) || isRetryable(error)) return false;
  return error.status >= 400 && error.status !== 401 && error.status !== 403;
}

function withKey({ submission, json, key }: Item): string {
  return key === null ? json : JSON.stringify({ ...submission, idempotency_key: key });
}
