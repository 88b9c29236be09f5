// What becomes of a delivery and of its webhook after a try.
// Promises: pure; a try that failed is tried again with backoff, the fifth steps aside; an endpoint
// that fails five times in a row rests, and is then asked by one delivery at a time; after a day of
// failure it is disabled, and a delivery that fails for a day at an endpoint that works is given
// up.
// Leaves to others: sending (engine), order within a stream (store), the clock.

import { backoffMs } from "../backoff.ts";

/** What a try found. `status` null: there was no answer. */
export type TryOutcome = {
  readonly ok: boolean;
  readonly status: number | null;
  readonly tookMs: number;
  readonly error: string | null;
  readonly excerpt: string | null;
  /** What the receiver asked for with `Retry-After`. */
  readonly retryAfterMs: number | null;
};

/** A delivery after a try; `nextAt` null: it is done. */
export type Tried = {
  readonly state: "pending" | "delivered" | "failed";
  readonly tries: number;
  readonly aside: boolean;
  readonly nextAt: number | null;
};
/** The endpoint as a whole: failures in a row, since when, and until when it rests. */
export type Endpoint = {
  readonly failures: number;
  readonly failingSince: number | null;
  readonly restUntil: number | null;
};
/** What is to be written after a try. */
export type AfterTry = {
  readonly delivery: Tried;
  readonly endpoint: Endpoint;
  /** Why the webhook must be disabled, or null. */
  readonly disable: string | null;
};

/** Failed tries after which a delivery steps aside. */
const TRIES_IN_ORDER = 5;
/** Failed tries in a row after which an endpoint rests. */
export const FAILURES_TO_REST = 5;
/** Failure for as long as this disables a webhook, and gives a single delivery up. */
export const GIVE_UP_MS = 24 * 3_600_000;
const MOST_RETRY_AFTER_MS = 3_600_000;

/** 1 s, 4 s, 16 s, 64 s … 15 min, spread by ± 20 %. */
const between = { baseMs: 1000, factor: 4, capMs: 900_000, jitter: 0.2 } as const;
/** 1 s, 2 s, 4 s … 30 s: how soon an endpoint that was down is found to be up again. */
const resting = { baseMs: 1000, factor: 2, capMs: 30_000, jitter: 0.2 } as const;

/** What was known before the try; instants are milliseconds, `random` is 0 ≤ r < 1. */
export type TryFacts = {
  /** Tries before this one, and when the first of them began (null: this is the first). */
  readonly tries: number;
  readonly firstTryAt: number | null;
  readonly aside: boolean;
  readonly endpoint: Endpoint;
  readonly now: number;
  readonly random: number;
};

/** The rows as they are after a try. */
export function afterTry(outcome: TryOutcome, facts: TryFacts): AfterTry {
  const tries = facts.tries + 1;
  if (outcome.ok) {
    const delivery = { state: "delivered", tries, aside: facts.aside, nextAt: null } as const;
    const endpoint = { failures: 0, failingSince: null, restUntil: null };
    return { delivery, endpoint, disable: null };
  }
  const { now, random } = facts;
  const endpoint = failed(facts.endpoint, now, random);
  const disable = reasonToDisable(outcome, endpoint, now);
  const isOld = facts.firstTryAt !== null && now - facts.firstTryAt >= GIVE_UP_MS;
  if (isOld && disable === null) {
    const delivery = { state: "failed", tries, aside: true, nextAt: null } as const;
    return { delivery, endpoint, disable };
  }
  const asked = Math.min(outcome.retryAfterMs ?? 0, MOST_RETRY_AFTER_MS);
  const nextAt = now + Math.max(asked, backoffMs(between, tries, random));
  const aside = facts.aside || tries >= TRIES_IN_ORDER;
  return { delivery: { state: "pending", tries, aside, nextAt }, endpoint, disable };
}

function failed(endpoint: Endpoint, now: number, random: number): Endpoint {
  const failures = endpoint.failures + 1;
  const over = failures - FAILURES_TO_REST;
  const restUntil = over < 0 ? null : now + backoffMs(resting, over + 1, random);
  return { failures, failingSince: endpoint.failingSince ?? now, restUntil };
}

function reasonToDisable(outcome: TryOutcome, endpoint: Endpoint, now: number): string | null {
  if (outcome.status === 410) return "the endpoint answered 410 Gone";
  if (now - (endpoint.failingSince ?? now) < GIVE_UP_MS) return null;
  return "every delivery has failed for 24 hours";
}
