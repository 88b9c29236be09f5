// Runs as people and programs read them: one, its attempts; what a filter of runs means.
// Promises: read only, every list bounded and ordered by id; the page cursor is a run id, so no
// row is seen twice or missed; authorisation snapshots never appear in lists.
// Leaves to others: the wire shape (engine/queries/views.ts).

import type { Backoff } from "../domain/run.ts";
import type { RunState } from "../domain/machine.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type RunView = {
  id: string;
  project_id: string;
  lane_id: string;
  state: RunState;
  end_cause: string | null;
  status_reason: string | null;
  queue: string;
  runner: string;
  priority: number;
  agent: string | null;
  runtime: string | null;
  model: string | null;
  account: string | null;
  requires: string[];
  tags: string[];
  metadata: { [key: string]: never };
  metadata_patch: { [key: string]: never } | null;
  attempts_used: number;
  max_attempts: number;
  fencing_token: number;
  attempt_id: string | null;
  lease_expires_at: number | null;
  cancel_requested_at: number | null;
  dead_lettered_at: number | null;
  redrive_of: string | null;
  parent_run: string | null;
  concurrency_key: string | null;
  concurrency_limit: number;
  not_before: number | null;
  deadline_at: number | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  step_count: number;
  error: { code: string; message: string } | null;
  conversation_id: string | null;
  thread_id: string | null;
  workspace_id: string | null;
  bot_id: string | null;
  binding_id: string | null;
  event_id: string | null;
};

export type RunDetail = RunView & {
  input: never;
  input_sha256: string;
  output: never;
  output_sha256: string | null;
  checkpoint: never;
  idempotency_key: string | null;
  max_duration_ms: number | null;
  backoff: Backoff | null;
  estimate: never;
  depends_on: string[];
  fail_with_dependency: boolean;
  authorization_snapshot: never;
  traceparent: string | null;
  last_seq: number;
  usage: { [name: string]: number } | null;
};

/** The columns of a run as lists show it: `r` the run, `s` its spec. */
export const viewColumns = `r.id, r.project_id, r.lane_id, r.state, r.end_cause, r.status_reason,
  s.queue, s.runner, r.priority, coalesce(r.agent, s.agent) as agent,
  coalesce(r.runtime, s.runtime) as runtime,
  s.model, s.account, s.requires, s.tags, s.metadata, r.metadata_patch, r.attempts_used,
  r.max_attempts, r.fencing_token, r.attempt_id, r.lease_expires_at, r.cancel_requested_at,
  r.dead_lettered_at, s.redrive_of, s.parent_run, r.concurrency_key, r.concurrency_limit,
  r.not_before, r.deadline_at, r.created_at, r.started_at, r.finished_at, r.step_count, r.error,
  s.conversation_id, s.thread_id, s.workspace_id, s.bot_id, s.binding_id, s.event_id`;

const detail = statement(
  "run_details",
  `select ${viewColumns}, s.input, encode(s.input_sha256, 'hex') as input_sha256, r.output,
     encode(r.output_sha256, 'hex') as output_sha256, r.checkpoint, s.idempotency_key,
     r.max_duration_ms, r.backoff, s.estimate, s.depends_on, r.fail_with_dependency,
     s.authorization_snapshot, s.traceparent, r.last_seq, u.usage
   from signalbox.run r join signalbox.run_spec s on s.run_id = r.id
   left join lateral (select jsonb_object_agg(x.name, x.total) as usage from (
     select e.key as name, sum(e.value::text::bigint) as total
     from signalbox.attempt a cross join lateral jsonb_each(a.usage) e
     where a.run_id = r.id and a.usage is not null group by e.key) x) u on true
   where r.id = any ($1::uuid[])`,
);

/** Whole runs by id, in no particular order. */
export async function readRunDetails(runner: Runner, ids: readonly string[]): Promise<RunDetail[]> {
  return runner.query<RunDetail>(detail, [ids]);
}

const views = statement(
  "run_views",
  `select ${viewColumns} from signalbox.run r join signalbox.run_spec s on s.run_id = r.id
   where r.id = any ($1::uuid[])`,
);

export async function readRunViews(runner: Runner, ids: readonly string[]): Promise<RunView[]> {
  return runner.query<RunView>(views, [ids]);
}

/** What a filter of runs asks (`s` the spec, `r` the run): `$1` to `$17` of `filterValues`. */
export const filtered = `s.project_id = $1 and s.run_id < $2::uuid
     and ($3::text[] is null or r.state = any ($3))
     and ($4::text is null or s.queue = $4)
     and ($5::text is null or s.runner = $5)
     and ($6::text is null or coalesce(r.agent, s.agent) = $6)
     and ($7::text is null or coalesce(r.runtime, s.runtime) = $7)
     and ($8::text is null or exists (select from signalbox.run_tag t where t.project_id = $1
       and t.tag = $8 and t.run_id = s.run_id))
     and ($9::text is null or r.error_code = $9)
     and ($10::uuid is null or s.parent_run = $10)
     and ($11::timestamptz is null or r.created_at >= $11)
     and ($12::timestamptz is null or r.created_at < $12)
     and ($13::timestamptz is null or r.finished_at >= $13)
     and ($14::timestamptz is null or r.finished_at < $14)
     and ($15::uuid is null or s.run_id >= $15)
     and ($16::uuid is null or s.run_id <= $16)
     and not exists (select from jsonb_each_text($17::jsonb) f where f.value is distinct from
       case f.key when 'conversation_id' then s.conversation_id when 'thread_id' then s.thread_id
         when 'workspace_id' then s.workspace_id when 'bot_id' then s.bot_id
         when 'binding_id' then s.binding_id when 'event_id' then s.event_id end)`;

export type ListFilter = {
  states: readonly string[] | null;
  queue: string | null;
  runner: string | null;
  agent: string | null;
  runtime: string | null;
  tag: string | null;
  errorCode: string | null;
  parentRun: string | null;
  createdAfter: string | null;
  createdBefore: string | null;
  finishedAfter: string | null;
  finishedBefore: string | null;
  idFrom: string | null;
  idTo: string | null;
  /** Scope → value, or null for "has none". */
  scopes: { readonly [name: string]: string | null };
};

/** The parameters of `filtered`. */
export function filterValues(projectId: string, filter: ListFilter, before: string): unknown[] {
  return [
    projectId,
    before,
    filter.states,
    filter.queue,
    filter.runner,
    filter.agent,
    filter.runtime,
    filter.tag,
    filter.errorCode,
    filter.parentRun,
    filter.createdAfter,
    filter.createdBefore,
    filter.finishedAfter,
    filter.finishedBefore,
    filter.idFrom,
    filter.idTo,
    JSON.stringify(filter.scopes),
  ];
}

export type AttemptView = {
  id: string;
  run_id: string;
  number: number;
  state: string;
  agent: string | null;
  runtime: string;
  account: string | null;
  counted: boolean;
  claimed_at: number;
  started_at: number | null;
  ended_at: number | null;
  terminated_at: number | null;
  cause: string | null;
  error: { code: string; message: string } | null;
  usage: { [name: string]: number } | null;
  pid: number | null;
  host: string | null;
  exit_code: number | null;
  signal: string | null;
};

const attempts = statement(
  "list_attempts",
  `select a.id, a.run_id, a.number, a.state, a.agent, a.runtime, a.account, a.counted, a.claimed_at,
     a.started_at, a.ended_at, a.terminated_at, a.cause, a.error, a.usage, a.pid, a.host,
     a.exit_code, a.signal
   from signalbox.attempt a where a.run_id = $1 order by a.number limit 1000`,
);

export async function listAttempts(runner: Runner, runId: string): Promise<AttemptView[]> {
  return runner.query<AttemptView>(attempts, [runId]);
}

const ahead = statement(
  "count_ahead",
  `select count(*)::integer as n from (select 1 from signalbox.run o
     join signalbox.run r on r.id = $1 and r.lane_id = o.lane_id
     where o.state = 'pending' and o.held = 0 and (o.rank, o.id) < (r.rank, r.id) limit 1000) x`,
);

/** Ready runs of the same lane that go first, counted up to 1,000. */
export async function countAhead(runner: Runner, runId: string): Promise<number> {
  const rows = await runner.query<{ n: number }>(ahead, [runId]);
  return rows[0]?.n ?? 0;
}
