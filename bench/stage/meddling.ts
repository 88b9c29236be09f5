// What people and other programs do while work goes on: batches with dependencies and concurrency
// keys, cancels and kills through another server than the one that was asked, pauses, reading.
// Promises: every actor is one client that waits for its answer; all stop when told; a queue that
// was paused is resumed at the end.
// Leaves to others: judging; an answer that refuses is as good as one that obeys.

import type { BatchSubmission, BatchSubmitResult } from "@signalbox/sdk";

import type { Random } from "./random.ts";
import { sleep } from "./until.ts";
import type { Wire } from "./wire.ts";

export type MeddlingOptions = {
  queue: string;
  random: Random;
  /** One client per server; each actor goes from one to the next. */
  wires: readonly Wire[];
};

const BATCH = 10;

/** All actors, at work. */
export class Meddling {
  /** Runs that were submitted and acknowledged. */
  readonly runs: string[] = [];
  /** Runs whose end was asked for by somebody. */
  readonly stopped = new Set<string>();
  readonly #options: MeddlingOptions;
  readonly #acting: Promise<void>[];
  #isOver = false;
  #fault: Error | null = null;
  #turn = 0;

  constructor(options: MeddlingOptions) {
    this.#options = options;
    this.#acting = [
      this.#repeat(150, () => this.#submit()),
      this.#repeat(80, () => this.#stopOne()),
      this.#repeat(2_000, () => this.#pause()),
      this.#repeat(60, () => this.#read()),
    ];
  }

  /** Ends everything soon, without waiting for it. */
  halt(): void {
    this.#isOver = true;
  }

  async stop(): Promise<void> {
    this.halt();
    await Promise.all(this.#acting);
    if (this.#fault !== null) throw this.#fault;
    await this.#wire().must(`POST /v1/queues/${this.#options.queue}/resume`, { body: {} });
  }

  #wire(): Wire {
    const { wires } = this.#options;
    const wire = wires[this.#turn++ % wires.length];
    if (wire === undefined) throw new Error("no server to meddle with");
    return wire;
  }

  async #repeat(everyMs: number, act: () => Promise<unknown>): Promise<void> {
    while (!this.#isOver) {
      try {
        await act();
      } catch (error) {
        // Told when the load ends: until then nobody waits for this actor.
        this.#fault ??= error as Error;
        this.halt();
      }
      await sleep(this.#options.random.between(0, 2 * everyMs));
    }
  }

  /** A few chains, a few runs that share a key, different priorities. */
  async #submit(): Promise<void> {
    const { queue, random } = this.#options;
    const items = Array.from({ length: BATCH }, (_, n): BatchSubmission => {
      const isChained = n > 0 && random.next() < 0.3;
      return {
        ref: `r${n}`,
        queue,
        priority: random.pick(["low", "medium", "high", "critical"]),
        input: { take_ms: random.between(0, 15) },
        ...(isChained && { depends_on: [`#r${n - 1}`], on_dependency_failure: "fail" }),
        ...(random.next() < 0.3 && { concurrency_key: `key-${random.between(1, 5)}` }),
      };
    });
    const call = { body: { items } };
    const { results } = await this.#wire().must<{ results: BatchSubmitResult[] }>(
      "POST /v1/runs/batch",
      call,
    );
    for (const result of results) if (result.ok) this.runs.push(result.run.id);
  }

  async #stopOne(): Promise<void> {
    const recent = this.runs.slice(-3 * BATCH);
    if (recent.length === 0) return;
    const run = this.#options.random.pick(recent);
    const how = this.#options.random.pick(["cancel", "kill"]);
    this.stopped.add(run);
    await this.#wire().ask(`POST /v1/runs/${run}/${how}`, { body: { reason: "meddling" } });
  }

  async #pause(): Promise<void> {
    const at = `POST /v1/queues/${this.#options.queue}`;
    await this.#wire().must(`${at}/pause`, { body: { reason: "meddling" } });
    await sleep(this.#options.random.between(0, 200));
    await this.#wire().must(`${at}/resume`, { body: {} });
  }

  async #read(): Promise<void> {
    const run = this.runs.at(-1);
    if (run === undefined) return;
    const what = [`/v1/runs/${run}`, `/v1/runs/${run}/explain`, "/v1/runs?limit=50", "/v1/events"];
    await this.#wire().must(`GET ${this.#options.random.pick(what)}`);
  }
}
