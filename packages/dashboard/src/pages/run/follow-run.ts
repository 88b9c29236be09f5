// Following a run while its screen is there: the window of its log, and its moves.
// Promises: one connection per screen, none while the tab is behind others; it goes on where it
// was, so nothing is missed; what moved the run (not what its agent said) is known whole, up to
// 2,000 facts.
// Leaves to others: the window (`event-log.ts`), drawing.

import type { Event, Signalbox } from "@signalbox/sdk";
import { useEffect, useState, useSyncExternalStore } from "react";
import { EventLog } from "./event-log.ts";
import type { LogView } from "./event-log.ts";

export type RunEvents = {
  /** Screens look at it by `useLogView`: only what shows it is drawn again with every frame. */
  readonly log: EventLog;
  /** What the house and people did with the run, oldest first. */
  readonly moves: readonly Event[];
};

const MOST_MOVES = 2_000;

/** What moved the run up to a number. */
async function movesUpTo(client: Signalbox, id: string, last: number): Promise<Event[]> {
  const moves: Event[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.runs.events(id, {
      source: ["host", "operator"],
      before_seq: String(last + 1),
      limit: 500,
      ...(cursor === undefined ? {} : { cursor }),
    });
    moves.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && moves.length < MOST_MOVES);
  return moves;
}

export function useRunEvents(client: Signalbox, id: string): RunEvents {
  const [log, setLog] = useState(() => new EventLog(client, id));
  const [moves, setMoves] = useState<readonly Event[]>([]);
  useEffect(() => {
    const fresh = new EventLog(client, id);
    setLog(fresh);
    const following = follow({ client, id, log: fresh, setMoves });
    return following.stop;
  }, [client, id]);
  return { log, moves };
}

/** The window as it is now. */
export const useLogView = (log: EventLog): LogView => useSyncExternalStore(log.subscribe, log.seen);

type Following = {
  readonly client: Signalbox;
  readonly id: string;
  readonly log: EventLog;
  readonly setMoves: (next: (before: readonly Event[]) => readonly Event[]) => void;
};

/** Follows while the tab is looked at, until it is stopped. */
function follow({ client, id, log, setMoves }: Following): { stop: () => void } {
  const stop = new AbortController();
  let connection: AbortController | null = null;
  let isOver = false;
  /** Where the stream goes on; null until the beginning has been read. */
  let after: number | null = null;
  const run = async (signal: AbortSignal): Promise<void> => {
    try {
      if (after === null) {
        const last = await log.begin();
        const before = await movesUpTo(client, id, last);
        after = last;
        setMoves(() => before);
      }
      if (!signal.aborted) log.linked("live");
      for await (const event of client.runs.follow(id, { afterSeq: String(after), signal })) {
        after = Number(event.seq);
        log.take(event);
        if (event.source !== "runner") setMoves((moves) => [...moves, event]);
      }
      if (signal.aborted) return;
      isOver = true;
      log.linked("ended");
    } catch (error) {
      if (!signal.aborted) log.linked("broken", error);
    }
  };
  const look = (): void => {
    if (document.hidden) {
      connection?.abort();
      connection = null;
    } else if (connection === null && !isOver) {
      connection = new AbortController();
      void run(connection.signal);
    }
  };
  look();
  document.addEventListener("visibilitychange", look, { signal: stop.signal });
  return {
    stop: () => {
      stop.abort();
      connection?.abort();
    },
  };
}
