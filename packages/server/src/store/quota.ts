// How full allowances are: for warnings, and for ending what goes beyond a limit in `kill` mode.
// Promises: standings are read under the allowance's lock, so a warning is written once per period
// however many servers look.
// Leaves to others: when a limit is crossed (`domain/allowance/warnings.ts`), ending runs (engine).

import type { AllowanceRow } from "./allowances.ts";
import { longestPeriod } from "./allowances.ts";
import { MOST } from "../domain/allowance/amounts.ts";
import { instantText } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type Standing = AllowanceRow & {
  spent: number;
  starts_at: number;
  warned: boolean;
  exceeded: boolean;
};

const current = `p.starts_at > x.now - ${longestPeriod} and p.starts_at <= x.now
       and p.ends_at > x.now`;
const clock = `(select statement_timestamp()
     + make_interval(secs => $2::double precision / 1000) as now) x`;

const lock = statement(
  "lock_quota",
  `select w.id from signalbox.allowance w where w.id = any ($1::uuid[]) and w.deleted_at is null
   order by w.id for no key update`,
);
const standings = statement(
  "quota_standings",
  `select w.id, w.project_id, w.scope, w.name, w.metric, w.most, w.mode, w.window_kind,
     w.window_hours, w.time_zone, w.reset_minute, w.default_reserve, w.reserved, w.created_at,
     u.spent, u.starts_at, u.warned, u.exceeded
   from ${clock} cross join signalbox.allowance w
   cross join lateral (select least(sum(p.spent), ${MOST})::bigint as spent,
     max(p.starts_at) as starts_at,
     bool_or(p.warned_at is not null) as warned, bool_or(p.exceeded_at is not null) as exceeded
     from signalbox.allowance_period p where p.allowance_id = w.id and ${current}) u
   where w.id = any ($1::uuid[]) and w.deleted_at is null and u.starts_at is not null
   order by w.id`,
);
const mark = statement(
  "mark_quota",
  `update signalbox.allowance_period p set
     warned_at = case when n.warned then clock_timestamp() else p.warned_at end,
     exceeded_at = case when n.exceeded then clock_timestamp() else p.exceeded_at end
   from unnest($1::uuid[], $2::timestamptz[], $3::boolean[], $4::boolean[])
     as n(id, starts_at, warned, exceeded)
   where p.allowance_id = n.id and p.starts_at = n.starts_at`,
);

/** Locks these allowances and reads what is spent of them in the current period. */
export async function lockStandings(
  runner: Runner,
  ids: readonly string[],
  offsetMs: number,
): Promise<Standing[]> {
  const [, rows] = await Promise.all([
    runner.query(lock, [ids]),
    runner.query<Standing>(standings, [ids, offsetMs]),
  ]);
  return rows;
}

export type Mark = {
  readonly id: string;
  readonly startsAt: number;
  readonly warned: boolean;
  readonly exceeded: boolean;
};

/** Notes that a crossing has been told. */
export async function markCrossings(runner: Runner, marks: readonly Mark[]): Promise<void> {
  await runner.query(mark, [
    marks.map((one) => one.id),
    marks.map((one) => instantText(one.startsAt)),
    marks.map((one) => one.warned),
    marks.map((one) => one.exceeded),
  ]);
}

const drawing = statement(
  "runs_drawing_on",
  `select v.run_id, v.number, a.id as attempt_id from signalbox.reservation v
   join signalbox.attempt a on a.run_id = v.run_id and a.number = v.number
   where v.allowance_id = $1 and v.closed_at is null and v.run_id > $2
   order by v.run_id limit $3`,
);

/** A live attempt that draws on an allowance. */
export type Drawing = {
  readonly run_id: string;
  readonly number: number;
  readonly attempt_id: string;
};

/** Runs whose live attempt draws on an allowance, after a cursor. */
export async function runsDrawingOn(
  runner: Runner,
  allowanceId: string,
  after: string,
  limit: number,
): Promise<Drawing[]> {
  return runner.query<Drawing>(drawing, [allowanceId, after, limit]);
}

const overspent = statement(
  "overspent_allowances",
  `select w.id, w.project_id
   from (select statement_timestamp()
     + make_interval(secs => $1::double precision / 1000) as now) x
   cross join signalbox.allowance w
   where w.mode = 'kill' and w.deleted_at is null and w.id > $2::uuid
     and (select true from signalbox.reservation v where v.allowance_id = w.id
       and v.closed_at is null limit 1)
     and (select sum(p.spent) from signalbox.allowance_period p
       where p.allowance_id = w.id and ${current}) > w.most
   order by w.id limit $3`,
);

const untold = statement(
  "untold_crossings",
  `select w.id, w.project_id, coalesce(u.untold, false) as untold
   from (select statement_timestamp()
     + make_interval(secs => $1::double precision / 1000) as now) x
   cross join lateral (select w.id, w.project_id, w.most, w.window_kind, w.window_hours
     from signalbox.allowance w where w.id > $2::uuid and w.deleted_at is null
     order by w.id limit $3) w
   cross join lateral (select sum(p.spent) >= greatest(1, w.most - w.most / 5)
         and not bool_or(p.warned_at is not null)
       or sum(p.spent) > w.most and not bool_or(p.exceeded_at is not null) as untold
     from signalbox.allowance_period p where p.allowance_id = w.id and ${current}) u
   order by w.id`,
);

/** For sweeps (`house`): allowances by id, and whether a crossing of theirs is still to be told. */
export async function untoldCrossings(
  runner: Runner,
  offsetMs: number,
  page: { after: string; limit: number },
): Promise<{ id: string; project_id: string; untold: boolean }[]> {
  return runner.query(untold, [offsetMs, page.after, page.limit]);
}

/** For sweeps (`house`): limits in `kill` mode that are crossed while attempts draw on them. */
export async function overspentAllowances(
  runner: Runner,
  offsetMs: number,
  page: { after: string; limit: number },
): Promise<{ id: string; project_id: string }[]> {
  return runner.query(overspent, [offsetMs, page.after, page.limit]);
}
