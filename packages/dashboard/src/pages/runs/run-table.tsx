// The rows of runs: a table of which only the part in sight exists.
// Promises: a table for screen readers too (roles and positions); the state comes first, numbers
// stand under numbers; j and k move, Enter opens, the box selects.
// Leaves to others: which runs (`runs-page.tsx`).

import { Checkbox } from "@mantine/core";
import type { RunSummary } from "@signalbox/sdk";
import { flexRender, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import type { ColumnDef, Row } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { RunLink } from "../../parts/go.tsx";
import { Plain, runTitle } from "../../parts/plain.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { runLooks } from "../../parts/states.ts";
import { Took, When } from "../../parts/when.tsx";

type RunTableProps = {
  readonly runs: RunSummary[];
  readonly selected: ReadonlySet<string>;
  readonly select: (ids: ReadonlySet<string>) => void;
  /** The end of the list is near. */
  readonly more: () => void;
};

const text = (value: string | null) =>
  value === null ? <span className="sb-dim">–</span> : <Plain text={value} />;

const columns: ColumnDef<RunSummary>[] = [
  {
    id: "state",
    header: "State",
    cell: ({ row: { original: run } }) => <StateBadge look={runLooks[run.state]} />,
  },
  {
    id: "run",
    header: "Run",
    cell: ({ row: { original: run } }) => (
      <>
        <RunLink id={run.id} title={runTitle(run)} />
        <Why run={run} />
      </>
    ),
  },
  { id: "agent", header: "Agent", cell: ({ row }) => text(row.original.agent) },
  { id: "queue", header: "Queue", cell: ({ row }) => text(row.original.queue) },
  { id: "priority", header: "Priority", cell: ({ row }) => row.original.priority },
  {
    id: "attempts",
    header: "Attempts",
    cell: ({ row: { original: run } }) => `${run.attempts_used} / ${run.max_attempts}`,
  },
  {
    id: "created_at",
    header: "Created",
    cell: ({ row }) => <When at={row.original.created_at} />,
  },
  {
    id: "took",
    header: "Took",
    cell: ({ row: { original: run } }) => <Took from={run.started_at} to={run.finished_at} />,
  },
];

/** What went wrong, beside the name. */
function Why({ run }: { readonly run: RunSummary }) {
  const why = run.error?.message ?? run.status_reason;
  if (why === null || run.state === "completed") return null;
  return (
    <span className="sb-dim sb-small sb-why">
      <Plain text={why.slice(0, 300)} />
    </span>
  );
}

const ROW_PX = 40;

export function RunTable({ runs, selected, select, more }: RunTableProps) {
  const box = useRef<HTMLDivElement>(null);
  const table = useReactTable({
    data: runs,
    columns,
    getCoreRowModel: getCoreRowModel(),
    getRowId: ({ id }) => id,
  });
  const { rows } = table.getRowModel();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - 20) more();
  }, [last, rows.length, more]);
  const areAll = runs.every(({ id }) => selected.has(id));
  const [head] = table.getHeaderGroups();
  return (
    <div ref={box} className="sb-table-box" tabIndex={0} role="region" aria-label="Runs, scrolls">
      <div role="table" aria-label="Runs" aria-rowcount={rows.length + 1} className="sb-runs">
        <div role="row" className="sb-runs-row sb-runs-head" aria-rowindex={1}>
          <div role="columnheader">
            <Checkbox
              size="xs"
              aria-label="Select all that are shown"
              checked={areAll}
              indeterminate={!areAll && selected.size > 0}
              onChange={() => select(new Set(areAll ? [] : runs.map(({ id }) => id)))}
            />
          </div>
          {head?.headers.map((header) => (
            <div key={header.id} role="columnheader" className={`sb-col-${header.id}`}>
              {flexRender(header.column.columnDef.header, header.getContext())}
            </div>
          ))}
        </div>
        <div role="rowgroup" className="sb-runs-body" style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const row = rows[index];
            if (row === undefined) return null;
            const flip = (): void => {
              const next = new Set(selected);
              if (!next.delete(row.id)) next.add(row.id);
              select(next);
            };
            const isSelected = selected.has(row.id);
            return (
              <RunRow key={row.id} row={row} top={start} isSelected={isSelected} flip={flip} />
            );
          })}
        </div>
      </div>
    </div>
  );
}

type RunRowProps = {
  readonly row: Row<RunSummary>;
  readonly top: number;
  readonly isSelected: boolean;
  readonly flip: () => void;
};

function RunRow({ row, top, isSelected, flip }: RunRowProps) {
  return (
    <div
      role="row"
      aria-rowindex={row.index + 2}
      aria-selected={isSelected}
      className="sb-runs-row"
      data-item
      tabIndex={-1}
      style={{ transform: `translateY(${top}px)` }}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        if (event.key === "Enter") event.currentTarget.querySelector("a")?.click();
        if (event.key === "x") flip();
      }}
    >
      <div role="cell">
        <Checkbox
          size="xs"
          aria-label={`Select run ${row.id}`}
          checked={isSelected}
          onChange={flip}
        />
      </div>
      {row.getVisibleCells().map((cell) => (
        <div key={cell.id} role="cell" className={`sb-col-${cell.column.id}`}>
          {flexRender(cell.column.columnDef.cell, cell.getContext())}
        </div>
      ))}
    </div>
  );
}
