// Events: the types the house writes, the types runners may write, and what one row of the register
// carries. Promises: one transition is one row; a row may carry further facts in `also`
// (the attempt's end next to the run's), so the register counts facts, not rows.
// Leaves to others: numbering (`seq` under the run's row, `feed` under the project's counter).

import type { Instant, JsonObject } from "./run.ts";
import type { RunState } from "./machine.ts";

/** Types only the house writes. A row carries one of them, and further facts in `also`. */
export const houseEventTypes = [
  "run.submitted",
  "run.claimed",
  "run.started",
  "run.waiting_tool",
  "run.resumed",
  "run.waiting_approval",
  "run.suspended",
  "run.requeued",
  "run.completed",
  "run.failed",
  "run.cancelled",
  "run.timeout",
  "run.cancel_requested",
  "run.lease_extended",
  "run.dead_lettered",
  "run.redriven",
  "run.discarded",
  "attempt.spawning",
  "attempt.running",
  "attempt.completed",
  "attempt.failed",
  "attempt.killed",
  "attempt.lost",
  "attempt.released",
  "attempt.terminated",
  "approval.requested",
  "approval.approved",
  "approval.rejected",
  "approval.expired",
  "approval.cancelled",
  "approval.executed",
  "approval.mismatch",
  "usage.recorded",
  "allowance.created",
  "allowance.changed",
  "allowance.removed",
  "quota.warning",
  "quota.exceeded",
  "dispatch.no_agent",
  "dispatch.quota",
  "agent.registered",
  "agent.status_changed",
  "agent.paused",
  "agent.resumed",
  "account.registered",
  "account.exhausted",
  "account.probing",
  "account.recovered",
  "runtime.registered",
  "runtime.draining",
  "runtime.stale",
  "runtime.offline",
  "slot.created",
  "slot.due",
  "slot.started",
  "slot.deferred",
  "slot.finished",
  "slot.aborted",
  "slot.skipped",
  "queue.paused",
  "queue.resumed",
  "project.created",
  "project.stopped",
  "project.resumed",
  "project.changed",
  "key.created",
  "key.revoked",
  "key.rotated",
  "login.created",
  "session.opened",
  "session.ended",
  "access.denied",
  "webhook.created",
  "webhook.changed",
  "webhook.rotated",
  "webhook.enabled",
  "webhook.disabled",
  "webhook.removed",
] as const;
export type HouseEventType = (typeof houseEventTypes)[number];

/** The state a run is in after an event of this type; every other type changes none. */
export const stateAfter = {
  "run.submitted": "pending",
  "run.claimed": "claimed",
  "run.started": "running",
  "run.waiting_tool": "waiting_tool",
  "run.resumed": "running",
  "run.waiting_approval": "waiting_approval",
  "run.suspended": "waiting_approval",
  "run.requeued": "pending",
  "run.completed": "completed",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
  "run.timeout": "timeout",
} as const satisfies Partial<Record<HouseEventType, RunState>>;

/** Types runners may append, besides any `x.…`. */
export const runnerEventTypes = [
  "message.delta",
  "message.completed",
  "tool.call.started",
  "tool.call.completed",
  "state.updated",
  "action.requested",
  "log.line",
] as const;

/** What may still be appended within ten minutes after the end; it changes no state. */
export const lateEventTypes = ["log.line", "attempt.terminated", "usage.recorded"] as const;

const runnerTypes: ReadonlySet<string> = new Set(runnerEventTypes);
const customType = /^x(?:\.[a-z0-9_-]{1,60}){1,6}$/;

/**
 * Whether a runner may append this type. Names the house reserves are refused, but for
 * `usage.recorded` of an event that carries usage.
 */
export function isRunnerEventType(type: string, hasUsage = false): boolean {
  if (hasUsage && type === "usage.recorded") return true;
  return runnerTypes.has(type) || (type.length <= 200 && customType.test(type));
}

/** Who wrote it: the house, a runner, or a person through the API. */
export type EventSource = "host" | "runner" | "operator";

/** A fact to be written on the stream of a run, before it has its numbers. */
export type Fact = {
  readonly type: string;
  readonly also?: readonly HouseEventType[];
  readonly source: EventSource;
  readonly at: Instant;
  readonly from?: RunState | null;
  readonly to?: RunState;
  /** +1 on the event of a claim, −1 on the event that ends the lease. */
  readonly leaseDelta?: 1 | -1;
  readonly token?: number;
  /** Last expiry of the lease that this event ends. */
  readonly leaseExpiresAt?: Instant;
  /** Set on what is appended after the end: it changes no state. */
  readonly late?: boolean;
  readonly producerSeq?: number;
  readonly data: JsonObject;
};
