// The load of the server that answers, and the busiest tables: the owner's.
// Promises: figures since the start of that server, in words and bars; no bar without its number.
// Leaves to others: counting (server), series over time (`/metrics`).

import type { BatcherLoad, Bucket, HouseHealth } from "@signalbox/sdk";
import { Section } from "../../parts/page.tsx";
import { bytesText, numberText } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";

export function Load({ load }: { readonly load: NonNullable<HouseHealth["load"]> }) {
  return (
    <>
      <Section title="Batchers" note="Of the server that answers, since its start">
        <Table
          name="List of batchers"
          heads={[
            "Batcher",
            "Flushes",
            "Items",
            "Per flush",
            "Largest",
            "Waiting",
            "Refused",
            "Failed",
          ]}
          figures={[1, 2, 3, 4, 5, 6, 7]}
          rows={load.batchers.map((one) => ({
            key: one.name,
            cells: [
              one.name,
              numberText(one.flushes),
              numberText(one.items),
              one.flushes === 0 ? "–" : (one.items / one.flushes).toFixed(1),
              numberText(one.largest),
              numberText(one.waiting),
              numberText(one.refused),
              numberText(one.failed),
            ],
          }))}
        />
        <div className="sb-board">
          {load.batchers.flatMap((one) => [
            <Histogram
              key={`${one.name} sizes`}
              title={`${one.name}: items per flush`}
              unit=""
              buckets={one.sizes}
            />,
            <Histogram
              key={`${one.name} answers`}
              title={`${one.name}: time to an answer`}
              unit=" ms"
              buckets={one.answered_ms}
            />,
          ])}
        </div>
      </Section>
      <Section title="Busiest tables" note="As PostgreSQL estimates them, with their indexes">
        <Table
          name="List of tables"
          heads={["Table", "Size", "Dead rows"]}
          figures={[1, 2]}
          rows={load.tables
            .toSorted((a, b) => b.bytes - a.bytes)
            .map(({ name, bytes, dead_rows: dead }) => ({
              key: name,
              cells: [name, bytesText(bytes), numberText(dead)],
            }))}
        />
      </Section>
    </>
  );
}

type HistogramProps = {
  readonly title: string;
  readonly unit: string;
  readonly buckets: BatcherLoad["sizes"];
};

/** The bound below which this share of all lies; null: beyond all bounds. */
function boundOf(buckets: readonly Bucket[], share: number): number | null {
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  let below = 0;
  for (const { up_to: bound, count } of buckets) {
    below += count;
    if (below >= all * share) return bound;
  }
  return null;
}

function Histogram({ title, unit, buckets }: HistogramProps) {
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  const [first, last] = [
    buckets.findIndex(({ count }) => count > 0),
    buckets.findLastIndex(({ count }) => count > 0),
  ];
  const shown = buckets.slice(first, last + 1);
  if (all === 0) return null;
  const most = Math.max(1, ...shown.map(({ count }) => count));
  const word = (bound: number | null): string =>
    bound === null ? "more" : `≤ ${bound < 10 ? bound : numberText(bound)}${unit}`;
  return (
    <section className="sb-card" aria-label={title}>
      <h3>{title}</h3>
      <p className="sb-dim sb-small">
        {numberText(all)} in all · half {word(boundOf(buckets, 0.5))} · 95 %{" "}
        {word(boundOf(buckets, 0.95))}
      </p>
      <ul className="sb-histogram">
        {shown.map(({ up_to: bound, count }) => (
          <li key={bound ?? "more"}>
            <span className="sb-num">{word(bound)}</span>
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
              <rect width={(count / most) * 100} height="10" fill="currentColor" />
            </svg>
            <span className="sb-num">{numberText(count)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
