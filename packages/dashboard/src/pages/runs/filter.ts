// What the list of runs is filtered by: read from the address, written to it.
// Promises: an address that was sent to somebody shows the same list; what the server would refuse
// never gets there.
// Leaves to others: the fields (`filter-bar.tsx`).

import type { RunFilter, RunState } from "@signalbox/sdk";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { runStates } from "../../parts/states.ts";

/** The fields of the address, in the order of the bar. */
export const fields = ["agent", "runtime", "queue", "tag", "error_code", "text"] as const;
export type Field = (typeof fields)[number];

/** Word in the address → hours back. */
export const spans: Readonly<Record<string, number>> = { "1h": 1, "24h": 24, "7d": 168 };

export type Chosen = Partial<Record<Field | "since", string>> & { readonly state?: RunState };

export function useChosen(): { chosen: Chosen; choose: (change: Partial<Chosen>) => void } {
  const search: { [name: string]: unknown } = useSearch({ strict: false });
  const navigate = useNavigate();
  const chosen: { -readonly [K in keyof Chosen]: Chosen[K] } = {};
  for (const field of fields) {
    const value = search[field];
    if (typeof value === "string" && value !== "") chosen[field] = value;
  }
  const { state, since } = search;
  if (runStates.includes(state as RunState)) chosen.state = state as RunState;
  if (typeof since === "string" && spans[since] !== undefined) chosen.since = since;
  const choose = (change: Partial<Chosen>): void =>
    void navigate({ to: "/runs", search: { ...chosen, ...change }, replace: true });
  return { chosen, choose };
}

/** The filter for the server. `since` counts from now. */
export function filterOf({ since, text, ...rest }: Chosen): RunFilter {
  const hours = spans[since ?? ""];
  const after = hours === undefined ? null : new Date(Date.now() - hours * 3_600_000).toISOString();
  const begin = text
    ?.toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, "")
    .slice(0, 100);
  return {
    ...rest,
    ...(after === null ? {} : { created_after: after }),
    ...(begin ? { text: begin } : {}),
  };
}
