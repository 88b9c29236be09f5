// The engine as the doors see it: every verb and every question, with its answer or refusal.
// Promises: `http/` and `cli/` use nothing else of the engine; answers are wire shapes, so a door
// only checks the input and passes the answer on. A `Refusal` is returned, a fault is thrown.
// Leaves to others: JSON schemas and authorisation (http), assembling (engine.ts).

import type * as wire from "@signalbox/sdk";
import type { Refusal } from "../domain/refusal.ts";
import type { NewRun } from "../domain/submission.ts";
import type { Metric } from "./metrics/metric.ts";
import type { Traces } from "./tracing/traces.ts";
import type { AccessEngine } from "./access-contract.ts";
import type {
  AgentFilter,
  AnswerInput,
  AppendInput,
  ApprovalFilter,
  AskInput,
  AskResult,
  AttemptPrincipal,
  ClaimInput,
  EventPageInput,
  ExecutedInput,
  ExhaustedInput,
  HeartbeatInput,
  PageInput,
  ReportInput,
  RuntimeFilter,
  SlotFilter,
  SubmitResult,
  UsageFilter,
} from "./inputs.ts";
import type {
  BulkInput,
  BulkWhich,
  FeedFilter,
  LetterFilter,
  RedriveChanges,
  RunFilter,
} from "./selections.ts";
import type { WebhookEngine } from "./webhook-contract.ts";

export type { AuditFilter, Principal } from "./access-contract.ts";
export type * from "./inputs.ts";
export type * from "./selections.ts";

/**
 * Who asks: recorded with every change (I-29). `actor` is `key:<prefix>`, `session:<prefix>`,
 * `attempt:<id>` or `house`.
 */
export type Origin = {
  readonly actor: string;
  readonly requestId: string;
  readonly traceparent: string | null;
};

export interface Engine extends AccessEngine, WebhookEngine {
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
  /** Cancels, redrives or discards many runs. */
  bulk(
    projectId: string,
    which: BulkWhich,
    act: BulkInput,
    origin: Origin,
  ): Promise<wire.BulkResult | Refusal>;
  /** The new run that takes a dead letter's place. */
  redrive(
    projectId: string,
    runId: string,
    changes: RedriveChanges,
    origin: Origin,
  ): Promise<{ run: wire.RunSummary; created: boolean } | Refusal>;
  discard(
    projectId: string,
    runId: string,
    note: string,
    origin: Origin,
  ): Promise<wire.RunSummary | Refusal>;

  registerRuntime(
    projectId: string,
    name: string,
    registration: wire.RuntimeRegistration,
    origin: Origin,
  ): Promise<wire.Runtime | Refusal>;
  drainRuntime(
    projectId: string,
    name: string,
    reason: string,
    origin: Origin,
  ): Promise<wire.Runtime | Refusal>;
  /** Ends the attempt without cost; closes the account, or one model of it, until it recovers. */
  exhausted(
    projectId: string,
    item: ExhaustedInput,
    origin: Origin,
  ): Promise<wire.RunStatus | Refusal>;
  /** Asked again, it answers with what stands under the key: at once, decided or not. */
  ask(projectId: string, input: AskInput, origin: Origin): Promise<AskResult | Refusal>;
  answerApproval(
    projectId: string,
    approvalId: string,
    answer: AnswerInput,
    origin: Origin,
  ): Promise<wire.Approval | Refusal>;
  /** Refused as `approval_mismatch` when it is not what was decided; recorded either way. */
  executed(
    projectId: string,
    input: ExecutedInput,
    origin: Origin,
  ): Promise<wire.Approval | Refusal>;
  /** A new callback link in place of an earlier one. */
  linkApproval(
    projectId: string,
    approvalId: string,
    origin: Origin,
  ): Promise<wire.ApprovalLink | Refusal>;
  /** Null: the link was used, replaced, or the question is decided. */
  answerByLink(
    token: string,
    answer: AnswerInput,
    origin: Origin,
  ): Promise<wire.Approval | Refusal | null>;
  registerAgent(
    projectId: string,
    name: string,
    registration: wire.AgentRegistration,
    origin: Origin,
  ): Promise<wire.Agent | Refusal>;
  pauseAgent(
    projectId: string,
    name: string,
    reason: string,
    origin: Origin,
  ): Promise<wire.Agent | Refusal>;
  resumeAgent(
    projectId: string,
    name: string,
    reason: string | null,
    origin: Origin,
  ): Promise<wire.Agent | Refusal>;
  registerAccount(
    projectId: string,
    name: string,
    registration: wire.AccountRegistration,
    origin: Origin,
  ): Promise<wire.Account | Refusal>;
  reportExhaustion(
    projectId: string,
    account: string,
    report: wire.LimitReport,
    origin: Origin,
  ): Promise<wire.Account | Refusal>;
  /** By a person: the limit (all limits when `model` is undefined) is tried again now. */
  recoverAccount(
    projectId: string,
    account: string,
    input: { model?: string | null; reason: string },
    origin: Origin,
  ): Promise<wire.Account | Refusal>;
  createAllowance(
    projectId: string,
    input: wire.AllowanceInput,
    origin: Origin,
  ): Promise<wire.Allowance | Refusal>;
  updateAllowance(
    projectId: string,
    id: string,
    change: Partial<Pick<wire.AllowanceInput, "limit" | "mode" | "default_reserve">>,
    origin: Origin,
  ): Promise<wire.Allowance | Refusal>;
  deleteAllowance(projectId: string, id: string, origin: Origin): Promise<wire.Allowance | Refusal>;
  createSlot(
    projectId: string,
    input: wire.SlotInput,
    origin: Origin,
  ): Promise<wire.Slot | Refusal>;
  changeSlot(
    projectId: string,
    id: string,
    change: { verb: "start" | "finish" | "abort" | "skip"; reason: string | null },
    origin: Origin,
  ): Promise<wire.Slot | Refusal>;
  pauseQueue(
    projectId: string,
    name: string,
    reason: string,
    origin: Origin,
  ): Promise<wire.Queue | Refusal>;
  resumeQueue(
    projectId: string,
    name: string,
    reason: string | null,
    origin: Origin,
  ): Promise<wire.Queue | Refusal>;
  stopProject(
    projectId: string,
    input: { reason: string; cancelLive: boolean },
    origin: Origin,
  ): Promise<wire.Project | Refusal>;
  resumeProject(projectId: string, reason: string, origin: Origin): Promise<wire.Project | Refusal>;
  /** Stops every project of the installation, those to come included. */
  stopEverything(
    input: { reason: string; cancelLive: boolean },
    origin: Origin,
  ): Promise<wire.Everything | Refusal>;
  resumeEverything(reason: string, origin: Origin): Promise<wire.Everything | Refusal>;

  /** Null keeps everything, what is absent stays as it is. */
  setRetention(
    projectId: string,
    change: wire.RetentionChange,
    origin: Origin,
  ): Promise<wire.Project | Refusal>;
  createProject(name: string, origin: Origin): Promise<wire.Project | Refusal>;

  // ---- keys
  /** The attempt key a request presents (`sba_…`, or a child's `sbc_…`); null when not live. */
  attemptPrincipal(key: string): Promise<AttemptPrincipal | null>;
  /** Finds a project by UUID or name, for owner keys. */
  findProject(idOrName: string): Promise<wire.Project | null>;

  // ---- questions
  run(projectId: string, runId: string): Promise<wire.Run | null>;
  runs(projectId: string, filter: RunFilter, page: PageInput): Promise<wire.Page<wire.RunSummary>>;
  /** How many runs are in which state, each counted up to 10,000. */
  runCounts(projectId: string): Promise<wire.RunCounts>;
  attempts(projectId: string, runId: string): Promise<wire.Attempt[]>;
  runEvents(projectId: string, runId: string, page: EventPageInput): Promise<wire.Page<wire.Event>>;
  projectEvents(
    projectId: string,
    page: { afterFeed: number; limit: number } & FeedFilter,
  ): Promise<wire.Page<wire.Event>>;
  /** Dead letters by what their errors have in common, the group that grew last first. */
  letterGroups(
    projectId: string,
    filter: LetterFilter,
    page: PageInput,
  ): Promise<wire.Page<wire.DeadLetterGroup> | Refusal>;
  letters(
    projectId: string,
    filter: LetterFilter & { fingerprint: string },
    page: PageInput,
  ): Promise<wire.Page<wire.DeadLetter> | Refusal>;
  everything(): Promise<wire.Everything>;
  explain(projectId: string, runId: string): Promise<wire.Explanation | null>;
  /** Resolves when the run is terminal or after `timeoutMs` with the run as it is then. */
  waitForRun(
    projectId: string,
    runId: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<wire.Run | null>;
  approvals(
    projectId: string,
    filter: ApprovalFilter,
    page: PageInput,
  ): Promise<wire.Page<wire.Approval>>;
  /** Resolves when it is decided or held no more, or after `timeoutMs` as it is then. */
  approval(
    projectId: string,
    approvalId: string,
    wait: { timeoutMs: number; signal: AbortSignal },
  ): Promise<wire.Approval | null>;
  approvalByLink(token: string): Promise<wire.Approval | Refusal | null>;
  agents(projectId: string, filter: AgentFilter, page: PageInput): Promise<wire.Page<wire.Agent>>;
  agent(projectId: string, name: string): Promise<wire.Agent | null>;
  /** Null when there is no such agent. */
  agentEvents(
    projectId: string,
    name: string,
    page: EventPageInput,
  ): Promise<wire.Page<wire.Event> | null>;
  accounts(projectId: string, page: PageInput): Promise<wire.Page<wire.Account>>;
  account(projectId: string, name: string): Promise<wire.Account | null>;
  allowances(projectId: string, page: PageInput): Promise<wire.Page<wire.Allowance>>;
  allowance(projectId: string, id: string): Promise<wire.Allowance | null>;
  slots(projectId: string, filter: SlotFilter, page: PageInput): Promise<wire.Page<wire.Slot>>;
  slot(projectId: string, id: string): Promise<wire.Slot | null>;
  usage(projectId: string, filter: UsageFilter): Promise<wire.UsageRow[]>;
  runtimes(
    projectId: string,
    filter: RuntimeFilter,
    page: PageInput,
  ): Promise<wire.Page<wire.Runtime>>;
  runtime(projectId: string, name: string): Promise<wire.Runtime | null>;
  queues(projectId: string): Promise<wire.Queue[]>;
  projects(): Promise<wire.Project[]>;
  project(projectId: string): Promise<wire.Project | null>;

  // ---- streams
  /** Events of one run after `afterSeq`, live; ends after the terminal event. */
  followRun(
    projectId: string,
    runId: string,
    afterSeq: number,
    signal: AbortSignal,
  ): AsyncIterable<wire.Event>;
  /**
   * The project's feed after `afterFeed`, live, in sets of what came within 50 ms. Says `resync`,
   * in a set of its own, where runs were removed that this follower has not seen, and where it
   * stands behind the end of a feed that was restored.
   */
  followProject(
    projectId: string,
    from: { afterFeed: number } & FeedFilter,
    signal: AbortSignal,
  ): AsyncIterable<readonly wire.FeedItem[]>;
  /** Directives for one runtime, live, beginning with those that stand now. */
  directives(
    projectId: string,
    runtime: string,
    signal: AbortSignal,
  ): AsyncIterable<wire.Directive>;

  /** Null while traces are off. */
  readonly traces?: Pick<Traces, "start" | "words"> | null;

  health(): Promise<Health>;
  /** The house for people; `all`: also what all projects do together. */
  houseHealth(all: boolean): Promise<wire.HouseHealth>;
  /**
   * What this server tells about itself and the house, in the text format of Prometheus; `more` are
   * metrics of the door that was asked.
   */
  metrics(more?: readonly Metric[]): Promise<string>;
}

/** `ready` is false when the database does not answer or the sweeps are late. */
export type Health = {
  ready: boolean;
  database: "ok" | "unreachable";
  sweepLagMs: number;
  version: string;
  startedAt: string;
};
