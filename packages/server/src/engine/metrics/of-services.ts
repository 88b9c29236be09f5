// Metrics of the services of this process: batchers, dispatcher, sweeps, connections.
// Promises: read off numbers that are kept anyway; no label has a value from outside.
// Leaves to others: counting (services/), the text (metrics.ts).

import type { BatcherFigures, Tally } from "../services/figures.ts";
import type { SweepName } from "../services/sweeps.ts";
import { byWord, MS_PER_SECOND, single } from "./metric.ts";
import type { MetricOf, Sample } from "./metric.ts";

type Counting = { readonly figures: BatcherFigures; readonly waiting: number };
type Load = { readonly load: { readonly open: number; readonly idle: number; waiting: number } };

/** The parts that count. */
export type Counted = {
  readonly control: Counting;
  readonly work: Counting;
  readonly dispatcher: { readonly waiting: number };
  readonly tail: {
    readonly followers: number;
    readonly figures: { readonly rounds: number; readonly events: number };
  };
  readonly sweepLagsMs: () => Readonly<Record<SweepName, number>>;
  readonly pools: Readonly<Record<"reader" | "writer" | "house", Load>>;
  readonly version: string;
  readonly node: string;
};

type Read = MetricOf<Counted>["read"];

/** A value of each batcher. */
function ofBatchers(valueOf: (batcher: Counting) => number | Tally): Read {
  return ({ control, work }) =>
    byWord("batcher", { control: valueOf(control), work: valueOf(work) });
}

/** A value of each batcher and word. */
function ofBatchersByWord(
  label: string,
  valuesOf: (figures: BatcherFigures) => Readonly<Record<string, number>>,
): Read {
  return ({ control, work }) =>
    Object.entries({ control, work }).flatMap(([batcher, { figures }]) =>
      Object.entries(valuesOf(figures)).map(([word, value]) => ({
        labels: { batcher, [label]: word },
        value,
      })),
    );
}

function ofPools(valueOf: (load: Load["load"]) => number): Read {
  return ({ pools }) =>
    Object.entries(pools).map(([pool, { load }]): Sample => ({
      labels: { pool },
      value: valueOf(load),
    }));
}

const batchers: readonly MetricOf<Counted>[] = [
  {
    name: "signalbox_batcher_flushes_total",
    type: "counter",
    help: "Flushes that told what became of their items.",
    labels: ["batcher"],
    read: ofBatchers(({ figures }) => figures.flushes),
  },
  {
    name: "signalbox_batcher_items_total",
    type: "counter",
    help: "Items of these flushes; one whose run was locked elsewhere counts in each of them.",
    labels: ["batcher"],
    read: ofBatchers(({ figures }) => figures.items),
  },
  {
    name: "signalbox_batcher_flush_items",
    type: "histogram",
    help: "Items per flush.",
    labels: ["batcher"],
    read: ofBatchers(({ figures }) => figures.sizes),
  },
  {
    name: "signalbox_batcher_queue_seconds",
    type: "histogram",
    help: "From the arrival of an item to the beginning of the flush that answered it.",
    labels: ["batcher"],
    per: MS_PER_SECOND,
    read: ofBatchers(({ figures }) => figures.begun),
  },
  {
    name: "signalbox_batcher_answer_seconds",
    type: "histogram",
    help: "From the arrival of an item to its answer by a flush.",
    labels: ["batcher"],
    per: MS_PER_SECOND,
    read: ofBatchers(({ figures }) => figures.answered),
  },
  {
    name: "signalbox_batcher_waiting_items",
    type: "gauge",
    help: "Items without an answer, in the queue or in a flush.",
    labels: ["batcher"],
    read: ofBatchers(({ figures }) => figures.waiting),
  },
  {
    name: "signalbox_batcher_waiting_rows",
    type: "gauge",
    help: "Rows of these items: what the bound of the queue is about.",
    labels: ["batcher"],
    read: ofBatchers(({ waiting }) => waiting),
  },
  {
    name: "signalbox_batcher_refused_total",
    type: "counter",
    help: "Items refused: the queue was full, their time was up, or no flush could store them.",
    labels: ["batcher", "reason"],
    read: ofBatchersByWord("reason", ({ refused }) => refused),
  },
  {
    name: "signalbox_batcher_failed_flushes_total",
    type: "counter",
    help: "Flushes that failed and were tried again, halved, or looked up as of unknown outcome.",
    labels: ["batcher", "then"],
    read: ofBatchersByWord("then", ({ failed }) => failed),
  },
];

/** Of the services of one server. */
export const serviceMetrics: readonly MetricOf<Counted>[] = [
  ...batchers,
  {
    name: "signalbox_dispatcher_waiting_claims",
    type: "gauge",
    help: "Claims without an answer, nearly all of them waiting for work.",
    read: ({ dispatcher }) => single(dispatcher.waiting),
  },
  {
    name: "signalbox_feed_followers",
    type: "gauge",
    help: "Streams that follow the feed of a project through the one tail of this server.",
    read: ({ tail }) => single(tail.followers),
  },
  {
    name: "signalbox_feed_tail_rounds_total",
    type: "counter",
    help: "Times the tail has read the register, for all followers of all projects together.",
    read: ({ tail }) => single(tail.figures.rounds),
  },
  {
    name: "signalbox_feed_tail_events_total",
    type: "counter",
    help: "Events that the tail has read, each once however many follow.",
    read: ({ tail }) => single(tail.figures.events),
  },
  {
    name: "signalbox_sweep_age_seconds",
    type: "gauge",
    help:
      "Since each part of the sweep last ended; due and recoveries run every second, strays " +
      "every 2 s, scans every 10 s.",
    labels: ["sweep"],
    per: MS_PER_SECOND,
    read: ({ sweepLagsMs }) => byWord("sweep", sweepLagsMs()),
  },
  {
    name: "signalbox_pool_waiting_callers",
    type: "gauge",
    help: "Callers that wait for a database connection.",
    labels: ["pool"],
    read: ofPools(({ waiting }) => waiting),
  },
  {
    name: "signalbox_pool_open_connections",
    type: "gauge",
    help:
      "Database connections of each pool; the two of the work batcher and the one of control " +
      "are not among them.",
    labels: ["pool"],
    read: ofPools(({ open }) => open),
  },
  {
    name: "signalbox_pool_idle_connections",
    type: "gauge",
    help: "Those of them that nobody uses.",
    labels: ["pool"],
    read: ofPools(({ idle }) => idle),
  },
  {
    name: "signalbox_build_info",
    type: "gauge",
    help: "Always 1; the labels say which program this is.",
    labels: ["version", "node"],
    read: ({ version, node }) => [{ labels: { version, node }, value: 1 }],
  },
];
