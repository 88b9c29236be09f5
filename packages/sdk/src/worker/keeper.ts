// The keeper: keeps leases alive and hears what the server has to say about them.
// Promises: one request renews all leases, every `heartbeatMs` (or a third of the shortest lease),
// also without leases (presence); an unanswered one is repeated after 250 ms … 1 s; one directive
// stream stays open, so that a cancel or kill arrives within 1 s; all times are monotonic.
// It uses timers and HTTP alone, so it runs in a thread (`keeper-thread.ts`) or in a supervisor
// process, where no handler, parser or output can starve it.
// Leaves to others: registering the runtime, claims, reports; stopping the work itself.

import { isSignalboxError } from "../errors.ts";
import { follow } from "../event-stream.ts";
import { Http } from "../http.ts";
import { backoffMs, sleep } from "../retry.ts";
import type { Directive, Fence, HeartbeatResponse, Json } from "../wire.ts";
import { KeptLeases } from "./kept-leases.ts";
import type { KeeperCallbacks, KeptLease, Renewal } from "./kept-leases.ts";

export type { KeeperCallbacks, KeptLease } from "./kept-leases.ts";

export type KeeperOptions = {
  url: string;
  key: string;
  project?: string;
  /** Name of the registered runtime. */
  runtime: string;
  agents: string[];
  heartbeatMs: number;
};

/** What a worker needs of its keeper: this one, one in a thread, or one in a supervisor process. */
export type KeeperLike = Pick<Keeper, "add" | "remove" | "setCheckpoint" | "start" | "stop">;
export type KeeperFactory = (options: KeeperOptions, callbacks: KeeperCallbacks) => KeeperLike;

const LONGEST_REQUEST_MS = 5_000;
const RETRY = { baseMs: 250, capMs: 1_000 };
/** A checkpoint does not wait for the next heartbeat, but beats are at least this far apart. */
const CLOSEST_BEATS_MS = 100;
/** The timer looks again at least this often; also keeps it below setTimeout's limit. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Keeps the leases of one runtime. Made once, started once, stopped once. A `Worker` has one; make
 * your own only for a worker of another kind.
 *
 * @example
 * const keeper = new Keeper({ url, key, runtime, agents: ["a"], heartbeatMs: 5_000 }, callbacks);
 * keeper.start();
 * keeper.add({ fence, leaseMs: claim.lease_ms, timeLeftMs: claim.time_left_ms });
 */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #callbacks: KeeperCallbacks;
  readonly #http: Http;
  readonly #leases: KeptLeases;
  readonly #stopping = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #nextBeatAt = Infinity;
  /** Whether leases were added in this turn. */
  #isLooking = false;
  #sentAt = -Infinity;
  #failures = 0;
  #beat: Promise<void> | null = null;
  #listening: Promise<void> = Promise.resolve();

  constructor(options: KeeperOptions, callbacks: KeeperCallbacks) {
    this.#options = options;
    this.#callbacks = guarded(callbacks);
    this.#http = new Http(options);
    this.#leases = new KeptLeases(this.#callbacks);
  }

  /** Keeps a lease from now on. Call it at once when the claim is answered: its time runs. */
  add(lease: KeptLease): void {
    this.#leases.add(lease, performance.now());
    if (this.#isLooking) return;
    // Leases come in hundreds at a time: when to beat for all of them is asked once.
    this.#isLooking = true;
    queueMicrotask(() => {
      this.#isLooking = false;
      this.#beatBy(performance.now() + this.#intervalMs());
    });
  }

  /** Forgets a lease: its attempt has ended. */
  remove(fence: Fence): void {
    this.#leases.remove(fence);
  }

  /** Sends a checkpoint with the next heartbeat, which comes soon. A newer one replaces it. */
  setCheckpoint(fence: Fence, checkpoint: Json): void {
    if (!this.#leases.setCheckpoint(fence, checkpoint)) return;
    if (this.#failures === 0) this.#beatBy(this.#sentAt + CLOSEST_BEATS_MS);
  }

  /** Begins with a heartbeat at once, and opens the directive stream. */
  start(): void {
    this.#listening = this.#listen();
    this.#beatBy(performance.now());
  }

  /** No further request; resolves when the ones in progress have ended. Leaves no timer. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await Promise.all([this.#beat, this.#listening]);
  }

  #intervalMs(): number {
    return Math.min(this.#options.heartbeatMs, this.#leases.shortestMs() / 3);
  }

  #beatBy(at: number): void {
    this.#nextBeatAt = Math.min(this.#nextBeatAt, at);
    this.#arm();
  }

  /** One timer for whatever is due next: a heartbeat, a freeze, a time limit. */
  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#stopping.signal.aborted) return;
    const beatAt = this.#beat === null ? this.#nextBeatAt : Infinity;
    const dueIn = Math.min(beatAt, this.#leases.nextDue()) - performance.now();
    const waitMs = Math.max(0, Math.min(dueIn, LONGEST_WAIT_MS));
    this.#timer = setTimeout(() => this.#tick(), waitMs);
  }

  #tick(): void {
    const now = performance.now();
    this.#leases.tick(now);
    if (this.#beat === null && now >= this.#nextBeatAt) {
      this.#nextBeatAt = Infinity;
      this.#beat = this.#sendBeat().finally(() => {
        this.#beat = null;
        this.#arm();
      });
    }
    this.#arm();
  }

  async #sendBeat(): Promise<void> {
    const { agents, heartbeatMs, runtime } = this.#options;
    const renewals = this.#leases.renewals();
    const sentAt = performance.now();
    this.#sentAt = sentAt;
    try {
      const answer = await this.#http.post<HeartbeatResponse>("/v1/heartbeats", {
        body: { runtime, agents, leases: renewals.map(({ body }) => body) },
        timeoutMs: Math.min(heartbeatMs, LONGEST_REQUEST_MS),
        signal: this.#stopping.signal,
      });
      this.#failures = 0;
      // First what is asked: a killed attempt is told so before its lease is found to be lost.
      for (const directive of answer.directives) this.#leases.direct(directive);
      this.#leases.acknowledge(renewals, answer.leases, sentAt);
      const intervalMs = this.#leases.hasCheckpoints() ? CLOSEST_BEATS_MS : this.#intervalMs();
      this.#nextBeatAt = Math.min(this.#nextBeatAt, sentAt + intervalMs);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#unanswered(error, renewals);
    }
  }

  #unanswered(error: unknown, renewals: Renewal[]): void {
    this.#failures += 1;
    const status = isSignalboxError(error) ? error.status : 0;
    if (status === 400 || status === 413 || status === 422) {
      this.#leases.refuseCheckpoints(renewals);
    }
    const asked = isSignalboxError(error) ? (error.retryAfterMs ?? 0) : 0;
    const retryMs = Math.max(backoffMs(this.#failures, RETRY), asked);
    this.#nextBeatAt = performance.now() + Math.min(retryMs, this.#retryCapMs());
    this.#callbacks.onError?.(error);
  }

  /** However long the server asks to wait, leases end: never rarer than a heartbeat or 1 s. */
  #retryCapMs(): number {
    return Math.max(RETRY.capMs, this.#options.heartbeatMs);
  }

  /** Reads the directive stream until stopped; opens it again whatever ends it. */
  async #listen(): Promise<void> {
    const { signal } = this.#stopping;
    const path = `/v1/runtimes/${encodeURIComponent(this.#options.runtime)}/directives`;
    const options = { path, signal, patienceMs: Infinity, longestWaitMs: RETRY.capMs };
    while (!signal.aborted) {
      try {
        for await (const message of follow(this.#http, options)) {
          if (message.event !== "directive") continue;
          this.#leases.direct(JSON.parse(message.data) as Directive);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#callbacks.onError?.(error);
        await sleep(RETRY.capMs, signal).catch(() => {});
      }
    }
  }
}

/** A callback that throws must not stop the heartbeats. */
function guarded(callbacks: KeeperCallbacks): KeeperCallbacks {
  const onError = (error: unknown): void => {
    try {
      callbacks.onError?.(error);
    } catch {
      // The last resort has failed too; the leases matter more.
    }
  };
  const guard = (call: () => void): void => {
    try {
      call();
    } catch (error) {
      onError(error);
    }
  };
  return {
    onDirective: (directive) => guard(() => callbacks.onDirective(directive)),
    onFreeze: (fence) => guard(() => callbacks.onFreeze(fence)),
    onThaw: (fence) => guard(() => callbacks.onThaw(fence)),
    onLost: (fence, code) => guard(() => callbacks.onLost(fence, code)),
    onCheckpoint: (fence, stored) => guard(() => callbacks.onCheckpoint?.(fence, stored)),
    onError,
  };
}
