// Wire shapes of approvals: questions that hold a run until a person answers.
// Promises: the notation of `runs.ts`; hashes are SHA-256, as 64 hexadecimal digits, of the
// canonical JSON (RFC 8785) of `{action, arguments}`.
// Leaves to others: asking (`src/worker/`), answering (`resources/approvals.ts`).

import type { Json, JsonObject, RunState } from "./runs.ts";

/** `cancelled`: the run went on, or ended, without an answer. */
export type ApprovalStatus = "pending" | "approved" | "rejected" | "expired" | "cancelled";
export type ApprovalRisk = "low" | "medium" | "high";

/** What an attempt asks. */
export type ApprovalAsk = {
  /** What the person reads first. */
  title: string;
  /** What is to be done, as a program names it. */
  action: string;
  /** What it is to be done with. ≤ 32 KiB of JSON. Default `{}`. */
  arguments?: JsonObject;
  /** Default `medium`. */
  risk?: ApprovalRisk;
  /**
   * Names the question in its run: asked again under the same key it is answered at once. Default:
   * made from action and arguments.
   */
  key?: string;
  /** Keep the lease while waiting (default), or end the attempt until there is an answer. */
  mode?: "hold" | "suspend";
  /** After this long a held attempt is suspended. Default 900. */
  hold_s?: number;
  /** Default 1,800, at most 86,400. */
  expires_in_s?: number;
  /**
   * When nobody answers: end the run `timeout` (default) or `cancelled` (`reject`), or go on
   * (`approve`, at most 3 times in a row).
   */
  on_expiry?: "timeout" | "reject" | "approve";
  /** Stored with the run, for the attempt after a suspension. */
  checkpoint?: Json;
};

export type Approval = {
  id: string;
  run_id: string;
  /** The attempt that asked, and its number. */
  attempt_id: string;
  attempt_number: number;
  agent: string | null;
  key: string;
  title: string;
  action: string;
  /** As asked. */
  arguments: JsonObject;
  risk: ApprovalRisk;
  mode: "hold" | "suspend";
  on_expiry: "timeout" | "reject" | "approve";
  status: ApprovalStatus;
  asked_at: string;
  asked_sha256: string;
  /** Until when an attempt holds its lease for it; null when none does. */
  hold_until: string | null;
  expires_at: string;
  decided_at: string | null;
  /** `key:<prefix>`, `link:…`, or `house` when it expired. */
  decided_by: string | null;
  comment: string | null;
  /** What the person approved instead of `arguments`; null when not edited. */
  edited_arguments: JsonObject | null;
  /** Of what was approved; null unless approved. */
  decided_sha256: string | null;
  /** When the worker reported that it did exactly this. */
  executed_at: string | null;
};

/** Answer to `POST /v1/runs/{id}/approvals`. */
export type AskedApproval = { approval: Approval; run_state: RunState };

/** A person's answer. */
export type ApprovalAnswer = {
  comment?: string;
  /** Edited arguments: these are approved, instead of those asked. */
  arguments?: JsonObject;
};

/** A callback link: whoever has it can answer this one question, once. Shown once. */
export type ApprovalLink = {
  approval_id: string;
  token: string;
  /** Path on this server: `GET` shows the question, `POST` answers it. */
  path: string;
  expires_at: string;
};

/** What a callback link shows. */
export type LinkedApproval = Pick<
  Approval,
  "id" | "title" | "action" | "arguments" | "risk" | "agent" | "asked_at" | "expires_at" | "status"
>;

/** Answer by a callback link. */
export type LinkAnswer = ApprovalAnswer & { decision: "approve" | "reject" };

/** What was done under an approval: the hash of it, or its arguments. */
export type ExecutedAction = { sha256?: string; arguments?: JsonObject };
