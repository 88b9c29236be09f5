// Reservations and charges: what attempts set aside, what they were charged, what is given back.
// Promises: a reservation is written under its run's lock; totals of allowances and periods change
// by what is added and subtracted, locked in order of ids just before the register.
// Leaves to others: the amounts (`domain/allowance`), periods (`domain/allowance/period.ts`).

import type { Allowance } from "../domain/allowance/allowance.ts";
import type { AllowanceRow } from "./allowances.ts";
import { allowanceOf } from "./allowances.ts";
import type { Column } from "./batch.ts";
import { arraysOf, batch, instantText, namesOf, valuesOf, parametersOf } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type AttemptRef = { readonly runId: string; readonly number: number };

/** What one attempt has set aside of one allowance. */
export type StoredReservation = AttemptRef & {
  readonly allowance: Allowance;
  readonly left: number;
  readonly charged: number;
  readonly closed: boolean;
};

type ReservationRow = AllowanceRow & {
  run_id: string;
  number: number;
  remaining: number;
  charged: number;
  closed: boolean;
};

const lock = statement(
  "lock_reservations",
  `select v.run_id, v.number, v.remaining, v.charged, v.closed_at is not null as closed, w.id,
     w.project_id, w.scope, w.name, w.metric, w.most, w.mode, w.window_kind, w.window_hours,
     w.time_zone, w.reset_minute, w.default_reserve, w.reserved, w.created_at
   from (select distinct u.run_id, u.number from unnest($1::uuid[], $2::integer[])
     as u(run_id, number) order by u.run_id, u.number) n
   cross join lateral (select r.id from signalbox.run r where r.id = n.run_id
     for no key update skip locked) r
   cross join lateral (select v.* from signalbox.reservation v
     where v.run_id = r.id and v.number = n.number
     order by v.allowance_id for no key update) v
   cross join lateral (select w.* from signalbox.allowance w
     where w.id = v.allowance_id limit 1) w`,
);

/**
 * The reservations of these attempts, locked: a child may be drawing on them. Those of runs that
 * another transaction holds are left out: whoever waited for them, holding allowances, would wait
 * for one who waits for these.
 */
export async function lockReservations(
  runner: Runner,
  refs: readonly AttemptRef[],
): Promise<StoredReservation[]> {
  const rows = await runner.query<ReservationRow>(lock, [
    refs.map((ref) => ref.runId),
    refs.map((ref) => ref.number),
  ]);
  return rows.map((row) => ({
    runId: row.run_id,
    number: row.number,
    allowance: allowanceOf(row),
    left: row.remaining,
    charged: row.charged,
    closed: row.closed,
  }));
}

export type NewReservation = AttemptRef & {
  readonly allowanceId: string;
  readonly projectId: string;
  readonly amount: number;
};

const opened: readonly Column<NewReservation>[] = [
  { name: "run_id", type: "uuid", of: (one) => one.runId },
  { name: "number", type: "integer", of: (one) => one.number },
  { name: "allowance_id", type: "uuid", of: (one) => one.allowanceId },
  { name: "project_id", type: "uuid", of: (one) => one.projectId },
  { name: "remaining", type: "bigint", of: (one) => one.amount },
];
const open = statement(
  "open_reservations",
  `insert into signalbox.reservation (${namesOf(opened)})
   select ${valuesOf(opened)} from ${batch(opened)}`,
);

/** Opens reservations, with the claim. */
export async function openReservations(
  runner: Runner,
  rows: readonly NewReservation[],
): Promise<void> {
  await runner.query(open, arraysOf(opened, rows));
}

export type ReservationWrite = AttemptRef & {
  readonly allowanceId: string;
  readonly left: number;
  readonly charged: number;
  readonly closedAt: number | null;
};

const written: readonly Column<ReservationWrite>[] = [
  { name: "run_id", type: "uuid", of: (one) => one.runId },
  { name: "number", type: "integer", of: (one) => one.number },
  { name: "allowance_id", type: "uuid", of: (one) => one.allowanceId },
  { name: "remaining", type: "bigint", of: (one) => one.left },
  { name: "charged", type: "bigint", of: (one) => one.charged },
  { name: "closed_at", type: "timestamptz", of: (one) => instantText(one.closedAt) },
];
const write = statement(
  "write_reservations",
  `with w as (update signalbox.reservation v set remaining = n.remaining, charged = n.charged,
       closed_at = coalesce(v.closed_at, n.closed_at)
     from ${batch(written)} where v.run_id = n.run_id and v.number = n.number
       and v.allowance_id = n.allowance_id returning 1)
   select signalbox.expect(count(*), $${parametersOf(written) + 1}, 'write reservations') from w`,
);

/** Writes reservations as decided; a closed one stays closed. */
export async function writeReservations(
  runner: Runner,
  rows: readonly ReservationWrite[],
): Promise<void> {
  await runner.query(write, [...arraysOf(written, rows), rows.length]);
}

export type PlainCharge = AttemptRef & {
  readonly allowanceId: string;
  readonly projectId: string;
  readonly charged: number;
  readonly closedAt: number;
};

const plain: readonly Column<PlainCharge>[] = [
  { name: "run_id", type: "uuid", of: (one) => one.runId },
  { name: "number", type: "integer", of: (one) => one.number },
  { name: "allowance_id", type: "uuid", of: (one) => one.allowanceId },
  { name: "project_id", type: "uuid", of: (one) => one.projectId },
  { name: "charged", type: "bigint", of: (one) => one.charged },
  { name: "closed_at", type: "timestamptz", of: (one) => instantText(one.closedAt) },
];
const chargePlainly = statement(
  "charge_plainly",
  `insert into signalbox.reservation as v (remaining, ${namesOf(plain)})
   select 0, ${valuesOf(plain)} from ${batch(plain)}
   order by n.run_id, n.number, n.allowance_id
   on conflict (run_id, number, allowance_id) do update set charged = v.charged + excluded.charged`,
);

/** Charges attempts that have set nothing aside of an allowance: at once closed, added up. */
export async function chargeWithoutReservation(
  runner: Runner,
  rows: readonly PlainCharge[],
): Promise<void> {
  await runner.query(chargePlainly, arraysOf(plain, rows));
}

export type Draw = {
  readonly child: string;
  readonly allowanceId: string;
  readonly amount: number;
};

const lockParents = statement(
  "lock_parent_reservations",
  // A parent that is ending right now is left alone: its child then reserves for itself. Not closed
  // is said in a way that keeps to the primary key: the index of open ones begins with allowances.
  `select n.id as child, s.parent_run as parent, v.allowance_id, v.remaining
   from unnest($1::uuid[]) as n(id)
   cross join lateral (select s.parent_run from signalbox.run_spec s
     where s.run_id = n.id limit 1) s
   cross join lateral (select v.allowance_id, v.remaining from signalbox.reservation v
     where v.run_id = s.parent_run and isfinite(v.closed_at) is not true
     order by v.number, v.allowance_id for no key update skip locked) v`,
);

type ParentRow = { child: string; parent: string; allowance_id: string; remaining: number };

/**
 * What the parents of these runs have set aside, by allowance; children of one share the map. A
 * parent that is `isHeld` is being charged or ended by this very flush, and is left alone too.
 */
export async function lockParentReservations(
  runner: Runner,
  runIds: readonly string[],
  isHeld: (runId: string) => boolean,
): Promise<Map<string, Map<string, number>>> {
  const byParent = new Map<string, Map<string, number>>();
  const byChild = new Map<string, Map<string, number>>();
  for (const row of await runner.query<ParentRow>(lockParents, [runIds])) {
    if (isHeld(row.parent)) continue;
    const left = byParent.get(row.parent) ?? new Map<string, number>();
    byParent.set(row.parent, left.set(row.allowance_id, row.remaining));
    byChild.set(row.child, left);
  }
  return byChild;
}

const draw = statement(
  "draw_from_parents",
  `update signalbox.reservation v set remaining = greatest(0, v.remaining - p.amount)
   from (select v.run_id, v.number, v.allowance_id, sum(n.amount)::bigint as amount
     from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as n(child, allowance_id, amount)
     cross join lateral (select s.parent_run from signalbox.run_spec s
       where s.run_id = n.child limit 1) s
     cross join lateral (select v.run_id, v.number, v.allowance_id from signalbox.reservation v
       where v.run_id = s.parent_run and v.allowance_id = n.allowance_id and v.closed_at is null
       limit 1) v
     group by v.run_id, v.number, v.allowance_id) p
   where v.run_id = p.run_id and v.number = p.number and v.allowance_id = p.allowance_id`,
);

/** Takes from the parents' reservations what their children have been granted. */
export async function drawFromParents(runner: Runner, draws: readonly Draw[]): Promise<void> {
  await runner.query(draw, [
    draws.map((one) => one.child),
    draws.map((one) => one.allowanceId),
    draws.map((one) => one.amount),
  ]);
}

export type RefundRow = AttemptRef & {
  readonly allowanceId: string;
  readonly projectId: string;
  readonly startsAt: number;
  readonly amount: number;
  readonly cause: string;
  readonly at: number;
};

const refunded: readonly Column<RefundRow>[] = [
  { name: "run_id", type: "uuid", of: (one) => one.runId },
  { name: "number", type: "integer", of: (one) => one.number },
  { name: "allowance_id", type: "uuid", of: (one) => one.allowanceId },
  { name: "project_id", type: "uuid", of: (one) => one.projectId },
  { name: "starts_at", type: "timestamptz", of: (one) => instantText(one.startsAt) },
  { name: "amount", type: "bigint", of: (one) => one.amount },
  { name: "cause", type: "text", of: (one) => one.cause },
  { name: "at", type: "timestamptz", of: (one) => instantText(one.at) },
];
const refund = statement(
  "insert_refunds",
  `insert into signalbox.refund (${namesOf(refunded)})
   select ${valuesOf(refunded)} from ${batch(refunded)}`,
);

/** Records what was given back. */
export async function insertRefunds(runner: Runner, rows: readonly RefundRow[]): Promise<void> {
  await runner.query(refund, arraysOf(refunded, rows));
}

/** What a flush adds to (or takes from) what an allowance has reserved. */
export type ReservedTotal = { readonly allowanceId: string; reserved: bigint };
/** What a flush adds to (or takes from) what is spent of an allowance in a period. */
export type SpentTotal = {
  readonly allowanceId: string;
  readonly projectId: string;
  readonly startsAt: number;
  readonly endsAt: number;
  spent: bigint;
};

const lockTotals = statement(
  "lock_allowance_totals",
  `select w.id from signalbox.allowance w where w.id = any ($1::uuid[])
   order by w.id for no key update`,
);
const addReserved = statement(
  "add_reserved",
  `update signalbox.allowance w set reserved = w.reserved + n.reserved
   from unnest($1::uuid[], $2::numeric[]) as n(id, reserved) where w.id = n.id`,
);
const addSpent = statement(
  "add_spent",
  `insert into signalbox.allowance_period as p (allowance_id, project_id, starts_at, ends_at, spent)
   select n.id, n.project_id, n.starts_at, n.ends_at, n.spent
   from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::numeric[])
     as n(id, project_id, starts_at, ends_at, spent) order by n.id, n.starts_at
   on conflict (allowance_id, starts_at) do update set spent = p.spent + excluded.spent`,
);

/** Adds to the totals. Concurrency: allowances are locked by id; their periods lie under them. */
export async function addTotals(
  runner: Runner,
  reserved: readonly ReservedTotal[],
  spent: readonly SpentTotal[],
): Promise<void> {
  const ids = [...reserved, ...spent].map((one) => one.allowanceId);
  const reserving = [
    reserved.map((one) => one.allowanceId),
    reserved.map(({ reserved: n }) => `${n}`),
  ];
  const spending = [
    spent.map((one) => one.allowanceId),
    spent.map((one) => one.projectId),
    spent.map((one) => instantText(one.startsAt)),
    spent.map((one) => instantText(one.endsAt)),
    spent.map((one) => String(one.spent)),
  ];
  await Promise.all([
    runner.query(lockTotals, [ids]),
    reserved.length === 0 ? null : runner.query(addReserved, reserving),
    spent.length === 0 ? null : runner.query(addSpent, spending),
  ]);
}
