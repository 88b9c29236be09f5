// The dispatcher: claims that found no work wait here. They ride in the flush of the submission
// that is for them, or are asked again as soon as there may be some work.
// Promises: a claim is answered at the latest when its wait is over; polling every 2 s stands
// underneath, so a lost wake-up costs latency only (F-46); a caller that went away claims nothing.
// Leaves to others: who gets what (flush, `admit`), waking (hub).

import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal } from "../../domain/refusal.ts";
import type { Clock } from "../../std/clock.ts";
import type { Batcher, Rider } from "./batcher.ts";
import type { Answer, ClaimItem, SubmitItem } from "./flush/items.ts";
import type { Hub } from "./hub.ts";
import { names, POLL_MS } from "./hub.ts";

export type ClaimAnswer = Extract<Answer, { kind: "claim" }>;

/** A claim that waits. `ride` takes it along in a flush and returns how its answer is given. */
type Parked = { readonly item: ClaimItem; readonly ride: () => Rider["settle"] };
type Asked = Promise<Answer | Refusal>;
type Spec = SubmitItem["runs"][number]["spec"];

/** Claims one flush takes along at most. */
const MAX_RIDERS = 64;

export class Dispatcher {
  readonly #work: Batcher;
  readonly #hub: Hub;
  readonly #clock: Clock;
  readonly #parked = new Map<string, Set<Parked>>();
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
    let asked: Asked | null = null;
    this.#waiting += 1;
    try {
      for (;;) {
        const bell = this.#hub.listen(names.work(item.projectId));
        try {
          const answer = await (asked ?? this.#work.add(item));
          if (isRefusal(answer)) return answer;
          const found = answer as ClaimAnswer;
          const left = end - this.#clock.mono();
          if (found.grants.length > 0 || left <= 0 || signal.aborted) return found;
          ({ asked } = await this.#park(item, bell.wait(Math.min(left, POLL_MS), signal)));
        } finally {
          bell.stop();
        }
        if (asked === null && signal.aborted) return { kind: "claim", grants: [], at: 0 };
      }
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Waits until it is to ask again (null), or until a flush has taken it along (its answer). */
  async #park(item: ClaimItem, rung: Promise<void>): Promise<{ asked: Asked | null }> {
    const claims = this.#parked.get(item.projectId) ?? new Set();
    this.#parked.set(item.projectId, claims);
    let asked: Asked | null = null;
    const ridden = new Promise<void>((resolve) => {
      const parked: Parked = {
        item,
        ride: () => {
          claims.delete(parked);
          let settle: Rider["settle"] = () => {};
          asked = new Promise((given) => {
            settle = given;
          });
          resolve();
          return settle;
        },
      };
      claims.add(parked);
      void rung.then(() => claims.delete(parked));
    });
    await Promise.race([rung, ridden]);
    // Another claim may have emptied it before, and a third begun a new one since.
    const isLast = claims.size === 0 && this.#parked.get(item.projectId) === claims;
    if (isLast) this.#parked.delete(item.projectId);
    return { asked };
  }

  /** The waiting claims that could do one of these submissions, in the order they came. */
  riders(submissions: readonly SubmitItem[]): Rider[] {
    const riders: Rider[] = [];
    for (const { projectId, runs } of submissions) {
      const ready = runs.filter(({ spec }) => spec.notBefore === null && !hasDependencies(spec));
      for (const { item, ride } of this.#parked.get(projectId) ?? []) {
        if (riders.length === MAX_RIDERS) return riders;
        if (ready.some(({ spec }) => mayDo(item, spec))) riders.push({ item, settle: ride() });
      }
    }
    return riders;
  }
}

function hasDependencies({ dependsOn }: Spec): boolean {
  return dependsOn.length > 0;
}

/** A guess that spares a flush the claims that surely do not fit; `admit` decides. */
function mayDo(claim: ClaimItem, spec: Spec): boolean {
  return (
    claim.runners.includes(spec.runner) &&
    (claim.queues === null || claim.queues.includes(spec.queue)) &&
    (spec.agent === null || claim.agents.some(({ name }) => name === spec.agent)) &&
    (spec.runtime === null || spec.runtime === claim.runtime)
  );
}
