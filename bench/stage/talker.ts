// A run that talks: a worker's attempt that says so many events, at once or at a pace.
// Promises: what is said is a mix as agents make it (lines, stderr, pieces of messages, tool calls)
// from the seed; numbers are the register's own answers; nobody else writes to the run.
// Leaves to others: who reads it.

import type { Claim, ClaimResponse, EventSubmission, RunSummary } from "@signalbox/sdk";

import type { Random } from "./random.ts";
import type { Server } from "./server.ts";
import { sleep } from "./until.ts";
import type { Wire } from "./wire.ts";

const BATCH = 500;
const EVERY_MS = 50;
const words = "the agent reads a file writes it again runs the tests and looks at what they say";

export class Talker {
  readonly id: string;
  readonly #wire: Wire;
  readonly #random: Random;
  readonly #fence: { attempt_id: string; fencing_token: number };
  #n = 0;
  /** The newest number of the run. */
  last = 0;

  private constructor(wire: Wire, random: Random, { run, ...claim }: Claim) {
    this.#wire = wire;
    this.#random = random;
    this.id = run.id;
    const { attempt_id, fencing_token } = claim;
    this.#fence = { attempt_id, fencing_token };
  }

  /** A run that has been claimed and started. */
  static async start(server: Server, random: Random, name: string): Promise<Talker> {
    const wire = server.wire(name, false);
    await wire.must(`PUT /v1/runtimes/${name}`, { body: {} });
    const submission = { queue: name, metadata: { title: `Talks: ${name}` } };
    await wire.must<RunSummary>("POST /v1/runs", { body: submission });
    const body = { runtime: name, queues: [name], free: 1, lease_ms: 3_600_000, wait_ms: 5_000 };
    const { claims } = await wire.must<ClaimResponse>("POST /v1/claims", { body });
    const talker = new Talker(wire, random, (claims as [Claim])[0]);
    await wire.must(`POST /v1/runs/${talker.id}/start`, { body: talker.#fence });
    return talker;
  }

  /** Says so many events as fast as they are taken. `first` is the text of the first. */
  async say(count: number, first?: string): Promise<void> {
    for (let left = count; left > 0; left -= BATCH) {
      const events = Array.from({ length: Math.min(left, BATCH) }, () => this.#event());
      if (left === count && first !== undefined) events[0] = line(first);
      await this.send(events);
    }
  }

  /**
   * Says what so many events a second come to in so many seconds, evenly and no faster; later where
   * they are taken more slowly. Returns how many, and in how many seconds.
   */
  async talk(perSecond: number, seconds: number): Promise<{ said: number; seconds: number }> {
    const each = Math.max(1, Math.round((perSecond * EVERY_MS) / 1_000));
    const began = performance.now();
    let said = 0;
    while (said < perSecond * seconds) {
      await this.send(Array.from({ length: each }, () => this.#event()));
      said += each;
      await sleep(Math.max(0, began + (said / perSecond) * 1_000 - performance.now()));
    }
    return { said, seconds: (performance.now() - began) / 1_000 };
  }

  async send(events: readonly EventSubmission[]): Promise<void> {
    const body = { ...this.#fence, events };
    const at = `POST /v1/runs/${this.id}/events`;
    const { last_seq: last } = await this.#wire.must<{ last_seq: string }>(at, { body });
    this.last = Number(last);
  }

  async end(): Promise<void> {
    await this.#wire.must(`POST /v1/runs/${this.id}/complete`, {
      body: { ...this.#fence, output: null },
    });
  }

  #event(): EventSubmission {
    const n = (this.#n += 1);
    const text = words.slice(0, this.#random.between(10, words.length));
    const kind = n % 20;
    if (kind === 3) return { type: "message.delta", data: { text: `${text} ` } };
    if (kind === 7) {
      const data = { id: `call-${n}`, name: "bash", arguments: { command: text } };
      return { type: "tool.call.started", data };
    }
    if (kind === 9) {
      return {
        type: "tool.call.completed",
        data: { id: `call-${n - 2}`, name: "bash", result: text },
      };
    }
    const stream = kind === 12 ? { stream: "stderr" } : {};
    return line(`${n} ${text}`, stream);
  }
}

const line = (text: string, more: object = {}): EventSubmission => ({
  type: "log.line",
  data: { text, ...more },
});
