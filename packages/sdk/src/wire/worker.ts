// Wire shapes of the worker protocol: attempts, runtimes, claims, heartbeats, events, reports.
// Promises: every write of a worker carries a `Fence`; batches answer item by item, in order; the
// notation of `runs.ts` holds here too.
// Leaves to others: behaviour (`src/worker/`), validation (server).

import type { Approval, ApprovalAsk } from "./approvals.ts";
import type { LimitReport } from "./fleet.ts";
import type {
  EndCause,
  ItemResult,
  Json,
  JsonObject,
  Run,
  RunError,
  RunState,
  Usage,
} from "./runs.ts";

export type AttemptState =
  | "spawning"
  | "running"
  | "completed"
  | "failed"
  | "killed"
  | "lost"
  | "released";

export type Attempt = {
  id: string;
  run_id: string;
  /** Also the fencing token. */
  number: number;
  state: AttemptState;
  agent: string | null;
  runtime: string;
  account: string | null;
  /** Whether it counts against `max_attempts`. */
  counted: boolean;
  claimed_at: string;
  started_at: string | null;
  ended_at: string | null;
  cause: string | null;
  error: RunError | null;
  usage: Usage;
  pid: number | null;
  host: string | null;
  exit_code: number | null;
  signal: string | null;
  terminated_at: string | null;
};

/** An event a worker appends. `producer_seq` numbers the events of one attempt, rising from 1. */
export type EventSubmission = {
  type: string;
  producer_seq?: number;
  data?: JsonObject;
  usage?: Usage & { model?: string };
  metadata?: JsonObject;
  artifact_refs?: string[];
};

export type RuntimeRegistration = {
  version?: string | null;
  capabilities?: string[] | null;
  labels?: { [key: string]: string } | null;
  runners?: string[] | null;
  endpoint?: string | null;
  host?: string | null;
  pid?: number | null;
  /** Without a heartbeat for this long the runtime is stale. Default 60. */
  deadline_s?: number | null;
  /** A caller may declare itself online, draining or offline, never stale. */
  state?: "online" | "draining" | "offline";
};

export type Runtime = {
  id: string;
  name: string;
  state: "online" | "draining" | "stale" | "offline";
  version: string | null;
  capabilities: string[];
  labels: { [key: string]: string };
  runners: string[];
  endpoint: string | null;
  host: string | null;
  pid: number | null;
  deadline_s: number;
  registered_at: string;
  last_heartbeat_at: string;
};

export type ClaimRequest = {
  /** Name of a registered runtime. */
  runtime: string;
  /** Agents this worker works as, with how many more runs each can take now. */
  agents?: { name: string; free?: number }[];
  /** Queues to serve; absent = all. */
  queues?: string[];
  /** Runners this worker has. Default `["default"]`. */
  runners?: string[];
  /** How many runs to hand out at most, 1 … 500. */
  free: number;
  /** Lease of each claim, 1,000 … 3,600,000 ms. Default 60,000. */
  lease_ms?: number;
  /**
   * Long poll: answer at once when there is work, after this long with none. ≤ 30,000. Default 0.
   */
  wait_ms?: number;
};

/** One claimed run: what the worker needs to do it. */
export type Claim = {
  run: Run;
  attempt_id: string;
  fencing_token: number;
  attempt_number: number;
  /** Secret of this attempt, dies with the lease. */
  attempt_key: string;
  /** For child processes: may only log, report usage, ask for approval, read its own input. */
  child_key: string;
  /** Same for every attempt of a run: send it along with side effects. */
  side_effect_token: string;
  agent: string | null;
  /** Provider account to draw on, of those the agent has; null when it has none of its own. */
  account: string | null;
  lease_ms: number;
  /** Time left of `max_duration_s` or the deadline, whichever ends first. */
  time_left_ms: number | null;
  /** W3C trace context for what is done in this attempt; null when the run came without one. */
  traceparent: string | null;
};
export type ClaimResponse = { claims: Claim[] };

/** Names one lease: every write of a worker carries it. */
export type Fence = { run_id: string; attempt_id: string; fencing_token: number };

export type Directive =
  | { kind: "cancel"; run_id: string; attempt_id: string; reason: string | null; grace_ms: number }
  | { kind: "kill"; run_id: string; attempt_id: string; reason: string | null }
  | { kind: "stop"; run_id: string; attempt_id: string; reason: string | null }
  | { kind: "fenced"; run_id: string; attempt_id: string; reason: string | null }
  | { kind: "deadline"; run_id: string; attempt_id: string; reason: string | null }
  /** An allowance in `kill` mode is used up: the run has ended, stop its work. */
  | { kind: "budget"; run_id: string; attempt_id: string; reason: string | null }
  | { kind: "wake"; reason: string | null };

export type HeartbeatRequest = {
  runtime: string;
  agents?: string[];
  leases: (Fence & { lease_ms?: number; checkpoint?: Json })[];
};
export type LeaseAnswer = {
  run_id: string;
  attempt_id: string;
  /** False: this attempt is no longer the owner; stop its work. */
  ok: boolean;
  /** Problem code when not ok, such as `stale_fencing_token`. */
  code?: string;
  lease_ms?: number;
  time_left_ms?: number | null;
};
export type HeartbeatResponse = { leases: LeaseAnswer[]; directives: Directive[] };

export type EventsRequest = { items: (Fence & { events: EventSubmission[] })[] };
export type EventsResponse = { results: ItemResult<{ last_seq: string; stored: number }>[] };

export type ProcessFacts = {
  pid?: number;
  host?: string;
  exit_code?: number | null;
  signal?: string | null;
};

/** What a worker reports about one attempt. */
export type ReportBody =
  | { kind: "start"; process?: ProcessFacts }
  | {
      kind: "complete";
      output?: Json;
      /** What was not reported with events before: added to it. */
      usage?: Usage & { model?: string };
      metadata?: JsonObject;
      process?: ProcessFacts;
    }
  | {
      kind: "fail";
      error: RunError;
      /** Default true. */
      retryable?: boolean;
      output?: Json;
      /** What was not reported with events before: added to it. */
      usage?: Usage & { model?: string };
      metadata?: JsonObject;
      checkpoint?: Json;
      process?: ProcessFacts;
    }
  | {
      kind: "release";
      cause?: "shutdown" | "declined" | "lost_touch";
      checkpoint?: Json;
      process?: ProcessFacts;
    }
  /** The provider's limit was met: the run goes back, the account rests. Costs no attempt. */
  | ({ kind: "exhausted"; checkpoint?: Json; process?: ProcessFacts } & LimitReport)
  | { kind: "await_tool"; tool?: string; checkpoint?: Json }
  /** A question to a person; see `ApprovalAsk`. */
  | ({ kind: "await_approval" } & ApprovalAsk)
  | { kind: "resume" }
  | { kind: "terminated"; process?: ProcessFacts };
export type Report = Fence & ReportBody;
export type ReportsRequest = { items: Report[] };
export type ReportsResponse = { results: ItemResult<{ run: RunStatus; approval?: Approval }>[] };

/** The short form of a run that worker reports answer with. */
export type RunStatus = {
  id: string;
  state: RunState;
  end_cause: EndCause | null;
  fencing_token: number;
  attempts_used: number;
  not_before: string | null;
};

/** One reason why a run is not running now. `code` is from a closed list. */
export type ExplainReason = {
  code: string;
  message: string;
  until?: string | null;
  facts?: JsonObject;
};
export type Explanation = {
  run_id: string;
  state: RunState;
  /** In words, what the run is doing or waiting for. */
  summary: string;
  reasons: ExplainReason[];
  /** Runs that stand before this one in its lane (counted up to 1,000); null when not pending. */
  ahead: number | null;
};
