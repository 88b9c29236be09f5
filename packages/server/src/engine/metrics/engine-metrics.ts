// The metrics of an engine put together: which table is read off which part.
// Promises: assembles, counts nothing.
// Leaves to others: the tables (`of-*.ts`), the text (metrics.ts).

import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";
import type { Reader } from "../../store/db.ts";
import type { Batcher } from "../services/batcher.ts";
import type { Dispatcher } from "../services/dispatcher.ts";
import type { Flow } from "../services/flow.ts";
import { HouseFigures } from "../services/health-figures.ts";
import type { FeedTail } from "../services/tail.ts";
import type { Sweeps } from "../services/sweeps.ts";
import { bind } from "./metric.ts";
import { Metrics } from "./metrics.ts";
import { flowMetrics } from "./of-flow.ts";
import { houseMetrics, readingMetrics } from "./of-house.ts";
import { serviceMetrics } from "./of-services.ts";
import type { Counted } from "./of-services.ts";

type Observed = {
  readonly work: Batcher;
  readonly control: Batcher;
  readonly dispatcher: Dispatcher;
  readonly sweeps: Sweeps;
  readonly tail: FeedTail;
  readonly flow: Flow;
  readonly reader: Reader;
  readonly writer: Reader;
  readonly house: Reader;
};

type Surroundings = {
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly offsetMs: () => number;
};

/** Makes what `/metrics` tells of an engine. */
export function engineMetrics(
  observed: Observed,
  { version, ...rest }: Surroundings,
): { metrics: Metrics; figures: HouseFigures } {
  const { work, control, dispatcher, tail, sweeps, flow, reader, writer, house } = observed;
  const counted: Counted = {
    work,
    control,
    dispatcher,
    tail,
    sweepLagsMs: () => sweeps.lagsMs(),
    pools: { reader, writer, house },
    version,
    node: process.version,
  };
  const figures = new HouseFigures({ house, ...rest });
  const metrics = new Metrics();
  metrics.add(bind(serviceMetrics, () => counted));
  metrics.add(bind(flowMetrics, () => flow));
  metrics.add(
    bind(houseMetrics, () => figures.reading),
    () => figures.refresh(),
  );
  metrics.add(bind(readingMetrics, () => figures));
  return { metrics, figures };
}
