// Cancelling many runs: those that are ticked, or all that the filter shows.
// Promises: the number is counted and said before the button that does it can be pressed; runs that
// have ended meanwhile are counted as such; at most 1,000 at a time, eight under way at once.
// Leaves to others: what a cancel does (server).

import { isSignalboxError } from "@signalbox/sdk";
import type { Signalbox } from "@signalbox/sdk";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { AskReason } from "../../parts/ask-reason.tsx";
import { adviceOn } from "../../parts/advice.ts";
import { useSignedIn } from "../../session.ts";
import { filterOf } from "./filter.ts";
import type { Chosen } from "./filter.ts";

const MOST = 1_000;
const AT_ONCE = 8;
const open = ["pending", "claimed", "running", "waiting_tool", "waiting_approval"] as const;
type Open = (typeof open)[number];

type BulkBarProps = {
  readonly chosen: Chosen;
  readonly selected: ReadonlySet<string>;
  readonly clear: () => void;
};

export function BulkBar({ chosen, selected, clear }: BulkBarProps) {
  const { client } = useSignedIn();
  const [counted, setCounted] = useState<readonly string[] | null>(null);
  const [isCounting, setCounting] = useState(false);
  const [tally, setTally] = useState<Tally>({ cancelled: 0, over: 0, refused: 0 });
  const cancel = useAction<{ ids: readonly string[]; reason: string }>({
    act: async (signalbox, given) => setTally(await cancelAll(signalbox, given)),
    changes: ["runs", "counts", "queues", "agents"],
    done: ({ ids }) => `Cancelling ${ids.length} runs is done`,
  });
  const count = async (): Promise<void> => {
    setCounting(true);
    try {
      setCounted(await openRuns(client, chosen));
    } catch (error) {
      const { title, advice } = adviceOn(error);
      notifications.show({ title, message: advice, color: "red" });
    }
    setCounting(false);
  };
  const isOver = chosen.state !== undefined && !open.includes(chosen.state as Open);
  return (
    <div className="sb-row sb-bulk">
      <span className="sb-num">{selected.size} selected</span>
      <ActButton
        needs="cancel"
        size="compact-sm"
        variant="default"
        disabled={selected.size === 0}
        onClick={() => setCounted([...selected])}
      >
        Cancel selected …
      </ActButton>
      <ActButton
        needs="cancel"
        size="compact-sm"
        variant="default"
        loading={isCounting || cancel.isPending}
        disabled={isOver}
        onClick={() => void count()}
      >
        Cancel all that match …
      </ActButton>
      {tally.cancelled + tally.over + tally.refused === 0 ? null : (
        <output className="sb-dim sb-num">
          {tally.cancelled} asked to stop, {tally.over} were over, {tally.refused} refused
        </output>
      )}
      {counted === null ? null : (
        <AskReason
          title={`Cancel ${counted.length}${counted.length === MOST ? " or more" : ""} runs`}
          go={`Cancel ${counted.length} runs`}
          dangerous
          reasonNeeded={false}
          close={() => setCounted(null)}
          act={(reason) => {
            cancel.mutate({ ids: counted, reason });
            clear();
          }}
        >
          {counted.length === 0
            ? "No run that matches is still open: there is nothing to cancel."
            : "Waiting runs end at once; those under way are told and have 30 s. Runs that have " +
              "ended stay as they are. At most 1,000 at a time."}
        </AskReason>
      )}
    </div>
  );
}

/** Ids of the runs that match and have not ended, newest first, up to 1,000. */
async function openRuns(client: Signalbox, chosen: Chosen): Promise<string[]> {
  const state = chosen.state === undefined ? open : [chosen.state];
  const ids: string[] = [];
  for await (const { id } of client.runs.iterate({ ...filterOf(chosen), state, limit: 500 })) {
    ids.push(id);
    if (ids.length === MOST) break;
  }
  return ids;
}

type Tally = { readonly cancelled: number; readonly over: number; readonly refused: number };

async function cancelAll(
  client: Signalbox,
  { ids, reason }: { ids: readonly string[]; reason: string },
): Promise<Tally> {
  const left = [...ids];
  const tally = { cancelled: 0, over: 0, refused: 0 };
  const lane = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      try {
        await client.runs.cancel(id, reason === "" ? {} : { reason });
        tally.cancelled += 1;
      } catch (error) {
        if (isSignalboxError(error, "already_terminal")) tally.over += 1;
        else tally.refused += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return tally;
}
