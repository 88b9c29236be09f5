// One live attempt: from the claim to the accepted report.
// Promises: the lease is kept from the first line to the accepted report; `start` goes first, then
// the events, then exactly one outcome; after a cancel the handler's outcome is still reported
// (the server ends the run cancelled); a killed attempt reports that it has terminated; a lost or
// stopped one reports no outcome, since the server has taken it back, but what it consumed.
// Leaves to others: claiming, capacity, drain (`worker.ts`), sending (`reporter.ts`,
// `event-buffer.ts`).

import { isSignalboxError } from "../errors.ts";
import type { Http } from "../http.ts";
import { isTerminal } from "../run-state.ts";
import type { Claim, Fence, ProcessFacts, ReportBody } from "../wire.ts";
import { askPerson } from "./approval.ts";
import type { ApprovalDecision, ApprovalQuestion } from "./approval.ts";
import { Attempt } from "./attempt.ts";
import type { AttemptPort, PauseListener } from "./attempt.ts";
import { CheckpointSaver } from "./checkpoint-saver.ts";
import type { AttemptOutcome } from "./attempt-news.ts";
import { AttemptAborted } from "./errors.ts";
import type { AbortKind } from "./errors.ts";
import type { AttemptEvents, EventBuffer } from "./event-buffer.ts";
import { isExhausted } from "./exhausted.ts";
import type { KeeperLike } from "./keeper.ts";
import { bareLimit, completion, failure, outputRefused } from "./outcome.ts";
import { isGone } from "./reporter.ts";
import type { Reporter } from "./reporter.ts";

/** Does a run. What it returns is the output (JSON ≤ 1 MiB; undefined = null). */
export type Handler<Input> = (attempt: Attempt<Input>) => unknown;

export type LiveAttemptOptions = {
  reporter: Reporter;
  events: EventBuffer;
  http: Http;
  keeper: KeeperLike;
  process: ProcessFacts;
  onError: (error: unknown) => void;
};

/** After these the run has ended: wanted is that its work has ended too. */
const KILLED: readonly (AbortKind | null)[] = ["kill", "budget"];
/** After these the server has taken the attempt back: nothing is wanted. */
const TAKEN_BACK: readonly (AbortKind | null)[] = ["stop", "lost", "suspended"];
const FINAL: readonly (AbortKind | null)[] = [...KILLED, ...TAKEN_BACK];

/** What is reported → how it is told to who listens. */
const outcomes: Partial<Record<ReportBody["kind"], AttemptOutcome>> = {
  complete: "completed",
  fail: "failed",
  release: "released",
  exhausted: "exhausted",
};

/** An attempt this worker is doing now. */
export class LiveAttempt {
  readonly fence: Fence;
  readonly #claim: Claim;
  readonly #options: LiveAttemptOptions;
  readonly #controller = new AbortController();
  readonly #pauseListeners = new Set<PauseListener>();
  readonly #checkpoints: CheckpointSaver;
  readonly #released: Promise<ReportBody>;
  #giveBack: () => void = () => {};
  #events: AttemptEvents | null = null;
  /** Resolves when the server knows that the work has begun. */
  #gate: Promise<unknown> = Promise.resolve();
  #aborted: AbortKind | null = null;
  #paused = false;
  /** The server did not take the outcome: the run is somebody else's. */
  #gone = false;
  #facts: ProcessFacts | null = null;

  constructor(claim: Claim, options: LiveAttemptOptions) {
    const { attempt_id, fencing_token, run } = claim;
    this.fence = { run_id: run.id, attempt_id, fencing_token };
    this.#claim = claim;
    this.#options = options;
    this.#checkpoints = new CheckpointSaver((checkpoint) =>
      options.keeper.setCheckpoint(this.fence, checkpoint),
    );
    this.#released = new Promise((resolve) => {
      this.#giveBack = () => resolve({ kind: "release", cause: "shutdown" });
    });
  }

  /**
   * Does the run. Resolves with how it went when its outcome is recorded, refused or unwanted.
   * Never rejects.
   */
  async run(handler: Handler<never>): Promise<AttemptOutcome> {
    const { events, keeper, process, reporter } = this.#options;
    const { lease_ms: leaseMs, time_left_ms: timeLeftMs } = this.#claim;
    keeper.add({ fence: this.fence, leaseMs, timeLeftMs });
    const started = reporter.send({ ...this.fence, kind: "start", process });
    const gate = quiet(started.then(nothing, (error: unknown) => this.#startRefused(error)));
    this.#gate = gate;
    this.#events = events.open(this.fence, gate);
    const outcome = await Promise.race([this.#handle(handler), this.#released]);
    if (!TAKEN_BACK.includes(this.#aborted)) {
      await this.#events.flush();
      await this.#report(outcome);
    }
    keeper.remove(this.fence);
    this.#events.end();
    this.#checkpoints.end(new Error("the attempt has ended"));
    return this.#went(outcome);
  }

  #went(outcome: ReportBody): AttemptOutcome {
    if (this.#aborted === "lost" || this.#gone) return "lost";
    if (this.#aborted === "stop") return "stopped";
    if (KILLED.includes(this.#aborted)) return "killed";
    return outcomes[outcome.kind] ?? "failed";
  }

  /**
   * Tells the handler to end. The first reason stands on the signal; a final one wins otherwise.
   */
  abort(kind: AbortKind, reason: string | null = null): void {
    if (FINAL.includes(this.#aborted)) return;
    if (this.#aborted === null || FINAL.includes(kind)) this.#aborted = kind;
    this.#controller.abort(new AttemptAborted(kind, reason));
    if (!FINAL.includes(kind)) return;
    this.#options.keeper.remove(this.fence);
    this.#checkpoints.end(this.#controller.signal.reason);
    if (TAKEN_BACK.includes(kind)) this.#events?.end();
  }

  /** The worker stops: the handler is told, and after `graceMs` the run is given back. */
  release(graceMs: number): void {
    this.abort("shutdown");
    const timer = setTimeout(this.#giveBack, graceMs);
    timer.unref();
  }

  /** Touch with the server is lost (true) or found again (false). */
  setPaused(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    for (const listener of this.#pauseListeners) {
      try {
        listener(paused ? "paused" : "continued");
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  /** The keeper's word on the checkpoint last saved. */
  checkpointAnswered(stored: boolean): void {
    this.#checkpoints.answered(stored);
  }

  /** Runs the handler and turns what it does into a report. Never rejects. */
  async #handle(handler: Handler<never>): Promise<ReportBody> {
    // One turn, so that `start` is on its way before a handler that may never yield.
    await new Promise((resolve) => setImmediate(resolve));
    const { signal } = this.#controller;
    try {
      signal.throwIfAborted();
      const attempt = new Attempt<never>(this.#claim, { port: this.#port(), signal });
      return completion(await handler(attempt));
    } catch (error) {
      // The account rests, whatever else becomes of the attempt.
      if (isExhausted(error)) return failure(error);
      // Whoever throws because the worker stops has not failed.
      const isGivenUp = error instanceof AttemptAborted && error.kind === "shutdown";
      if (isGivenUp || this.#aborted === "shutdown") return { kind: "release", cause: "shutdown" };
      return failure(error);
    }
  }

  async #report(outcome: ReportBody): Promise<void> {
    const { onError, process, reporter } = this.#options;
    if (TAKEN_BACK.includes(this.#aborted)) return;
    const body: ReportBody = KILLED.includes(this.#aborted)
      ? { kind: "terminated", process: this.#facts ?? process }
      : this.#complete(outcome);
    try {
      await reporter.send({ ...this.fence, ...body });
    } catch (error) {
      if (isGone(error)) {
        this.#gone = true;
        return;
      }
      onError(error);
      if (!isWrong(error)) return;
      const instead = this.#insteadOf(body, error);
      if (instead === null) return;
      await reporter.send({ ...this.fence, ...instead }).catch(onError);
    }
  }

  /** Adds what belongs to the outcome besides what the handler said. */
  #complete(outcome: ReportBody): ReportBody {
    const process = this.#facts === null ? {} : { process: this.#facts };
    const unsaved = this.#checkpoints.unsaved();
    switch (outcome.kind) {
      case "complete":
        return { ...outcome, ...process };
      case "fail":
      case "release":
      case "exhausted":
        return { ...outcome, ...process, ...unsaved };
      default:
        return outcome;
    }
  }

  /** What is reported instead of an outcome that the server did not take; null: nothing. */
  #insteadOf(outcome: ReportBody, why: Error): ReportBody | null {
    if (outcome.kind === "complete") return this.#complete(outputRefused(why));
    return outcome.kind === "exhausted" ? bareLimit(outcome) : null;
  }

  #startRefused(error: unknown): void {
    if (isGone(error)) {
      this.abort("lost", isSignalboxError(error) ? error.code : null);
      throw error;
    }
    // The skipped start is made up for by whatever is reported next.
    this.#options.onError(error);
  }

  #port(): AttemptPort {
    return {
      append: (event) => this.#events?.append(event) ?? Promise.resolve(),
      addFacts: (facts) => {
        this.#facts = { ...this.#facts, ...facts };
      },
      saveCheckpoint: (checkpoint) => quiet(this.#checkpoints.save(checkpoint)),
      awaitTool: (tool) =>
        quiet(this.#change({ kind: "await_tool", ...(tool === undefined ? {} : { tool }) })),
      resume: () => quiet(this.#change({ kind: "resume" })),
      ask: (question) => quiet(this.#ask(question)),
      isPaused: () => this.#paused,
      onPause: (listener) => {
        this.#pauseListeners.add(listener);
        return () => this.#pauseListeners.delete(listener);
      },
    };
  }

  /** A question to a person, after the events so far. */
  async #ask(question: ApprovalQuestion): Promise<ApprovalDecision> {
    await Promise.all([this.#gate, this.#events?.flush()]);
    const { http } = this.#options;
    const { signal } = this.#controller;
    signal.throwIfAborted();
    const asking = {
      http,
      fence: this.fence,
      signal,
      unsaved: () => this.#checkpoints.unsaved(),
      suspended: () => this.abort("suspended", "the run waits for a person without this attempt"),
    };
    try {
      return await askPerson(asking, question);
    } catch (error) {
      if (isGone(error) && !isInvalid(error)) {
        this.abort("lost", isSignalboxError(error) ? error.code : null);
        signal.throwIfAborted();
      }
      throw error;
    }
  }

  /** A report in the middle of the attempt, after the events so far. */
  async #change(body: ReportBody): Promise<void> {
    await this.#events?.flush();
    this.#controller.signal.throwIfAborted();
    try {
      const status = await this.#options.reporter.send({ ...this.fence, ...body });
      // A run that was asked to stop ends at the next thing it says.
      if (isTerminal(status.state)) this.abort("lost", `the run is ${status.state}`);
    } catch (error) {
      if (!isGone(error) || isInvalid(error)) throw error;
      this.abort("lost", isSignalboxError(error) ? error.code : null);
    }
    this.#controller.signal.throwIfAborted();
  }
}

/** `resume` without `awaitTool` is the handler's mistake, not the loss of the attempt. */
function isInvalid(error: unknown): boolean {
  return isSignalboxError(error, "invalid_transition");
}

/** The report was understood and not accepted: bad or too large. */
function isWrong(error: unknown): error is Error {
  return isSignalboxError(error) && error.code !== "worker_stopped";
}

/** Marks the promise as watched: a handler that does not await it must not crash the process. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(nothing);
  return promise;
}

function nothing(): void {}
