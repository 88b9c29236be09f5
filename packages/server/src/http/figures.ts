// What the doors count about themselves, and the table that names it.
// Promises: series are those of the table of routes; an address that is none counts as `unknown`;
// counting a request allocates nothing once its route was seen.
// Leaves to others: when to count (`server.ts`, `register.ts`), the text (engine/metrics).

import { MS_PER_SECOND, single } from "../engine/metrics/metric.ts";
import type { MetricOf, Sample } from "../engine/metrics/metric.ts";
import { Tally } from "../engine/services/figures.ts";

/** Milliseconds, from a read that was in memory to the longest a request may take. */
const lengths = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
const CLASSES = 5;

/** One door since its start. */
export class HttpFigures {
  /** Streams of events and directives that are open. */
  streams = 0;
  /** Requests that wait for something to happen, streams among them. */
  waiting: () => number = () => 0;
  /** Milliseconds of requests that wait for nothing but their answer. */
  readonly lengths = new Tally(lengths);
  /** `GET /v1/runs` → how many answers of each class, 1xx first. */
  readonly answers = new Map<string, number[]>();

  /** A request was answered; `route` is null when there is none at its address. */
  answered(method: string, route: string | null, { status, ms }: { status: number; ms: number }) {
    const name = route === null ? "unknown" : `${method} ${route}`;
    let counts = this.answers.get(name);
    if (counts === undefined) {
      counts = Array.from({ length: CLASSES }, () => 0);
      this.answers.set(name, counts);
    }
    const place = Math.min(CLASSES, Math.max(1, Math.floor(status / 100))) - 1;
    counts[place] = (counts[place] as number) + 1;
    if (!Number.isNaN(ms)) this.lengths.add(ms);
  }
}

function answersOf({ answers }: HttpFigures): Sample[] {
  return [...answers].flatMap(([route, counts]) =>
    counts.flatMap((value, place): Sample[] =>
      value === 0 ? [] : [{ labels: { route, status: `${place + 1}xx` }, value }],
    ),
  );
}

/** Of one door. */
export const httpMetrics: readonly MetricOf<HttpFigures>[] = [
  {
    name: "signalbox_http_requests_total",
    type: "counter",
    help: "Requests answered, by route (its pattern) and class of status.",
    labels: ["route", "status"],
    read: answersOf,
  },
  {
    name: "signalbox_http_request_seconds",
    type: "histogram",
    help: "How long requests took, without long polls and streams.",
    per: MS_PER_SECOND,
    read: (figures) => single(figures.lengths),
  },
  {
    name: "signalbox_http_open_streams",
    type: "gauge",
    help: "Streams of events and directives (SSE) that are open.",
    read: (figures) => single(figures.streams),
  },
  {
    name: "signalbox_http_waiting_requests",
    type: "gauge",
    help: "Long polls and streams that wait for something to happen.",
    read: (figures) => single(figures.waiting()),
  },
];
