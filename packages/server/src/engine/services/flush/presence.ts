// Signs of life in a flush: which runtimes and agents its claims and heartbeats were sent by.
// Promises: heartbeats are written each time; claims only when the last sign is 10 s old, so that
// polling workers cost no writes.
// Leaves to others: what presence means (agents are offline after 120 s without it).

import type { Presence } from "../../../store/runtimes.ts";
import type { FlushContext } from "./flush.ts";
import type { Item } from "./items.ts";

const FRESH_MS = 10_000;
/** Runtimes come and go: what a server remembers of them is forgotten at this size. */
const MAX_REMEMBERED = 20_000;

export type SignsOfLife = { touched: string[]; present: Presence[] };

export function signsOfLife(items: readonly Item[], context: FlushContext): SignsOfLife {
  const touched = new Set<string>();
  const present = new Map<string, Presence>();
  const now = context.mono();
  if (context.presence.size > MAX_REMEMBERED) context.presence.clear();
  for (const item of items) {
    if (item.kind !== "presence" && item.kind !== "claim") continue;
    const { projectId } = item;
    const runtime = context.runtimes.get(`${projectId}/${item.runtime}`);
    if (runtime === undefined) continue;
    const heard = (context.presence.get(runtime.id) ?? -Infinity) > now - FRESH_MS;
    if (item.kind === "presence" || !heard) {
      context.presence.set(runtime.id, now);
      touched.add(runtime.id);
    }
    for (const one of item.agents) {
      const agent = typeof one === "string" ? one : one.name;
      const name = `${runtime.id}/${agent}`;
      const fresh = (context.presence.get(name) ?? -Infinity) > now - FRESH_MS;
      if (item.kind === "claim" && fresh) continue;
      context.presence.set(name, now);
      present.set(name, { projectId, agent, runtimeId: runtime.id });
    }
  }
  return { touched: [...touched].toSorted(), present: [...present.values()] };
}
