// A run that is a dead letter: that it waits for a person and what can be done, or what was done.
// Promises: redrive and discard are offered only while it waits; afterwards it says who did what,
// and leads to the run that was made of it.
// Leaves to others: the dialogs (`pages/dead-letters/`).

import type { Event, Run } from "@signalbox/sdk";
import { useAsked } from "../../api.ts";
import { RunLink } from "../../parts/go.tsx";
import { Plain } from "../../parts/plain.tsx";
import { When } from "../../parts/when.tsx";
import { LetterActs, LetterDesk } from "../dead-letters/letter-acts.tsx";

/** The events after a run's end that are looked through for what was done about it. */
const NEWEST = 20;

/** What closed the letter; null while it waits, undefined until it is known. */
function useClosing(run: Run): Event | null | undefined {
  const { data } = useAsked({
    of: ["letters", "of", run.id],
    ask: async (client) => {
      const { items } = await client.runs.events(run.id, { order: "desc", limit: NEWEST });
      const isClosing = ({ type }: Event): boolean =>
        type === "run.redriven" || type === "run.discarded";
      return items.find(isClosing) ?? null;
    },
    enabled: run.dead_lettered_at !== null,
  });
  return data;
}

/** The buttons, beside those of every run. */
export function LetterActions({ run }: { readonly run: Run }) {
  const closing = useClosing(run);
  return (
    <LetterDesk>
      {run.dead_lettered_at !== null && closing === null ? (
        <LetterActs which={{ runs: [run.id] }} what="" />
      ) : null}
    </LetterDesk>
  );
}

/** The sentence below the error. */
export function LetterNote({ run }: { readonly run: Run }) {
  const closing = useClosing(run);
  if (run.dead_lettered_at === null || closing === undefined) return null;
  if (closing === null) {
    return (
      <p>
        It waits for a person since <When at={run.dead_lettered_at} />: redrive it or discard it.
      </p>
    );
  }
  const { became, note } = closing.data;
  const by = (
    <>
      by <Plain text={closing.actor ?? "nobody named"} /> <When at={closing.at} />
    </>
  );
  if (typeof became === "string") {
    return (
      <p>
        Redriven into <RunLink id={became} /> {by}.
      </p>
    );
  }
  return (
    <p>
      Discarded {by}: <Plain text={typeof note === "string" ? note : "no note"} />
    </p>
  );
}
