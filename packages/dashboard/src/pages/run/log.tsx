// The live log: what the run has said, of any length, with follow, pause and search.
// Promises: only lines in sight exist, and only the events around them are held; following ends
// when the reader scrolls up and goes on at the end; pausing holds the screen, never the run's log;
// a search finds over the whole run; a long line is cut on the screen, not in the download.
// Leaves to others: what is a line (`log-rows.ts`), the window (`event-log.ts`).

import { useCallback, useMemo, useState } from "react";
import { numberText } from "../../parts/states.ts";
import type { EventLog, LogLink, LogView } from "./event-log.ts";
import { useLogView } from "./follow-run.ts";
import { DownloadButton } from "./download.tsx";
import { GoOn, LookFields, PlaceButtons } from "./log-bar.tsx";
import { Lines } from "./log-lines.tsx";
import { LogRows } from "./log-rows.ts";

type LogProps = { readonly id: string; readonly log: EventLog };

export function Log({ id, log }: LogProps) {
  const [follows, setFollows] = useState(true);
  /** The newest number when it was paused. */
  const [heldAt, holdAt] = useState<number | null>(null);
  // What is drawn with every frame stands apart from what is not.
  const follow = useCallback(
    (wanted: boolean) => {
      setFollows(wanted);
      if (wanted) holdAt(null);
      if (wanted) void log.goOn();
    },
    [log],
  );
  const pause = useCallback(() => {
    holdAt(log.seen().last);
    log.hold();
  }, [log]);
  const goOn = useCallback(() => {
    holdAt(null);
    void log.goOn();
  }, [log]);
  const toBeginning = useCallback(() => {
    setFollows(false);
    void log.toBeginning();
  }, [log]);
  const stop = useCallback(() => setFollows(false), []);
  return (
    <div className="sb-stack">
      <div className="sb-row">
        <LookFields log={log} />
        <span className="sb-grow" />
        <PlaceButtons
          follows={follows}
          setFollows={follow}
          toBeginning={toBeginning}
          isHeld={heldAt !== null}
          pause={pause}
        />
        {heldAt === null ? null : <GoOn log={log} heldAt={heldAt} goOn={goOn} />}
        <DownloadButton id={id} form="log" />
      </div>
      <Shown log={log} follows={follows && heldAt === null} stop={stop} />
    </div>
  );
}

type ShownProps = {
  readonly log: EventLog;
  readonly follows: boolean;
  readonly stop: () => void;
};

/** What moves with every frame. */
function Shown({ log, follows, stop }: ShownProps) {
  const view = useLogView(log);
  // Another run is another log, and another list of rows.
  const { maker } = useMemo(() => ({ of: log, maker: new LogRows() }), [log]);
  const rows = maker.take(view.events, view.began);
  return (
    <>
      <Lines rows={rows} view={view} log={log} follows={follows} stop={stop} />
      <Where view={view} />
    </>
  );
}

const words: Readonly<Record<LogLink, string>> = {
  reading: "reading",
  live: "live",
  ended: "the run has ended",
  broken: "the stream broke; load the page again",
};

/** Which part of the run is in the window. */
function Where({ view }: { readonly view: LogView }) {
  const { events, last, link, hasOlder, hasNewer } = view;
  const [first, end] = [events[0]?.seq ?? "0", events.at(-1)?.seq ?? "0"];
  const isAll = !hasOlder && !hasNewer;
  return (
    <p className="sb-dim sb-small sb-num" aria-live="off" data-last={last}>
      {isAll
        ? `${numberText(events.length)} of ${numberText(last)} events`
        : `events ${numberText(Number(first))} to ${numberText(Number(end))}, ` +
          `${numberText(events.length)} held, of ${numberText(last)}`}{" "}
      · {words[link]}
    </p>
  );
}
