// @signalbox/sdk/worker: doing runs, in Node.
// Promises: nothing happens at import; signals are listened to only while a worker runs.
// Leaves to others: submitting and looking (`@signalbox/sdk`).

export type { ApprovalDecision, ApprovalQuestion, Approved, NotApproved } from "./approval.ts";
export type { Attempt, EventExtras, PauseListener, RunnerEventType } from "./attempt.ts";
export type { AttemptListener, AttemptNews, AttemptOutcome } from "./attempt-news.ts";
export { AttemptAborted, PermanentError } from "./errors.ts";
export type { AbortKind } from "./errors.ts";
export { Exhausted } from "./exhausted.ts";
export { EVENT_DATA_BYTES, fitEventData } from "./event-data.ts";
export { Keeper } from "./keeper.ts";
export type {
  KeeperCallbacks,
  KeeperFactory,
  KeeperLike,
  KeeperOptions,
  KeptLease,
} from "./keeper.ts";
export type { HeadersLike, LimitNotice } from "./limit-report.ts";
export type { Handler } from "./live-attempt.ts";
export type { WorkerOptions } from "./options.ts";
export { Worker } from "./worker.ts";
export * from "./process/index.ts";
