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
export type { FeedQuery, FollowFeedOptions } from "./resources/events.ts";
export type { FollowRunOptions, RunEventQuery, RunFilter, WaitOptions } from "./resources/runs.ts";
export { RunHandle } from "./run-handle.ts";
export { isTerminal } from "./run-state.ts";
export type * from "./wire.ts";
