// Metrics: what this server counts about itself, as one table, in the text format of Prometheus.
// Promises: reading changes nothing and asks the database nothing; no label names a project, a run
// or an agent, so the number of series is fixed; the library is loaded when first asked (10 ms), so
// that no start waits for it.
// Leaves to others: counting (services/), who may read it (http/routes/machine.ts).

import type { Metric as Registered, Registry } from "prom-client";
import type { BatcherFigures } from "./services/figures.ts";
import { Tally } from "./services/figures.ts";

type Counting = { readonly figures: BatcherFigures; readonly waiting: number };

/** The parts that count. */
export type Counted = {
  readonly control: Counting;
  readonly work: Counting;
  readonly dispatcher: { readonly waiting: number };
};

type Labels = { readonly [name: string]: string };
type Sample = { readonly labels: Labels; readonly value: number | Tally };
type Metric = {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** How many of what was counted make one of what is told: milliseconds are told in seconds. */
  readonly per?: number;
  readonly read: (parts: Counted) => readonly Sample[];
};

const MS_PER_SECOND = 1000;

/** A value of each batcher. */
function ofBatchers(valueOf: (batcher: Counting) => number | Tally): Metric["read"] {
  return ({ control, work }) => [
    { labels: { batcher: "control" }, value: valueOf(control) },
    { labels: { batcher: "work" }, value: valueOf(work) },
  ];
}

/** A value of each batcher and word. */
function byWord(
  label: string,
  valuesOf: (figures: BatcherFigures) => Readonly<Record<string, number>>,
): Metric["read"] {
  return ({ control, work }) =>
    Object.entries({ control, work }).flatMap(([batcher, { figures }]) =>
      Object.entries(valuesOf(figures)).map(([word, value]) => ({
        labels: { batcher, [label]: word },
        value,
      })),
    );
}

const metrics: readonly Metric[] = [
  {
    name: "signalbox_batcher_flushes_total",
    type: "counter",
    help: "Flushes that told what became of their items.",
    read: ofBatchers(({ figures }) => figures.flushes),
  },
  {
    name: "signalbox_batcher_items_total",
    type: "counter",
    help: "Items of these flushes; one whose run was locked elsewhere counts in each of them.",
    read: ofBatchers(({ figures }) => figures.items),
  },
  {
    name: "signalbox_batcher_flush_items",
    type: "histogram",
    help: "Items per flush.",
    read: ofBatchers(({ figures }) => figures.sizes),
  },
  {
    name: "signalbox_batcher_queue_seconds",
    type: "histogram",
    help: "From the arrival of an item to the beginning of the flush that answered it.",
    per: MS_PER_SECOND,
    read: ofBatchers(({ figures }) => figures.begun),
  },
  {
    name: "signalbox_batcher_answer_seconds",
    type: "histogram",
    help: "From the arrival of an item to its answer by a flush.",
    per: MS_PER_SECOND,
    read: ofBatchers(({ figures }) => figures.answered),
  },
  {
    name: "signalbox_batcher_waiting_items",
    type: "gauge",
    help: "Items without an answer, in the queue or in a flush.",
    read: ofBatchers(({ figures }) => figures.waiting),
  },
  {
    name: "signalbox_batcher_waiting_rows",
    type: "gauge",
    help: "Rows of these items: what the bound of the queue is about.",
    read: ofBatchers(({ waiting }) => waiting),
  },
  {
    name: "signalbox_batcher_refused_total",
    type: "counter",
    help: "Items refused: the queue was full, their time was up, or no flush could store them.",
    read: byWord("reason", ({ refused }) => refused),
  },
  {
    name: "signalbox_batcher_failed_flushes_total",
    type: "counter",
    help: "Flushes that failed and were tried again, halved, or looked up as of unknown outcome.",
    read: byWord("then", ({ failed }) => failed),
  },
  {
    name: "signalbox_dispatcher_waiting_claims",
    type: "gauge",
    help: "Claims without an answer, nearly all of them waiting for work.",
    read: ({ dispatcher }) => [{ labels: {}, value: dispatcher.waiting }],
  },
];

type Line = { metricName: string; labels: Labels; value: number };

/** Lines of a histogram: each bucket counts those below it too. */
function linesOfTally(
  name: string,
  { labels, value }: { labels: Labels; value: Tally },
  per: number,
) {
  let count = 0;
  const lines = value.counts.map((own, place): Line => {
    count += own;
    const bound = value.bounds[place];
    const le = bound === undefined ? "+Inf" : String(bound / per);
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  lines.push({ metricName: `${name}_sum`, labels, value: value.sum / per });
  lines.push({ metricName: `${name}_count`, labels, value: count });
  return lines;
}

function linesOf({ name, read, per = 1 }: Metric, parts: Counted): Line[] {
  return read(parts).flatMap(({ labels, value }) =>
    value instanceof Tally
      ? linesOfTally(name, { labels, value }, per)
      : [{ metricName: name, labels, value: value / per }],
  );
}

/** What the registry asks of a metric; the library's own would keep the same numbers again. */
function registered(metric: Metric, parts: Counted): Registered {
  const { name, help, type } = metric;
  const own = { name, get: async () => ({ name, help, type, values: linesOf(metric, parts) }) };
  return own as unknown as Registered;
}

/** Makes the question: each call tells how the figures are then. */
export function metricsOf(parts: Counted): () => Promise<string> {
  let registry: Promise<Registry> | null = null;
  const open = async (): Promise<Registry> => {
    const { Registry } = await import("prom-client");
    const made = new Registry();
    for (const metric of metrics) made.registerMetric(registered(metric, parts));
    return made;
  };
  return async () => (await (registry ??= open())).metrics();
}
