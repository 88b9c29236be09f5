// @signalbox/sdk: the client, its errors, and every shape of the wire.
// Promises: isomorphic (browsers and Node), no dependency, nothing happens at import.
// Leaves to others: the worker (`@signalbox/sdk/worker`, Node only).

export { Signalbox } from "./client.ts";
export type { SignalboxOptions } from "./client.ts";
export {
  BadRequestError,
  ConflictError,
  ConnectionError,
  ForbiddenError,
  isSignalboxError,
  LockedError,
  NotFoundError,
  PayloadTooLargeError,
  RateLimitedError,
  RunFailed,
  ServerError,
  SignalboxError,
  TimeoutError,
  UnauthorizedError,
  UnprocessableError,
} from "./errors.ts";
export type { FieldError } from "./errors.ts";
export type { Query, RequestOptions } from "./http.ts";
export type { PageQuery } from "./paging.ts";
export type { AgentEventQuery, AgentFilter } from "./resources/agents.ts";
export type { AllowanceChange } from "./resources/allowances.ts";
export type { BulkSelection, DeadLetterFilter } from "./resources/dead-letters.ts";
export type { AuditFilter } from "./resources/audit.ts";
export type { ApprovalFilter } from "./resources/approvals.ts";
export type { FeedQuery, FollowFeedOptions } from "./resources/events.ts";
export type { KeyRotation, NewKey } from "./resources/keys.ts";
export type { FollowRunOptions, RunEventQuery, WaitOptions } from "./resources/runs.ts";
export type { RuntimeFilter } from "./resources/runtimes.ts";
export type { SlotFilter } from "./resources/slots.ts";
export type { UsageFilter } from "./resources/usage.ts";
export type { DeliveryQuery } from "./resources/webhooks.ts";
export { RunHandle } from "./run-handle.ts";
export { isTerminal } from "./run-state.ts";
export { verifyWebhook, WebhookVerificationError } from "./verify-webhook.ts";
export type { VerifyOptions, WebhookHeaders } from "./verify-webhook.ts";
export type * from "./wire.ts";
