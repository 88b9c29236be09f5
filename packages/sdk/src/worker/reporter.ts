// The reporter: what happened to attempts, told to the server.
// Promises: reports of one run arrive in the order they were made, `start` and `complete` possibly
// in one request; a terminal report is repeated until it is accepted or refused for good, however
// long the server is away (the server answers a repeated report as the first time).
// Leaves to others: batching and waiting (`batch-sender.ts`), what a refusal means
// (`live-attempt.ts`).

import { isSignalboxError } from "../errors.ts";
import type { Report, RunStatus } from "../wire.ts";
import { BatchSender } from "./batch-sender.ts";
import type { BatchSenderOptions } from "./batch-sender.ts";

/** Refusals that say: this attempt has no say any more. */
const GONE: readonly string[] = [
  "stale_fencing_token",
  "already_terminal",
  "not_found",
  "invalid_transition",
];

/** Whether a refusal means that the attempt is over, not that the report was wrong. */
export function isGone(error: unknown): boolean {
  return isSignalboxError(error) && GONE.includes(error.code);
}

/** Sends reports of many attempts through `POST /v1/reports`. */
export class Reporter {
  readonly #sender: BatchSender<{ run: RunStatus }>;

  constructor(options: Omit<BatchSenderOptions, "path">) {
    this.#sender = new BatchSender({ ...options, path: "/v1/reports" });
  }

  /** Resolves with the run's new status once accepted; rejects with the refusal. */
  async send(report: Report): Promise<RunStatus> {
    return (await this.#sender.push(report.run_id, JSON.stringify(report))).run;
  }

  /** Resolves when every report has been answered. */
  idle(): Promise<void> {
    return this.#sender.idle();
  }

  /** Gives up on what is not answered. */
  close(): void {
    this.#sender.close();
  }
}
