// The sweep of what has been kept long enough.
// Promises: bounded batches, each its own transaction, a few per round, so that nothing else waits;
// any number of servers may do it at once; what fails is tried again in the next round.
// Leaves to others: what may go (store/house/retention.ts), the policy (commands/operate.ts).

import { Service } from "../../std/service.ts";
import { projectsToClean, removeOldRuns } from "../../store/house/retention.ts";
import type { Parts } from "../parts.ts";

const EVERY_MS = 60_000;
const BATCHES_PER_ROUND = 20;

export class RetentionSweep {
  readonly #parts: () => Parts;
  readonly #service: Service;

  constructor(parts: () => Parts, { clock, logger }: Pick<Parts, "clock" | "logger">) {
    this.#parts = parts;
    this.#service = new Service({
      name: "sweep.retention",
      clock,
      logger,
      round: async () => {
        await this.once();
        return EVERY_MS;
      },
    });
  }

  start(): void {
    this.#service.start();
  }

  stop(): Promise<void> {
    return this.#service.stop();
  }

  /** Removes what is due, up to 20 batches; returns how many runs. */
  async once(): Promise<number> {
    const { house, context, logger } = this.#parts();
    const offsetMs = context.offsetMs();
    const projects = await house.within([], (runner) => projectsToClean(runner, offsetMs));
    let removed = 0;
    let batches = 0;
    for (const projectId of projects) {
      for (let last = 1; last > 0 && batches < BATCHES_PER_ROUND; batches++) {
        last = await house.within([], (runner) => removeOldRuns(runner, projectId, offsetMs));
        removed += last;
      }
    }
    if (removed > 0) logger.info({ runs: removed }, "runs that were kept long enough are removed");
    return removed;
  }
}
