// Refusals: the closed list of expected "no"s, each with a stable code.
// Promises: a code never changes its meaning; every code has a row in `http/problem.ts` (checked by
// the compiler) and in `docs/reference/refusals.md` (generated).
// Leaves to others: HTTP status and wording for people (http), faults and bugs (these are thrown).

/** All codes. Stable: a code is never renamed and never changes its meaning. */
export const refusalCodes = [
  "validation_failed",
  "not_found",
  "unauthorized",
  "forbidden",
  "invalid_transition",
  "already_terminal",
  "stale_fencing_token",
  "idempotency_mismatch",
  "idempotency_in_progress",
  "idempotency_in_doubt",
  "approval_decided",
  "approval_mismatch",
  "producer_seq_mismatch",
  "reserved_event_type",
  "too_many_events",
  "unknown_dependency",
  "dependency_cycle",
  "payload_too_large",
  "runtime_unknown",
  "runtime_draining",
  "runtime_stale",
  "project_stopped",
  "project_exists",
  "not_a_dead_letter",
  "dead_letter_closed",
  "count_changed",
  "overloaded",
  "rate_limited",
  "unavailable",
  "method_not_allowed",
  "unsupported_media_type",
  "forbidden_origin",
  "internal",
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

/** An expected "no": `code` is stable, `detail` says what to do, `facts` are machine readable. */
export type Refusal = {
  readonly refused: true;
  readonly code: RefusalCode;
  readonly detail: string;
  readonly facts?: { readonly [name: string]: string | number | boolean | null | string[] };
  readonly errors?: readonly { field: string; message: string }[];
};

/** A refusal: `detail` is a sentence for a person, `facts` are for programs. */
export function refuse(
  code: RefusalCode,
  detail: string,
  facts?: NonNullable<Refusal["facts"]>,
): Refusal {
  return facts === undefined
    ? { refused: true, code, detail }
    : { refused: true, code, detail, facts };
}

/** A refusal of input that names the wrong field. */
export function refuseField(field: string, message: string): Refusal {
  return {
    refused: true,
    code: "validation_failed",
    detail: `${field}: ${message}`,
    errors: [{ field, message }],
  };
}

/** Whether an answer is a refusal. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && (value as Refusal).refused === true;
}

/** The one throw for refusals; everything else that is thrown is a fault or a bug. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`${refusal.code}: ${refusal.detail}`);
    this.name = "Refused";
    this.refusal = refusal;
  }
}
