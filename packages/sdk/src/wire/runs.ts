// Wire shapes around a run: submission, run, usage, event, page, problem, batch results.
// Promises: field names are exactly those of the JSON (snake_case); instants are ISO 8601 UTC with
// milliseconds; durations are integers named `…_ms` or `…_s`; money is integer micros (USD ·
// 10⁻⁶); big integers (`seq`, `feed`) are strings.
// Leaves to others: attempts and the worker protocol (`worker.ts`), keys and queues
// (`operators.ts`).

/** Any JSON value. Depth is limited to 64 by the server. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** States of a run. The last four are terminal and never change. */
export type RunState =
  | "pending"
  | "claimed"
  | "running"
  | "waiting_tool"
  | "waiting_approval"
  | "completed"
  | "failed"
  | "cancelled"
  | "timeout";

/** Why a run ended. */
export type EndCause =
  | "completed"
  | "error"
  | "cancel"
  | "kill"
  | "budget"
  | "deadline"
  | "approval"
  | "dependency"
  | "attempts";

/** A word for a band of priorities, or 0–99. critical 80, high 60, medium 40 (default), low 20. */
export type Priority = number | "critical" | "high" | "medium" | "low";

export type Backoff = { base_ms?: number; factor?: number; cap_ms?: number; jitter?: number };

/** What a caller sends to submit a run. Only what differs from the defaults needs to be present. */
export type RunSubmission = {
  /** JSON ≤ 256 KiB. Default null. */
  input?: Json;
  /** Waiting line inside the project. Default `default`. */
  queue?: string;
  /** Which handler does it; a worker claims for the runners it has. Default `default`. */
  runner?: string;
  priority?: Priority;
  /** Not before this instant. */
  not_before?: string;
  /** After this instant the run ends `timeout`. Must lie in the future. */
  deadline_at?: string;
  /** Longest time one attempt may take, 1 … 2,678,400 s. */
  max_duration_s?: number;
  /** Attempts (not retries), 1 … 100. Default 3. */
  max_attempts?: number;
  backoff?: Backoff;
  /** Capabilities the worker must have. ≤ 32. */
  requires?: string[];
  /** Only this agent may do it. */
  agent?: string;
  /** Only this runtime may do it. */
  runtime?: string;
  model?: string;
  account?: string;
  /** With `agent`: after it has been offline for this long, `on_agent_timeout` applies. */
  agent_timeout_s?: number;
  /** `wait` (default), or `any`: another agent may do it then. */
  on_agent_timeout?: "wait" | "any";
  estimate?: { tokens?: number; cost_micros?: number };
  /** Same key and same body: the same run. Other body: 422 `idempotency_mismatch`. */
  idempotency_key?: string;
  /** Runs that share a key run at most `concurrency_limit` (default 1) at a time. */
  concurrency_key?: string;
  concurrency_limit?: number;
  /** Run ids, or `#ref` of another item of the same batch. ≤ 100. */
  depends_on?: string[];
  on_dependency_failure?: "wait" | "fail";
  parent_run?: string;
  tags?: string[];
  metadata?: JsonObject;
  conversation_id?: string;
  thread_id?: string;
  workspace_id?: string;
  bot_id?: string;
  binding_id?: string;
  event_id?: string;
  /** Stored with the run, never shown in lists. ≤ 16 KiB. */
  authorization?: JsonObject;
  /** W3C trace context; also taken from the request header. */
  traceparent?: string;
};

export type BatchSubmission = RunSubmission & {
  /** A name other items of this batch may use in `depends_on` as `#ref`. */
  ref?: string;
};

export type RunError = { code: string; message: string; detail?: Json };

/** A run as lists show it. */
export type RunSummary = {
  id: string;
  project_id: string;
  state: RunState;
  end_cause: EndCause | null;
  status_reason: string | null;
  queue: string;
  runner: string;
  priority: number;
  agent: string | null;
  runtime: string | null;
  model: string | null;
  account: string | null;
  requires: string[];
  tags: string[];
  metadata: JsonObject;
  attempts_used: number;
  max_attempts: number;
  /** Number of claims so far; also the number of the newest attempt. */
  fencing_token: number;
  /** Set while an attempt holds the lease. */
  attempt_id: string | null;
  lease_expires_at: string | null;
  cancel_requested_at: string | null;
  dead_lettered_at: string | null;
  redrive_of: string | null;
  parent_run: string | null;
  concurrency_key: string | null;
  not_before: string | null;
  deadline_at: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  step_count: number;
  cost_micros: string | null;
  error: RunError | null;
  conversation_id: string | null;
  thread_id: string | null;
  workspace_id: string | null;
  bot_id: string | null;
  binding_id: string | null;
  event_id: string | null;
};

/** A run as `GET /v1/runs/{id}` shows it. */
export type Run = RunSummary & {
  input: Json;
  input_sha256: string;
  output: Json;
  output_sha256: string | null;
  checkpoint: Json;
  idempotency_key: string | null;
  concurrency_limit: number | null;
  max_duration_s: number | null;
  backoff: Required<Backoff>;
  estimate: { tokens?: number; cost_micros?: number } | null;
  depends_on: string[];
  on_dependency_failure: "wait" | "fail";
  authorization: JsonObject | null;
  traceparent: string | null;
  /** Number of the newest event of this run. */
  last_seq: string;
  usage: Usage;
};

/** Measured consumption, summed. Absent means not reported; unknown is not zero. */
export type Usage = {
  input_tokens?: number;
  output_tokens?: number;
  cache_read_input_tokens?: number;
  reasoning_output_tokens?: number;
  cost_micros?: number;
  steps?: number;
};

export type EventSource = "host" | "runner" | "operator";

/** An immutable fact. `seq` numbers the stream without gaps, `feed` the project in commit order. */
export type Event = {
  id: string;
  stream: string;
  stream_id: string;
  seq: string;
  feed: string;
  type: string;
  /** Further facts that this row carries, such as the end of the attempt next to the run's. */
  also: string[];
  source: EventSource;
  attempt: number | null;
  /** The runner's own number of the event in its attempt. */
  producer_seq: number | null;
  at: string;
  from_state: RunState | null;
  to_state: RunState | null;
  /** Appended after the end; it changed no state. */
  late: boolean;
  data: JsonObject;
  usage?: Usage & { model?: string };
  actor: string | null;
  request_id: string | null;
  traceparent: string | null;
};

/**
 * On the feed: events up to `after_feed` were removed meanwhile, or the feed was restored from an
 * older state and ends there; read anew what you know.
 */
export type Resync = { type: "resync"; after_feed: string };
export type FeedItem = Event | Resync;

/**
 * Which runs a list or an act on many is about. All given conditions must hold. Instants are
 * ISO 8601.
 */
export type RunFilter = {
  state?: RunState | readonly RunState[];
  queue?: string;
  agent?: string;
  runtime?: string;
  runner?: string;
  tag?: string;
  conversation_id?: string;
  /** `(none)`: runs without a thread. The same holds for the other scopes. */
  thread_id?: string;
  workspace_id?: string;
  bot_id?: string;
  binding_id?: string;
  event_id?: string;
  error_code?: string;
  created_after?: string;
  created_before?: string;
  finished_after?: string;
  finished_before?: string;
  /** Beginning of the run's text: its id. */
  text?: string;
};

/** How many runs of a project are in which state. */
export type RunCounts = {
  /** Counted up to here: a count of this size means "this many or more". */
  most: number;
  counts: Record<RunState, number>;
};

export type Page<T> = {
  items: T[];
  has_more: boolean;
  next_cursor: string | null;
  prev_cursor?: string;
};

/** RFC 9457 problem document. `code` is stable; `errors` names each wrong field. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  retryable: boolean;
  request_id: string;
  errors?: { field: string; message: string }[];
  /** Facts of the refusal, such as `state`, `allowed`, `retry_after_ms`. */
  [fact: string]: Json | undefined | { field: string; message: string }[];
};

/** One result of a batch: either the value or the problem, in the order of the items. */
export type ItemResult<T> = ({ ok: true } & T) | { ok: false; problem: Problem };

export type BatchSubmitResult = ItemResult<{ run: RunSummary; created: boolean }>;
