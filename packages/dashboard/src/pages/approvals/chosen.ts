// What stands in the address of the inbox: which view, which question, which filter.
// Promises: a reload shows the same; moving through the list replaces the entry, opening a question
// on a small screen adds one, so that Back leads to the list.
// Leaves to others: what is shown (`inbox.tsx`).

import { useMediaQuery } from "@mantine/hooks";
import type { ApprovalFilter, ApprovalRisk } from "@signalbox/sdk";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { riskLooks } from "../../parts/states.ts";

export type Chosen = {
  readonly view?: "history";
  readonly id?: string;
  readonly risk?: string;
  readonly agent?: string;
};

/** From this width on the list and the question stand side by side. */
const WIDE = "(min-width: 1024px)";

export function useChosen() {
  const chosen: Chosen = useSearch({ strict: false });
  const navigate = useNavigate();
  const isWide = useMediaQuery(WIDE, window.matchMedia(WIDE).matches) ?? true;
  const choose = (next: Chosen, replace = isWide): void =>
    void navigate({ to: "/approvals", search: { ...next }, replace });
  return { chosen, isWide, choose };
}

/** The same question to the server. */
export function filterOf({ risk = "", agent }: Chosen): ApprovalFilter {
  return {
    ...(Object.hasOwn(riskLooks, risk) && { risk: risk as ApprovalRisk }),
    ...(agent && { agent }),
  };
}
