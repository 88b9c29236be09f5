// A handle on one run: what `submit` returns.
// Promises: `state` is what the server last said; `result` and `events` outlive restarts of the
// server; nothing is polled in the background.
// Leaves to others: the calls themselves (`resources/runs.ts`).

import { RunFailed, TimeoutError } from "./errors.ts";
import { isTerminal } from "./run-state.ts";
import type { FollowRunOptions, Runs, WaitOptions } from "./resources/runs.ts";
import type { Event, Json, Run, RunState, RunStatus, RunSummary } from "./wire.ts";

/** One run. Made by `runs.submit` and `runs.handle`. */
export class RunHandle {
  readonly id: string;
  /** False when the idempotency key belonged to a run that existed already. */
  readonly created: boolean;
  readonly #runs: Runs;
  #run: RunSummary;

  constructor(runs: Runs, { run, created }: { run: RunSummary; created: boolean }) {
    this.#runs = runs;
    this.#run = run;
    this.id = run.id;
    this.created = created;
  }

  /** The state, as of the last call through this handle. */
  get state(): RunState {
    return this.#run.state;
  }

  /** The record, as of the last call through this handle. */
  get run(): RunSummary {
    return this.#run;
  }

  /**
   * Asks the server for the run as it is now.
   *
   * @example
   * const { cost_micros } = await run.refresh();
   */
  async refresh(): Promise<Run> {
    const run = await this.#runs.get(this.id);
    this.#run = run;
    return run;
  }

  /**
   * The events as they happen, from the first; ends after the terminal event.
   *
   * @example
   * for await (const event of run.events()) console.log(event.type);
   */
  events(options: FollowRunOptions = {}): AsyncIterable<Event> {
    return this.#runs.follow(this.id, options);
  }

  /**
   * The output, once the run has completed. Throws {@link RunFailed} when it ended otherwise; with
   * `timeoutMs`, {@link TimeoutError} (code `wait_timeout`) when it has not ended by then.
   *
   * @example
   * const output = await run.result();
   */
  async result(options: WaitOptions = {}): Promise<Json> {
    const run = await this.#runs.wait(this.id, options);
    this.#run = run;
    if (run.state === "completed") return run.output;
    if (isTerminal(run.state)) throw new RunFailed(run);
    const message = `wait_timeout: run ${this.id} is still ${run.state}`;
    throw new TimeoutError({ message, code: "wait_timeout", status: 0, retryable: true });
  }

  /**
   * Asks the run to stop; see `runs.cancel`.
   *
   * @example
   * await run.cancel({ reason: "superseded" });
   */
  async cancel(options: { reason?: string; cascade?: boolean } = {}): Promise<RunStatus> {
    return this.#note(await this.#runs.cancel(this.id, options));
  }

  /**
   * Ends the run at once; see `runs.kill`.
   *
   * @example
   * await run.kill({ reason: "leaks customer data" });
   */
  async kill(options: { reason: string }): Promise<RunStatus> {
    return this.#note(await this.#runs.kill(this.id, options));
  }

  #note(status: RunStatus): RunStatus {
    this.#run = { ...this.#run, ...status };
    return status;
  }
}
