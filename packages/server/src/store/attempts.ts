// Attempts: one row per claim, written at the claim, at the start and at the end.
// Promises: (run, number) is unique, so a fencing token never repeats (I-3); an end is written
// once.
// Leaves to others: what the end means for the run (domain).

import type { AttemptChange, ProcessFacts, Usage } from "../domain/command.ts";
import { groupBy } from "../std/group.ts";
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
import { statement } from "./db.ts";

export type NewAttempt = {
  runId: string;
  number: number;
  id: string;
  projectId: string;
  agent: string | null;
  runtime: string;
  account: string | null;
  at: number;
  keyDigest: string;
  childDigest: string;
};

const claimed: readonly Column<NewAttempt>[] = [
  { name: "run_id", type: "uuid", of: (attempt) => attempt.runId },
  { name: "number", type: "integer", of: (attempt) => attempt.number },
  { name: "id", type: "uuid", of: (attempt) => attempt.id },
  { name: "project_id", type: "uuid", of: (attempt) => attempt.projectId },
  { name: "agent", type: "text", of: (attempt) => attempt.agent },
  { name: "runtime", type: "text", of: (attempt) => attempt.runtime },
  { name: "account", type: "text", of: (attempt) => attempt.account },
  { name: "claimed_at", type: "timestamptz", of: (attempt) => instantText(attempt.at) },
  { name: "key_digest", type: "bytea", of: (attempt) => `\\x${attempt.keyDigest}` },
  { name: "child_digest", type: "bytea", of: (attempt) => `\\x${attempt.childDigest}` },
];

const insert = batched(
  "insert_attempts",
  claimed,
  (rows, next) => `with w as (insert into signalbox.attempt (state, counted, ${namesOf(claimed)})
     select 'spawning', true, ${valuesOf(claimed)} from ${rows} returning 1)
   select signalbox.expect(count(*), $${next}, 'insert attempts') from w`,
);

export async function insertAttempts(
  runner: Runner,
  attempts: readonly NewAttempt[],
): Promise<void> {
  await sendBatch(runner, insert, attempts, [attempts.length]);
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
  /** Consumed since the last write: added to what stands. */
  usage: Usage | null;
};

type Columns = readonly Column<AttemptWrite>[];

const which: Columns = [
  { name: "run_id", type: "uuid", of: (write) => write.runId },
  { name: "number", type: "integer", of: (write) => write.number },
];
const beginning: Columns = [
  { name: "state", type: "text", of: stateOf, keep: true },
  {
    name: "started_at",
    type: "timestamptz",
    of: (write) => instantText(write.startedAt),
    set: "coalesce(r.started_at, n.started_at)",
  },
  { name: "pid", type: "integer", of: ({ process }) => process.pid, keep: true },
  { name: "host", type: "text", of: ({ process }) => process.host, keep: true },
];
const ending: Columns = [
  { name: "counted", type: "boolean", of: ({ end }) => end?.counted, keep: true },
  {
    name: "ended_at",
    type: "timestamptz",
    of: ({ end, at }) => (end === null ? null : instantText(at)),
    keep: true,
  },
  {
    name: "terminated_at",
    type: "timestamptz",
    of: (write) => instantText(write.terminatedAt),
    set: "coalesce(r.terminated_at, n.terminated_at)",
  },
  { name: "cause", type: "text", of: ({ end }) => end?.cause, keep: true },
  { name: "exit_code", type: "integer", of: ({ process }) => process.exitCode, keep: true },
  { name: "signal", type: "text", of: ({ process }) => process.signal, keep: true },
  { name: "error", type: "text", of: ({ end }) => jsonText(end?.error), as: "jsonb", keep: true },
  {
    name: "usage",
    type: "text",
    of: ({ usage }) => (usage === null ? null : JSON.stringify(usageRecord(usage))),
    set: `case when n.usage is null then r.usage
       else signalbox.add_usage(r.usage, n.usage::jsonb) end`,
  },
];

function stateOf({ end, startedAt }: AttemptWrite): string | null {
  return end?.state ?? (startedAt === null ? null : "running");
}

function update(name: string, columns: Columns): Batched<AttemptWrite> {
  const text = (rows: string, next: number): string =>
    `with w as (update signalbox.attempt r set ${settingOf(columns)}
   from ${rows} where r.run_id = n.run_id and r.number = n.number returning 1)
   select signalbox.expect(count(*), $${next}, '${name}') from w`;
  return batched(name, [...which, ...columns], text);
}

const begin = update("begin_attempts", beginning);
const any = update("update_attempts", [...beginning, ...ending]);

/** So few rows are written by one wide statement sooner than by two. */
const FEW = 64;

/** Only begun in this flush: the narrow write, by far the most frequent. */
function isBeginning(write: AttemptWrite): boolean {
  const { startedAt, end, terminatedAt, process, usage } = write;
  const isPlain = usage === null && process.exitCode === undefined && process.signal === undefined;
  return startedAt !== null && end === null && terminatedAt === null && isPlain;
}

/** Writes what happened to attempts, each once. What is unknown or unchanged stays as it is. */
export async function updateAttempts(
  runner: Runner,
  writes: readonly AttemptWrite[],
): Promise<void> {
  const alike = writes.length > FEW || writes.every(isBeginning);
  const groups = groupBy(writes, (write) => (alike && isBeginning(write) ? begin : any));
  await Promise.all(
    [...groups].map(([what, rows]) => sendBatch(runner, what, rows, [rows.length])),
  );
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

const one = statement(
  "read_attempt",
  `select a.id, a.agent, a.account, a.runtime, a.ended_at, l.model, g.accounts[1] as first_account
   from signalbox.attempt a join signalbox.run r on r.id = a.run_id
   join signalbox.lane l on l.id = r.lane_id
   left join signalbox.agent g on g.project_id = a.project_id and g.name = a.agent
   where a.run_id = $1 and a.number = $2`,
);

/** An attempt with what it may draw on. */
export type AttemptFacts = {
  id: string;
  agent: string | null;
  account: string | null;
  runtime: string;
  ended_at: number | null;
  model: string | null;
  first_account: string | null;
};

export async function readAttempt(
  runner: Runner,
  runId: string,
  number: number,
): Promise<AttemptFacts | null> {
  const rows = await runner.query<AttemptFacts>(one, [runId, number]);
  return rows[0] ?? null;
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

const agentsOf = statement(
  "agents_of_attempts",
  `select n.place, a.agent
   from unnest($1::uuid[], $2::integer[]) with ordinality as n(run_id, token, place)
   join signalbox.attempt a on a.run_id = n.run_id and a.number = n.token
   where a.project_id = $3`,
);

/**
 * Whose each of these attempts is, in their order; undefined where there is none. It never changes,
 * so it may be read without a lock.
 */
export async function readAgentsOfAttempts(
  runner: Runner,
  projectId: string,
  attempts: readonly { readonly runId: string; readonly token: number }[],
): Promise<(string | null | undefined)[]> {
  const rows = await runner.query<{ place: number; agent: string | null }>(agentsOf, [
    attempts.map(({ runId }) => runId),
    attempts.map(({ token }) => token),
    projectId,
  ]);
  const found = new Map(rows.map(({ place, agent }) => [place, agent]));
  return attempts.map((_, at) => found.get(at + 1));
}
