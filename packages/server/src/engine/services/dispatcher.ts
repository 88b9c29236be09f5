// The dispatcher: claims that found no work wait here and ride in a flush as soon as there may be
// some. Promises: a claim is answered at the latest when its wait is over; polling every 2 s stands
// underneath, so a lost wake-up costs latency only (F-46); a caller that went away claims nothing.
// Leaves to others: who gets what (flush, `admit`), waking (hub).

import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal } from "../../domain/refusal.ts";
import type { Clock } from "../../std/clock.ts";
import type { Batcher } from "./batcher.ts";
import type { Answer, ClaimItem } from "./flush/items.ts";
import type { Hub } from "./hub.ts";
import { names, POLL_MS } from "./hub.ts";

export type ClaimAnswer = Extract<Answer, { kind: "claim" }>;

export class Dispatcher {
  readonly #work: Batcher;
  readonly #hub: Hub;
  readonly #clock: Clock;
  #waiting = 0;

  constructor(parts: { work: Batcher; hub: Hub; clock: Clock }) {
    this.#work = parts.work;
    this.#hub = parts.hub;
    this.#clock = parts.clock;
  }

  /** Claims that wait for work now. */
  get waiting(): number {
    return this.#waiting;
  }

  async claim(
    item: ClaimItem,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<ClaimAnswer | Refusal> {
    const end = this.#clock.mono() + waitMs;
    this.#waiting += 1;
    try {
      for (;;) {
        const bell = this.#hub.listen(names.work(item.projectId));
        try {
          const answer = await this.#work.add(item);
          if (isRefusal(answer)) return answer;
          const found = answer as ClaimAnswer;
          const left = end - this.#clock.mono();
          if (found.grants.length > 0 || left <= 0 || signal.aborted) return found;
          await bell.wait(Math.min(left, POLL_MS), signal);
        } finally {
          bell.stop();
        }
        if (signal.aborted) return { kind: "claim", grants: [], at: 0 };
      }
    } finally {
      this.#waiting -= 1;
    }
  }
}
