// Which dead letters an act is about: some by name, or all that a filter leaves.
// Promises: the same words for one and for many; the number that is confirmed is the number that
// was counted and shown.
// Leaves to others: the dialogs (`act-dialog.tsx`), what a filter means (server).

import type { BulkRequest, BulkResult, Signalbox } from "@signalbox/sdk";
import { useQuery } from "@tanstack/react-query";
import { useSignedIn } from "../../session.ts";

/** What is true of all that an act is about. */
export type Filter = NonNullable<BulkRequest["filter"]>;

export type Which = { readonly runs: readonly string[] } | { readonly filter: Filter };

/** The id, when it is about one run by name. */
export const oneOf = (which: Which): string | null =>
  "runs" in which && which.runs.length === 1 ? (which.runs[0] ?? null) : null;

export const bodyOf = (which: Which): { runs: string[] } | { filter: Filter } =>
  "runs" in which ? { runs: [...which.runs] } : which;

/** `1 dead letter`, `12 dead letters`. */
export const lettersText = (n: number): string => `${n} dead letter${n === 1 ? "" : "s"}`;

/** How many an act would be about. Counted once per dialog: it must not change under a finger. */
export function useCount(which: Which) {
  const { client, number } = useSignedIn();
  return useQuery({
    queryKey: [number, "counted letters", which],
    queryFn: () => client.deadLetters.count(bodyOf(which)),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
}

/** What an act has done. */
export type Done = Pick<BulkResult, "done" | "refused" | "refusals" | "became">;

/** Does it to one. */
export const doneOne = (run_id: string, became: string | null): Done => ({
  done: 1,
  refused: 0,
  refusals: [],
  became: became === null ? [] : [{ run_id, became }],
});

export type Act = (client: Signalbox, confirmed: number) => Promise<Done>;
