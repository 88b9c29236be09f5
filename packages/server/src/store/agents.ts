// Agents: their settings, and what admission must know of those that ask for work.
// Promises: (project, name) is unique; an agent with a limit on its concurrency is locked before
// its live attempts are counted, so two servers never both see the last free place (F-35).
// Leaves to others: what the status is (`domain/agent-status.ts`), who writes it (engine).

import type { AgentStatus } from "../domain/agent-status.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type AgentRow = {
  id: string;
  project_id: string;
  name: string;
  description: string | null;
  status: AgentStatus;
  status_reason: string | null;
  status_since: number;
  paused_at: number | null;
  pause_reason: string | null;
  paused_by: string | null;
  capabilities: string[];
  models: string[] | null;
  labels: { [key: string]: string };
  max_concurrent: number | null;
  max_run_duration_ms: number | null;
  accounts: string[];
  slot_id: string | null;
  slot_type: "work" | "on_call" | "entertainment" | "system" | null;
  slot_ends_at: number | null;
  recent_tokens: number[];
  recent_cost: number[];
  created_at: number;
  last_seq: number;
};

const columns = `a.id, a.project_id, a.name, a.description, a.status, a.status_reason,
  a.status_since, a.paused_at, a.pause_reason, a.paused_by, a.capabilities, a.models, a.labels,
  a.max_concurrent, a.max_run_duration_ms, a.accounts, a.slot_id, a.slot_type, a.slot_ends_at,
  a.recent_tokens, a.recent_cost, a.created_at, a.last_seq`;

export type AgentRef = { readonly projectId: string; readonly name: string };

function valuesOf(refs: readonly AgentRef[]): [string[], string[]] {
  return [refs.map((ref) => ref.projectId), refs.map((ref) => ref.name)];
}

// ---- for the claim ------------------------------------------------------------------------------

/**
 * The names of $1 and $2 in the one order in which agents are locked. Each agent is looked up by
 * itself: a join would let row-level security offer all agents of the project to a plan that knows
 * little of the table.
 */
const named = `(select distinct u.project_id, u.name
     from unnest($1::uuid[], $2::text[]) as u(project_id, name) order by u.project_id, u.name) n`;
const ofName = "signalbox.agent a where a.project_id = n.project_id and a.name = n.name";

const share = statement(
  "share_settings",
  `select pg_advisory_xact_lock_shared(k.h) from (
     select hashtextextended(n.project_id::text || n.name, 7206) as h
     from unnest($1::uuid[], $2::text[]) as n(project_id, name)
     union select hashtextextended(p.id::text, 7207) from unnest($3::uuid[]) as p(id)
     order by 1) k`,
);
const excludeOne = statement(
  "exclude_agent",
  "select pg_advisory_xact_lock(hashtextextended($1::text || $2::text, 7206))",
);
const excludeAll = statement(
  "exclude_allowances",
  "select pg_advisory_xact_lock(hashtextextended($1::text, 7207))",
);

/**
 * Keeps the settings of these agents and the list of these projects' allowances as they are until
 * the commit. Concurrency: the first locks of a flush; claims share them, who changes settings or
 * adds an allowance waits for the claims under way and is seen by all that come after.
 */
export async function shareSettings(
  runner: Runner,
  agents: readonly AgentRef[],
  projects: readonly string[],
): Promise<void> {
  await runner.query(share, [...valuesOf(agents), projects]);
}

/** Waits for the claims under way that look at an agent; those that come after wait. */
export async function excludeAgent(runner: Runner, ref: AgentRef): Promise<void> {
  await runner.query(excludeOne, [ref.projectId, ref.name]);
}

/** Waits for the claims under way of a project; those that come after wait. */
export async function excludeAllowances(runner: Runner, projectId: string): Promise<void> {
  await runner.query(excludeAll, [projectId]);
}

const lockLimited = statement(
  "lock_limited_agents",
  `select a.id from ${named} cross join lateral (select a.id from ${ofName}
     and a.max_concurrent is not null for no key update) a`,
);
const lockAccounts = statement(
  "share_accounts",
  // Shared by claims, exclusive for reports; one order over both.
  `select case when x.alone then pg_advisory_xact_lock(x.h)
     else pg_advisory_xact_lock_shared(x.h) end
   from (select k.h, bool_or(k.alone) as alone from (
       select hashtextextended(n.project_id::text || c.account, 7205) as h, false as alone
       from ${named} cross join lateral (select a.name, a.accounts from ${ofName} limit 1) a
       cross join lateral unnest(case when a.accounts = '{}' then array[a.name] else a.accounts end)
         as c(account)
       union all
       select hashtextextended(m.project_id::text || m.account, 7205), m.alone
       from unnest($3::uuid[], $4::text[], $5::boolean[]) as m(project_id, account, alone)) k
     group by k.h order by k.h) x`,
);
const forClaim = statement(
  "claim_agents",
  `select ${columns}, c.live
   from ${named} cross join lateral (select a.* from ${ofName} limit 1) a
   cross join lateral (select count(*)::integer as live from signalbox.run r
     where r.project_id = a.project_id and r.agent = a.name
       and r.lease_expires_at is not null and r.state <> 'pending') c`,
);

export type AgentForClaim = AgentRow & { live: number };
export type AccountRef = { readonly projectId: string; readonly account: string };

/** Locks agents with a limit, in order of their names. */
export async function lockLimitedAgents(runner: Runner, refs: readonly AgentRef[]): Promise<void> {
  await runner.query(lockLimited, valuesOf(refs));
}

/**
 * Keeps the accounts of these agents, and those that are `named`, from being closed until the
 * commit, and keeps claims off the accounts that are about to be (`alone`). Concurrency: advisory
 * locks, all in one order.
 */
export async function shareAccounts(
  runner: Runner,
  agents: readonly AgentRef[],
  { named, alone }: { named: readonly AccountRef[]; alone: readonly AccountRef[] },
): Promise<void> {
  const refs = [...named, ...alone];
  await runner.query(lockAccounts, [
    ...valuesOf(agents),
    refs.map((ref) => ref.projectId),
    refs.map((ref) => ref.account),
    refs.map((_, index) => index >= named.length),
  ]);
}

/** Agents that ask for work, with the attempts they hold now: after the locks. */
export async function readClaimAgents(
  runner: Runner,
  refs: readonly AgentRef[],
): Promise<AgentForClaim[]> {
  return runner.query<AgentForClaim>(forClaim, valuesOf(refs));
}

// ---- one at a time ------------------------------------------------------------------------------

const ensure = statement(
  "ensure_agents",
  `insert into signalbox.agent (id, project_id, name, last_seq, status_since, created_at)
   select n.id, n.project_id, n.name, $4, clock_timestamp(), clock_timestamp()
   from unnest($1::uuid[], $2::uuid[], $3::text[]) as n(id, project_id, name)
   order by n.project_id, n.name on conflict (project_id, name) do nothing
   returning id, project_id, name`,
);

/**
 * Makes agents that are not known yet; returns those that are new. `lastSeq`: how many events the
 * caller records of each that is new.
 */
export async function ensureAgents(
  runner: Runner,
  refs: readonly AgentRef[],
  { newId, lastSeq }: { newId: () => string; lastSeq: number },
): Promise<{ id: string; project_id: string; name: string }[]> {
  return runner.query(ensure, [refs.map(() => newId()), ...valuesOf(refs), lastSeq]);
}

const lockSome = statement(
  "lock_agents",
  `select ${columns} from ${named}
   cross join lateral (select a.* from ${ofName} for no key update) a`,
);

/** Locks agents in order of their names. */
export async function lockAgents(runner: Runner, refs: readonly AgentRef[]): Promise<AgentRow[]> {
  return runner.query<AgentRow>(lockSome, valuesOf(refs));
}

const save = statement(
  "save_agent",
  `update signalbox.agent a set description = $2, capabilities = $3, models = $4,
     labels = $5::jsonb, max_concurrent = $6, max_run_duration_ms = $7, accounts = $8,
     paused_at = case when $9::text is null then null
       else coalesce(a.paused_at, clock_timestamp()) end,
     pause_reason = $9, paused_by = $10, last_seq = $11
   where a.id = $1 returning ${columns}`,
);

/** Writes the settings and the pause of a locked agent. */
export async function saveAgent(runner: Runner, row: AgentRow): Promise<AgentRow> {
  const rows = await runner.query<AgentRow>(save, [
    row.id,
    row.description,
    row.capabilities,
    row.models,
    JSON.stringify(row.labels),
    row.max_concurrent,
    row.max_run_duration_ms,
    row.accounts,
    row.pause_reason,
    row.paused_by,
    row.last_seq,
  ]);
  return rows[0] as AgentRow;
}

export type StatusWrite = {
  readonly id: string;
  readonly status: AgentStatus;
  readonly reason: string;
  readonly lastSeq: number;
};

const saveStatus = statement(
  "save_agent_statuses",
  `update signalbox.agent a set status = n.status, status_reason = n.reason, last_seq = n.seq,
     status_since = clock_timestamp()
   from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) as n(id, status, reason, seq)
   where a.id = n.id`,
);

/** Writes the statuses of locked agents. */
export async function saveStatuses(runner: Runner, writes: readonly StatusWrite[]): Promise<void> {
  await runner.query(saveStatus, [
    writes.map((write) => write.id),
    writes.map((write) => write.status),
    writes.map((write) => write.reason),
    writes.map((write) => write.lastSeq),
  ]);
}

const addSamples = statement(
  "add_agent_samples",
  // Agents are locked in the order of their names, as everywhere, before any is written.
  `with u as (select distinct on (a.project_id, a.agent) a.project_id, a.agent,
       coalesce((a.usage ->> 'input_tokens')::bigint + coalesce(
         (a.usage ->> 'output_tokens')::bigint, 0), (a.usage ->> 'output_tokens')::bigint)
         as tokens,
       (a.usage ->> 'cost_micros')::bigint as cost
     from unnest($1::uuid[], $2::integer[]) as n(run_id, number)
     cross join lateral (select a.* from signalbox.attempt a
       where a.run_id = n.run_id and a.number = n.number limit 1) a
     where a.usage is not null and a.agent is not null
     order by a.project_id, a.agent, a.ended_at desc, a.run_id),
   l as (select g.id, u.tokens, u.cost from u cross join lateral (select g.id
     from signalbox.agent g where g.project_id = u.project_id and g.name = u.agent
     for no key update) g)
   update signalbox.agent g set
     recent_tokens = case when l.tokens is null then g.recent_tokens
       else (l.tokens || g.recent_tokens)[1:20] end,
     recent_cost = case when l.cost is null then g.recent_cost
       else (l.cost || g.recent_cost)[1:20] end
   from l where g.id = l.id`,
);

/** An attempt that has ended. */
export type Sample = {
  readonly projectId: string;
  readonly runId: string;
  readonly number: number;
};

/**
 * Notes what attempts consumed as typical of their agents, of each agent the one that ended last;
 * newest first, 20 are kept. What was not measured is not noted.
 */
export async function addAgentSamples(runner: Runner, samples: readonly Sample[]): Promise<void> {
  await runner.query(addSamples, [
    samples.map((sample) => sample.runId),
    samples.map((sample) => sample.number),
  ]);
}
