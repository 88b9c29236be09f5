// Mixed load from plain clients, and the list of what they were promised.
// Promises: `promised` holds exactly what was answered with 2xx: submits, events, completions; an
// unknown outcome is in the operations log only. A submit of unknown outcome is repeated under its
// key, as a good client does. Clients go on through outages until told to stop.
// Leaves to others: killing, and comparing promises with the register (kept.ts).

import type { Claim, ClaimResponse, RunSummary } from "@signalbox/sdk";

import { Random } from "./random.ts";
import { sleep } from "./until.ts";
import type { Wire } from "./wire.ts";

/** What the server has acknowledged. `n` is the number in input, event and output. */
export type Promised = {
  submits: { run: string; n: number; key: string }[];
  events: { run: string; attempt: number; producer_seq: number; n: number }[];
  completions: { run: string; n: number }[];
};

export type LoadOptions = {
  queue: string;
  seed: number;
  submitters: number;
  workers: number;
  leaseMs: number;
  /** Longest pause of a client between two requests, in milliseconds. */
  thinkMs: number;
  /** One wire per client, so that each has its name in the operations log. */
  wire: (name: string) => Wire;
};

const AWAY_MS = 50;
const CLAIM_AT_ONCE = 4;
const EVENTS_PER_RUN = 2;
/** A run may meet every kill of a campaign: here attempts are not what is judged. */
const MAX_ATTEMPTS = 100;

/** Running load. */
export class Load {
  readonly promised: Promised = { submits: [], events: [], completions: [] };
  readonly #options: LoadOptions;
  readonly #random: Random;
  #submitting = true;
  #working = true;
  #next = 0;
  readonly #clients: { submitters: Promise<void>[]; workers: Promise<void>[] };

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    const each = (count: number, one: (n: number) => Promise<void>): Promise<void>[] =>
      Array.from({ length: count }, (_, n) => one(n));
    this.#clients = {
      submitters: each(options.submitters, (n) => this.#submit(options.wire(`submitter-${n}`))),
      workers: each(options.workers, (n) => this.#work(options.wire(`worker-${n}`), n)),
    };
  }

  /** Ends everything soon, without waiting for it. */
  halt(): void {
    this.#submitting = false;
    this.#working = false;
  }

  /** No further submits; work goes on. */
  async stopSubmitting(): Promise<void> {
    this.#submitting = false;
    await Promise.all(this.#clients.submitters);
  }

  async stop(): Promise<void> {
    await this.stopSubmitting();
    this.#working = false;
    await Promise.all(this.#clients.workers);
  }

  async #submit(wire: Wire): Promise<void> {
    const { queue } = this.#options;
    while (this.#submitting) {
      const n = this.#next++;
      const key = `${queue}-${n}`;
      const backoff = { base_ms: 50, cap_ms: 500 };
      const body = { queue, backoff, max_attempts: MAX_ATTEMPTS, input: { n } };
      const call = { body, headers: { "idempotency-key": key } };
      for (;;) {
        const reply = await wire.ask<RunSummary>("POST /v1/runs", call);
        if (reply.status === 200 || reply.status === 201) {
          this.promised.submits.push({ run: reply.body.id, n, key });
          break;
        }
        if (!this.#submitting) return;
        await sleep(AWAY_MS);
      }
      await this.#think();
    }
  }

  async #work(wire: Wire, n: number): Promise<void> {
    const { queue, leaseMs } = this.#options;
    const runtime = `load-${n}`;
    const body = { runtime, queues: [queue], free: CLAIM_AT_ONCE, lease_ms: leaseMs, wait_ms: 500 };
    while (this.#working) {
      const reply = await wire.ask<ClaimResponse>("POST /v1/claims", { body });
      if (reply.status === 200) {
        await Promise.all(reply.body.claims.map((claim) => this.#do(wire, claim)));
      } else {
        if (reply.status !== 0) await wire.ask(`PUT /v1/runtimes/${runtime}`, { body: {} });
        await sleep(AWAY_MS);
      }
    }
  }

  /** One run. Whatever is not answered ends the work on it: its lease will end too. */
  async #do(wire: Wire, { run, attempt_id, fencing_token }: Claim): Promise<void> {
    const at = `POST /v1/runs/${run.id}`;
    const fence = { attempt_id, fencing_token };
    const { n } = run.input as { n: number };
    if ((await wire.ask(`${at}/start`, { body: fence })).status !== 200) return;
    for (let producer_seq = 1; producer_seq <= EVENTS_PER_RUN; producer_seq += 1) {
      const events = [{ type: "message.delta", producer_seq, data: { n } }];
      const reply = await wire.ask(`${at}/events`, { body: { ...fence, events } });
      if (reply.status !== 200) return;
      this.promised.events.push({ run: run.id, attempt: fencing_token, producer_seq, n });
      await this.#think();
    }
    const reply = await wire.ask(`${at}/complete`, { body: { ...fence, output: { n } } });
    if (reply.status === 200) this.promised.completions.push({ run: run.id, n });
  }

  #think(): Promise<void> {
    return sleep(this.#random.between(0, this.#options.thinkMs));
  }
}
