// Writes of runs: the columns of `run` as one table, an insert and updates made from it.
// Promises: a run is written by the narrowest statement that holds all that has changed, so that
// what is frequent (events, renewals, the steps of an attempt) sends and parses few columns; every
// write asserts its row count inside the statement.
// Leaves to others: locking and reading (runs.ts), deciding (domain).

import { dueAt } from "../domain/due.ts";
import { defaultBackoff } from "../domain/limits.ts";
import type { RunPhase } from "../domain/machine.ts";
import { stateOf } from "../domain/machine.ts";
import type { Backoff, Json, Run } from "../domain/run.ts";
import { isEnded } from "../domain/run.ts";
import type { Batched, Column } from "./batch.ts";
import {
  batched,
  instantText,
  jsonText,
  namesOf,
  sendBatch,
  settingOf,
  valuesOf,
} from "./batch.ts";
import type { Runner } from "./db.ts";
import { groupBy } from "../std/group.ts";

/** What an end or a report brings along: only what is there is written. */
export type Results = {
  output?: Json;
  outputSha256?: string;
  error?: Json;
  metadataPatch?: Json;
};

/** A decided run with what its end or its report brings along. `before`: as it was locked. */
export type RunWrite = {
  readonly before: Run | null;
  readonly run: Run;
  readonly results: Results;
};

type Columns = readonly Column<RunWrite>[];

const id: Columns = [{ name: "id", type: "uuid", of: ({ run }) => run.id }];

const counters: Columns = [
  { name: "last_seq", type: "bigint", of: ({ run }) => run.lastSeq },
  { name: "last_producer_seq", type: "bigint", of: ({ run }) => run.lastProducerSeq },
];

const lease: Columns = [
  {
    name: "lease_expires_at",
    type: "timestamptz",
    of: ({ run }) => instantText(run.lease?.expiresAt),
  },
  {
    name: "lease_ms",
    type: "integer",
    of: ({ run }) => run.lease?.leaseMs,
    keep: true,
  },
  { name: "due_at", type: "timestamptz", of: ({ run }) => instantText(dueAt(run)) },
];

const step: Columns = [
  { name: "state", type: "text", of: ({ run }) => stateOf(run.phase) },
  { name: "started_at", type: "timestamptz", of: ({ run }) => instantText(run.startedAt) },
];

const attempt: Columns = [
  { name: "attempt_id", type: "uuid", of: ({ run }) => run.attemptId },
  { name: "attempt_end", type: "text", of: ({ run }) => run.attemptEnd },
  { name: "fencing_token", type: "integer", of: ({ run }) => run.fencingToken },
  { name: "attempts_used", type: "integer", of: ({ run }) => run.attemptsUsed },
  { name: "claimed_at", type: "timestamptz", of: ({ run }) => instantText(run.claimedAt) },
  { name: "runtime", type: "text", of: ({ run }) => run.runtime },
  { name: "agent", type: "text", of: ({ run }) => run.agent },
  { name: "account", type: "text", of: ({ run }) => run.account },
  { name: "duration_cap_ms", type: "bigint", of: ({ run }) => run.durationCapMs },
  { name: "metered", type: "boolean", of: ({ run }) => run.metered },
  { name: "probing", type: "boolean", of: ({ run }) => run.probing },
];

const end: Columns = [
  { name: "end_cause", type: "text", of: ({ run }) => run.endCause },
  { name: "finished_at", type: "timestamptz", of: ({ run }) => instantText(run.finishedAt) },
  {
    name: "dead_lettered_at",
    type: "timestamptz",
    of: ({ run }) => (isEnded(run) ? instantText(run.deadLetteredAt) : null),
  },
  { name: "status_reason", type: "text", of: ({ run }) => run.statusReason },
  {
    name: "error",
    type: "text",
    of: ({ results }) => jsonText(results.error),
    as: "jsonb",
    keep: true,
  },
];

const output: Columns = [
  {
    name: "output",
    type: "text",
    of: ({ results }) => jsonText(results.output),
    as: "jsonb",
    keep: true,
  },
  {
    name: "output_sha256",
    type: "bytea",
    of: ({ results }) => (results.outputSha256 === undefined ? null : `\\x${results.outputSha256}`),
    keep: true,
  },
];

const line: Columns = [
  { name: "not_before", type: "timestamptz", of: ({ run }) => instantText(run.notBefore) },
  { name: "open_dependencies", type: "integer", of: ({ run }) => run.openDependencies },
  { name: "held", type: "integer", of: ({ run }) => run.held },
  { name: "lane_id", type: "uuid", of: ({ run }) => run.laneId, keep: true },
];

const rest: Columns = [
  { name: "approval_mode", type: "text", of: ({ run }) => approvalModeOf(run.phase) },
  {
    name: "cancel_requested_at",
    type: "timestamptz",
    of: ({ run }) => instantText(run.cancelRequestedAt),
  },
  { name: "releases", type: "integer", of: ({ run }) => run.releases },
  { name: "exhaustions", type: "integer", of: ({ run }) => run.exhaustions },
  { name: "suspensions", type: "integer", of: ({ run }) => run.suspensions },
  { name: "step_count", type: "integer", of: ({ run }) => run.stepCount },
  {
    name: "metadata_patch",
    type: "text",
    of: ({ results }) => jsonText(results.metadataPatch),
    set: `case when n.metadata_patch is null then r.metadata_patch
       else coalesce(r.metadata_patch, '{}') || n.metadata_patch::jsonb end`,
  },
  {
    name: "checkpoint",
    type: "text",
    of: ({ run }) =>
      run.checkpointChanged === undefined ? null : JSON.stringify(run.checkpointChanged.checkpoint),
    // JSON's null empties it.
    set: `case when n.checkpoint is null then r.checkpoint
       else nullif(n.checkpoint::jsonb, 'null') end`,
  },
];

const spec: Columns = [
  { name: "project_id", type: "uuid", of: ({ run }) => run.projectId },
  { name: "rank", type: "bigint", of: ({ run }) => run.rank },
  { name: "created_at", type: "timestamptz", of: ({ run }) => instantText(run.createdAt) },
  { name: "deadline_at", type: "timestamptz", of: ({ run }) => instantText(run.deadlineAt) },
  { name: "max_duration_ms", type: "bigint", of: ({ run }) => run.maxDurationMs },
  { name: "concurrency_key", type: "text", of: ({ run }) => run.concurrencyKey },
  { name: "concurrency_limit", type: "integer", of: ({ run }) => run.concurrencyLimit },
  { name: "priority", type: "integer", of: ({ run }) => run.priority },
  { name: "max_attempts", type: "integer", of: ({ run }) => run.maxAttempts },
  {
    name: "fail_with_dependency",
    type: "boolean",
    of: ({ run }) => run.failWithDependency,
  },
  {
    name: "backoff",
    type: "text",
    of: ({ run }) => (isDefault(run.backoff) ? null : JSON.stringify(run.backoff)),
    as: "jsonb",
  },
];

/** The default is not stored, so that a row stays narrow. */
function isDefault(backoff: Backoff): boolean {
  return (
    backoff.baseMs === defaultBackoff.baseMs &&
    backoff.factor === defaultBackoff.factor &&
    backoff.capMs === defaultBackoff.capMs &&
    backoff.jitter === defaultBackoff.jitter
  );
}

/** The mode column that goes with a phase. */
function approvalModeOf(phase: RunPhase): "hold" | "suspend" | null {
  if (phase === "waiting_approval_held") return "hold";
  return phase === "waiting_approval_suspended" ? "suspend" : null;
}

// ---- the statements -----------------------------------------------------------------------------

type Fields = readonly (keyof Run)[];
type Update = Batched<RunWrite> & {
  /** Fields of a run that may have changed when this statement is enough. */
  readonly fields: Fields;
};

function update(name: string, columns: Columns, fields: Fields): Update {
  const text = (rows: string, next: number): string =>
    `with w as (update signalbox.run r set ${settingOf(columns)}
      from ${rows} where r.id = n.id returning 1)
    select signalbox.expect(count(*), $${next}, '${name}') from w`;
  return { ...batched(name, [...id, ...columns], text), fields };
}

const counterFields: Fields = ["lastSeq", "lastProducerSeq"];
const stepFields: Fields = [...counterFields, "lease", "phase", "startedAt"];
const attemptFields: Fields = [
  "attemptId",
  "attemptEnd",
  "fencingToken",
  "attemptsUsed",
  "claimedAt",
  "runtime",
  "agent",
  "account",
  "durationCapMs",
  "metered",
  "probing",
];
const endFields: Fields = [
  "attemptEnd",
  "endCause",
  "finishedAt",
  "deadLetteredAt",
  "statusReason",
];

/** From the narrowest to the widest; each from the third on writes all that those before it do. */
const updates: readonly Update[] = [
  update("update_run_counters", counters, counterFields),
  update("update_run_leases", lease, ["lease"]),
  update("update_run_steps", [...counters, ...lease, ...step], stepFields),
  update(
    "update_run_claims",
    [...counters, ...lease, ...step, ...attempt],
    [...stepFields, ...attemptFields],
  ),
  update(
    "update_run_ends",
    [...counters, ...lease, ...step, ...attempt, ...end, ...output],
    [...stepFields, ...attemptFields, ...endFields],
  ),
];

const whole = update(
  "update_runs",
  [...counters, ...lease, ...step, ...attempt, ...end, ...output, ...line, ...rest],
  [],
);

const moving: Fields = [
  ...stepFields,
  ...attemptFields,
  "endCause",
  "finishedAt",
  "deadLetteredAt",
  "statusReason",
  "notBefore",
  "laneId",
  "held",
  "openDependencies",
  "cancelRequestedAt",
  "releases",
  "exhaustions",
  "suspensions",
  "stepCount",
];

/** The narrowest statement that holds all that has changed. */
function updateFor({ before, run, results }: RunWrite): Update {
  if (before === null || run.checkpointChanged !== undefined) return whole;
  if (results.metadataPatch !== undefined) return whole;
  if (approvalModeOf(before.phase) !== approvalModeOf(run.phase)) return whole;
  const changed = moving.filter((field) => before[field] !== run[field]);
  return updates.find(({ fields }) => changed.every((field) => fields.includes(field))) ?? whole;
}

/** So few rows are written by one wide statement sooner than by several narrow ones. */
const FEW = 64;

function grouped(writes: readonly RunWrite[]): Map<Update, readonly RunWrite[]> {
  const groups = groupBy(writes, updateFor);
  if (groups.size === 1 || writes.length > FEW) return groups;
  const needed = [...groups.keys()].flatMap((one) => one.fields);
  const all = updates.find(({ fields }) => needed.every((field) => fields.includes(field)));
  return new Map([[groups.has(whole) ? whole : (all ?? whole), writes]]);
}

/** Writes runs the flush has locked and the law has decided. */
export async function updateRuns(runner: Runner, writes: readonly RunWrite[]): Promise<void> {
  const groups = grouped(writes);
  await Promise.all(
    [...groups].map(([what, rows]) => sendBatch(runner, what, rows, [rows.length])),
  );
}

const bornColumns: Columns = [
  ...id,
  ...spec,
  ...counters,
  ...lease,
  ...step,
  ...attempt,
  ...line,
  ...end,
];

const insert = batched(
  "insert_runs",
  bornColumns,
  (rows, next) => `with w as (insert into signalbox.run (${namesOf(bornColumns)})
     select ${valuesOf(bornColumns)} from ${rows} returning 1)
   select signalbox.expect(count(*), $${next}, 'insert runs') from w`,
);

/** Inserts new runs (pending, or claimed or ended in the same flush). Promise: all or none. */
export async function insertRuns(runner: Runner, writes: readonly RunWrite[]): Promise<void> {
  await sendBatch(runner, insert, writes, [writes.length]);
}
