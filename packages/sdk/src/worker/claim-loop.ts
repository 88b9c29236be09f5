// The claim loop: one long poll that asks for all the free capacity of a worker.
// Promises: never more than one request; none while nothing is free; errors are followed by waits
// of 0.25 … 10 s (Retry-After is honoured); a runtime the server does not know, or has not heard of
// for too long, is registered again.
// Leaves to others: doing the runs, and giving back what arrives while the worker stops
// (`worker.ts`).

import { settledWithin } from "../deadline.ts";
import { isSignalboxError } from "../errors.ts";
import type { Http } from "../http.ts";
import { backoffMs, sleep } from "../retry.ts";
import type { Claim, ClaimRequest, ClaimResponse } from "../wire.ts";

export type ClaimLoopOptions = {
  http: Http;
  /** The request for this many runs. */
  request: (free: number) => ClaimRequest;
  /** How many more runs can be taken now. */
  free: () => number;
  /** Must not throw. */
  onClaims: (claims: Claim[]) => void;
  register: () => Promise<unknown>;
  onError: (error: unknown) => void;
};

/** The server hands out at most this many runs at a time. */
const MOST_RUNS = 500;
/** Long poll. The server takes at most 30,000 ms; proxies often cut at 30 s. */
const WAIT_MS = 20_000;
const MARGIN_MS = 10_000;
/** An empty answer that came sooner is followed by a wait of this length. */
const QUICK_MS = 250;
const BACKOFF = { baseMs: 250, capMs: 10_000 };
/** How long `stop` waits for the answer under way before it hangs up. */
const LAST_ANSWER_MS = 1_000;

/** Asks for work until stopped. */
export class ClaimLoop {
  readonly #options: ClaimLoopOptions;
  readonly #stopping = new AbortController();
  readonly #hangUp = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #lookAgain: () => void = () => {};
  #failures = 0;

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#repeat();
  }

  /** Capacity may have become free. */
  nudge(): void {
    this.#lookAgain();
  }

  /**
   * No further request. A claim that is being answered is still delivered: the runs in a
   * thrown-away answer would wait for the end of their leases and lose an attempt.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#lookAgain();
    if (await settledWithin(this.#loop, LAST_ANSWER_MS)) return;
    this.#hangUp.abort();
    await settledWithin(this.#loop, LAST_ANSWER_MS);
  }

  async #repeat(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const free = this.#options.free();
      if (free <= 0) {
        await new Promise<void>((resolve) => (this.#lookAgain = resolve));
        continue;
      }
      const waitMs = await this.#claim(Math.min(free, MOST_RUNS));
      if (waitMs > 0) await sleep(waitMs, signal).catch(() => {});
    }
  }

  /** One request. Returns how long to wait before the next. Never throws. */
  async #claim(free: number): Promise<number> {
    const { http, onClaims, onError, request } = this.#options;
    const askedAt = performance.now();
    try {
      const { claims } = await http.post<ClaimResponse>("/v1/claims", {
        body: { ...request(free), wait_ms: WAIT_MS },
        timeoutMs: WAIT_MS + MARGIN_MS,
        signal: this.#hangUp.signal,
      });
      this.#failures = 0;
      if (claims.length > 0) onClaims(claims);
      else if (performance.now() - askedAt < QUICK_MS) return QUICK_MS;
      return 0;
    } catch (error) {
      if (this.#stopping.signal.aborted) return 0;
      onError(error);
      return await this.#afterError(error);
    }
  }

  async #afterError(error: unknown): Promise<number> {
    this.#failures += 1;
    const waitMs = backoffMs(this.#failures, BACKOFF);
    if (!isSignalboxError(error)) return waitMs;
    if (isUnregistered(error)) {
      await this.#options.register().catch(this.#options.onError);
    }
    return Math.max(waitMs, error.retryAfterMs ?? 0);
  }
}

/** Whether the server refuses a runtime until it is registered again. */
export function isUnregistered(error: unknown): boolean {
  return isSignalboxError(error, "runtime_unknown") || isSignalboxError(error, "runtime_stale");
}
