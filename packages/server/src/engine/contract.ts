// The engine as the doors see it: every verb and every question, with its answer or refusal.
// Promises: `http/` and `cli/` use nothing else of the engine; answers are wire shapes, so a door
// only checks the input and passes the answer on. A `Refusal` is returned, a fault is thrown.
// Leaves to others: JSON schemas and authorisation (http), assembling (engine.ts).

import type * as wire from "@signalbox/sdk";
import type { Fence, RunCommand } from "../domain/command.ts";
import type { Permission, Role } from "../domain/key.ts";
import type { Refusal } from "../domain/refusal.ts";
import type { ScopeName, NewRun } from "../domain/submission.ts";

/**
 * Who asks: recorded with every change (I-29). `actor` is `key:<prefix>`, `attempt:<id>` or
 * `house`.
 */
export type Origin = {
  readonly actor: string;
  readonly requestId: string;
  readonly traceparent: string | null;
};

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
export type AppendInput = { runId: string; fence: Fence; events: wire.EventSubmission[] };

export type PageInput = { limit: number; cursor: string | null };
export type RunFilter = {
  state?: string[];
  queue?: string;
  runner?: string;
  agent?: string;
  runtime?: string;
  tag?: string;
  errorCode?: string;
  parentRun?: string;
  createdAfter?: number;
  createdBefore?: number;
  finishedAfter?: number;
  finishedBefore?: number;
  /** Prefix of the run id. */
  text?: string;
  /** Scope → value; null means "has none". */
  scopes?: Partial<Record<ScopeName, string | null>>;
};
export type EventPageInput = {
  afterSeq?: number;
  beforeSeq?: number;
  order: "asc" | "desc";
  limit: number;
  type?: string;
};

/** A key that was presented and found good. `projectId` null = the owner's. */
export type Principal = {
  keyId: string;
  prefix: string;
  projectId: string | null;
  roles: Role[];
  permissions: ReadonlySet<Permission>;
};

/** What an attempt key (or its child's) opens: one attempt of one run. */
export type AttemptPrincipal = {
  projectId: string;
  runId: string;
  fence: Fence;
  child: boolean;
};

export interface Engine {
  // ---- verbs
  submit(projectId: string, specs: readonly NewRun[], origin: Origin): Promise<SubmitResult[]>;
  /**
   * Long poll: returns as soon as there is work, at the latest after `waitMs`; `signal` gives up.
   */
  claim(
    projectId: string,
    input: ClaimInput,
    origin: Origin,
    signal: AbortSignal,
  ): Promise<wire.ClaimResponse | Refusal>;
  heartbeat(
    projectId: string,
    input: HeartbeatInput,
    origin: Origin,
  ): Promise<wire.HeartbeatResponse | Refusal>;
  /** Items of one run are applied in order, in one commit where possible. Answers in item order. */
  report(
    projectId: string,
    items: readonly ReportInput[],
    origin: Origin,
  ): Promise<(wire.RunStatus | Refusal)[]>;
  append(
    projectId: string,
    items: readonly AppendInput[],
    origin: Origin,
  ): Promise<({ last_seq: string; stored: number } | Refusal)[]>;
  cancel(
    projectId: string,
    runId: string,
    input: { reason: string | null; cascade: boolean },
    origin: Origin,
  ): Promise<wire.RunStatus | Refusal>;
  kill(
    projectId: string,
    runId: string,
    reason: string,
    origin: Origin,
  ): Promise<wire.RunStatus | Refusal>;

  registerRuntime(
    projectId: string,
    name: string,
    registration: wire.RuntimeRegistration,
    origin: Origin,
  ): Promise<wire.Runtime | Refusal>;
  pauseQueue(
    projectId: string,
    name: string,
    reason: string,
    origin: Origin,
  ): Promise<wire.Queue | Refusal>;
  resumeQueue(projectId: string, name: string, origin: Origin): Promise<wire.Queue | Refusal>;
  stopProject(
    projectId: string,
    input: { reason: string; cancelLive: boolean },
    origin: Origin,
  ): Promise<wire.Project | Refusal>;
  resumeProject(projectId: string, reason: string, origin: Origin): Promise<wire.Project | Refusal>;

  createProject(name: string, origin: Origin): Promise<wire.Project | Refusal>;
  /** `projectId` null makes an owner key. */
  createKey(
    projectId: string | null,
    input: { name: string; roles: Role[]; expiresAt: number | null },
    origin: Origin,
  ): Promise<wire.CreatedKey | Refusal>;
  revokeKey(projectId: string, keyId: string, origin: Origin): Promise<wire.ApiKey | Refusal>;

  // ---- keys
  /** The key a request presents (`sbx_…`); null when unknown, revoked or expired. */
  principal(key: string): Promise<Principal | null>;
  /** The attempt key a request presents (`sba_…`, or a child's `sbc_…`); null when not live. */
  attemptPrincipal(key: string): Promise<AttemptPrincipal | null>;
  /** Finds a project by UUID or name, for owner keys. */
  findProject(idOrName: string): Promise<wire.Project | null>;

  // ---- questions
  run(projectId: string, runId: string): Promise<wire.Run | null>;
  runs(projectId: string, filter: RunFilter, page: PageInput): Promise<wire.Page<wire.RunSummary>>;
  attempts(projectId: string, runId: string): Promise<wire.Attempt[]>;
  runEvents(projectId: string, runId: string, page: EventPageInput): Promise<wire.Page<wire.Event>>;
  projectEvents(
    projectId: string,
    page: { afterFeed: number; limit: number; type?: string },
  ): Promise<wire.Page<wire.Event>>;
  explain(projectId: string, runId: string): Promise<wire.Explanation | null>;
  /** Resolves when the run is terminal or after `timeoutMs` with the run as it is then. */
  waitForRun(
    projectId: string,
    runId: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<wire.Run | null>;
  runtimes(projectId: string, page: PageInput): Promise<wire.Page<wire.Runtime>>;
  runtime(projectId: string, name: string): Promise<wire.Runtime | null>;
  queues(projectId: string): Promise<wire.Queue[]>;
  projects(): Promise<wire.Project[]>;
  project(projectId: string): Promise<wire.Project | null>;
  keys(projectId: string | null): Promise<wire.ApiKey[]>;

  // ---- streams
  /** Events of one run after `afterSeq`, live; ends after the terminal event. */
  followRun(
    projectId: string,
    runId: string,
    afterSeq: number,
    signal: AbortSignal,
  ): AsyncIterable<wire.Event>;
  /** The project's feed after `afterFeed`, live. */
  followProject(
    projectId: string,
    afterFeed: number,
    signal: AbortSignal,
  ): AsyncIterable<wire.Event>;
  /** Directives for one runtime, live, beginning with those that stand now. */
  directives(
    projectId: string,
    runtime: string,
    signal: AbortSignal,
  ): AsyncIterable<wire.Directive>;

  health(): Promise<Health>;
  /** What this server counts about itself, in the text format of Prometheus. */
  metrics(): Promise<string>;
}

/** `ready` is false when the database does not answer or the sweeps are late. */
export type Health = {
  ready: boolean;
  database: "ok" | "unreachable";
  sweepLagMs: number;
  version: string;
  startedAt: string;
};
