// What the doors hand to the engine: inputs of its verbs, filters and pages of its questions.
// Promises: checked by the doors; ids are UUIDs, instants and durations milliseconds.
// Leaves to others: the verbs and questions themselves (`contract.ts`).

import type * as wire from "@signalbox/sdk";
import type { Ask } from "../domain/approval.ts";
import type { Fence, ProcessFacts, RunCommand } from "../domain/command.ts";
import type { Refusal } from "../domain/refusal.ts";

export type SubmitResult = { run: wire.RunSummary; created: boolean } | Refusal;

export type ClaimInput = {
  runtime: string;
  agents: { name: string; free: number }[];
  queues: string[] | null;
  runners: string[];
  free: number;
  leaseMs: number;
  waitMs: number;
};

export type HeartbeatInput = {
  runtime: string;
  agents: string[];
  leases: { runId: string; fence: Fence; leaseMs?: number; checkpoint?: wire.Json }[];
};

/** One worker report; `runId` is a UUID. */
export type ReportInput = {
  runId: string;
  fence: Fence;
  command: RunCommand;
  /** Merged into the metadata of the run, shallow. */
  metadata?: wire.JsonObject;
};
export type AppendInput = {
  runId: string;
  fence: Fence;
  events: wire.EventSubmission[];
  /** By a child process, which numbers for itself: its numbers count for usage only. */
  child?: boolean;
};

/** A question of an attempt; `ask` without a key stands for the same action and arguments. */
export type AskInput = {
  runId: string;
  fence: Fence;
  ask: Ask;
  checkpoint?: wire.Json;
};
/** `approval` is null when the run ended instead, because it was asked to. */
export type AskResult = { run: wire.RunStatus; approval: wire.Approval | null };
/** What a worker is about to do, or did, under an approval: the action itself, or its hash. */
export type ExecutedInput = {
  runId: string;
  fence: Fence;
  approvalId: string;
  done: { sha256: string } | { arguments: wire.JsonObject };
};
/** A person's answer; `arguments` are edited ones. */
export type AnswerInput = {
  kind: "approve" | "reject";
  comment: string | null;
  arguments?: wire.JsonObject;
};
export type ApprovalFilter = {
  status?: string;
  agent?: string;
  risk?: string;
  runId?: string;
  /** By when they were asked; default `asc`. */
  order?: "asc" | "desc";
};

/** A limit a worker met, with what goes along; see `wire.LimitReport`. */
export type ExhaustedInput = {
  runId: string;
  fence: Fence;
  report: wire.LimitReport;
  checkpoint?: wire.Json;
  process?: ProcessFacts;
};
export type RuntimeFilter = { state?: string; agent?: string; label?: [string, string] };
export type AgentFilter = { status?: string; paused?: boolean };
export type SlotFilter = { agent?: string; status?: string };
export type UsageFilter = {
  from: number;
  to: number;
  agent?: string;
  account?: string;
  run?: string;
};

export type PageInput = { limit: number; cursor: string | null };
/** Which events of a stream are looked for: all given conditions must hold. */
export type EventLook = {
  /** Their type or data contains it, in any case of letters. */
  text?: string;
  /** Written to stderr, or of this level or a worse one. */
  level?: "warning";
  sources?: readonly wire.Event["source"][];
  /** Types, or beginnings of types that end in a dot, which they are not of. */
  without?: readonly string[];
};

export type EventPageInput = {
  afterSeq?: number;
  beforeSeq?: number;
  order: "asc" | "desc";
  limit: number;
  type?: string;
  look?: EventLook;
};

/** What an attempt key (or its child's) opens: one attempt of one run. */
export type AttemptPrincipal = {
  projectId: string;
  runId: string;
  fence: Fence;
  child: boolean;
};
