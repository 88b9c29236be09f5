// What stands in the address of the dead letters: how they stand, and the filter.
// Promises: a reload shows the same; what the server would refuse never gets there.
// Leaves to others: what is shown (`groups-page.tsx`, `group-page.tsx`).

import type { DeadLetterFilter, DeadLetterStatus } from "@signalbox/sdk";
import type { Filter } from "./which.ts";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { letterLooks } from "../../parts/states.ts";

export type Chosen = {
  readonly status: DeadLetterStatus;
  readonly agent: string;
  readonly queue: string;
};

export function useChosen() {
  const search: Partial<Record<string, string>> = useSearch({ strict: false });
  const navigate = useNavigate();
  const { status = "open", agent = "", queue = "" } = search;
  const isKnown = Object.hasOwn(letterLooks, status);
  const chosen: Chosen = { status: isKnown ? (status as DeadLetterStatus) : "open", agent, queue };
  const choose = (change: Partial<Chosen>): void =>
    void navigate({ to: ".", search: searchOf({ ...chosen, ...change }), replace: true });
  return { chosen, choose };
}

/** The address of it. */
export const searchOf = ({ status, agent, queue }: Chosen): { [name: string]: string } => ({
  ...(status !== "open" && { status }),
  ...(agent && { agent }),
  ...(queue && { queue }),
});

export const filterOf = ({ status, agent, queue }: Chosen): DeadLetterFilter => ({
  status,
  ...(agent && { agent }),
  ...(queue && { queue }),
});

/** The same letters of a group for an act on many. */
export const bulkOf = ({ agent, queue }: Chosen, fingerprint: string): Filter => ({
  fingerprint,
  ...(agent && { agent }),
  ...(queue && { queue }),
});
