// Errors: what a call can throw, one class per HTTP status, made from the problem document.
// Promises: `code` is the stable code of the server (or one of the codes below); `retryable` says
// whether the same call can succeed later; no key and no header ever appears in an error.
// Leaves to others: deciding whether to try again (`retry.ts`).

import type { Problem, Run } from "./wire.ts";

/** Marks our errors across two copies of this package in one program. */
const BRAND = Symbol.for("signalbox.error");

/** A wrong field, as the server names it. */
export type FieldError = { field: string; message: string };

/**
 * Any refusal of the server, and any call that got no answer.
 * `status` is 0 when there was no answer (codes `connection_failed`, `request_timeout`).
 */
export class SignalboxError extends Error {
  override name = "SignalboxError";
  readonly code: string;
  readonly status: number;
  readonly requestId: string | null;
  readonly retryable: boolean;
  /** Each wrong field of a `validation_failed`, else empty. */
  readonly errors: FieldError[];
  /** The whole document; absent when the answer was not a problem document. */
  readonly problem: Problem | null;
  /** How long the server asks to wait before the next try, in milliseconds. */
  readonly retryAfterMs: number | null;

  constructor(facts: ErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.status = facts.status;
    this.requestId = facts.requestId ?? null;
    this.retryable = facts.retryable;
    this.errors = facts.problem?.errors ?? [];
    this.problem = facts.problem ?? null;
    this.retryAfterMs = facts.retryAfterMs ?? null;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** What an error is made from. */
export type ErrorFacts = {
  message: string;
  code: string;
  status: number;
  retryable: boolean;
  requestId?: string | null;
  problem?: Problem | null;
  retryAfterMs?: number | null;
  cause?: unknown;
};

/** 400: the request itself is wrong; `errors` names the fields. */
export class BadRequestError extends SignalboxError {
  override name = "BadRequestError";
}
/** 401: the key is missing, unknown, expired or revoked. */
export class UnauthorizedError extends SignalboxError {
  override name = "UnauthorizedError";
}
/** 403: the key is good, its roles do not allow this. */
export class ForbiddenError extends SignalboxError {
  override name = "ForbiddenError";
}
/** 404: no such thing in this project. */
export class NotFoundError extends SignalboxError {
  override name = "NotFoundError";
}
/** 409: the thing is in another state, such as `already_terminal` or `stale_fencing_token`. */
export class ConflictError extends SignalboxError {
  override name = "ConflictError";
}
/** 413: more bytes than the route takes. */
export class PayloadTooLargeError extends SignalboxError {
  override name = "PayloadTooLargeError";
}
/** 422: well formed and refused, such as `idempotency_mismatch`. */
export class UnprocessableError extends SignalboxError {
  override name = "UnprocessableError";
}
/** 423: the project is stopped. */
export class LockedError extends SignalboxError {
  override name = "LockedError";
}
/** 429: too many requests; `retryAfterMs` says when to come back. */
export class RateLimitedError extends SignalboxError {
  override name = "RateLimitedError";
}
/** 5xx: the server failed, or is overloaded or away (503). */
export class ServerError extends SignalboxError {
  override name = "ServerError";
}
/** No answer: refused, reset, or no such host. The request may have taken effect. */
export class ConnectionError extends SignalboxError {
  override name = "ConnectionError";
}
/** No answer within the deadline of the call. The request may have taken effect. */
export class TimeoutError extends SignalboxError {
  override name = "TimeoutError";
}

const byStatus: { readonly [status: number]: typeof SignalboxError } = {
  400: BadRequestError,
  401: UnauthorizedError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  413: PayloadTooLargeError,
  422: UnprocessableError,
  423: LockedError,
  429: RateLimitedError,
};

/** Makes the error of an HTTP status. */
export function errorOf(facts: ErrorFacts): SignalboxError {
  const Class = byStatus[facts.status] ?? (facts.status >= 500 ? ServerError : SignalboxError);
  return new Class(facts);
}

/** Makes the error of a problem document, such as one result of a batch. */
export function errorFromProblem(
  problem: Problem,
  retryAfterMs: number | null = null,
): SignalboxError {
  const { code, detail, request_id: requestId, retryable, status, title } = problem;
  const fact = problem["retry_after_ms"];
  return errorOf({
    message: `${code}: ${detail || title}`,
    code,
    status,
    retryable,
    requestId: requestId ?? null,
    problem,
    retryAfterMs: retryAfterMs ?? (typeof fact === "number" ? fact : null),
  });
}

/**
 * Whether something thrown came from Signalbox; with `code`, whether it is that refusal.
 *
 * @example
 * try { await signalbox.runs.cancel(id); }
 * catch (error) { if (!isSignalboxError(error, "already_terminal")) throw error; }
 */
export function isSignalboxError(error: unknown, code?: string): error is SignalboxError {
  if (typeof error !== "object" || error === null || !(BRAND in error)) return false;
  return code === undefined || ("code" in error && error.code === code);
}

/** The run ended other than `completed`. `run` is its final record. */
export class RunFailed extends Error {
  override name = "RunFailed";
  readonly run: Run;
  /** Code of the run's error, or how it ended, such as `cancel` or `deadline`. */
  readonly code: string;

  constructor(run: Run) {
    const why = run.error?.message ?? run.status_reason ?? run.end_cause ?? "no reason given";
    super(`run ${run.id} ended ${run.state}: ${why}`);
    this.run = run;
    this.code = run.error?.code ?? run.end_cause ?? run.state;
  }
}
