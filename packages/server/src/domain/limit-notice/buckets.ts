// Buckets: what `*-limit`, `*-remaining` and `*-reset` headers of all providers say together.
// Promises: of several buckets only those count that are empty, used up or rejected, and of these
// the one that fills last; -1 and 0 mean "not known"; a full bucket with a reset is no limit.
// Leaves to others: finding the fields (fields.ts), what an empty bucket means (reason.ts).

import { type Field, timeOf } from "./fields.ts";
import { type Hint, ranks } from "./hints.ts";
import type { Moment } from "./moment.ts";

type Bucket = {
  limit?: number;
  remaining?: number;
  reset?: string;
  usedPercent?: number;
  rejected?: boolean;
};

/** What the headers say. */
export type Buckets = {
  /** Some bucket is empty, used up or rejected. */
  readonly empty: boolean;
  /** A window of a subscription (5 hours, a week) is used up. */
  readonly window: boolean;
  readonly hints: readonly Hint[];
};

/** Long windows by the names of buckets. */
const WINDOW = /unified|primary|secondary|day|daily|week|month|hour|\d[hd]\b/;

/** Reads the buckets of headers, or of a dump of headers in a text. */
export function readBuckets(fields: readonly Field[], from: "headers" | "text"): Buckets {
  const buckets = bucketsOf(fields);
  const all = [...buckets];
  const empty = all.filter(([, bucket]) => isEmpty(bucket));
  const unknown = all.filter(
    ([, one]) =>
      one.remaining === undefined && one.usedPercent === undefined && !("rejected" in one),
  );
  const counting = empty.length > 0 ? empty : unknown;
  const rank = from === "headers" ? ranks.headerReset : ranks.bodyReset;
  const hints = counting.flatMap(([name, { reset }]) => {
    const moment = reset === undefined ? null : resetOf(reset);
    return moment === null ? [] : [{ rank, rule: `reset of ${name || "the bucket"}`, moment }];
  });
  return {
    empty: empty.length > 0,
    window: empty.some(([name]) => WINDOW.test(name)),
    hints: hints.toSorted((a, b) => lateness(b.moment) - lateness(a.moment)).map(exactly),
  };
}

function exactly(hint: Omit<Hint, "exact">): Hint {
  return { ...hint, exact: true };
}

/** Waits and instants are not mixed by one server: comparing within a kind is enough. */
function lateness(moment: Moment): number {
  return moment.kind === "wait" ? moment.ms : moment.kind === "instant" ? moment.at : 0;
}

function isEmpty({ limit, remaining, usedPercent, rejected }: Bucket): boolean {
  if (rejected !== undefined) return rejected;
  if (usedPercent !== undefined) return usedPercent >= 100;
  return remaining !== undefined && remaining <= 0 && !(remaining < 0 && (limit ?? 0) < 0);
}

function resetOf(value: string): Moment | null {
  if (/^-|^0+(?:\.0+)?$/.test(value)) return null; // not known
  return timeOf(value, 1000)?.moment ?? null;
}

function bucketsOf(fields: readonly Field[]): Map<string, Bucket> {
  const buckets = new Map<string, Bucket>();
  const at = (name: string): Bucket => {
    const bucket = buckets.get(name) ?? {};
    buckets.set(name, bucket);
    return bucket;
  };
  for (const { name, value } of fields) {
    if (/^(?:x-)?rate-?limit$/.test(name)) readCombined(value, at);
    else if (name.startsWith("x-codex-")) readCodex(name, value, at);
    else readNamed(name, value, at);
  }
  dropOverall(buckets);
  return buckets;
}

/** `limit=50, remaining=0, reset=25` and `"default";r=0;t=35`, of the IETF's drafts. */
function readCombined(value: string, at: (name: string) => Bucket): void {
  for (const [n, item] of value.split(/,(?= ?")/).entries()) {
    const bucket = at(`ratelimit ${n}`);
    for (const [, key, number] of item.matchAll(
      /(?<!\w)([a-z]{1,9}) ?= ?(-?\d{1,12}(?:\.\d{1,6})?)/g,
    )) {
      if (key === "limit") bucket.limit = Number(number);
      if (key === "remaining" || key === "r") bucket.remaining = Number(number);
      if (key === "reset" || key === "t") bucket.reset = number ?? "";
    }
  }
}

function readCodex(name: string, value: string, at: (name: string) => Bucket): void {
  const found = /^x-codex-(\w+)-(used-percent|reset-at|reset-after-seconds)$/.exec(name);
  if (found === null) return;
  const bucket = at(found[1] ?? "");
  if (found[2] === "used-percent") bucket.usedPercent = Number.parseFloat(value);
  else if (found[2] === "reset-at" || bucket.reset === undefined) bucket.reset = value;
}

const ROLES = new Set(["limit", "remaining", "reset", "status", "utilization"]);

/** `x-ratelimit-remaining-tokens`, `anthropic-ratelimit-requests-reset`, `x-rate-limit-reset`. */
function readNamed(name: string, value: string, at: (name: string) => Bucket): void {
  const found = /^(?:[a-z]+-){0,3}rate-?limits?-(.{1,60})$/.exec(name);
  if (found === null || name.includes("overage") || name.includes("fallback")) return;
  const words = (found[1] ?? "").split(/[-.]/);
  const role = words.find((word) => ROLES.has(word));
  if (role === undefined || words.includes("policy")) return;
  const rest = words.filter((word) => !ROLES.has(word) && word !== "after" && word !== "at");
  const bucket = at(rest.join("-"));
  const number = Number.parseFloat(value);
  if (role === "status") bucket.rejected = /^(?:rejected|exceeded|blocked|limited)/.test(value);
  else if (role === "reset") bucket.reset = value;
  else if (Number.isNaN(number)) return;
  else if (role === "limit") bucket.limit = number;
  else if (role === "remaining") bucket.remaining = number;
}

/** What is said of all windows together counts only when none of them is named. */
function dropOverall(buckets: Map<string, Bucket>): void {
  const named = [...buckets].filter(([name]) => name.startsWith("unified-"));
  if (named.some(([, bucket]) => bucket.rejected === true && bucket.reset !== undefined)) {
    buckets.delete("unified");
  }
}
