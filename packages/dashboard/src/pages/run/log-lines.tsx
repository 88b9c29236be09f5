// The lines of a log: the newest while it is followed, any part of the window otherwise.
// Promises: while it is followed nothing is measured and nothing is scrolled by script (the browser
// keeps the end in sight), so a frame is one layout; whoever scrolls up reads on where he was; of
// the window only lines in sight exist.
// Leaves to others: what is a line (`log-rows.ts`), the window (`event-log.ts`).

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useLayoutEffect, useRef, useState } from "react";
import { plain } from "../../parts/plain.tsx";
import { exact } from "../../parts/when.tsx";
import type { EventLog, LogView } from "./event-log.ts";
import type { LogRow } from "./log-rows.ts";

type LinesProps = {
  readonly rows: readonly LogRow[];
  readonly view: LogView;
  readonly log: EventLog;
  readonly follows: boolean;
  readonly stop: () => void;
};

export function Lines({ rows, view, log, follows, stop }: LinesProps) {
  /** How far up the reader was when he stopped following, in pixels. */
  const up = useRef(0);
  if (!follows) return <Window rows={rows} view={view} log={log} up={up.current} />;
  const leave = (pixels: number): void => {
    up.current = pixels;
    stop();
  };
  return <Tail rows={rows} leave={leave} />;
}

/** Lines drawn while following: more than fit on a screen. */
const TAIL = 60;
/** Keys that scroll away from the end, and how far. */
const upward: Readonly<Record<string, number>> = { ArrowUp: 40, PageUp: 500, Home: 2_000 };
/** Less than this is the browser settling. */
const MOVED_PX = 24;

type TailProps = { readonly rows: readonly LogRow[]; readonly leave: (pixels: number) => void };

/** A column that begins at its bottom: what is appended moves the rest up, without any script. */
function Tail({ rows, leave }: TailProps) {
  return (
    <div
      className="sb-log sb-log-tail"
      tabIndex={0}
      role="region"
      aria-label="Log"
      onScroll={({ currentTarget: { scrollTop } }) => {
        if (scrollTop < -MOVED_PX) leave(-scrollTop);
      }}
      onKeyDown={({ key }) => {
        const pixels = upward[key];
        if (pixels !== undefined) leave(pixels);
      }}
    >
      <div className="sb-log-body">
        {rows.slice(-TAIL).map((row) => (
          <Line key={row.seq} row={row} />
        ))}
      </div>
    </div>
  );
}

const LINE_PX = 20;
/** So near an end of the window the next page is asked for. */
const NEAR_PX = 1_200;

type WindowProps = {
  readonly rows: readonly LogRow[];
  readonly view: LogView;
  readonly log: EventLog;
  readonly up: number;
};

function Window({ rows, view, log, up }: WindowProps) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    getItemKey: (index) => rows[index]?.seq ?? index,
    overscan: 12,
    // What is read stays where it is when lines come before it.
    anchorTo: "end",
  });
  const placed = useRef(-1);
  useLayoutEffect(() => {
    if (placed.current === view.jumps || rows.length === 0) return;
    // Where it was followed until now; later, where the reader asked to be.
    const by = placed.current < 0 ? up : 0;
    placed.current = view.jumps;
    if (view.jumpedTo === "beginning") virtual.scrollToOffset(0);
    else {
      virtual.scrollToIndex(rows.length - 1, { align: "end" });
      if (by > 0) virtual.scrollBy(-by);
    }
  }, [rows, view.jumps, view.jumpedTo, up, virtual]);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  useEffect(() => {
    const { current } = box;
    if (current === null || placed.current < 0) return;
    // Where the reader is, not what is drawn: before the first scroll that is the beginning.
    const { scrollTop, scrollHeight, clientHeight } = current;
    if (scrollTop < NEAR_PX) void log.older();
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) void log.newer();
  }, [first, rows, view.isReading, log]);
  return (
    <div ref={box} className="sb-log" tabIndex={0} role="region" aria-label="Log">
      <div className="sb-log-body" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ key, index, start }) => {
          const row = rows[index];
          return row === undefined ? null : (
            <div
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              className="sb-log-place"
              style={{ transform: `translateY(${start}px)` }}
            >
              <Line row={row} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** One line; drawn again only when it is another one. */
const Line = memo(function Line({ row }: { readonly row: LogRow }) {
  return (
    <div
      data-seq={row.seq}
      className={`sb-log-line sb-log-${row.kind}${row.isTrouble ? " sb-log-trouble" : ""}`}
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
/** And of what a line folds. */
const LONGEST = 64 * 1024;

function LineText({ row }: { readonly row: LogRow }) {
  const [isWhole, setWhole] = useState(false);
  const [isOpen, setOpen] = useState(false);
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
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>{plain(row.text)}</summary>
          {isOpen ? (
            <pre>{plain(JSON.stringify(row.detail, null, 2).slice(0, LONGEST))}</pre>
          ) : null}
        </details>
      )}
    </span>
  );
}
