// The parts commands and questions are made of: one record, handed to each.
// Promises: nothing here decides; commands write through the batchers, questions read through the
// reader, and only `store/house` users get the house.

import type { Clock } from "../std/clock.ts";
import type { Logger } from "../std/logger.ts";
import type { Reader } from "../store/db.ts";
import type { After } from "./services/after.ts";
import type { Batcher } from "./services/batcher.ts";
import type { DirectiveBoard } from "./services/directives.ts";
import type { Dispatcher } from "./services/dispatcher.ts";
import type { FlushContext } from "./services/flush/flush.ts";
import type { Hub } from "./services/hub.ts";
import type { KeyMemory } from "./services/key-memory.ts";

export type Parts = {
  readonly work: Batcher;
  readonly control: Batcher;
  /** Reads as `app`, 3 s at most: for screens and questions. */
  readonly reader: Reader;
  /** Seldom writes of operators as `app`: projects, keys, queues, runtimes. */
  readonly writer: Reader;
  readonly house: Reader;
  readonly keys: KeyMemory;
  readonly hub: Hub;
  readonly board: DirectiveBoard;
  readonly after: After;
  readonly dispatcher: Dispatcher;
  readonly context: FlushContext;
  /** Lane ids by project and lane text: lanes never change. */
  readonly laneIds: Map<string, Promise<string>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: () => string;
  /** Rings the doorbell of other servers. */
  readonly ring: (names: Iterable<string>) => void;
};
