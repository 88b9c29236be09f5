// From what is asked of a person, or answered, to what the law takes.
// Promises: defaults and units are set here; text is cleaned like everything an agent emits, so
// what is hashed, stored and shown is one and the same; arguments that are too large or too deep
// are refused by name, for nobody could judge half of them.
// Leaves to others: shapes (`schemas/approval.ts`), keys and hashes (domain).

import type { ApprovalAsk, Json, JsonObject } from "@signalbox/sdk";
import type { Fence } from "../../domain/command.ts";
import type { Ask } from "../../domain/approval.ts";
import { limits } from "../../domain/limits.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuseField } from "../../domain/refusal.ts";
import type { AnswerInput } from "../../engine/contract.ts";
import type { Caller } from "../auth.ts";
import { refuseSize } from "../refusals.ts";
import { bytesAbove, clean, isTooDeep } from "./clean.ts";
import type { Looks } from "./clean.ts";
import type { FencedRun } from "./fence.ts";
import { toFencedRun } from "./fence.ts";
import { wrongCheckpoint } from "./report.ts";

/** A question with its defaults, and the checkpoint that comes with it. */
export function toAsk(sent: ApprovalAsk, looks: Looks): { ask: Ask; checkpoint?: Json } | Refusal {
  const wrong = wrongArguments(sent.arguments, looks) ?? wrongCheckpoint(sent.checkpoint, looks);
  if (wrong !== null) return wrong;
  const { value } = clean(sent, looks);
  const { checkpoint } = value;
  const ask: Ask = {
    key: value.key ?? null,
    title: value.title,
    action: value.action,
    arguments: value.arguments ?? {},
    risk: value.risk ?? "medium",
    mode: value.mode ?? "hold",
    holdMs: msOf(value.hold_s, limits.approvalHoldMsDefault),
    expiresInMs: msOf(value.expires_in_s, limits.approvalExpiryMsDefault),
    onExpiry: value.on_expiry ?? "timeout",
  };
  return checkpoint === undefined ? { ask } : { ask, checkpoint };
}

function msOf(seconds: number | undefined, otherwise: number): number {
  return seconds === undefined ? otherwise : seconds * 1000;
}

/** Refuses arguments that nobody could judge. */
function wrongArguments(args: JsonObject | undefined, looks: Looks): Refusal | null {
  if (args === undefined) return null;
  if (isTooDeep(args, looks)) {
    return refuseField("arguments", `nests deeper than ${limits.jsonDepth} arrays and objects`);
  }
  const isTooLarge = bytesAbove(args, limits.approvalArgumentsBytes, looks) > 0;
  return isTooLarge ? refuseSize("arguments", limits.approvalArgumentsBytes) : null;
}

type SentAnswer = { readonly comment?: string; readonly arguments?: JsonObject };

/** An answer of a person. */
export function toAnswer(
  kind: AnswerInput["kind"],
  sent: SentAnswer,
  looks: Looks,
): AnswerInput | Refusal {
  const wrong = wrongArguments(sent.arguments, looks);
  if (wrong !== null) return wrong;
  const { comment = null, arguments: edited } = sent;
  const said = comment === null || comment.trim() === "" ? null : comment;
  if (kind === "reject" && edited !== undefined) {
    return refuseField("arguments", "only an approval can carry edited arguments");
  }
  return { kind, comment: said, ...(edited === undefined ? {} : { arguments: edited }) };
}

type SentFence = { readonly attempt_id?: string; readonly fencing_token?: number };

/** The fence of a question: given, or that of the attempt whose key (or child's key) asks. */
export function toAskingRun(
  runId: string,
  { attempt_id: attemptId, fencing_token: token }: SentFence,
  caller: Caller,
): FencedRun | Refusal {
  if (attemptId !== undefined && token !== undefined) {
    const sent = { run_id: runId, attempt_id: attemptId, fencing_token: token };
    return toFencedRun(sent, caller);
  }
  if (caller.kind === "attempt") {
    const fence: Fence = caller.attempt.fence;
    return { runId: caller.attempt.runId, fence };
  }
  const field = attemptId === undefined ? "attempt_id" : "fencing_token";
  return refuseField(field, "is required with a worker's key");
}

type SentExecution = { readonly sha256?: string; readonly arguments?: JsonObject };

/** What was executed: its hash, or its arguments. */
export function toExecuted(
  { sha256, arguments: args }: SentExecution,
  looks: Looks,
): { sha256: string } | { arguments: JsonObject } | Refusal {
  const wrong = wrongArguments(args, looks);
  if (wrong !== null) return wrong;
  if ((sha256 === undefined) === (args === undefined)) {
    return refuseField("sha256", "give either this or arguments");
  }
  return sha256 === undefined ? { arguments: clean(args ?? {}, looks).value } : { sha256 };
}
