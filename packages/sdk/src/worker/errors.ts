// Errors of a handler's world: what it may throw, and why its signal was aborted.
// Promises: `PermanentError` ends the run failed without another attempt; anything else thrown is
// a failure that may be tried again, but for a limit that was met (`exhausted.ts`).
// Leaves to others: the decision itself (server).

import type { Json } from "../wire.ts";

/**
 * Thrown by a handler: no further attempt can help, the run ends `failed` now.
 *
 * @example
 * if (!repository) throw new PermanentError("no such repository", { code: "repo_not_found" });
 */
export class PermanentError extends Error {
  override name = "PermanentError";
  /** Code of the run's error. Default `permanent`. */
  readonly code: string;
  /** Stored with the run's error. */
  readonly detail: Json | undefined;

  constructor(message: string, options: { code?: string; detail?: Json; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? "permanent";
    this.detail = options.detail;
  }
}

/**
 * Why an attempt was told to end.
 * `cancel`: asked for; the handler has about 30 s. `kill`: the run is over already. `budget`: so
 * it is, because an allowance is used up. `stop`: emergency stop; the run is pending again. `lost`:
 * the lease belongs to somebody else. `suspended`: the run waits for a person without this attempt,
 * and the next one gets the answer. `deadline`: time limit. `shutdown`: this worker is stopping;
 * the run is given back.
 */
export type AbortKind =
  | "cancel"
  | "kill"
  | "budget"
  | "stop"
  | "lost"
  | "suspended"
  | "deadline"
  | "shutdown";

/** `attempt.signal.reason`. */
export class AttemptAborted extends Error {
  override name = "AttemptAborted";
  readonly kind: AbortKind;
  /** Same as `kind`: the code of the run's error when the handler throws this on. */
  readonly code: string;

  constructor(kind: AbortKind, reason: string | null = null) {
    super(reason === null ? `attempt aborted: ${kind}` : `attempt aborted: ${kind} (${reason})`);
    this.kind = kind;
    this.code = kind;
  }
}
