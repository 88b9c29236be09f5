// Accounts of providers and the limits they have met.
// Promises: one row per (account, model), '' = all models; a row is written only under the
// account's lock (`shareAccounts`) or its own; rows that are open are not read.
// Leaves to others: what a report or an instant makes of a row (`domain/exhaustion`).

import type { Evidence, Exhaustion, LimitReason } from "../domain/exhaustion/exhaustion.ts";
import { instantText } from "./batch.ts";
import type { AccountRef, AgentRef } from "./agents.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

type ExhaustionRow = {
  project_id: string;
  account: string;
  model: string;
  state: Exhaustion["state"];
  reason: LimitReason;
  recovery_at: number | null;
  closed_at: number;
  doublings: number;
  probe_run: string | null;
  probe_token: number | null;
  probe_since: number | null;
  evidence: Evidence;
};

/** A limit with the project it belongs to. */
export type StoredExhaustion = { readonly projectId: string; readonly row: Exhaustion };

const columns = `e.project_id, e.account, e.model, e.state, e.reason, e.recovery_at, e.closed_at,
  e.doublings, e.probe_run, e.probe_token, e.probe_since, e.evidence`;

function exhaustionOf(row: ExhaustionRow): StoredExhaustion {
  const { probe_run: runId, probe_token: token, probe_since: since } = row;
  const probe = runId === null ? null : { runId, token: token as number, since: since as number };
  return {
    projectId: row.project_id,
    row: {
      account: row.account,
      model: row.model === "" ? null : row.model,
      state: row.state,
      reason: row.reason,
      recoveryAt: row.recovery_at,
      closedAt: row.closed_at,
      doublings: row.doublings,
      probe,
      evidence: row.evidence,
    },
  };
}

// Each account is looked up by itself: a join would let row-level security offer all limits of the
// project to a plan that knows little of the table. Rows are locked by project, account, model.
const rowsOf = "signalbox.exhaustion e where e.project_id = k.project_id and e.account = k.account";
const asked = `(select distinct u.project_id, u.account
     from unnest($1::uuid[], $2::text[]) as u(project_id, account)
     order by u.project_id, u.account) k`;

const ofAgents = statement(
  "exhaustions_of_agents",
  `select ${columns} from (
     select distinct n.project_id, c.account
     from unnest($1::uuid[], $2::text[]) as n(project_id, name)
     cross join lateral (select a.name, a.accounts from signalbox.agent a
       where a.project_id = n.project_id and a.name = n.name limit 1) a
     cross join lateral unnest(case when a.accounts = '{}' then array[a.name] else a.accounts end)
       as c(account)
     order by n.project_id, c.account) k
   cross join lateral (select e.* from ${rowsOf} and e.state <> 'open'
     order by e.model for no key update) e`,
);
const ofAccounts = statement(
  "exhaustions_of_accounts",
  `select ${columns} from ${asked}
   cross join lateral (select e.* from ${rowsOf} order by e.model for no key update) e`,
);
const read = statement(
  "read_exhaustions",
  `select ${columns} from ${asked}
   cross join lateral (select e.* from ${rowsOf} and e.state <> 'open' order by e.model) e`,
);

/** Limits of the accounts of these agents that are not open, locked: for claims. */
export async function lockExhaustionsOfAgents(
  runner: Runner,
  refs: readonly AgentRef[],
): Promise<StoredExhaustion[]> {
  const rows = await runner.query<ExhaustionRow>(ofAgents, [
    refs.map((ref) => ref.projectId),
    refs.map((ref) => ref.name),
  ]);
  return rows.map(exhaustionOf);
}

/** All limits of these accounts, locked: for reports and recoveries. */
export async function lockExhaustions(
  runner: Runner,
  refs: readonly AccountRef[],
): Promise<StoredExhaustion[]> {
  return exhaustions(runner, ofAccounts, refs);
}

/** Limits of these accounts that are not open, without locks: for questions. */
export async function readExhaustions(
  runner: Runner,
  refs: readonly AccountRef[],
): Promise<StoredExhaustion[]> {
  return exhaustions(runner, read, refs);
}

async function exhaustions(
  runner: Runner,
  what: typeof read,
  refs: readonly AccountRef[],
): Promise<StoredExhaustion[]> {
  const rows = await runner.query<ExhaustionRow>(what, [
    refs.map((ref) => ref.projectId),
    refs.map((ref) => ref.account),
  ]);
  return rows.map(exhaustionOf);
}

const save = statement(
  "save_exhaustions",
  `insert into signalbox.exhaustion as e (project_id, account, model, state, reason, recovery_at,
     closed_at, doublings, probe_run, probe_token, probe_since, evidence)
   select n.project_id, n.account, n.model, n.state, n.reason, n.recovery_at, n.closed_at,
     n.doublings, n.probe_run, n.probe_token, n.probe_since, n.evidence
   from json_to_recordset($1::json) as n(project_id uuid, account text, model text, state text,
     reason text, recovery_at timestamptz, closed_at timestamptz, doublings smallint,
     probe_run uuid, probe_token integer, probe_since timestamptz, evidence jsonb)
   order by n.project_id, n.account, n.model
   on conflict (project_id, account, model) do update set state = excluded.state,
     reason = excluded.reason, recovery_at = excluded.recovery_at, closed_at = excluded.closed_at,
     doublings = excluded.doublings, probe_run = excluded.probe_run,
     probe_token = excluded.probe_token, probe_since = excluded.probe_since,
     evidence = excluded.evidence`,
);

/** Writes limits as decided. */
export async function saveExhaustions(
  runner: Runner,
  rows: readonly StoredExhaustion[],
): Promise<void> {
  const records = rows.map(({ projectId, row }) => ({
    project_id: projectId,
    account: row.account,
    model: row.model ?? "",
    state: row.state,
    reason: row.reason,
    recovery_at: instantText(row.recoveryAt),
    closed_at: instantText(row.closedAt),
    doublings: row.doublings,
    probe_run: row.probe?.runId ?? null,
    probe_token: row.probe?.token ?? null,
    probe_since: instantText(row.probe?.since),
    evidence: row.evidence,
  }));
  await runner.query(save, [JSON.stringify(records)]);
}

// ---- accounts -----------------------------------------------------------------------------------

export type AccountRow = {
  id: string;
  project_id: string;
  name: string;
  provider: string | null;
  labels: { [key: string]: string };
  created_at: number;
  last_seq: number;
};

const accountColumns = `c.id, c.project_id, c.name, c.provider, c.labels, c.created_at,
  c.last_seq`;

const ensure = statement(
  "ensure_accounts",
  `insert into signalbox.account (id, project_id, name, created_at)
   select n.id, n.project_id, n.name, clock_timestamp()
   from unnest($1::uuid[], $2::uuid[], $3::text[]) as n(id, project_id, name)
   order by n.project_id, n.name on conflict (project_id, name) do nothing`,
);
const lock = statement(
  "lock_accounts",
  `select ${accountColumns} from ${asked}
   cross join lateral (select c.* from signalbox.account c
     where c.project_id = k.project_id and c.name = k.account for no key update) c`,
);
const bump = statement(
  "bump_accounts",
  `update signalbox.account c set last_seq = n.seq
   from unnest($1::uuid[], $2::bigint[]) as n(id, seq) where c.id = n.id`,
);

/** Makes accounts that are not known yet. */
export async function ensureAccounts(
  runner: Runner,
  refs: readonly AccountRef[],
  newId: () => string,
): Promise<void> {
  await runner.query(ensure, [
    refs.map(() => newId()),
    refs.map((ref) => ref.projectId),
    refs.map((ref) => ref.account),
  ]);
}

/** Makes accounts that are not known yet, and locks all of them in order of their names. */
export async function lockAccounts(
  runner: Runner,
  refs: readonly AccountRef[],
  newId: () => string,
): Promise<AccountRow[]> {
  const projects = refs.map((ref) => ref.projectId);
  const accounts = refs.map((ref) => ref.account);
  const [, rows] = await Promise.all([
    ensureAccounts(runner, refs, newId),
    runner.query<AccountRow>(lock, [projects, accounts]),
  ]);
  return rows;
}

/** Moves the event numbers of locked accounts on. */
export async function bumpAccounts(
  runner: Runner,
  rows: readonly { readonly id: string; readonly lastSeq: number }[],
): Promise<void> {
  await runner.query(bump, [rows.map((row) => row.id), rows.map((row) => row.lastSeq)]);
}

const saveAccountRow = statement(
  "save_account",
  `update signalbox.account c set provider = $2, labels = $3::jsonb, last_seq = $4
   where c.id = $1
   returning ${accountColumns}`,
);

/** Writes what is known of a locked account. */
export async function saveAccount(runner: Runner, row: AccountRow): Promise<AccountRow> {
  const rows = await runner.query<AccountRow>(saveAccountRow, [
    row.id,
    row.provider,
    JSON.stringify(row.labels),
    row.last_seq,
  ]);
  return rows[0] as AccountRow;
}

const list = statement(
  "list_accounts",
  `select ${accountColumns}, coalesce((select array_agg(a.name order by a.name)
       from signalbox.agent a where a.project_id = c.project_id
         and c.name = any (case when a.accounts = '{}' then array[a.name] else a.accounts end)),
     '{}') as agents
   from signalbox.account c where c.project_id = $1 and c.name > $2
     and ($3::text is null or c.name = $3)
   order by c.name limit $4`,
);

export type AccountView = AccountRow & { agents: string[] };

/** A page of accounts by name, or the one of this name. */
export async function listAccounts(
  runner: Runner,
  projectId: string,
  page: { after: string; name: string | null; limit: number },
): Promise<AccountView[]> {
  return runner.query<AccountView>(list, [projectId, page.after, page.name, page.limit]);
}
