// From a submission to a pending run. Promises: defaults, rank and held bits are set here and only
// here; what cannot run (a deadline in the past) is refused with the field's name.
// Leaves to others: shape of the JSON (`http/schemas`), ids and hashes (engine), rows (store).

import { toTypeId } from "../std/ids.ts";
import type { Fact } from "./event.ts";
import { defaultBackoff } from "./limits.ts";
import { rank } from "./rank.ts";
import type { Refusal } from "./refusal.ts";
import { refuseField } from "./refusal.ts";
import type { Backoff, Instant, Json, JsonObject, PendingRun } from "./run.ts";
import { HELD_DEPENDENCY, HELD_NOT_DUE } from "./run.ts";

/** Runs that share all of these share a lane: what can do one can do the other. */
export type LaneKey = {
  readonly queue: string;
  readonly runner: string;
  readonly requires: readonly string[];
  readonly agent: string | null;
  readonly runtime: string | null;
  readonly model: string | null;
  readonly account: string | null;
};

/** Names of the places a run may belong to in its sender's world. */
export const scopeNames = [
  "conversation_id",
  "thread_id",
  "workspace_id",
  "bot_id",
  "binding_id",
  "event_id",
] as const;
export type ScopeName = (typeof scopeNames)[number];

/** A checked submission with its defaults filled in. */
export type NewRun = LaneKey & {
  readonly input: Json;
  readonly priority: number;
  readonly notBefore: Instant | null;
  readonly deadlineAt: Instant | null;
  readonly maxDurationS: number | null;
  readonly maxAttempts: number;
  readonly backoff: Partial<Backoff>;
  readonly estimate: JsonObject | null;
  readonly idempotencyKey: string | null;
  /** SHA-256 of the validated body without traceparent: decides "same body". */
  readonly bodySha256: string;
  readonly inputSha256: string;
  readonly concurrencyKey: string | null;
  readonly concurrencyLimit: number;
  /** Run ids, or `#ref` of another item of the same batch. */
  readonly dependsOn: readonly string[];
  readonly failWithDependency: boolean;
  readonly parentRun: string | null;
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly scopes: Partial<Record<ScopeName, string>>;
  readonly authorization: JsonObject | null;
  /** The named agent offline for this long: another may do it. Null = it waits. */
  readonly agentTimeoutMs: number | null;
  readonly traceparent: string | null;
  readonly ref: string | null;
};

/** Text that names a lane inside its project; equal keys give equal text. */
export function laneText(key: LaneKey): string {
  const requires = [...new Set(key.requires)].toSorted();
  return JSON.stringify([
    key.queue,
    key.runner,
    requires,
    key.agent,
    key.runtime,
    key.model,
    key.account,
  ]);
}

/** Refuses what is well-formed but can never run as asked. */
export function checkNewRun(run: NewRun, at: Instant): Refusal | null {
  if (run.deadlineAt !== null && run.deadlineAt <= at) {
    return refuseField("deadline_at", "lies in the past; give an instant that is still to come");
  }
  if (run.deadlineAt !== null && run.notBefore !== null && run.deadlineAt <= run.notBefore) {
    return refuseField("deadline_at", "lies before not_before, so the run could never start");
  }
  return null;
}

/** That it was submitted; `more` is told along. */
export function submittedFact(spec: NewRun, at: Instant, more: JsonObject = {}): Fact {
  const { queue, runner, priority, inputSha256, agent, parentRun } = spec;
  const data = {
    queue,
    runner,
    priority,
    input_sha256: inputSha256,
    ...(agent === null ? {} : { agent }),
    ...(parentRun === null ? {} : { parent_run: toTypeId("run", parentRun) }),
    ...more,
  };
  return { type: "run.submitted", source: "host", at, from: null, to: "pending", data };
}

/** The pending run a submission becomes. `openDependencies` = those not completed yet. */
export function newRun(
  spec: NewRun,
  ids: { id: string; projectId: string; laneId: string },
  openDependencies: number,
  at: Instant,
): PendingRun {
  const waits = spec.notBefore !== null && spec.notBefore > at;
  // Each field by name: an object that begins as a copy of another is several times slower to make
  // and to copy, and a run is copied at every step.
  return {
    id: ids.id,
    projectId: ids.projectId,
    laneId: ids.laneId,
    phase: "pending",
    lease: null,
    endCause: null,
    finishedAt: null,
    deadLetteredAt: null,
    priority: spec.priority,
    rank: rank(at, spec.priority),
    createdAt: at,
    deadlineAt: spec.deadlineAt,
    maxDurationMs: spec.maxDurationS === null ? null : spec.maxDurationS * 1000,
    maxAttempts: spec.maxAttempts,
    backoff: backoffOf(spec.backoff),
    concurrencyKey: spec.concurrencyKey,
    concurrencyLimit: spec.concurrencyLimit,
    failWithDependency: spec.failWithDependency,
    notBefore: spec.notBefore,
    held: (waits ? HELD_NOT_DUE : 0) | (openDependencies > 0 ? HELD_DEPENDENCY : 0),
    openDependencies,
    fencingToken: 0,
    attemptsUsed: 0,
    releases: 0,
    exhaustions: 0,
    suspensions: 0,
    attemptId: null,
    attemptEnd: null,
    runtime: null,
    agent: null,
    account: null,
    durationCapMs: null,
    metered: false,
    probing: false,
    claimedAt: null,
    startedAt: null,
    lastProducerSeq: 0,
    lastSeq: 0,
    cancelRequestedAt: null,
    statusReason: null,
    stepCount: 0,
  };
}

function backoffOf(asked: Partial<Backoff>): Backoff {
  return Object.keys(asked).length === 0 ? defaultBackoff : { ...defaultBackoff, ...asked };
}

/** Default priority (`medium`). */
export const defaultPriority = 40;
/** The queue of a run that names none. */
export const defaultQueue = "default";
/** The runner of a run that names none. */
export const defaultRunner = "default";
