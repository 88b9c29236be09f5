// The live log: every line the run has said, of any number, with follow, pause and search.
// Promises: only lines in sight exist; following ends when the reader scrolls up and goes on at the
// end; pausing holds the screen, never the stream; a long line is cut on the screen, not in the
// download.
// Leaves to others: what is a line (`log-rows.ts`).

import { Button, Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { plain } from "../../parts/plain.tsx";
import { exact } from "../../parts/when.tsx";
import type { EventLog } from "./event-log.ts";
import { LogRows, shownRows } from "./log-rows.ts";
import type { LogFilter, LogRow } from "./log-rows.ts";

const none: LogFilter = { text: "", level: "all", tools: true, facts: true };

export function Log({ log, name }: { readonly log: EventLog; readonly name: string }) {
  const [filter, setFilter] = useState(none);
  const [follows, setFollows] = useState(true);
  const [heldAt, hold] = useState<number | null>(null);
  // A new run brings a new list of events.
  const maker = useMemo(() => (log.events, new LogRows()), [log.events]);
  const rows = maker.take(log.events);
  const count = heldAt ?? rows.length;
  const shown = useMemo(
    // The list grows in place, and its last line may: the log's version says when to look again.
    () => (log.version < 0 ? [] : shownRows(rows.slice(0, count), filter)),
    [rows, log.version, filter, count],
  );
  return (
    <div className="sb-stack">
      <div className="sb-row">
        <FilterFields filter={filter} setFilter={setFilter} />
        <span className="sb-grow" />
        <Checkbox
          size="xs"
          label="Follow"
          checked={follows}
          onChange={(event) => setFollows(event.currentTarget.checked)}
        />
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => hold(heldAt === null ? rows.length : null)}
        >
          {heldAt === null ? "Pause" : `Go on (${rows.length - heldAt} new)`}
        </Button>
        <Button size="compact-sm" variant="default" onClick={() => download(rows, name)}>
          Download
        </Button>
      </div>
      <Lines rows={shown} follows={follows && heldAt === null} setFollows={setFollows} />
      <p className="sb-dim sb-small sb-num" aria-live="off">
        {shown.length} of {rows.length} lines · {words[log.link]}
      </p>
    </div>
  );
}

type FilterFieldsProps = {
  readonly filter: LogFilter;
  readonly setFilter: (filter: LogFilter) => void;
};

function FilterFields({ filter, setFilter }: FilterFieldsProps) {
  return (
    <>
      <TextInput
        size="xs"
        aria-label="Search the log"
        placeholder="Search the log"
        data-search
        value={filter.text}
        onChange={(event) => setFilter({ ...filter, text: event.currentTarget.value })}
      />
      <NativeSelect
        size="xs"
        aria-label="Level"
        value={filter.level}
        data={[
          { value: "all", label: "All levels" },
          { value: "trouble", label: "Warnings, errors, stderr" },
        ]}
        onChange={(event) =>
          setFilter({ ...filter, level: event.currentTarget.value as LogFilter["level"] })
        }
      />
      <Checkbox
        size="xs"
        label="Tool calls"
        checked={filter.tools}
        onChange={(event) => setFilter({ ...filter, tools: event.currentTarget.checked })}
      />
      <Checkbox
        size="xs"
        label="Transitions"
        checked={filter.facts}
        onChange={(event) => setFilter({ ...filter, facts: event.currentTarget.checked })}
      />
    </>
  );
}

const words: Readonly<Record<EventLog["link"], string>> = {
  reading: "reading",
  live: "live",
  ended: "the run has ended",
  broken: "the stream broke; load the page again",
};

type LinesProps = {
  readonly rows: readonly LogRow[];
  readonly follows: boolean;
  readonly setFollows: (follows: boolean) => void;
};

const LINE_PX = 22;
/** Keys that scroll away from the end. */
const upward: ReadonlySet<string> = new Set(["ArrowUp", "PageUp", "Home"]);

function Lines({ rows, follows, setFollows }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    getItemKey: (index) => rows[index]?.seq ?? index,
    overscan: 20,
  });
  useEffect(() => {
    if (follows && rows.length > 0) virtual.scrollToIndex(rows.length - 1, { align: "end" });
  }, [follows, rows.length, virtual]);
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
        {virtual.getVirtualItems().map(({ key, index, start }) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <div
              key={key}
              ref={virtual.measureElement}
              data-index={index}
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
        })}
      </div>
    </div>
  );
}

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

function download(rows: readonly LogRow[], name: string): void {
  const lines = rows.map(({ at, mark, text, detail }) => {
    const more = detail === null ? "" : ` ${JSON.stringify(detail)}`;
    return `${at} ${mark} ${text.replace(/\n$/, "")}${more}\n`;
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "text/plain;charset=utf-8" }));
  link.download = `${name}.log`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
