// The parts commands and questions are made of: one record, handed to each.
// Promises: nothing here decides; commands write through the batchers, questions read through the
// reader, and only `store/house` users get the house.

import type { Clock } from "../std/clock.ts";
import type { Logger } from "../std/logger.ts";
import type { Reader } from "../store/db.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Traces } from "./tracing/traces.ts";
import type { After } from "./services/after.ts";
import type { Batcher } from "./services/batcher.ts";
import type { DirectiveBoard } from "./services/directives.ts";
import type { Dispatcher } from "./services/dispatcher.ts";
import type { FlushContext } from "./services/flush/flush.ts";
import type { AgentStatuses } from "./services/agent-statuses.ts";
import type { HouseFigures } from "./services/health-figures.ts";
import type { Hub } from "./services/hub.ts";
import type { KeyMemory } from "./services/key-memory.ts";
import type { Denials } from "./services/denials.ts";
import type { KeyUses } from "./services/key-uses.ts";
import type { QuotaWatch } from "./services/quota-watch.ts";
import type { FeedTail } from "./services/tail.ts";
import type { Deliveries } from "./services/tail/deliveries.ts";

export type Parts = {
  readonly work: Batcher;
  readonly control: Batcher;
  /** Reads as `app`, 3 s at most: for screens and questions. */
  readonly reader: Reader;
  /** Seldom writes of operators as `app`: projects, keys, queues, runtimes. */
  readonly writer: Reader;
  readonly house: Reader;
  readonly keys: KeyMemory;
  readonly uses: KeyUses;
  readonly denials: Denials;
  readonly hub: Hub;
  readonly board: DirectiveBoard;
  /** Who follows projects hears of new events from here. */
  readonly tail: FeedTail;
  readonly after: After;
  readonly dispatcher: Dispatcher;
  readonly context: FlushContext;
  /** Lane ids by project and lane text: lanes never change. */
  readonly laneIds: Map<string, Promise<string>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: () => string;
  readonly statuses: AgentStatuses;
  readonly quota: QuotaWatch;
  /** Null while traces are off. */
  readonly traces: Traces | null;
  /** What `/metrics` tells; parts add theirs. */
  readonly metrics: Metrics;
  /** Figures of the whole house, read when asked; parts add counts with `also`. */
  readonly figures: HouseFigures;
  /** What sends webhooks. */
  readonly deliveries: () => Pick<Deliveries, "wake" | "once">;
  /** Agents known to have a row, by `project/name`. */
  readonly knownAgents: Set<string>;
  /** Something may let runs of this project be claimed now: here and on other servers. */
  readonly reopen: (projectId: string) => void;
  /** Rings the doorbell of other servers. */
  readonly ring: (names: Iterable<string>) => void;
};
