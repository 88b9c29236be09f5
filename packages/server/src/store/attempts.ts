// Attempts: one row per claim, written at the claim, at the start and at the end.
// Promises: (run, number) is unique, so a fencing token never repeats (I-3); an end is written
// once.
// Leaves to others: what the end means for the run (domain).

import type { AttemptChange, ProcessFacts, Usage } from "../domain/command.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import { iso } from "./run-rows.ts";

export type NewAttempt = {
  runId: string;
  number: number;
  id: string;
  projectId: string;
  agent: string | null;
  runtime: string;
  at: number;
  keyDigest: string;
  childDigest: string;
};

const insert = statement(
  "insert_attempts",
  `with w as (insert into signalbox.attempt (run_id, number, id, project_id, state, counted, agent,
     runtime, claimed_at, key_digest, child_digest)
   select n.run_id, n.number, n.id, n.project_id, 'spawning', true, n.agent, n.runtime, n.at,
     n.key_digest, n.child_digest
   from json_to_recordset($1::json) as n(run_id uuid, number integer, id uuid, project_id uuid,
     agent text, runtime text, at timestamptz, key_digest bytea, child_digest bytea) returning 1)
   select signalbox.expect(count(*), $2, 'insert attempts') from w`,
);

export async function insertAttempts(
  runner: Runner,
  attempts: readonly NewAttempt[],
): Promise<void> {
  const records = attempts.map((attempt) => ({
    run_id: attempt.runId,
    number: attempt.number,
    id: attempt.id,
    project_id: attempt.projectId,
    agent: attempt.agent,
    runtime: attempt.runtime,
    at: iso(attempt.at),
    key_digest: `\\x${attempt.keyDigest}`,
    child_digest: `\\x${attempt.childDigest}`,
  }));
  await runner.query(insert, [JSON.stringify(records), attempts.length]);
}

/** Everything that happened to one attempt in one flush, folded. */
export type AttemptWrite = {
  runId: string;
  number: number;
  at: number;
  startedAt: number | null;
  end: Extract<AttemptChange, { kind: "ended" }> | null;
  terminatedAt: number | null;
  process: ProcessFacts;
};

const update = statement(
  "update_attempts",
  `with n as (select * from json_to_recordset($1::json) as n(run_id uuid, number integer,
     state text,
     counted boolean, started_at timestamptz, ended_at timestamptz, terminated_at timestamptz,
     cause text, pid integer, host text, exit_code integer, signal text, error jsonb, usage jsonb)),
   w as (update signalbox.attempt a set state = coalesce(n.state, a.state),
     counted = coalesce(n.counted, a.counted), started_at = coalesce(a.started_at, n.started_at),
     ended_at = coalesce(n.ended_at, a.ended_at), cause = coalesce(n.cause, a.cause),
     terminated_at = coalesce(a.terminated_at, n.terminated_at), pid = coalesce(n.pid, a.pid),
     host = coalesce(n.host, a.host), exit_code = coalesce(n.exit_code, a.exit_code),
     signal = coalesce(n.signal, a.signal), error = coalesce(n.error, a.error),
     usage = coalesce(n.usage, a.usage)
   from n where a.run_id = n.run_id and a.number = n.number returning 1)
   select signalbox.expect(count(*), $2, 'update attempts') from w`,
);

const begin = statement(
  "begin_attempts",
  `with n as (select * from unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::integer[],
     $5::text[]) as n(run_id, number, started_at, pid, host)),
   w as (update signalbox.attempt a set state = 'running', started_at = n.started_at, pid = n.pid,
     host = n.host
   from n where a.run_id = n.run_id and a.number = n.number and a.ended_at is null returning 1)
   select signalbox.expect(count(*), cardinality($1::uuid[]), 'begin attempts') from w`,
);

/** Only begun in this flush: the narrow write, by far the most frequent. */
function isBeginning({ startedAt, end, terminatedAt, process }: AttemptWrite): boolean {
  const isPlain = process.exitCode === undefined && process.signal === undefined;
  return startedAt !== null && end === null && terminatedAt === null && isPlain;
}

/** Writes what happened to attempts, each once. */
export async function updateAttempts(
  runner: Runner,
  writes: readonly AttemptWrite[],
): Promise<void> {
  const begun = writes.filter(isBeginning);
  const others = writes.filter((write) => !isBeginning(write));
  const began =
    begun.length === 0
      ? Promise.resolve()
      : runner.query(begin, [
          begun.map((write) => write.runId),
          begun.map((write) => write.number),
          begun.map((write) => iso(write.startedAt)),
          begun.map((write) => write.process.pid ?? null),
          begun.map((write) => write.process.host ?? null),
        ]);
  const written =
    others.length === 0
      ? Promise.resolve()
      : runner.query(update, [JSON.stringify(others.map(recordOf)), others.length]);
  await Promise.all([began, written]);
}

/** What is unknown or unchanged is left out, and stays as it is. */
function recordOf(write: AttemptWrite): { [column: string]: unknown } {
  const { end, process } = write;
  return {
    run_id: write.runId,
    number: write.number,
    state: end?.state ?? (write.startedAt === null ? undefined : "running"),
    counted: end?.counted,
    started_at: iso(write.startedAt) ?? undefined,
    ended_at: end === null ? undefined : iso(write.at),
    terminated_at: iso(write.terminatedAt) ?? undefined,
    cause: end?.cause,
    pid: process.pid,
    host: process.host,
    exit_code: process.exitCode,
    signal: process.signal,
    error: end?.error,
    usage: end?.usage === undefined ? undefined : usageRecord(end.usage),
  };
}

function usageRecord(usage: Usage): { [name: string]: number } {
  const record: { [name: string]: number } = {};
  if (usage.inputTokens !== undefined) record["input_tokens"] = usage.inputTokens;
  if (usage.outputTokens !== undefined) record["output_tokens"] = usage.outputTokens;
  if (usage.cacheReadInputTokens !== undefined) {
    record["cache_read_input_tokens"] = usage.cacheReadInputTokens;
  }
  if (usage.reasoningOutputTokens !== undefined) {
    record["reasoning_output_tokens"] = usage.reasoningOutputTokens;
  }
  if (usage.costMicros !== undefined) record["cost_micros"] = usage.costMicros;
  if (usage.steps !== undefined) record["steps"] = usage.steps;
  return record;
}

const byKey = statement(
  "live_attempt_keys",
  `select a.id, a.number, a.project_id, encode(a.key_digest, 'hex') as key_digest,
     encode(a.child_digest, 'hex') as child_digest
   from signalbox.attempt a where a.run_id = $1 and a.number = $2 and a.ended_at is null`,
);

export type AttemptKeyRow = {
  id: string;
  number: number;
  project_id: string;
  key_digest: string;
  child_digest: string;
};

/** The key digests of a live attempt; none once it has ended: the key dies with the lease. */
export async function liveAttemptKeys(
  runner: Runner,
  runId: string,
  number: number,
): Promise<AttemptKeyRow | null> {
  const rows = await runner.query<AttemptKeyRow>(byKey, [runId, number]);
  return rows[0] ?? null;
}
