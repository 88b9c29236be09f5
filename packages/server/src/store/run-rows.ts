// Rows of the table `run` and the law's `Run`, both ways.
// Promises: what is decoded here is exactly what `decide` needs, no large column among it; a state
// of the database that the law does not know fails loudly.
// Leaves to others: the statements (`runs.ts`).

import { defaultBackoff } from "../domain/limits.ts";
import type { RunPhase, RunState } from "../domain/machine.ts";
import type { Backoff, Run } from "../domain/run.ts";
import { assert } from "../std/assert.ts";

/** The columns the law reads, in one list so that every statement reads the same. */
export const runColumns = `r.id, r.project_id, r.lane_id, r.attempt_id, r.rank, r.last_seq,
  r.last_producer_seq, r.created_at, r.lease_expires_at, r.claimed_at, r.started_at, r.finished_at,
  r.not_before, r.deadline_at, r.cancel_requested_at, r.dead_lettered_at, r.lease_ms,
  r.max_duration_ms, r.fencing_token, r.concurrency_limit, r.open_dependencies, r.step_count,
  r.priority, r.held, r.attempts_used, r.max_attempts, r.releases, r.exhaustions, r.suspensions,
  r.fail_with_dependency, r.state, r.approval_mode, r.end_cause, r.attempt_end,
  r.runtime, r.agent, r.account, r.duration_cap_ms, r.metered, r.probing, r.concurrency_key,
  r.status_reason, r.backoff`;

export type RunRow = {
  id: string;
  project_id: string;
  lane_id: string;
  attempt_id: string | null;
  rank: number;
  last_seq: number;
  last_producer_seq: number;
  created_at: number;
  lease_expires_at: number | null;
  claimed_at: number | null;
  started_at: number | null;
  finished_at: number | null;
  not_before: number | null;
  deadline_at: number | null;
  cancel_requested_at: number | null;
  dead_lettered_at: number | null;
  lease_ms: number | null;
  max_duration_ms: number | null;
  fencing_token: number;
  concurrency_limit: number;
  open_dependencies: number;
  step_count: number;
  priority: number;
  held: number;
  attempts_used: number;
  max_attempts: number;
  releases: number;
  exhaustions: number;
  suspensions: number;
  fail_with_dependency: boolean;
  state: RunState;
  approval_mode: "hold" | "suspend" | null;
  end_cause: string | null;
  attempt_end: string | null;
  runtime: string | null;
  agent: string | null;
  account: string | null;
  duration_cap_ms: number | null;
  metered: boolean;
  probing: boolean;
  concurrency_key: string | null;
  status_reason: string | null;
  backoff: Backoff | null;
};

function phaseOf(row: Pick<RunRow, "state" | "approval_mode">): RunPhase {
  if (row.state !== "waiting_approval") return row.state;
  assert(row.approval_mode !== null, "a run that waits for approval has a mode");
  return row.approval_mode === "hold" ? "waiting_approval_held" : "waiting_approval_suspended";
}

/** Decodes a locked (or merely read) row into the law's view of the run. */
export function runOf(row: RunRow): Run {
  const lease =
    row.lease_expires_at === null
      ? null
      : { expiresAt: row.lease_expires_at, leaseMs: row.lease_ms as number };
  return {
    id: row.id,
    projectId: row.project_id,
    laneId: row.lane_id,
    phase: phaseOf(row),
    lease,
    endCause: row.end_cause,
    finishedAt: row.finished_at,
    deadLetteredAt: row.dead_lettered_at,
    priority: row.priority,
    rank: row.rank,
    createdAt: row.created_at,
    deadlineAt: row.deadline_at,
    maxDurationMs: row.max_duration_ms,
    maxAttempts: row.max_attempts,
    backoff: row.backoff ?? defaultBackoff,
    concurrencyKey: row.concurrency_key,
    concurrencyLimit: row.concurrency_limit,
    failWithDependency: row.fail_with_dependency,
    notBefore: row.not_before,
    held: row.held,
    openDependencies: row.open_dependencies,
    fencingToken: row.fencing_token,
    attemptsUsed: row.attempts_used,
    releases: row.releases,
    exhaustions: row.exhaustions,
    suspensions: row.suspensions,
    attemptId: row.attempt_id,
    attemptEnd: row.attempt_end,
    runtime: row.runtime,
    agent: row.agent,
    account: row.account,
    durationCapMs: row.duration_cap_ms,
    metered: row.metered,
    probing: row.probing,
    claimedAt: row.claimed_at,
    startedAt: row.started_at,
    lastProducerSeq: row.last_producer_seq,
    lastSeq: row.last_seq,
    cancelRequestedAt: row.cancel_requested_at,
    statusReason: row.status_reason,
    stepCount: row.step_count,
  } as Run;
}

/** An instant as it stands on the wire. */
export function iso(at: number): string;
export function iso(at: number | null): string | null;
export function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
