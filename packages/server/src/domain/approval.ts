// Approvals: a question that holds a run until a person answers. Its words, its shape, and asking.
// Promises: pure; a key stands for one action of its run for good, so a handler that restarts from
// its top is answered at once; the hash binds a question to exactly one action.
// Leaves to others: answers and what they do to the run (`approval-answer.ts`), rows (store).

import { canonicalJson, sha256Hex } from "../std/digest.ts";
import { toTypeId } from "../std/ids.ts";
import type { Fact } from "./event.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { Instant, Json, JsonObject } from "./run.ts";

/** Where an approval stands. All but the first are final. */
export const approvalStatuses = [
  "pending",
  "approved",
  "rejected",
  "expired",
  "cancelled",
] as const;
export type ApprovalStatus = (typeof approvalStatuses)[number];

/** How much harm the action could do, in the words of who asks. */
export const approvalRisks = ["low", "medium", "high"] as const;
export type ApprovalRisk = (typeof approvalRisks)[number];

/** Whether the attempt keeps its lease while it waits. */
export const approvalModes = ["hold", "suspend"] as const;
export type ApprovalMode = (typeof approvalModes)[number];

/** What becomes of the run when nobody answers in time. */
export const expiryPolicies = ["timeout", "reject", "approve"] as const;
export type ExpiryPolicy = (typeof expiryPolicies)[number];

/** What a handler asks. Without a `key`, same action and arguments are the same question. */
export type Ask = {
  readonly key: string | null;
  readonly title: string;
  readonly action: string;
  readonly arguments: JsonObject;
  readonly risk: ApprovalRisk;
  readonly mode: ApprovalMode;
  readonly holdMs: number;
  readonly expiresInMs: number;
  readonly onExpiry: ExpiryPolicy;
};

/** An approval as the law sees it. Instants are milliseconds since 1970 of the database's clock. */
export type Approval = {
  readonly id: string;
  readonly projectId: string;
  readonly runId: string;
  readonly attemptId: string;
  /** Fencing token of the attempt that asked. */
  readonly token: number;
  readonly agent: string | null;
  readonly key: string;
  readonly title: string;
  readonly action: string;
  readonly arguments: JsonObject;
  readonly risk: ApprovalRisk;
  readonly mode: ApprovalMode;
  readonly onExpiry: ExpiryPolicy;
  readonly status: ApprovalStatus;
  readonly askedAt: Instant;
  /** Number of its `approval.requested` in the run's stream: the order of a run's questions. */
  readonly askedSeq: number;
  readonly askedSha256: string;
  /** Until when the attempt holds its lease for it; null when suspended from the beginning. */
  readonly holdUntil: Instant | null;
  readonly expiresAt: Instant;
  /** How many questions of the run before it were approved by expiry, without a person between. */
  readonly houseApprovals: number;
  readonly decidedAt: Instant | null;
  readonly decidedBy: string | null;
  readonly comment: string | null;
  readonly editedArguments: JsonObject | null;
  readonly decidedSha256: string | null;
  readonly executedAt: Instant | null;
  readonly executedSha256: string | null;
  /** SHA-256 of the secret in its callback link, and who made the link; dies with the decision. */
  readonly linkDigest: string | null;
  readonly linkBy: string | null;
};

/**
 * The hash that binds an approval to one action: SHA-256 of the canonical JSON of action and
 * arguments.
 *
 * @example
 * actionSha256("merge", { pr: 42 }); // of {"action":"merge","arguments":{"pr":42}}
 */
export function actionSha256(action: string, args: JsonObject): string {
  return sha256Hex(canonicalJson({ action, arguments: args }));
}

/** The key of a question: the given one, or one made from what is asked. */
export function approvalKey(ask: Pick<Ask, "key" | "action" | "arguments">): string {
  return ask.key ?? `sha256:${actionSha256(ask.action, ask.arguments)}`;
}

/**
 * Whether a question was asked before. `known`: what stands under its key; `pending`: what the run
 * waits for. Answers with the approval to return as it is, with null when it is new, or refuses:
 * `approval_mismatch` (the key belongs to another action), `invalid_transition` (the run waits for
 * another answer).
 */
export function askedBefore(
  ask: Ask,
  known: Approval | null,
  pending: Approval | null,
): Approval | null | Refusal {
  if (known !== null) {
    const sha256 = actionSha256(ask.action, ask.arguments);
    if (known.askedSha256 === sha256) return known;
    return refuse(
      "approval_mismatch",
      `The key "${known.key}" stands for another action of this run; ask under a new key.`,
      { key: known.key, asked_sha256: known.askedSha256, sha256 },
    );
  }
  if (pending === null) return null;
  return refuse(
    "invalid_transition",
    `The run waits for the answer to another question (key "${pending.key}").`,
    { state: "waiting_approval", command: "await_approval", key: pending.key },
  );
}

/** Who asks, and where the question stands in the stream of its run. */
export type Asker = Pick<
  Approval,
  "id" | "projectId" | "runId" | "attemptId" | "token" | "agent" | "askedSeq"
>;

/** A new question. `before`: the newest decided one of the run. */
export function newApproval(
  ask: Ask,
  asker: Asker,
  at: Instant,
  before: Approval | null,
): Approval {
  return {
    ...asker,
    key: approvalKey(ask),
    title: ask.title,
    action: ask.action,
    arguments: ask.arguments,
    risk: ask.risk,
    mode: ask.mode,
    onExpiry: ask.onExpiry,
    status: "pending",
    askedAt: at,
    askedSha256: actionSha256(ask.action, ask.arguments),
    holdUntil: ask.mode === "hold" ? at + ask.holdMs : null,
    expiresAt: at + ask.expiresInMs,
    houseApprovals: inARow(before),
    decidedAt: null,
    decidedBy: null,
    comment: null,
    editedArguments: null,
    decidedSha256: null,
    executedAt: null,
    executedSha256: null,
    linkDigest: null,
    linkBy: null,
  };
}

/** The house as the author of a decision. */
export const houseDecides = "house";

function inARow(before: Approval | null): number {
  const byHouse = before?.status === "approved" && before.decidedBy === houseDecides;
  return byHouse ? before.houseApprovals + 1 : 0;
}

/** The fact that it was asked, under the token of the attempt. */
export function requestedFact(approval: Approval): Fact {
  const { askedAt, token, key, title, action, risk, mode, onExpiry, expiresAt } = approval;
  const data = {
    ...named(approval),
    key,
    title,
    action,
    arguments: approval.arguments,
    risk,
    mode,
    on_expiry: onExpiry,
    expires_at: new Date(expiresAt).toISOString(),
    asked_sha256: approval.askedSha256,
  };
  return { type: "approval.requested", source: "host", at: askedAt, token, data };
}

/** When time changes something about a pending question: the hold ends, or it expires. */
export function approvalDueAt({ holdUntil, expiresAt }: Approval): Instant {
  return Math.min(holdUntil ?? expiresAt, expiresAt);
}

/** How facts name an approval. */
export function named({ id, key }: Approval): { [name: string]: Json } {
  return { approval_id: toTypeId("apr", id), key };
}
