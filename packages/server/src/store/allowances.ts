// Allowances: their settings, what counts against them now, what attempts have set aside.
// Promises: a claim locks every allowance it may reserve from, in order of ids, before it reads
// what is spent, so spent + reserved never passes the limit (F-37); ends only add and subtract.
// Leaves to others: what is reserved, charged and given back (`domain/allowance`).

import type { Allowance, AllowanceWindow } from "../domain/allowance/allowance.ts";
import { MOST } from "../domain/allowance/amounts.ts";
import type { AllowanceUse } from "../domain/admission.ts";
import type { Estimate } from "../domain/allowance/reserve.ts";
import type { AccountRef, AgentRef } from "./agents.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type AllowanceRow = {
  id: string;
  project_id: string;
  scope: Allowance["scope"];
  name: string | null;
  metric: Allowance["metric"];
  most: number;
  mode: Allowance["mode"];
  window_kind: AllowanceWindow["kind"] | null;
  window_hours: number | null;
  time_zone: string;
  reset_minute: number;
  default_reserve: number | null;
  reserved: number;
  created_at: number;
};

const columns = `w.id, w.project_id, w.scope, w.name, w.metric, w.most, w.mode, w.window_kind,
  w.window_hours, w.time_zone, w.reset_minute, w.default_reserve, w.reserved, w.created_at`;

const windows = new Map<string, AllowanceWindow>();
const MAX_WINDOWS = 1000;

/** The window of a row; equal windows are one object, so that its period is remembered. */
function windowOf(row: AllowanceRow): AllowanceWindow | null {
  const { window_kind: kind, window_hours: hours, time_zone: timeZone } = row;
  if (kind === null) return null;
  const key = `${kind}/${hours}/${timeZone}/${row.reset_minute}`;
  let window = windows.get(key);
  if (window === undefined) {
    if (windows.size >= MAX_WINDOWS) windows.clear();
    window =
      kind === "rolling"
        ? { kind, hours: hours as number }
        : { kind, timeZone, resetMinute: row.reset_minute };
    windows.set(key, window);
  }
  return window;
}

/** An allowance as the law sees it. */
export function allowanceOf(row: AllowanceRow): Allowance {
  return {
    id: row.id,
    scope: row.scope,
    name: row.name,
    metric: row.metric,
    limit: row.most,
    mode: row.mode,
    window: windowOf(row),
    defaultReserve: row.default_reserve,
  };
}

// ---- for the claim ------------------------------------------------------------------------------

const agentsGiven = "unnest($2::uuid[], $3::text[]) as n(project_id, name)";
/** One look into the index by scope and name. Without the limit it would be joined otherwise. */
const ofSubject = (scope: string, project: string, name = ""): string =>
  `cross join lateral (select w.id from signalbox.allowance w where w.project_id = ${project}
       and w.scope = '${scope}'${name} and w.deleted_at is null limit 100000) w`;
/**
 * Allowances that may count an attempt of one of these agents, or of a run that names one of these
 * accounts, in the order of their locks.
 */
const scoped = `(select x.id from (
     select w.id from unnest($1::uuid[]) as p(id) ${ofSubject("project", "p.id")}
     union all select w.id from unnest($1::uuid[]) as p(id) ${ofSubject("model", "p.id")}
     union all select w.id from ${agentsGiven}
       ${ofSubject("agent", "n.project_id", " and w.name = n.name")}
     union all select w.id from ${agentsGiven}
       cross join lateral (select a.name, a.accounts from signalbox.agent a
         where a.project_id = n.project_id and a.name = n.name limit 1) a
       cross join lateral unnest(case when a.accounts = '{}' then array[a.name] else a.accounts end)
         as c(account)
       ${ofSubject("account", "n.project_id", " and w.name = c.account")}
     union all select w.id from unnest($5::uuid[], $6::text[]) as c(project_id, account)
       ${ofSubject("account", "c.project_id", " and w.name = c.account")}) x
     group by x.id order by x.id) s`;

const lockScoped = statement(
  "lock_scoped_allowances",
  `select w.id from (select s.id from ${scoped} union
     select v.allowance_id from unnest($4::uuid[]) as u(run_id)
     cross join lateral (select v.allowance_id from signalbox.reservation v
       where v.run_id = u.run_id limit 100000) v order by 1) s
   cross join lateral (select w.id from signalbox.allowance w
     where w.id = s.id for no key update) w`,
);
const isLive = "r.lease_expires_at is not null and r.state <> 'pending'";
/** Of an agent by index; of others the live attempts of the project are gone through. */
const live = `case when w.metric <> 'concurrent_runs' then 0 when w.scope = 'agent' then (
       select count(*)::integer from signalbox.run r
       where r.project_id = w.project_id and r.agent = w.name and ${isLive})
     else (
       select count(*)::integer from signalbox.run r
       where r.project_id = w.project_id and ${isLive}
         and (w.scope <> 'account' or r.account = w.name)
         and (w.scope <> 'model' or w.name = (select l.model from signalbox.lane l
           where l.id = r.lane_id limit 1))) end as live`;
/**
 * What began longer ago counts no more: so the periods of years are not gone through. A window of
 * the calendar is longer than its name when clocks are set back in it.
 */
export const longestPeriod = `(case w.window_kind when 'hour' then interval '3 hours'
       when 'day' then interval '2 days' when 'week' then interval '8 days'
       when 'month' then interval '32 days'
       else make_interval(mins => coalesce(w.window_hours, 0) * 61) end)`;
/** The flush's clock: the database's, and in tests an offset in milliseconds. */
const now = "statement_timestamp() + make_interval(secs => $4::double precision / 1000)";
const spent = `cross join lateral (
     select least(coalesce(sum(p.spent), 0), ${MOST})::bigint as spent, min(p.ends_at) as ends_at
     from signalbox.allowance_period p where p.allowance_id = w.id
       and p.starts_at > ${now} - ${longestPeriod}
       and p.starts_at <= ${now} and p.ends_at > ${now}) u`;
const readScoped = statement(
  "read_scoped_allowances",
  `select ${columns}, u.spent, u.ends_at, ${live}
   from ${scoped} cross join lateral (select w.* from signalbox.allowance w
     where w.id = s.id limit 1) w ${spent} order by w.id`,
);

type UseRow = AllowanceRow & { spent: number; ends_at: number | null; live: number };
export type StoredUse = AllowanceUse & { readonly projectId: string };

function useOf(row: UseRow): StoredUse {
  return {
    projectId: row.project_id,
    allowance: allowanceOf(row),
    spent: row.spent,
    reserved: row.reserved,
    live: row.live,
    endsAt: row.ends_at,
  };
}

/** Who may be counted: agents, and accounts that runs name. */
type Counted = { readonly agents: readonly AgentRef[]; readonly accounts: readonly AccountRef[] };

function scopeValues(
  projects: readonly string[],
  { agents, accounts }: Counted,
  fourth: readonly string[] | number,
): unknown[] {
  return [
    projects,
    agents.map((ref) => ref.projectId),
    agents.map((ref) => ref.name),
    fourth,
    accounts.map((ref) => ref.projectId),
    accounts.map((ref) => ref.account),
  ];
}

/**
 * Locks the allowances that may count attempts of these agents, and those that attempts of these
 * runs draw on, in order of their ids: who locked some now and others at the end would wait for one
 * who does it the other way round.
 */
export async function lockAllowances(
  runner: Runner,
  projects: readonly string[],
  given: Counted & { runIds: readonly string[] },
): Promise<void> {
  await runner.query(lockScoped, scopeValues(projects, given, given.runIds));
}

/** The same with what counts against them now: after the locks, or for questions. */
export async function readAllowanceUses(
  runner: Runner,
  projects: readonly string[],
  given: Counted & { offsetMs: number },
): Promise<StoredUse[]> {
  const values = scopeValues(projects, given, given.offsetMs);
  return (await runner.query<UseRow>(readScoped, values)).map(useOf);
}

export type ModelAllowance = { readonly projectId: string; readonly allowance: Allowance };

const ofModels = statement(
  "allowances_of_models",
  `select ${columns} from signalbox.allowance w
   where w.project_id = any ($1::uuid[]) and w.deleted_at is null and w.scope = 'model'
     and w.name = any ($2::text[]) order by w.id`,
);

/** Allowances of models that attempts say they have used, whatever their runs asked for. */
export async function readModelAllowances(
  runner: Runner,
  projects: readonly string[],
  models: readonly string[],
): Promise<ModelAllowance[]> {
  const rows = await runner.query<AllowanceRow>(ofModels, [projects, models]);
  return rows.map((row) => ({ projectId: row.project_id, allowance: allowanceOf(row) }));
}

const ofLanes = statement(
  "allowances_of_lanes",
  `select ${columns} from unnest($1::uuid[]) as n(id)
   cross join lateral (select l.project_id, l.model from signalbox.lane l where l.id = n.id
     limit 1) l
   ${ofSubject("model", "l.project_id", " and w.name = l.model").replace("w.id", columns)}
   order by w.id`,
);

/** Allowances of the models that the runs of these lanes ask for. */
export async function readAllowancesOfLanes(
  runner: Runner,
  laneIds: readonly string[],
): Promise<ModelAllowance[]> {
  const rows = await runner.query<AllowanceRow>(ofLanes, [laneIds]);
  return rows.map((row) => ({ projectId: row.project_id, allowance: allowanceOf(row) }));
}

const estimates = statement(
  "read_estimates",
  `select s.run_id, s.estimate from unnest($1::uuid[]) as n(id)
   cross join lateral (select s.run_id, s.estimate from signalbox.run_spec s
     where s.run_id = n.id and s.estimate is not null limit 1) s`,
);

/** What these runs say they will consume. */
export async function readEstimates(
  runner: Runner,
  runIds: readonly string[],
): Promise<Map<string, Estimate>> {
  const rows = await runner.query<{
    run_id: string;
    estimate: { tokens?: number; cost_micros?: number };
  }>(estimates, [runIds]);
  return new Map(
    rows.map(({ run_id: id, estimate: { tokens, cost_micros: cost } }) => [
      id,
      {
        ...(tokens === undefined ? {} : { tokens }),
        ...(cost === undefined ? {} : { costMicros: cost }),
      },
    ]),
  );
}

// ---- settings -----------------------------------------------------------------------------------

const insert = statement(
  "insert_allowance",
  `insert into signalbox.allowance as w (id, project_id, scope, name, metric, most, mode,
     window_kind, window_hours, time_zone, reset_minute, default_reserve, created_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp())
   returning ${columns}`,
);

/** Stores a new allowance. */
export async function insertAllowance(
  runner: Runner,
  projectId: string,
  allowance: Allowance,
): Promise<AllowanceRow> {
  const { window } = allowance;
  const rows = await runner.query<AllowanceRow>(insert, [
    allowance.id,
    projectId,
    allowance.scope,
    allowance.name,
    allowance.metric,
    allowance.limit,
    allowance.mode,
    window?.kind ?? null,
    window?.kind === "rolling" ? window.hours : null,
    window === null || window.kind === "rolling" ? "UTC" : window.timeZone,
    window === null || window.kind === "rolling" ? 0 : window.resetMinute,
    allowance.defaultReserve,
  ]);
  return rows[0] as AllowanceRow;
}

const change = statement(
  "change_allowance",
  `update signalbox.allowance w set most = coalesce($3, w.most), mode = coalesce($4, w.mode),
     default_reserve = case when $6 then $5 else w.default_reserve end,
     deleted_at = case when $7 then clock_timestamp() end
   where w.project_id = $1 and w.id = $2 and w.deleted_at is null returning ${columns}`,
);

export type AllowanceChange = {
  readonly limit?: number;
  readonly mode?: Allowance["mode"];
  readonly defaultReserve?: number | null;
  readonly remove?: boolean;
};

/** Changes (or removes) an allowance; null when there is none. */
export async function changeAllowance(
  runner: Runner,
  projectId: string,
  id: string,
  { limit, mode, defaultReserve, remove = false }: AllowanceChange,
): Promise<AllowanceRow | null> {
  const rows = await runner.query<AllowanceRow>(change, [
    projectId,
    id,
    limit ?? null,
    mode ?? null,
    defaultReserve ?? null,
    defaultReserve !== undefined,
    remove,
  ]);
  return rows[0] ?? null;
}

const list = statement(
  "list_allowances",
  `select ${columns}, u.spent, u.ends_at, ${live}
   from (select w.* from signalbox.allowance w where w.project_id = $1 and w.deleted_at is null
       and w.id > $2::uuid and ($5::uuid is null or w.id = $5)
       order by w.id limit $3) w ${spent} order by w.id`,
);

export type AllowanceView = AllowanceRow & { spent: number; live: number };

/** A page of allowances with their use, or the one of this id. */
export async function listAllowances(
  runner: Runner,
  projectId: string,
  page: { after: string; id: string | null; limit: number; offsetMs: number },
): Promise<AllowanceView[]> {
  const { after, id, limit, offsetMs } = page;
  return runner.query<AllowanceView>(list, [projectId, after, limit, offsetMs, id]);
}
