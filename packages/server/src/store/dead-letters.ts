// Dead letters as the flush writes them: one row per run that failed for good, closed once.
// Promises: rows are read and closed under the lock of their run, so two people never both redrive
// one; a redrive's run keeps everything that was asked for, and waiting dependents follow it.
// Leaves to others: deciding (domain/dead-letter.ts), groups and lists (dead-letter-queries.ts).

import type { LetterEnd } from "../domain/dead-letter.ts";
import type { Fingerprint } from "../domain/fingerprint.ts";
import type { Backoff, Json, JsonObject } from "../domain/run.ts";
import type { NewRun, ScopeName } from "../domain/submission.ts";
import { scopeNames } from "../domain/submission.ts";
import type { Column } from "./batch.ts";
import { arraysOf, batch, instantText, parametersOf } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

/** How a dead letter stands; `end` is null while it waits for a person. */
export type LetterRow = { readonly runId: string; readonly end: LetterEnd | null };

const letters = statement(
  "read_letters",
  `select l.run_id, l.closed_at is not null as closed, l.note, l.became,
     encode(s.body_sha256, 'hex') as body_sha256
   from unnest($1::uuid[]) as n(run_id)
   cross join lateral (select l.run_id, l.closed_at, l.note, l.became from signalbox.dead_letter l
     where l.run_id = n.run_id limit 1) l
   left join lateral (select s.body_sha256 from signalbox.run_spec s
     where s.run_id = l.became limit 1) s on true`,
);

type LetterRecord = {
  run_id: string;
  closed: boolean;
  note: string | null;
  became: string | null;
  body_sha256: string | null;
};

/** The dead letters of these runs. Concurrency: the runs are locked before, in the same session. */
export async function readLetters(runner: Runner, ids: readonly string[]): Promise<LetterRow[]> {
  const rows = await runner.query<LetterRecord>(letters, [ids]);
  return rows.map((row) => ({ runId: row.run_id, end: endOf(row) }));
}

function endOf({ closed, note, became, body_sha256 }: LetterRecord): LetterEnd | null {
  if (!closed) return null;
  if (became === null) return { kind: "discarded", note: note ?? "" };
  return { kind: "redriven", became, bodySha256: body_sha256 ?? "" };
}

/** A run that has just become a dead letter. */
export type NewLetter = Fingerprint & {
  readonly runId: string;
  readonly at: number;
  /** Whose attempt failed last. */
  readonly agent: string | null;
};

const opened: readonly Column<NewLetter>[] = [
  { name: "run_id", type: "uuid", of: ({ runId }) => runId },
  { name: "at", type: "timestamptz", of: ({ at }) => instantText(at) },
  { name: "fingerprint", type: "text", of: ({ fingerprint }) => fingerprint },
  { name: "code", type: "text", of: ({ code }) => code },
  { name: "pattern", type: "text", of: ({ pattern }) => pattern },
  { name: "agent", type: "text", of: ({ agent }) => agent },
];

const insert = statement(
  "insert_letters",
  `with w as (insert into signalbox.dead_letter (run_id, project_id, at, fingerprint, code, pattern,
       queue, agent)
     select n.run_id, s.project_id, n.at, n.fingerprint, n.code, n.pattern, s.queue,
       coalesce(n.agent, s.agent)
     from ${batch(opened)} cross join lateral (select s.project_id, s.queue, s.agent
       from signalbox.run_spec s where s.run_id = n.run_id limit 1) s returning 1)
   select signalbox.expect(count(*), $${parametersOf(opened) + 1}, 'insert dead letters') from w`,
);

export async function insertLetters(runner: Runner, rows: readonly NewLetter[]): Promise<void> {
  await runner.query(insert, [...arraysOf(opened, rows), rows.length]);
}

/** A dead letter that is closed in this transaction. */
export type LetterClose = {
  readonly runId: string;
  readonly at: number;
  readonly by: string;
  readonly note: string | null;
  readonly became: string | null;
};

const closed: readonly Column<LetterClose>[] = [
  { name: "run_id", type: "uuid", of: ({ runId }) => runId },
  { name: "closed_at", type: "timestamptz", of: ({ at }) => instantText(at) },
  { name: "closed_by", type: "text", of: ({ by }) => by },
  { name: "note", type: "text", of: ({ note }) => note },
  { name: "became", type: "uuid", of: ({ became }) => became },
];

const close = statement(
  "close_letters",
  `with w as (update signalbox.dead_letter l set closed_at = n.closed_at, closed_by = n.closed_by,
       note = n.note, became = n.became
     from ${batch(closed)} where l.run_id = n.run_id and l.closed_at is null returning 1)
   select signalbox.expect(count(*), $${parametersOf(closed) + 1}, 'close dead letters') from w`,
);
const follow = statement(
  "follow_redrives",
  // Waiting dependents of the dead letters wait for the new runs from now on.
  `insert into signalbox.run_dependency (project_id, run_id, depends_on)
   select d.project_id, d.run_id, n.became
   from unnest($1::uuid[], $2::uuid[]) as n(run_id, became)
   join signalbox.run_dependency d on d.depends_on = n.run_id
   on conflict do nothing`,
);

/** Closes dead letters; dependents of those that were redriven follow. */
export async function closeLetters(runner: Runner, rows: readonly LetterClose[]): Promise<void> {
  const redriven = rows.filter(({ became }) => became !== null);
  await Promise.all([
    runner.query(close, [...arraysOf(closed, rows), rows.length]),
    redriven.length === 0
      ? []
      : runner.query(follow, [
          redriven.map(({ runId }) => runId),
          redriven.map(({ became }) => became),
        ]),
  ]);
}

/** A run that begins with the checkpoint of the dead letter it was made of. */
export type CarriedCheckpoint = { readonly runId: string; readonly became: string };

const carry = statement(
  "carry_checkpoints",
  `with w as (update signalbox.run n set checkpoint = o.checkpoint
     from unnest($1::uuid[], $2::uuid[]) as k(run_id, became)
     join signalbox.run o on o.id = k.run_id
     where n.id = k.became and n.project_id = o.project_id returning 1)
   select signalbox.expect(count(*), $3, 'carry checkpoints') from w`,
);

/**
 * Gives new runs the checkpoints of the letters they were made of. Concurrency: the letters' runs
 * are locked, the new ones were inserted before in the same session.
 */
export async function carryCheckpoints(
  runner: Runner,
  rows: readonly CarriedCheckpoint[],
): Promise<void> {
  const values = [rows.map(({ runId }) => runId), rows.map(({ became }) => became), rows.length];
  await runner.query(carry, values);
}

const asked = statement(
  "asked_of_runs",
  `select s.run_id, s.queue, s.runner, s.requires, s.agent, s.runtime, s.model, s.account,
     s.parent_run, s.tags, s.conversation_id, s.thread_id, s.workspace_id, s.bot_id, s.binding_id,
     s.event_id, s.traceparent, s.estimate, s.metadata, s.authorization_snapshot, s.input,
     encode(s.input_sha256, 'hex') as input_sha256, s.agent_timeout_ms, r.priority,
     r.max_duration_ms, r.max_attempts, r.backoff, r.concurrency_key, r.concurrency_limit,
     r.fail_with_dependency
   from unnest($1::uuid[]) as n(id)
   cross join lateral (select r.id, r.priority, r.max_duration_ms, r.max_attempts, r.backoff,
       r.concurrency_key, r.concurrency_limit, r.fail_with_dependency
     from signalbox.run r where r.id = n.id limit 1) r
   join signalbox.run_spec s on s.run_id = r.id`,
);

type AskedRow = Record<ScopeName, string | null> & {
  run_id: string;
  queue: string;
  runner: string;
  requires: string[];
  agent: string | null;
  runtime: string | null;
  model: string | null;
  account: string | null;
  parent_run: string | null;
  tags: string[];
  traceparent: string | null;
  estimate: JsonObject | null;
  metadata: JsonObject;
  authorization_snapshot: JsonObject | null;
  input: Json;
  input_sha256: string;
  agent_timeout_ms: number | null;
  priority: number;
  max_duration_ms: number | null;
  max_attempts: number;
  backoff: Partial<Backoff> | null;
  concurrency_key: string | null;
  concurrency_limit: number;
  fail_with_dependency: boolean;
};

/** What was asked for, by run: without key, instants and dependencies, which are used up. */
export async function readAsked(
  runner: Runner,
  ids: readonly string[],
): Promise<Map<string, NewRun>> {
  const rows = await runner.query<AskedRow>(asked, [ids]);
  return new Map(rows.map((row) => [row.run_id, newRunOf(row)]));
}

function newRunOf(row: AskedRow): NewRun {
  const scopes: Partial<Record<ScopeName, string>> = {};
  for (const name of scopeNames) {
    const value = row[name];
    if (value !== null) scopes[name] = value;
  }
  return {
    queue: row.queue,
    runner: row.runner,
    requires: row.requires,
    agent: row.agent,
    runtime: row.runtime,
    model: row.model,
    account: row.account,
    input: row.input,
    priority: row.priority,
    notBefore: null,
    deadlineAt: null,
    maxDurationS: row.max_duration_ms === null ? null : row.max_duration_ms / 1000,
    maxAttempts: row.max_attempts,
    backoff: row.backoff ?? {},
    estimate: row.estimate,
    idempotencyKey: null,
    bodySha256: "",
    inputSha256: row.input_sha256,
    concurrencyKey: row.concurrency_key,
    concurrencyLimit: row.concurrency_limit,
    dependsOn: [],
    failWithDependency: row.fail_with_dependency,
    parentRun: row.parent_run,
    tags: row.tags,
    metadata: row.metadata,
    scopes,
    authorization: row.authorization_snapshot,
    agentTimeoutMs: row.agent_timeout_ms,
    traceparent: row.traceparent,
    ref: null,
  };
}
