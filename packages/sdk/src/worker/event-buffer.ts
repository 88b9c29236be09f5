// The event buffer: events of many attempts, appended in few requests.
// Promises: the events of one attempt arrive in order, numbered from 1 without gaps, after its
// `start` was accepted; at most one piece (≤ 500 events, ≤ 1 MiB) of an attempt is on its way;
// `flush` resolves when all are stored or refused. A refused event is dropped and reported, it
// never holds up the attempt's outcome. What was consumed is sent after the end of the attempt too.
// Leaves to others: batching over attempts (`batch-sender.ts`), cutting data (`event-data.ts`).

import { isSignalboxError } from "../errors.ts";
import type { EventSubmission, Fence } from "../wire.ts";
import { BatchSender } from "./batch-sender.ts";
import type { BatchSenderOptions } from "./batch-sender.ts";
import { isGone } from "./reporter.ts";

/** An event as JSON: it is written once and measured once. */
type Queued = { json: string; bytes: number; isUsage: boolean };

const MAX_EVENTS = 500;
const MAX_BYTES = 1_048_576 - 1_024;
/** Beyond this an `await emit(…)` waits, so that a fast handler cannot fill the memory. */
const HIGH_WATER_EVENTS = 2_000;
const HIGH_WATER_BYTES = 4 * 1_048_576;

/** Appends the events of many attempts through `POST /v1/events`. */
export class EventBuffer {
  readonly #sender: BatchSender<{ last_seq: string; stored: number }>;
  readonly #onError: (error: unknown) => void;

  constructor(options: Omit<BatchSenderOptions, "path">) {
    this.#onError = options.onError;
    this.#sender = new BatchSender({ ...options, path: "/v1/events" });
  }

  /** The events of one attempt, sent after `gate` has resolved. */
  open(fence: Fence, gate: Promise<unknown>): AttemptEvents {
    const sender = this.#sender;
    return new AttemptEvents({ fence, gate, sender, onError: this.#onError });
  }

  /** Resolves when what is on its way has been answered. */
  idle(): Promise<void> {
    return this.#sender.idle();
  }

  /** Gives up on what is not answered. */
  close(): void {
    this.#sender.close();
  }
}

type AttemptEventsOptions = {
  fence: Fence;
  gate: Promise<unknown>;
  sender: BatchSender<{ last_seq: string; stored: number }>;
  onError: (error: unknown) => void;
};

/** The queue of one attempt. */
export class AttemptEvents {
  readonly #options: AttemptEventsOptions;
  #queue: Queued[] = [];
  #bytes = 0;
  #nextSeq = 1;
  #pump: Promise<void> | null = null;
  /** The attempt is over: the server takes nothing of it but what it consumed. */
  #ended = false;
  #dropped = false;
  /** Halved at each refusal until the wrong event stands alone, doubled at each success. */
  #limit = MAX_EVENTS;
  #drained: (() => void)[] = [];

  constructor(options: AttemptEventsOptions) {
    this.#options = options;
  }

  /**
   * Queues an event. Resolves at once, or when the queue is short again. Never rejects: a lost
   * attempt drops its events, and its signal has told so.
   */
  append(event: EventSubmission): Promise<void> {
    const isUsage = event.type === "usage.recorded";
    if (this.#dropped || (this.#ended && !isUsage)) return Promise.resolve();
    const json = JSON.stringify({ ...event, producer_seq: this.#nextSeq });
    this.#nextSeq += 1;
    const bytes = Buffer.byteLength(json) + 1;
    this.#queue.push({ json, bytes, isUsage });
    this.#bytes += bytes;
    this.#pump ??= this.#send();
    if (!this.#isFull()) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Resolves when every event so far is stored, refused or dropped. */
  async flush(): Promise<void> {
    while (this.#pump !== null) await this.#pump;
  }

  /**
   * The attempt is over: forgets what is queued and takes no more, but for what was consumed: that
   * is accepted for ten minutes after the end, also from an attempt that was lost.
   */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#keep(this.#queue.filter(({ isUsage }) => isUsage));
  }

  /** Nothing will be taken any more. */
  #drop(): void {
    this.#dropped = true;
    this.#keep([]);
  }

  #keep(queue: Queued[]): void {
    this.#queue = queue;
    this.#bytes = queue.reduce((sum, { bytes }) => sum + bytes, 0);
    if (!this.#isFull()) this.#release();
  }

  #isFull(): boolean {
    return this.#queue.length > HIGH_WATER_EVENTS || this.#bytes > HIGH_WATER_BYTES;
  }

  #release(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  async #send(): Promise<void> {
    try {
      await this.#options.gate;
    } catch {
      this.end(); // the start was refused: this attempt owns nothing
    }
    while (this.#queue.length > 0) {
      const piece = this.#piece();
      await this.#sendPiece(piece);
      if (!this.#isFull()) this.#release();
    }
    this.#pump = null;
  }

  /** The head of the queue: at least one event. Stays queued until it is answered. */
  #piece(): Queued[] {
    let bytes = 0;
    let count = 0;
    for (const queued of this.#queue) {
      bytes += queued.bytes;
      if (count > 0 && (count === this.#limit || bytes > MAX_BYTES)) break;
      count += 1;
    }
    return this.#queue.slice(0, count);
  }

  async #sendPiece(piece: Queued[]): Promise<void> {
    const { fence, onError, sender } = this.#options;
    try {
      const events = piece.map(({ json }) => json).join(",");
      const json = `${JSON.stringify(fence).slice(0, -1)},"events":[${events}]}`;
      await sender.push(fence.run_id, json, piece.length);
      this.#forget(piece);
      this.#limit = Math.min(MAX_EVENTS, this.#limit * 2);
    } catch (error) {
      if (isSignalboxError(error, "worker_stopped")) return this.#drop();
      if (isGone(error)) return this.#refusedAsGone(piece, error);
      if (piece.length > 1) {
        this.#limit = Math.ceil(piece.length / 2);
        return;
      }
      onError(error);
      this.#forget(piece);
      this.#limit = MAX_EVENTS;
    }
  }

  /** Usage that was refused together with other events goes again, alone. */
  #refusedAsGone(piece: Queued[], error: unknown): void {
    this.end();
    if (!piece.every(({ isUsage }) => isUsage)) return;
    this.#options.onError(error);
    this.#drop();
  }

  /** What is left of the piece stands at the head of the queue, in its order. */
  #forget(piece: Queued[]): void {
    const sent = new Set(piece);
    let count = 0;
    for (const queued of this.#queue) {
      if (!sent.has(queued)) break;
      count += 1;
    }
    for (const { bytes } of this.#queue.splice(0, count)) this.#bytes -= bytes;
  }
}
