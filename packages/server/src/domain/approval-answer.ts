// Answers to approvals: by a person, by time, by the end of the run; and what was executed then.
// Promises: one decision per approval, whoever comes second is told who was first; what is executed
// is compared with what was decided; the run follows by a command of the transition table.
// Leaves to others: asking (`approval.ts`), the run itself (`decide.ts`), who may decide (http).

import type { Approval, ExpiryPolicy } from "./approval.ts";
import { actionSha256, houseDecides, named } from "./approval.ts";
import type { RunCommand } from "./command.ts";
import type { Fact } from "./event.ts";
import { limits } from "./limits.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { Instant, JsonObject } from "./run.ts";

/** A person's answer. `arguments` present = edited: that is what is approved instead. */
export type Verdict =
  | {
      readonly kind: "approve";
      readonly by: string;
      readonly comment: string | null;
      readonly arguments?: JsonObject;
    }
  | { readonly kind: "reject"; readonly by: string; readonly comment: string | null };

/** A change of an approval, what is recorded, and the command its run gets. */
export type ApprovalStep = {
  readonly approval: Approval;
  readonly fact: Fact;
  readonly command: RunCommand;
};

/** What was approved: the arguments of the person where they were edited. */
export function decidedArguments(approval: Approval): JsonObject {
  return approval.editedArguments ?? approval.arguments;
}

/**
 * A person answers. Null: the same person has given the same answer before. Refuses with
 * `approval_decided`, naming who decided and when.
 */
export function answerApproval(
  approval: Approval,
  verdict: Verdict,
  at: Instant,
): ApprovalStep | null | Refusal {
  if (approval.status !== "pending") {
    return isRepeated(approval, verdict) ? null : alreadyDecided(approval);
  }
  const { by, comment } = verdict;
  if (verdict.kind === "reject") {
    const after = decided(approval, { status: "rejected", at, by, comment });
    const reason = comment ?? `rejected by ${by}`;
    return {
      approval: after,
      fact: decisionFact(after, "approval.rejected", {}),
      command: { kind: "reject", by, reason },
    };
  }
  const after = decided(approval, { status: "approved", at, by, comment, edited: verdict });
  const edited = after.editedArguments;
  const data = edited === null ? {} : { edited_arguments: edited };
  const fact = decisionFact(after, "approval.approved", data);
  return { approval: after, fact, command: { kind: "approve", by } };
}

/** Nobody answered in time: what the policy of the question does. Only of a pending one. */
export function expireApproval(approval: Approval, at: Instant): ApprovalStep {
  const policy = policyOf(approval);
  const how = { at, by: houseDecides, comment: "nobody answered in time" };
  const after = decided(approval, {
    ...how,
    status: policy === "approve" ? "approved" : "expired",
  });
  const fact = decisionFact(after, "approval.expired", { on_expiry: policy });
  if (policy === "approve") {
    const also = ["approval.approved"] as const;
    return {
      approval: after,
      fact: { ...fact, also },
      command: { kind: "approve", by: houseDecides },
    };
  }
  const command: RunCommand =
    policy === "reject"
      ? { kind: "reject", by: houseDecides, reason: "approval expired", expired: true }
      : { kind: "time_out", what: "approval" };
  return { approval: after, fact, command };
}

/** After three approvals by expiry in a row a person is needed: the next one times out. */
function policyOf({ onExpiry, houseApprovals }: Approval): ExpiryPolicy {
  const tooMany = houseApprovals >= limits.approvalsByExpiry;
  return onExpiry === "approve" && tooMany ? "timeout" : onExpiry;
}

/** The run went on without an answer: it was cancelled, killed, timed out, given back. */
export function cancelApproval(
  approval: Approval,
  at: Instant,
): Pick<ApprovalStep, "approval" | "fact"> {
  const after: Approval = { ...closed(approval), status: "cancelled", decidedAt: at };
  const fact: Fact = { type: "approval.cancelled", source: "host", at, data: named(after) };
  return { approval: after, fact };
}

/**
 * What was executed under an approval, compared with what was decided. Null: it was reported
 * before. Refuses with `approval_mismatch` what was not approved, or something else than was.
 */
export function executeApproval(
  approval: Approval,
  sha256: string,
  at: Instant,
): Approval | null | Refusal {
  if (approval.status !== "approved") {
    return refuse("approval_mismatch", `The approval is ${approval.status}; do not execute it.`, {
      status: approval.status,
    });
  }
  if (approval.decidedSha256 !== sha256) {
    const words = "Another action, or other arguments, were approved; do not execute this.";
    return refuse("approval_mismatch", words, {
      decided_sha256: approval.decidedSha256,
      sha256,
    });
  }
  if (approval.executedAt !== null) return null;
  return { ...approval, executedAt: at, executedSha256: sha256 };
}

/** The fact that an action was executed, or that another one was reported than was decided. */
export function executionFact(
  approval: Approval,
  done: { readonly sha256: string; readonly matches: boolean; readonly token: number },
  at: Instant,
): Fact {
  const { sha256, matches, token } = done;
  const data: JsonObject = {
    ...named(approval),
    decided_sha256: approval.decidedSha256,
    executed_sha256: sha256,
  };
  const type = matches ? "approval.executed" : "approval.mismatch";
  return { type, source: "host", at, token, data };
}

type Decided = {
  readonly status: "approved" | "rejected" | "expired";
  readonly at: Instant;
  readonly by: string;
  readonly comment: string | null;
  readonly edited?: { readonly arguments?: JsonObject };
};

function decided(approval: Approval, how: Decided): Approval {
  const { status, at, by, comment, edited } = how;
  const args = edited?.arguments;
  const sha256 = args === undefined ? approval.askedSha256 : actionSha256(approval.action, args);
  const isEdited = args !== undefined && sha256 !== approval.askedSha256;
  return {
    ...closed(approval),
    status,
    decidedAt: at,
    decidedBy: by,
    comment,
    editedArguments: isEdited ? args : null,
    decidedSha256: status === "approved" ? sha256 : null,
  };
}

/** A link dies with the question. */
function closed(approval: Approval): Approval {
  return { ...approval, linkDigest: null };
}

function decisionFact(approval: Approval, type: string, data: JsonObject): Fact {
  const { decidedAt, decidedBy, comment, askedSha256, decidedSha256 } = approval;
  const byHouse = decidedBy === houseDecides;
  return {
    type,
    source: byHouse ? "host" : "operator",
    at: decidedAt as Instant,
    data: {
      ...named(approval),
      by: decidedBy,
      comment,
      asked_sha256: askedSha256,
      ...(decidedSha256 === null ? {} : { decided_sha256: decidedSha256 }),
      ...data,
    },
  };
}

/** A repeated request: its first answer was lost on the way. */
function isRepeated(approval: Approval, verdict: Verdict): boolean {
  if (approval.decidedBy !== verdict.by || approval.comment !== verdict.comment) return false;
  if (verdict.kind === "reject") return approval.status === "rejected";
  const sha256 =
    verdict.arguments === undefined
      ? approval.askedSha256
      : actionSha256(approval.action, verdict.arguments);
  return approval.status === "approved" && approval.decidedSha256 === sha256;
}

/** The refusal for whoever comes second: who decided what, and when. */
export function alreadyDecided(approval: Approval): Refusal {
  const { status, decidedBy, decidedAt } = approval;
  const by = decidedBy === null ? "" : ` by ${decidedBy}`;
  const at = decidedAt === null ? null : new Date(decidedAt).toISOString();
  return refuse("approval_decided", `The question was ${status}${by} at ${at}.`, {
    status,
    decided_by: decidedBy,
    decided_at: at,
  });
}
