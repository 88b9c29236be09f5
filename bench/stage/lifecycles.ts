// Run lifecycles: submit, claim, start, three events, complete; seven operations, each answered
// after its commit, one after the other; so many lifecycles at a time.
// Promises: only lifecycles that ended inside the measured time are counted; an operation that is
// refused ends the measurement as failed; the operations are the same however they are done.
// Leaves to others: how an operation is done (operators.ts), what its speed must be (benches/).

import type { Held } from "./embedding.ts";
import { quantile } from "./figures.ts";

/** The kinds of operations of a lifecycle; of `event` there are three. */
export const kinds = ["submit", "claim", "start", "event", "complete"] as const;
export type Kind = (typeof kinds)[number];

export const EVENTS = 3;

/** A way to do the operations. Each resolves when it is committed. */
export type Operator = {
  submit: () => Promise<unknown>;
  /** Waits for work: there always is some, since whoever claims has submitted before. */
  claim: () => Promise<Held>;
  start: (held: Held) => Promise<unknown>;
  event: (held: Held, producerSeq: number) => Promise<unknown>;
  complete: (held: Held) => Promise<unknown>;
};

/** What was measured: lifecycles per second, and the latency of each operation in milliseconds. */
export type Paced = { perSecond: number; lifecycles: number; latencies: Latencies };

/** Milliseconds of every operation, by kind. */
export type Latencies = Record<Kind, number[]>;

export type Pace = {
  inFlight: number;
  warmUpMs: number;
  measureMs: number;
};

export const noLatencies = (): Latencies => ({
  submit: [],
  claim: [],
  start: [],
  event: [],
  complete: [],
});

/** One lifecycle. Adds the latency of each operation to `into`. */
export async function oneLifecycle(operator: Operator, into: Latencies): Promise<void> {
  const timed = async <T>(kind: Kind, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    into[kind].push(performance.now() - began);
    return result;
  };
  await timed("submit", operator.submit);
  const held = await timed("claim", operator.claim);
  await timed("start", () => operator.start(held));
  for (let seq = 1; seq <= EVENTS; seq += 1) {
    await timed("event", () => operator.event(held, seq));
  }
  await timed("complete", () => operator.complete(held));
}

/** Lifecycles that go on until they are told to stop: the load while something else is measured. */
export class Lifecycles {
  readonly #loops: Promise<void>[];
  readonly #isExcused: (error: unknown) => boolean;
  #isOver = false;
  #fault: Error | null = null;
  latencies = noLatencies();
  ended = 0;
  /** Lifecycles that met an error which the bench excuses. */
  excused = 0;

  /**
   * `operators`: one for all, or several that the loops share in turn. `isExcused`: errors that end
   * one lifecycle and not the load.
   */
  constructor(
    operators: Operator | readonly Operator[],
    inFlight: number,
    isExcused: (error: unknown) => boolean = () => false,
  ) {
    this.#isExcused = isExcused;
    const all = [operators].flat();
    this.#loops = Array.from({ length: inFlight }, (_, n) => {
      const operator = all[n % all.length];
      if (operator === undefined) throw new Error("nobody to do the operations");
      return this.#loop(operator);
    });
  }

  async #loop(operator: Operator): Promise<void> {
    while (!this.#isOver) {
      try {
        await oneLifecycle(operator, this.latencies);
        this.ended += 1;
      } catch (error) {
        if (this.#isExcused(error)) {
          this.excused += 1;
          continue;
        }
        // Told when the load ends: until then nobody waits for this loop.
        this.#fault ??= error as Error;
        this.#isOver = true;
      }
    }
  }

  /** Begins to count anew. */
  reset(): void {
    this.ended = 0;
    this.latencies = noLatencies();
  }

  get isFailed(): boolean {
    return this.#fault !== null;
  }

  /** Lets every lifecycle end. Throws what any of them met. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    if (this.#fault !== null) throw this.#fault;
  }
}

/** So many lifecycles in flight for so long. */
export async function pace(operators: Operator | readonly Operator[], how: Pace): Promise<Paced> {
  const load = new Lifecycles(operators, how.inFlight);
  await passed(how.warmUpMs, load);
  load.reset();
  const began = performance.now();
  await passed(how.measureMs, load);
  const { ended: lifecycles, latencies } = load;
  const seconds = (performance.now() - began) / 1_000;
  await load.stop();
  return { perSecond: lifecycles / seconds, lifecycles, latencies };
}

/** Waits so long, or until a lifecycle has failed. */
function passed(ms: number, load: Lifecycles): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearInterval(look);
      clearTimeout(late);
      resolve();
    };
    const late = setTimeout(end, ms);
    const look = setInterval(() => load.isFailed && end(), 100);
  });
}

/** The latency of any operation below which this share of all lies, in milliseconds. */
export function latencyOf({ latencies }: Paced, share: number): number {
  return quantile(Object.values(latencies).flat(), share);
}
