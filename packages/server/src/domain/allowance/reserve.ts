// What an attempt sets aside before it begins, and whether that fits: the rule of the claim.
// Promises: with hard and kill, spent + reserved never passes the limit by a grant, whatever the
// order of claims; the reasons and the order in which they are told are those of model §6.
// Leaves to others: counting under the lock of the row (store), booking (`settle.ts`).

import { unreachable } from "../../std/assert.ts";
import { type Allowance, type AllowanceWindow, isMetered } from "./allowance.ts";

/** What a run says that an attempt at it will consume. */
export type Estimate = { readonly tokens?: number; readonly costMicros?: number };

/** What is known of an attempt before it begins: its estimate, and what is typical of its agent. */
export type Expected = {
  readonly estimate: Estimate | null;
  readonly typicalTokens: number | null;
  readonly typicalCost: number | null;
};

/** What counts against an allowance now. `live`: attempts in its scope, for `concurrent_runs`. */
export type Use = { readonly spent: number; readonly reserved: number; readonly live: number };

/**
 * What an attempt sets aside: its estimate, else the allowance's default, else what is typical (at
 * most the limit), else 1. Of `runs` 1; of `concurrent_runs` 0, since live attempts are counted as
 * they are.
 */
export function reserveOf(allowance: Allowance, given: Expected): number {
  const { metric, defaultReserve } = allowance;
  switch (metric) {
    case "tokens":
      return given.estimate?.tokens ?? defaultReserve ?? guess(allowance, given.typicalTokens);
    case "cost_micros":
      return given.estimate?.costMicros ?? defaultReserve ?? guess(allowance, given.typicalCost);
    case "runs":
      return 1;
    case "concurrent_runs":
      return 0;
    default:
      return unreachable(metric);
  }
}

/** A guess is never more than the whole: an agent that once took more would never claim again. */
function guess({ limit }: Allowance, typical: number | null): number {
  return typical === null ? 1 : Math.min(typical, limit);
}

/** The median, of an even number of samples the lower one; null of none. */
export function medianOf(samples: readonly number[]): number | null {
  return samples.toSorted((a, b) => a - b)[(samples.length - 1) >> 1] ?? null;
}

/**
 * Whether a reserve has room. Soft always has. Who sets nothing aside needs something that is not
 * used up; `concurrent_runs` a free place.
 */
export function fits({ metric, mode, limit }: Allowance, use: Use, reserve: number): boolean {
  if (mode === "soft") return true;
  if (metric === "concurrent_runs") return use.live < limit;
  // Sums beyond the largest amount may be rounded, but stay beyond every limit.
  const used = use.spent + use.reserved;
  return reserve === 0 && isMetered(metric) ? used < limit : used + reserve <= limit;
}

/** Why an allowance refuses, in the words that programs compare. */
export function refusalReason({ scope, metric, window }: Allowance): string {
  switch (metric) {
    case "tokens":
      if (scope === "model") return "global model token budget exceeded";
      return `${windowWord(window)}token limit exceeded`;
    case "runs":
      return `${windowWord(window)}job limit exceeded`;
    case "concurrent_runs":
      return "concurrent job limit reached";
    case "cost_micros":
      return "cost limit exceeded";
    default:
      return unreachable(metric);
  }
}

const calendarWords = { hour: "hourly", day: "daily", week: "weekly", month: "monthly" } as const;

function windowWord(window: AllowanceWindow | null): string {
  if (window === null) return "";
  return window.kind === "rolling"
    ? `rolling ${window.hours} h `
    : `${calendarWords[window.kind]} `;
}

/**
 * Order in which allowances are asked: tokens, runs, concurrency, model budget, cost. The first
 * without room is the reason that is told; among equals the older id, so that it is always the
 * same one.
 */
export function checkOrder(a: Allowance, b: Allowance): number {
  return placeOf(a) - placeOf(b) || (a.id < b.id ? -1 : Number(a.id > b.id));
}

function placeOf({ scope, metric }: Allowance): number {
  if (metric === "tokens") return scope === "model" ? 3 : 0;
  return { runs: 1, concurrent_runs: 2, cost_micros: 4 }[metric];
}
