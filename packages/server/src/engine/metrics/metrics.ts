// Metrics: what this server tells about itself and the house, in the text format of Prometheus.
// Promises: the number of series is bounded whatever names come from outside; an answer costs the
// database at most one statement per five seconds; the library is loaded when first asked (10 ms),
// so that no start waits for it; figures that cannot be read are left out, the others are there.
// Leaves to others: counting (services/), who may read it (http/routes/machine.ts).

import type * as PromClient from "prom-client";
import type { Metric as Registered, Registry } from "prom-client";
import { Tally } from "../services/figures.ts";
import type { Labels, Metric, Sample } from "./metric.ts";

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

function linesOf({ name, per = 1 }: Metric, samples: readonly Sample[]): Line[] {
  return samples.flatMap(({ labels, value }) =>
    value instanceof Tally
      ? linesOfTally(name, { labels, value }, per)
      : [{ metricName: name, labels, value: value / per }],
  );
}

/** What the registry asks of a metric; the library's own would keep the same numbers again. */
function registered(metric: Metric): Registered {
  const { name, help, type } = metric;
  const get = async () => ({ name, help, type, values: linesOf(metric, metric.read()) });
  return { name, get } as unknown as Registered;
}

type Library = typeof PromClient;

/** The process itself (memory, processor, event loop): one register for all engines in it. */
let ofProcess: Registry | null = null;

function processRegistry({ Registry, collectDefaultMetrics }: Library): Registry {
  if (ofProcess !== null) return ofProcess;
  ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  return ofProcess;
}

export class Metrics {
  readonly #metrics: Metric[] = [];
  /** Asked before each reading; must bound its own time and never reject. */
  readonly #refreshes: (() => Promise<void>)[] = [];

  /** Adds metrics; names must be new. `refresh` brings what they are read off up to date. */
  add(metrics: readonly Metric[], refresh?: () => Promise<void>): void {
    this.#metrics.push(...metrics);
    if (refresh !== undefined) this.#refreshes.push(refresh);
  }

  /** How everything is now; `more` are metrics of the door that was asked. */
  async text(more: readonly Metric[] = []): Promise<string> {
    const [library] = await Promise.all([
      import("prom-client"),
      ...this.#refreshes.map((refresh) => refresh()),
    ]);
    const registry = new library.Registry();
    for (const metric of [...this.#metrics, ...more]) registry.registerMetric(registered(metric));
    const [own, process] = await Promise.all([
      registry.metrics(),
      processRegistry(library).metrics(),
    ]);
    return `${own}\n${process}`;
  }
}
