// The live log: what the run has said, of any length, with follow, pause and search.
// Promises: only lines in sight exist, and only the events around them are held; following ends
// when the reader scrolls up and goes on at the end; pausing holds the screen, never the run's log;
// a search finds over the whole run; a long line is cut on the screen, not in the download.
// Leaves to others: what is a line (`log-rows.ts`), the window (`event-log.ts`).

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { plain } from "../../parts/plain.tsx";
import { numberText } from "../../parts/states.ts";
import { exact } from "../../parts/when.tsx";
import { useSignedIn } from "../../session.ts";
import { download } from "./download.ts";
import type { EventLog, LogLink, LogView } from "./event-log.ts";
import { LookFields, PlaceButtons } from "./log-bar.tsx";
import { LogRows } from "./log-rows.ts";
import type { LogRow } from "./log-rows.ts";
import { everything } from "./look.ts";

type LogProps = { readonly id: string; readonly log: EventLog; readonly view: LogView };

export function Log({ id, log, view }: LogProps) {
  const { client } = useSignedIn();
  const [look, setLook] = useState(everything);
  const [follows, setFollows] = useState(true);
  const [heldAt, holdAt] = useState<number | null>(null);
  const [downloaded, setDownloaded] = useState<number | null>(null);
  // Another run is another log, and another list of rows.
  const { maker } = useMemo(() => ({ of: log, maker: new LogRows() }), [log]);
  const rows = maker.take(view.events, view.began);
  const hold = (isHeld: boolean): void => {
    holdAt(isHeld ? view.last : null);
    void log.hold(isHeld);
  };
  const follow = (wanted: boolean): void => {
    setFollows(wanted);
    if (wanted && (view.hasNewer || heldAt !== null)) hold(false);
    if (wanted && view.hasNewer) void log.toEnd();
  };
  return (
    <div className="sb-stack">
      <div className="sb-row">
        <LookFields
          look={look}
          setLook={(next) => {
            setLook(next);
            void log.look(next);
          }}
        />
        <span className="sb-grow" />
        <PlaceButtons
          follows={follows}
          setFollows={follow}
          missed={heldAt === null ? null : view.last - heldAt}
          pause={() => hold(true)}
          goOn={() => hold(false)}
          toBeginning={() => {
            setFollows(false);
            void log.toBeginning();
          }}
          downloaded={downloaded}
          download={() => {
            setDownloaded(0);
            void download(client, id, "log", setDownloaded).finally(() => setDownloaded(null));
          }}
        />
      </div>
      <Lines
        rows={rows}
        view={view}
        log={log}
        follows={follows && heldAt === null}
        setFollows={setFollows}
      />
      <Where view={view} />
    </div>
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

type LinesProps = {
  readonly rows: readonly LogRow[];
  readonly view: LogView;
  readonly log: EventLog;
  readonly follows: boolean;
  readonly setFollows: (follows: boolean) => void;
};

const LINE_PX = 20;
/** Rows from an end of the window at which the next page is asked for. */
const NEAR = 60;
/** Keys that scroll away from the end. */
const upward: ReadonlySet<string> = new Set(["ArrowUp", "PageUp", "Home"]);

function Lines({ rows, view, log, follows, setFollows }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    getItemKey: (index) => rows[index]?.seq ?? index,
    overscan: 8,
    // What is read stays where it is when lines come before it.
    anchorTo: "end",
  });
  useEffect(() => {
    if (follows && rows.length > 0) virtual.scrollToIndex(rows.length - 1, { align: "end" });
  }, [follows, rows, virtual]);
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  useEffect(() => {
    if (rows.length === 0 || !follows) {
      if (first < NEAR) void log.older();
      if (last >= rows.length - NEAR && view.hasNewer) void log.newer();
    }
  }, [first, last, rows, follows, view.hasNewer, view.isReading, log]);
  return (
    <div
      ref={box}
      className="sb-log"
      tabIndex={0}
      role="region"
      aria-label="Log"
      onWheel={(event) => {
        if (event.deltaY < 0 && follows) setFollows(false);
      }}
      onTouchMove={() => {
        if (follows) setFollows(false);
      }}
      onKeyDown={({ key }) => {
        if (follows && upward.has(key)) setFollows(false);
      }}
    >
      <div className="sb-log-body" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ key, index, start }) => {
          const row = rows[index];
          return row === undefined ? null : (
            <Line
              key={key}
              row={row}
              index={index}
              start={start}
              measure={virtual.measureElement}
            />
          );
        })}
      </div>
    </div>
  );
}

type LineProps = {
  readonly row: LogRow;
  readonly index: number;
  readonly start: number;
  readonly measure: (element: Element | null) => void;
};

/** One line; drawn again only when it or its place changes. */
const Line = memo(function Line({ row, index, start, measure }: LineProps) {
  return (
    <div
      ref={measure}
      data-index={index}
      data-seq={row.seq}
      className={`sb-log-line sb-log-${row.kind}${row.isTrouble ? " sb-log-trouble" : ""}`}
      style={{ transform: `translateY(${start}px)` }}
    >
      <time dateTime={row.at} title={exact(row.at)}>
        {row.at.slice(11, 23)}
      </time>
      <span className="sb-log-mark">{plain(row.mark)}</span>
      <LineText row={row} />
    </div>
  );
});

/** Characters of a line that are drawn before somebody asks for the rest. */
const FIRST = 2_000;

function LineText({ row }: { readonly row: LogRow }) {
  const [isWhole, setWhole] = useState(false);
  const text = isWhole ? row.text : row.text.slice(0, FIRST);
  return (
    <span className="sb-log-text">
      {row.detail === null ? <bdi>{plain(text.replace(/\n$/, ""))}</bdi> : null}
      {row.text.length > FIRST ? (
        <button type="button" className="sb-more" onClick={() => setWhole(!isWhole)}>
          {isWhole ? "less" : `… ${row.text.length - FIRST} more characters`}
        </button>
      ) : null}
      {row.detail === null ? null : (
        <details>
          <summary>{plain(row.text)}</summary>
          <pre>{plain(JSON.stringify(row.detail, null, 2).slice(0, 64 * 1024))}</pre>
        </details>
      )}
    </span>
  );
}
