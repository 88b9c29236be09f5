// How many runs are in which state.
// Promises: every state is counted by the server, up to 10,000; beyond that it says `10,000+`.
// Leaves to others: showing it (`filter-bar.tsx`).

import type { RunState } from "@signalbox/sdk";
import { useAsked } from "../../api.ts";
import { numberText, runStates } from "../../parts/states.ts";

export type RunCounts = Readonly<Record<RunState, string>>;

export const useRunCounts = () =>
  useAsked({
    of: ["counts"],
    ask: async (client): Promise<RunCounts> => {
      const { most, counts } = await client.runs.counts();
      const text = (n: number): string => `${numberText(n)}${n >= most ? "+" : ""}`;
      return Object.fromEntries(
        runStates.map((state) => [state, text(counts[state])]),
      ) as RunCounts;
    },
  });
