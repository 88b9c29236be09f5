// The worker: claims runs and has handlers do them.
// Promises: at most `concurrency` runs at a time; leases are kept by a thread, so a handler that
// never yields does not lose its run; on `stop`: no more claims → live runs finish → the rest is
// given back → heartbeats end → the runtime is offline.
// Leaves to others: one run (`live-attempt.ts`), claims (`claim-loop.ts`), leases (`keeper.ts`),
// and surviving its own death: the lease ends and the run goes on elsewhere.

import { hostname } from "node:os";

import type { Signalbox } from "../client.ts";
import { settledWithin } from "../deadline.ts";
import type { Http } from "../http.ts";
import type {
  Claim,
  ClaimRequest,
  Directive,
  Fence,
  Json,
  Runtime,
  RuntimeRegistration,
} from "../wire.ts";
import { ClaimLoop, isUnregistered } from "./claim-loop.ts";
import { EventBuffer } from "./event-buffer.ts";
import { KeeperHost } from "./keeper-host.ts";
import type { KeeperCallbacks, KeeperLike } from "./keeper.ts";
import { tellOf } from "./attempt-news.ts";
import { LiveAttempt } from "./live-attempt.ts";
import type { Handler } from "./live-attempt.ts";
import { settingsOf } from "./options.ts";
import type { Settings, WorkerOptions } from "./options.ts";
import { Reporter } from "./reporter.ts";
import { drainOnSignals } from "./shutdown-signals.ts";
import { guardedSink, warningSink } from "./warnings.ts";

const DEFAULT_RUNNER = "default";
/** What a handler gets to save a checkpoint once it was told that the worker stops. */
const RELEASE_GRACE_MS = 2_000;
/** Reports of finished work are worth waiting for: three leases, then the run goes elsewhere. */
const REPORT_LEASES = 3;
const FAREWELL_MS = 2_000;

/**
 * A worker.
 *
 * @example
 * const worker = new Worker(signalbox, { agents: ["reviewer"], concurrency: 8 });
 * worker.handle(async (attempt) => {
 *   await attempt.log("reading");
 *   return { verdict: "looks good" };
 * });
 * await worker.start();
 */
export class Worker {
  readonly #http: Http;
  readonly #settings: Settings;
  readonly #onError: (error: unknown) => void;
  readonly #handlers = new Map<string, Handler<never>>();
  readonly #live = new Map<string, { attempt: LiveAttempt; done: Promise<void> }>();
  readonly #reporter: Reporter;
  readonly #events: EventBuffer;
  readonly #claims: ClaimLoop;
  #keeper: KeeperLike | null = null;
  #registering: Promise<Runtime> | null = null;
  #started = false;
  #stopped: Promise<void> | null = null;
  #unlisten: () => void = () => {};

  /** Sends nothing. Throws a RangeError for options that cannot work. */
  constructor(signalbox: Signalbox, options: WorkerOptions = {}) {
    const keeper: Settings["keeper"] = (...given) => new KeeperHost(...given);
    this.#settings = settingsOf(options, { keeper, onError: warningSink() });
    this.#http = signalbox.http;
    this.#onError = guardedSink(this.#settings.onError);
    const sending = { http: this.#http, onError: this.#onError };
    this.#reporter = new Reporter(sending);
    this.#events = new EventBuffer(sending);
    this.#claims = new ClaimLoop({
      ...sending,
      request: (free) => this.#claimRequest(free),
      free: () => this.#settings.concurrency - this.#live.size,
      onClaims: (claims) => this.#take(claims),
      register: () => this.#register(),
    });
  }

  /** Name of this worker's runtime. */
  get runtime(): string {
    return this.#settings.runtime;
  }

  /** How many runs this worker is doing now. */
  get live(): number {
    return this.#live.size;
  }

  /**
   * Sets what does the runs of a runner, `default` unless named. Return the output; throw
   * `PermanentError` when another attempt cannot help, anything else to be tried again.
   *
   * @example
   * worker.handle("review-bot", async (attempt) => review(attempt.input, attempt.signal));
   */
  handle<Input = Json>(handler: Handler<Input>): this;
  handle<Input = Json>(runner: string, handler: Handler<Input>): this;
  handle<Input = Json>(first: string | Handler<Input>, second?: Handler<Input>): this {
    const runner = typeof first === "string" ? first : DEFAULT_RUNNER;
    const handler = typeof first === "string" ? second : first;
    if (handler === undefined) throw new TypeError("Worker.handle: no handler given");
    this.#handlers.set(runner, handler);
    return this;
  }

  /**
   * Registers the runtime and begins to claim. Resolves when registered; rejects when the server
   * refuses or did not answer five times. Claiming goes on until `stop`.
   *
   * @example
   * await worker.start();
   */
  async start(): Promise<void> {
    if (this.#started || this.#stopped !== null) throw new Error("Worker.start: starts only once");
    const missing = this.#runners().filter((runner) => !this.#handlers.has(runner));
    if (this.#handlers.size === 0 || missing.length > 0) {
      throw new Error(`Worker.start: no handler for ${missing.join(", ") || "any runner"}`);
    }
    this.#started = true;
    try {
      await this.#register();
    } catch (error) {
      this.#started = false;
      throw error;
    }
    if (this.#isStopping()) return this.#announce("offline");
    const { agents, heartbeatMs, keeper, runtime, signals } = this.#settings;
    const connection = this.#http.connection();
    const keeping = { ...connection, runtime, agents: [...agents], heartbeatMs };
    this.#keeper = keeper(keeping, this.#callbacks());
    this.#keeper.start();
    this.#claims.start();
    if (signals) this.#unlisten = drainOnSignals(() => this.stop());
  }

  /**
   * Stops claiming, lets live runs finish for `drainMs`, gives the rest back (their signal aborts
   * with `shutdown`, 2 s later they are released without costing an attempt), sends what is to be
   * reported (for three leases at most), ends heartbeats and signs off. Never rejects; calling it
   * again waits for the same end.
   *
   * @example
   * await worker.stop({ drainMs: 60_000 });
   */
  stop(options: { drainMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(options.drainMs ?? this.#settings.drainMs);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    if (this.#keeper === null) return;
    // The server answers the waiting claim of a draining runtime at once.
    const draining = this.#announce("draining");
    await Promise.all([this.#claims.stop(), draining]);
    if (!(await settledWithin(this.#allDone(), drainMs))) {
      for (const { attempt } of this.#live.values()) attempt.release(RELEASE_GRACE_MS);
    }
    const reportMs = RELEASE_GRACE_MS + REPORT_LEASES * this.#settings.leaseMs;
    await settledWithin(this.#allDone(), reportMs);
    await settledWithin(this.#allSent(), reportMs);
    this.#reporter.close();
    this.#events.close();
    await this.#keeper.stop();
    await this.#announce("offline");
    this.#unlisten();
  }

  #isStopping(): boolean {
    return this.#stopped !== null;
  }

  async #allDone(): Promise<void> {
    await Promise.all(Array.from(this.#live.values(), ({ done }) => done));
  }

  async #allSent(): Promise<void> {
    await Promise.all([this.#reporter.idle(), this.#events.idle()]);
  }

  /** Does the claimed runs, or gives them back when the worker is stopping. */
  #take(claims: Claim[]): void {
    for (const claim of claims) {
      const handler = this.#handlers.get(claim.run.runner);
      if (this.#isStopping()) this.#giveBack(claim, "shutdown");
      else if (handler === undefined) this.#giveBack(claim, "declined");
      else this.#begin(claim, handler);
    }
  }

  #begin(claim: Claim, handler: Handler<never>): void {
    const attempt = new LiveAttempt(claim, {
      reporter: this.#reporter,
      events: this.#events,
      http: this.#http,
      keeper: this.#keeper as KeeperLike,
      process: { pid: process.pid, host: hostname() },
      onError: this.#onError,
    });
    const told = tellOf(claim, this.#settings.onAttempt, this.#onError);
    const done = attempt
      .run(handler)
      .then(told.ended)
      .finally(() => {
        this.#live.delete(claim.attempt_id);
        this.#claims.nudge();
      });
    this.#live.set(claim.attempt_id, { attempt, done });
  }

  #giveBack(claim: Claim, cause: "shutdown" | "declined"): void {
    const { attempt_id, fencing_token, run } = claim;
    const fence = { run_id: run.id, attempt_id, fencing_token };
    this.#reporter.send({ ...fence, kind: "release", cause }).catch(this.#onError);
  }

  #claimRequest(free: number): ClaimRequest {
    const { agents, leaseMs, queues, runtime } = this.#settings;
    const request: ClaimRequest = { runtime, runners: this.#runners(), free, lease_ms: leaseMs };
    if (agents.length > 0) request.agents = agents.map((name) => ({ name, free }));
    if (queues !== undefined) request.queues = [...queues];
    return request;
  }

  #runners(): string[] {
    return [...(this.#settings.runners ?? this.#handlers.keys())];
  }

  /** Registers the runtime; two callers at once share one request. */
  #register(): Promise<Runtime> {
    const { capabilities, labels, version } = this.#settings;
    this.#registering ??= this.#put({
      version: version ?? null,
      capabilities: [...capabilities],
      labels,
      runners: this.#runners(),
      host: hostname(),
      pid: process.pid,
      state: this.#isStopping() ? "draining" : "online",
    }).finally(() => (this.#registering = null));
    return this.#registering;
  }

  #put(registration: RuntimeRegistration, options: { retry?: boolean } = {}): Promise<Runtime> {
    const path = `/v1/runtimes/${encodeURIComponent(this.#settings.runtime)}`;
    return this.#http.put<Runtime>(path, {
      body: registration,
      ...(options.retry === false ? { retry: false, timeoutMs: FAREWELL_MS } : {}),
    });
  }

  /** A courtesy: the server finds out by itself when it does not hear of it. */
  async #announce(state: "draining" | "offline"): Promise<void> {
    await this.#put({ state }, { retry: false }).catch(this.#onError);
  }

  #callbacks(): KeeperCallbacks {
    const find = (fence: Fence): LiveAttempt | undefined =>
      this.#live.get(fence.attempt_id)?.attempt;
    return {
      onDirective: (directive) => this.#obey(directive),
      onFreeze: (fence) => find(fence)?.setPaused(true),
      onThaw: (fence) => find(fence)?.setPaused(false),
      onLost: (fence, code) => find(fence)?.abort("lost", code),
      onCheckpoint: (fence, stored) => find(fence)?.checkpointAnswered(stored),
      onError: (error) => {
        this.#onError(error);
        if (isUnregistered(error)) this.#register().catch(this.#onError);
      },
    };
  }

  #obey(directive: Directive): void {
    if (directive.kind === "wake") return this.#claims.nudge();
    const live = this.#live.get(directive.attempt_id);
    const kind = directive.kind === "fenced" ? "lost" : directive.kind;
    live?.attempt.abort(kind, directive.reason);
  }
}
