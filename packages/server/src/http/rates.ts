// How much one key may ask: token buckets per key, in this process.
// Promises: what keeps a lease (heartbeats, reports, events, claims) and what stops a run have
// buckets of their own, so that no flood of other requests costs a worker its lease or delays a
// kill; a bucket is a few numbers, and as many are kept as keys are in use, up to a bound.
// Leaves to others: limits across servers (each has its own), wrong keys (`bad-keys.ts`).

import { refuse } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";

/** What a route is counted under. */
export type Pace = "ordinary" | "lease" | "urgent";

export type Rate = {
  /** Requests per second; 0 = no limit. */
  readonly perSecond: number;
  /** Requests that may come at once. */
  readonly burst: number;
};

/** Of one key. A worker that beats for 1,000 leases every 5 s sends 1 request; 500 is no flood. */
const defaultRates: Readonly<Record<Pace, Rate>> = {
  ordinary: { perSecond: 1000, burst: 5000 },
  lease: { perSecond: 10_000, burst: 50_000 },
  urgent: { perSecond: 1000, burst: 5000 },
};

type Bucket = { left: number; at: number };
const MOST = 10_000;

/** What the answer says about the bucket that was drawn from. */
export type RateHeaders = { readonly [name: string]: string };
export type Drawn = { readonly refusal: Refusal | null; readonly headers: RateHeaders };

const unlimited: Drawn = { refusal: null, headers: {} };

export class Rates {
  readonly #rates: Readonly<Record<Pace, Rate>>;
  readonly #mono: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rates: Partial<Record<Pace, Rate>>, mono: () => number) {
    this.#rates = { ...defaultRates, ...rates };
    this.#mono = mono;
  }

  /** Counts one request of this key. */
  draw(who: string, pace: Pace): Drawn {
    const rate = this.#rates[pace];
    if (rate.perSecond === 0) return unlimited;
    const bucket = this.#bucketOf(`${pace} ${who}`, rate);
    const isEmpty = bucket.left < 1;
    if (!isEmpty) bucket.left -= 1;
    const waitMs = isEmpty ? Math.ceil(((1 - bucket.left) / rate.perSecond) * 1000) : 0;
    const headers = headersOf(rate, bucket);
    if (!isEmpty) return { refusal: null, headers };
    const detail = `This key sends more than ${rate.perSecond} requests a second. Slow down.`;
    return { refusal: refuse("rate_limited", detail, { retry_after_ms: waitMs }), headers };
  }

  #bucketOf(name: string, { perSecond, burst }: Rate): Bucket {
    const now = this.#mono();
    const known = this.#buckets.get(name);
    if (known === undefined) {
      if (this.#buckets.size >= MOST) this.#forgetFull(now);
      const fresh = { left: burst, at: now };
      this.#buckets.set(name, fresh);
      return fresh;
    }
    known.left = Math.min(burst, known.left + ((now - known.at) / 1000) * perSecond);
    known.at = now;
    return known;
  }

  /** A key that was quiet for a minute loses nothing when its bucket is forgotten. */
  #forgetFull(now: number): void {
    for (const [name, { at }] of this.#buckets) {
      if (now - at > 60_000) this.#buckets.delete(name);
    }
    if (this.#buckets.size >= MOST) this.#buckets.clear();
  }
}

function headersOf({ perSecond, burst }: Rate, { left }: Bucket): RateHeaders {
  return {
    "ratelimit-limit": String(burst),
    "ratelimit-remaining": String(Math.floor(left)),
    "ratelimit-reset": String(Math.ceil((burst - left) / perSecond)),
  };
}
