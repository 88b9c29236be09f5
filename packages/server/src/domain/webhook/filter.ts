// Which events a webhook wants.
// Promises: pure; a row that carries several facts (`also`) matches by any of them; a pattern is a
// type, or a prefix that ends in `.*`; no pattern means all.
// Leaves to others: which agent and queue an event belongs to (store).

import type { Refusal } from "../refusal.ts";
import { refuseField } from "../refusal.ts";

/** What a webhook asks for. `agent` and `queue` null: any. */
export type EventFilter = {
  readonly types: readonly string[];
  readonly agent: string | null;
  readonly queue: string | null;
};

/** What of an event a filter looks at. */
export type FilteredEvent = {
  readonly type: string;
  readonly also: readonly string[] | null;
  readonly agent: string | null;
  readonly queue: string | null;
};

const MOST_PATTERNS = 64;
const pattern = /^[a-z0-9_-]{1,60}(?:\.[a-z0-9_-]{1,60}){0,6}(?:\.\*)?$/;

/** What is wrong with the patterns, or null. */
export function wrongPatterns(types: readonly string[]): Refusal | null {
  if (types.length > MOST_PATTERNS) {
    return refuseField("types", `must be at most ${MOST_PATTERNS} patterns`);
  }
  const bad = types.findIndex((one) => one !== "*" && !pattern.test(one));
  if (bad < 0) return null;
  return refuseField(`types[${bad}]`, "must be a type such as run.failed, or a prefix as run.*");
}

/**
 * Whether the webhook wants this event.
 *
 * @example
 * wants({ types: ["run.*"], agent: null, queue: null }, event); // for run.claimed: true
 */
export function wants(filter: EventFilter, event: FilteredEvent): boolean {
  if (filter.agent !== null && filter.agent !== event.agent) return false;
  if (filter.queue !== null && filter.queue !== event.queue) return false;
  if (filter.types.length === 0) return true;
  const facts = [event.type, ...(event.also ?? [])];
  return filter.types.some((one) => facts.some((fact) => fits(one, fact)));
}

function fits(one: string, fact: string): boolean {
  if (one === "*") return true;
  return one.endsWith(".*") ? fact.startsWith(one.slice(0, -1)) : one === fact;
}
