// Problems: each refusal as an RFC 9457 document. The one table from code to HTTP status.
// Promises: the compiler refuses a code without a row; `retryable` means that the same request can
// succeed later; facts can never overwrite the members of the document.
// Statuses are 400 401 403 404 409 413 422 423 429 500 503 only. 405 and 415 are told as 400 with
// codes of their own, so that a client needs one branch for "the request is wrong"; 403 says that
// a good key lacks the permission (or that a browser asks for another site), never that a thing
// of another project exists.
// Leaves to others: what is refused, and the words of each refusal (domain, engine, `faults.ts`).

import type { Json, Problem } from "@signalbox/sdk";
import type { Refusal, RefusalCode } from "../domain/refusal.ts";

type Kind = { readonly status: number; readonly title: string; readonly retryable: boolean };

const no = (status: number, title: string): Kind => ({ status, title, retryable: false });
const later = (status: number, title: string): Kind => ({ status, title, retryable: true });

export const problems = {
  validation_failed: no(400, "The request is not valid"),
  method_not_allowed: no(400, "This address does not take this method"),
  unsupported_media_type: no(400, "The body must be JSON"),
  unauthorized: no(401, "A valid key is needed"),
  forbidden: no(403, "The key does not allow this"),
  forbidden_origin: no(403, "Requests from other sites are refused"),
  not_found: no(404, "There is no such thing here"),
  invalid_transition: no(409, "The state does not allow this"),
  already_terminal: no(409, "The run has ended"),
  stale_fencing_token: no(409, "This attempt no longer owns the run"),
  runtime_unknown: no(409, "The runtime is not registered"),
  runtime_draining: no(409, "The runtime is draining"),
  runtime_stale: no(409, "The runtime is stale"),
  project_exists: no(409, "A project of this name exists"),
  not_a_dead_letter: no(409, "The run is no dead letter"),
  dead_letter_closed: no(409, "The dead letter is closed"),
  count_changed: no(409, "More runs match than were confirmed"),
  idempotency_in_progress: later(409, "The first request with this key is still running"),
  idempotency_in_doubt: no(409, "The first request with this key did not finish"),
  approval_decided: no(409, "The question has been answered"),
  payload_too_large: no(413, "Too many bytes"),
  too_many_events: no(413, "Too many events"),
  idempotency_mismatch: no(422, "The key was used with another body"),
  approval_mismatch: no(422, "Not the action that was asked or decided"),
  producer_seq_mismatch: no(422, "The event number was used with other content"),
  reserved_event_type: no(422, "The event type is reserved"),
  unknown_dependency: no(422, "A dependency does not exist"),
  dependency_cycle: no(422, "The dependencies form a circle"),
  project_stopped: no(423, "The project is stopped"),
  rate_limited: later(429, "Too many requests"),
  internal: no(500, "The server made a mistake"),
  overloaded: later(429, "The server has too much to do"),
  unavailable: later(503, "The server cannot answer now"),
} as const satisfies Record<RefusalCode, Kind>;

/** Seconds to wait when the refusal itself names no time. */
const DEFAULT_RETRY_AFTER_S = 1;

/** The document for a refusal: `detail` and facts are its own, the rest is the table's. */
export function problemOf(refusal: Refusal, requestId: string): Problem {
  const { status, title, retryable } = problems[refusal.code];
  const facts: { [name: string]: Json } = {};
  for (const [name, value] of Object.entries(refusal.facts ?? {})) {
    facts[name] = Array.isArray(value) ? [...value] : (value as Json);
  }
  return {
    ...facts,
    type: `urn:signalbox:problem:${refusal.code}`,
    title,
    status,
    detail: refusal.detail,
    code: refusal.code,
    retryable,
    request_id: requestId,
    ...(refusal.errors === undefined ? {} : { errors: refusal.errors.map((one) => ({ ...one })) }),
  };
}

/** Headers that belong to a problem: Retry-After for 429 and 503, the challenge for 401. */
export function problemHeaders(problem: Problem): { [name: string]: string } {
  const headers: { [name: string]: string } = { "content-type": "application/problem+json" };
  if (problem.status === 401) headers["www-authenticate"] = 'Bearer realm="signalbox"';
  if (problem.status === 429 || problem.status === 503) {
    const ms = problem["retry_after_ms"];
    const seconds = typeof ms === "number" ? Math.ceil(ms / 1000) : DEFAULT_RETRY_AFTER_S;
    headers["retry-after"] = String(Math.max(1, seconds));
  }
  const allowed = problem["allowed_methods"];
  if (Array.isArray(allowed)) headers["allow"] = allowed.map(String).join(", ");
  return headers;
}
