// Approvals that time has made due, across projects: holds that are over, questions without an
// answer.
// Promises: reads only; a hint that the flush checks again under the run's lock; bounded and
// ordered. Runs that were asked to end are left alone: their cancel closes the question.
// Leaves to others: what becomes of them (`domain/approval-answer.ts`).

import type { Runner } from "../db.ts";
import { statement } from "../db.ts";

/** A pending question whose instant has come. */
export type DueApproval = { id: string; project_id: string; run_id: string; due_at: number };

// The run of each by itself: with statistics from when there were few runs, a join reads them all.
const ofLiveRun = `cross join lateral (select 1 from signalbox.run r
     where r.id = a.run_id and r.cancel_requested_at is null limit 1) r`;

const due = statement(
  "due_approvals",
  `select a.id, a.project_id, a.run_id, a.due_at from signalbox.approval a
   ${ofLiveRun}
   where a.due_at is not null and (a.due_at, a.id) > ($1::timestamptz, $2::uuid)
     and a.due_at <= statement_timestamp() + make_interval(secs => $3::double precision / 1000)
   order by a.due_at, a.id limit $4`,
);

/** Approvals whose instant has come, after a cursor. */
export async function dueApprovals(
  runner: Runner,
  after: { readonly at: string; readonly id: string },
  offsetMs: number,
  limit: number,
): Promise<DueApproval[]> {
  return runner.query<DueApproval>(due, [after.at, after.id, offsetMs, limit]);
}

const next = statement(
  "next_approval_due",
  `select a.due_at from signalbox.approval a ${ofLiveRun}
   where a.due_at is not null order by a.due_at, a.id limit 1`,
);

/** The earliest instant at which any approval is due; null when none is pending. */
export async function nextApprovalDueAt(runner: Runner): Promise<number | null> {
  const rows = await runner.query<{ due_at: number }>(next);
  return rows[0]?.due_at ?? null;
}
