// From rows to the wire: the shapes people and programs read.
// Promises: every id leaves as a TypeID, every instant as ISO 8601 with milliseconds, big integers
// as strings; no secret and no authorisation snapshot in a summary.
// Leaves to others: reading the rows (store), paging (run-queries).

import type * as wire from "@signalbox/sdk";
import { defaultBackoff } from "../../domain/limits.ts";
import type { Run } from "../../domain/run.ts";
import type { NewRun } from "../../domain/submission.ts";
import { stateOf } from "../../domain/machine.ts";
import { eventId } from "../../domain/event-id.ts";
import { toTypeId } from "../../std/ids.ts";
import type { StoredEvent } from "../../store/events.ts";
import type { KeyRow } from "../../store/keys.ts";
import type { ProjectRow } from "../../store/projects.ts";
import type { AttemptView, RunDetail, RunView } from "../../store/run-queries.ts";
import { iso } from "../../store/run-rows.ts";
import type { RuntimeRow } from "../../store/runtimes.ts";

export function summaryOf(row: RunView): wire.RunSummary {
  return {
    id: toTypeId("run", row.id),
    project_id: toTypeId("prj", row.project_id),
    state: row.state,
    end_cause: row.end_cause as wire.EndCause | null,
    status_reason: row.status_reason,
    queue: row.queue,
    runner: row.runner,
    priority: row.priority,
    agent: row.agent,
    runtime: row.runtime,
    model: row.model,
    account: row.account,
    requires: row.requires,
    tags: row.tags,
    metadata: { ...row.metadata, ...row.metadata_patch },
    attempts_used: row.attempts_used,
    max_attempts: row.max_attempts,
    fencing_token: row.fencing_token,
    attempt_id:
      row.attempt_id === null || row.lease_expires_at === null
        ? null
        : toTypeId("att", row.attempt_id),
    lease_expires_at: iso(row.lease_expires_at),
    cancel_requested_at: iso(row.cancel_requested_at),
    dead_lettered_at: iso(row.dead_lettered_at),
    redrive_of: row.redrive_of === null ? null : toTypeId("run", row.redrive_of),
    parent_run: row.parent_run === null ? null : toTypeId("run", row.parent_run),
    concurrency_key: row.concurrency_key,
    not_before: iso(row.not_before),
    deadline_at: iso(row.deadline_at),
    created_at: iso(row.created_at),
    started_at: iso(row.started_at),
    finished_at: iso(row.finished_at),
    step_count: row.step_count,
    cost_micros: null,
    error: row.error,
    conversation_id: row.conversation_id,
    thread_id: row.thread_id,
    workspace_id: row.workspace_id,
    bot_id: row.bot_id,
    binding_id: row.binding_id,
    event_id: row.event_id,
  };
}

export function detailOf(row: RunDetail): wire.Run {
  const usage = row.usage ?? {};
  const cost = usage["cost_micros"];
  const backoff = row.backoff ?? defaultBackoff;
  // Not `...summaryOf(row)`: a large object that begins as a copy is ten times slower to make.
  return {
    id: toTypeId("run", row.id),
    project_id: toTypeId("prj", row.project_id),
    state: row.state,
    end_cause: row.end_cause as wire.EndCause | null,
    status_reason: row.status_reason,
    queue: row.queue,
    runner: row.runner,
    priority: row.priority,
    agent: row.agent,
    runtime: row.runtime,
    model: row.model,
    account: row.account,
    requires: row.requires,
    tags: row.tags,
    metadata: { ...row.metadata, ...row.metadata_patch },
    attempts_used: row.attempts_used,
    max_attempts: row.max_attempts,
    fencing_token: row.fencing_token,
    attempt_id:
      row.attempt_id === null || row.lease_expires_at === null
        ? null
        : toTypeId("att", row.attempt_id),
    lease_expires_at: iso(row.lease_expires_at),
    cancel_requested_at: iso(row.cancel_requested_at),
    dead_lettered_at: iso(row.dead_lettered_at),
    redrive_of: row.redrive_of === null ? null : toTypeId("run", row.redrive_of),
    parent_run: row.parent_run === null ? null : toTypeId("run", row.parent_run),
    concurrency_key: row.concurrency_key,
    not_before: iso(row.not_before),
    deadline_at: iso(row.deadline_at),
    created_at: iso(row.created_at),
    started_at: iso(row.started_at),
    finished_at: iso(row.finished_at),
    error: row.error,
    conversation_id: row.conversation_id,
    thread_id: row.thread_id,
    workspace_id: row.workspace_id,
    bot_id: row.bot_id,
    binding_id: row.binding_id,
    event_id: row.event_id,
    cost_micros: cost === undefined ? null : String(cost),
    step_count: usage["steps"] ?? row.step_count,
    input: row.input,
    input_sha256: row.input_sha256,
    output: row.output,
    output_sha256: row.output_sha256,
    checkpoint: row.checkpoint,
    idempotency_key: row.idempotency_key,
    concurrency_limit: row.concurrency_key === null ? null : row.concurrency_limit,
    max_duration_s: row.max_duration_ms === null ? null : row.max_duration_ms / 1000,
    backoff: {
      base_ms: backoff.baseMs,
      factor: backoff.factor,
      cap_ms: backoff.capMs,
      jitter: backoff.jitter,
    },
    estimate: row.estimate,
    depends_on: row.depends_on.map((id) => toTypeId("run", id)),
    on_dependency_failure: row.fail_with_dependency ? "fail" : "wait",
    authorization: row.authorization_snapshot,
    traceparent: row.traceparent,
    last_seq: String(row.last_seq),
    usage: usage,
  };
}

/** The summary of a run that was just submitted, without reading it back. */
export function bornSummary(run: Run, spec: NewRun): wire.RunSummary {
  return {
    id: toTypeId("run", run.id),
    project_id: toTypeId("prj", run.projectId),
    state: stateOf(run.phase),
    end_cause: run.endCause,
    status_reason: run.statusReason,
    queue: spec.queue,
    runner: spec.runner,
    priority: run.priority,
    agent: spec.agent,
    runtime: spec.runtime,
    model: spec.model,
    account: spec.account,
    requires: [...spec.requires],
    tags: [...spec.tags],
    metadata: spec.metadata,
    attempts_used: 0,
    max_attempts: run.maxAttempts,
    fencing_token: 0,
    attempt_id: null,
    lease_expires_at: null,
    cancel_requested_at: null,
    dead_lettered_at: null,
    redrive_of: null,
    parent_run: spec.parentRun === null ? null : toTypeId("run", spec.parentRun),
    concurrency_key: spec.concurrencyKey,
    not_before: iso(run.notBefore),
    deadline_at: iso(run.deadlineAt),
    created_at: iso(run.createdAt),
    started_at: null,
    finished_at: iso(run.finishedAt),
    step_count: 0,
    cost_micros: null,
    error: null,
    conversation_id: spec.scopes.conversation_id ?? null,
    thread_id: spec.scopes.thread_id ?? null,
    workspace_id: spec.scopes.workspace_id ?? null,
    bot_id: spec.scopes.bot_id ?? null,
    binding_id: spec.scopes.binding_id ?? null,
    event_id: spec.scopes.event_id ?? null,
  };
}

export function statusOf(run: Run): wire.RunStatus {
  return {
    id: toTypeId("run", run.id),
    state: stateOf(run.phase),
    end_cause: run.endCause,
    fencing_token: run.fencingToken,
    attempts_used: run.attemptsUsed,
    not_before: run.phase === "pending" ? iso(run.notBefore) : null,
  };
}

export function attemptOf(row: AttemptView): wire.Attempt {
  return {
    id: toTypeId("att", row.id),
    run_id: toTypeId("run", row.run_id),
    number: row.number,
    state: row.state as wire.AttemptState,
    agent: row.agent,
    runtime: row.runtime,
    account: row.account,
    counted: row.counted,
    claimed_at: iso(row.claimed_at),
    started_at: iso(row.started_at),
    ended_at: iso(row.ended_at),
    cause: row.cause,
    error: row.error,
    usage: row.usage ?? {},
    pid: row.pid,
    host: row.host,
    exit_code: row.exit_code,
    signal: row.signal,
    terminated_at: iso(row.terminated_at),
  };
}

export const streamPrefix: { [stream: string]: string } = {
  run: "run",
  agent: "agt",
  account: "acc",
  runtime: "rt",
  queue: "que",
  project: "prj",
  slot: "slt",
};

/** The wire id of what a stream belongs to. */
export function streamIdOf(stream: string, id: string): string {
  return toTypeId(streamPrefix[stream] ?? stream, id);
}

export function eventOf(row: StoredEvent): wire.Event {
  const { usage, ...data } = (row.data ?? {}) as { [key: string]: wire.Json };
  return {
    id: toTypeId("evt", eventId(row.stream_id, row.seq)),
    stream: row.stream,
    stream_id: streamIdOf(row.stream, row.stream_id),
    seq: String(row.seq),
    feed: String(row.feed),
    type: row.type,
    also: row.also ?? [],
    source: row.source,
    attempt: row.attempt,
    producer_seq: row.producer_seq,
    at: iso(row.at),
    from_state: row.from_state as wire.RunState | null,
    to_state: row.to_state as wire.RunState | null,
    late: row.late,
    data,
    ...(usage === undefined ? {} : { usage: usage as NonNullable<wire.Event["usage"]> }),
    actor: row.actor,
    request_id: row.request_id,
    traceparent: row.traceparent,
  };
}

export function runtimeOf(row: RuntimeRow): wire.Runtime {
  return {
    id: toTypeId("rt", row.id),
    name: row.name,
    state: row.state,
    version: row.version,
    capabilities: row.capabilities,
    labels: row.labels,
    runners: row.runners,
    endpoint: row.endpoint,
    host: row.host,
    pid: row.pid,
    deadline_s: row.deadline_s,
    registered_at: iso(row.registered_at),
    last_heartbeat_at: iso(row.last_heartbeat_at),
  };
}

export function projectOf(row: ProjectRow): wire.Project {
  return {
    id: toTypeId("prj", row.id),
    name: row.name,
    created_at: iso(row.created_at),
    stopped_at: iso(row.stopped_at),
    stop_reason: row.stop_reason,
    stopped_by: row.stopped_by,
    stop_scope: row.stop_scope,
    retention_days: row.retention_days,
    dead_letter_days: row.dead_letter_days,
    feed_floor: String(row.feed_floor),
  };
}

export function keyOf(row: KeyRow): wire.ApiKey {
  return {
    id: toTypeId("key", row.id),
    prefix: row.prefix,
    name: row.name,
    roles: row.roles,
    agents: row.agents,
    project_id: row.project_id === null ? null : toTypeId("prj", row.project_id),
    created_at: iso(row.created_at),
    expires_at: iso(row.expires_at),
    revoked_at: iso(row.revoked_at),
    last_used_at: iso(row.last_used_at),
    replaced_by: row.replaced_by === null ? null : toTypeId("key", row.replaced_by),
  };
}
