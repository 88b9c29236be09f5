// Wire shapes of who may work: agents, accounts and their exhaustion, allowances, slots, usage.
// Promises: the notation of `runs.ts`; a name that is not known yet is made on first use; what is
// unknown is null, never zero.
// Leaves to others: what each of them blocks (server, `GET /v1/runs/{id}/explain`).

import type { JsonObject, RunSubmission, Usage } from "./runs.ts";

/** The first of these that holds, in this order. */
export type AgentStatus = "offline" | "exhausted" | "on_call" | "busy" | "idle";

export type Agent = {
  id: string;
  name: string;
  description: string | null;
  status: AgentStatus;
  /** Why it has this status, in words. */
  status_reason: string | null;
  status_since: string;
  /** An operator's pause, next to the status. */
  paused_at: string | null;
  pause_reason: string | null;
  paused_by: string | null;
  capabilities: string[];
  /** Models it may use; null = any. A run without a model is refused by a list. */
  models: string[] | null;
  labels: { [key: string]: string };
  /** Most runs at a time; null = unlimited. */
  max_concurrent: number | null;
  /** Longest attempt; null = unlimited. */
  max_run_duration_s: number | null;
  /** Provider accounts it draws on, in order of preference; at least one. */
  accounts: string[];
  /** Live attempts now. */
  live: number;
  /** Ongoing slot that occupies it or puts it on call. */
  slot: { id: string; type: SlotType; ends_at: string } | null;
  /** Until when it is exhausted; null when it is not, or when only a person can tell. */
  exhausted_until: string | null;
  last_heartbeat_at: string | null;
  created_at: string;
};

/** Absent = keep, null = back to the default. */
export type AgentRegistration = {
  description?: string | null;
  capabilities?: string[] | null;
  models?: string[] | null;
  labels?: { [key: string]: string } | null;
  max_concurrent?: number | null;
  max_run_duration_s?: number | null;
  accounts?: string[] | null;
};

export type LimitReason = "rate_limit" | "quota" | "billing" | "overloaded";

/** What a limited worker saw. Either raw (status, headers, message), or already understood. */
export type LimitReport = {
  /** Raw answer of the provider: read by the server's limit parser. */
  status?: number | null;
  headers?: { [name: string]: string };
  message?: string;
  provider?: string;
  /** What the worker knows itself; it goes before what the parser reads. */
  reason?: LimitReason;
  recovery_at?: string;
  recovery_in_ms?: number;
  scope?: "account" | "model";
  model?: string;
};

/** One limit of an account: of one model, or of all (`model` null). */
export type Exhaustion = {
  account: string;
  model: string | null;
  state: "open" | "closed" | "half_open";
  reason: LimitReason;
  /** When it is tried again; null = waits for a person. */
  recovery_at: string | null;
  closed_at: string;
  /** Run that tries whether the limit is over. */
  probe_run: string | null;
  evidence: {
    rule: string;
    excerpt: string;
    source: "worker" | "headers" | "body" | "text" | "default" | "operator";
    confidence: number;
  };
};

export type Account = {
  id: string;
  name: string;
  provider: string | null;
  labels: { [key: string]: string };
  agents: string[];
  exhaustions: Exhaustion[];
  created_at: string;
};
export type AccountRegistration = {
  provider?: string | null;
  labels?: { [key: string]: string } | null;
};

export type AllowanceScope = "project" | "agent" | "account" | "model";
export type AllowanceMetric = "tokens" | "cost_micros" | "runs" | "concurrent_runs";
export type AllowanceMode = "soft" | "hard" | "kill";
/** `rolling` needs `window_hours`. `concurrent_runs` has no window. */
export type AllowanceWindow = "hour" | "day" | "week" | "month" | "rolling";

export type AllowanceInput = {
  scope: AllowanceScope;
  /** Agent, account or model; absent for the project. */
  name?: string | null;
  metric: AllowanceMetric;
  limit: number;
  window?: AllowanceWindow;
  window_hours?: number;
  /** IANA zone in which calendar windows begin. Default UTC. */
  time_zone?: string;
  /** Time of day at which calendar windows begin, `HH:MM`. Default 00:00. */
  reset_time?: string;
  /** Default hard. */
  mode?: AllowanceMode;
  /** Reserved per attempt when the run has no estimate. */
  default_reserve?: number | null;
};

export type Allowance = {
  id: string;
  scope: AllowanceScope;
  name: string | null;
  metric: AllowanceMetric;
  limit: number;
  window: AllowanceWindow | null;
  window_hours: number | null;
  time_zone: string;
  reset_time: string;
  mode: AllowanceMode;
  default_reserve: number | null;
  /** Of the current period; for `concurrent_runs` the live attempts. */
  spent: number;
  reserved: number;
  period_started_at: string | null;
  period_ends_at: string | null;
  created_at: string;
};

export type SlotType = "work" | "on_call" | "entertainment" | "system";
export type SlotStatus =
  | "not_started"
  | "ongoing"
  | "deferred"
  | "skipped"
  | "paused"
  | "finished"
  | "aborted";

export type SlotInput = {
  agent: string;
  type: SlotType;
  title?: string;
  /** Default 40. */
  priority?: number;
  starts_at: string;
  ends_at: string;
  /** For the agent: read with the slot. */
  content?: JsonObject | null;
  /** A run that is submitted when the slot starts; its status follows the run. */
  run?: RunSubmission | null;
};

export type Slot = {
  id: string;
  agent: string;
  type: SlotType;
  title: string | null;
  priority: number;
  status: SlotStatus;
  starts_at: string;
  ends_at: string;
  started_at: string | null;
  ended_at: string | null;
  content: JsonObject | null;
  run: RunSubmission | null;
  run_id: string | null;
  reason: string | null;
  created_at: string;
};

/** Consumption by agent, account, model and day. */
export type UsageRow = {
  agent: string | null;
  account: string | null;
  model: string | null;
  day: string;
  attempts: number;
  usage: Usage;
};
