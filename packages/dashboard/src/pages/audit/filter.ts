// What the audit trail is filtered by: read from the address, written to it.
// Promises: an address that was sent to somebody shows the same deeds; what is not a filter is not
// taken for one.
// Leaves to others: the fields (`filter-bar.tsx`).

import type { AuditFilter } from "@signalbox/sdk";
import { useNavigate, useSearch } from "@tanstack/react-router";

const fields = ["actor", "type", "run", "since", "from", "to", "of"] as const;
export type Field = (typeof fields)[number];
export type Chosen = Partial<Record<Field, string>>;

/** Word in the address → hours back. */
export const spans: Readonly<Record<string, number>> = {
  "1h": 1,
  "24h": 24,
  "7d": 168,
  "30d": 720,
};

export function useChosen(): {
  readonly chosen: Chosen;
  readonly choose: (change: { readonly [F in Field]?: string | undefined }) => void;
} {
  const search: { [name: string]: unknown } = useSearch({ strict: false });
  const navigate = useNavigate();
  const chosen: Chosen = {};
  for (const field of fields) {
    const value = search[field];
    if (typeof value === "string" && value !== "") chosen[field] = value;
  }
  return {
    chosen,
    choose: (change) =>
      void navigate({ to: "/audit", search: { ...chosen, ...change }, replace: true }),
  };
}

/** The filter for the server. `since` counts from now. */
export function filterOf({ actor, type, run, since, from, to, of }: Chosen): AuditFilter {
  const hours = spans[since ?? ""];
  const after = hours === undefined ? from : new Date(Date.now() - hours * 3_600_000).toISOString();
  const isInstallation = of === "installation";
  return {
    ...(actor === undefined ? {} : { actor }),
    ...(type === undefined ? {} : { type }),
    ...(run === undefined || isInstallation ? {} : { run }),
    ...(after === undefined ? {} : { from: after }),
    ...(hours !== undefined || to === undefined ? {} : { to }),
    ...(isInstallation ? { installation: true } : {}),
  };
}
