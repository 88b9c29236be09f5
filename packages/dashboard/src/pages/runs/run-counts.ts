// How many runs are in which state.
// Promises: pending is counted by the server; what is under way is exact up to 500 and says `500+`
// beyond; what has ended is counted among the newest 500 runs, and the screen says so.
// Leaves to others: showing it (`filter-bar.tsx`).

import type { RunState, Signalbox } from "@signalbox/sdk";
import { useAsked } from "../../api.ts";
import { numberText } from "../../parts/states.ts";

const MOST = 500;
const live = ["claimed", "running", "waiting_tool", "waiting_approval"] as const;
const ended = ["completed", "failed", "cancelled", "timeout"] as const;

export type RunCounts = Readonly<Record<RunState, string>>;

export const useRunCounts = () => useAsked({ of: ["counts"], ask: countRuns });

async function countRuns(client: Signalbox): Promise<RunCounts> {
  const [queues, working, newest] = await Promise.all([
    client.queues.list({ limit: 100 }),
    client.runs.list({ state: live, limit: MOST }),
    client.runs.list({ limit: MOST }),
  ]);
  const pending = queues.items.reduce((sum, queue) => sum + queue.pending, 0);
  const counts: Partial<Record<RunState, string>> = { pending: numberText(pending) };
  for (const state of live) {
    const count = working.items.filter((run) => run.state === state).length;
    counts[state] = `${numberText(count)}${working.has_more ? "+" : ""}`;
  }
  for (const state of ended) {
    counts[state] = numberText(newest.items.filter((run) => run.state === state).length);
  }
  return counts as RunCounts;
}
