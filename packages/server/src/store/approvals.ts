// Approvals: one row per question, written under the lock of its run.
// Promises: at most one pending question per run and one row per (run, key) that was not given up,
// by unique indexes; a decision is written only over a row that is pending, else the transaction
// fails; lists are bounded, in the order of asking or against it.
// Leaves to others: what an answer means (`domain/approval-answer.ts`), what is due
// (`house/due-approvals.ts`).

import type { Approval } from "../domain/approval.ts";
import { approvalDueAt } from "../domain/approval.ts";
import type { JsonObject } from "../domain/run.ts";
import type { Column } from "./batch.ts";
import {
  arraysOf,
  batch,
  instantText,
  jsonText,
  namesOf,
  valuesOf,
  parametersOf,
} from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

type ApprovalRow = {
  id: string;
  project_id: string;
  run_id: string;
  attempt_id: string;
  token: number;
  agent: string | null;
  key: string;
  title: string;
  action: string;
  arguments: JsonObject;
  risk: Approval["risk"];
  mode: Approval["mode"];
  on_expiry: Approval["onExpiry"];
  status: Approval["status"];
  asked_at: number;
  asked_seq: number;
  asked_sha256: string;
  hold_until: number | null;
  expires_at: number;
  house_approvals: number;
  decided_at: number | null;
  decided_by: string | null;
  comment: string | null;
  edited_arguments: JsonObject | null;
  decided_sha256: string | null;
  executed_at: number | null;
  executed_sha256: string | null;
  link_digest: string | null;
  link_by: string | null;
};

const columns = `a.id, a.project_id, a.run_id, a.attempt_id, a.token, a.agent, a.key, a.title,
  a.action, a.arguments, a.risk, a.mode, a.on_expiry, a.status, a.asked_at, a.asked_seq,
  encode(a.asked_sha256, 'hex') as asked_sha256, a.hold_until, a.expires_at, a.house_approvals,
  a.decided_at, a.decided_by, a.comment, a.edited_arguments,
  encode(a.decided_sha256, 'hex') as decided_sha256, a.executed_at,
  encode(a.executed_sha256, 'hex') as executed_sha256,
  encode(a.link_digest, 'hex') as link_digest, a.link_by`;

function approvalOf(row: ApprovalRow): Approval {
  return {
    id: row.id,
    projectId: row.project_id,
    runId: row.run_id,
    attemptId: row.attempt_id,
    token: row.token,
    agent: row.agent,
    key: row.key,
    title: row.title,
    action: row.action,
    arguments: row.arguments,
    risk: row.risk,
    mode: row.mode,
    onExpiry: row.on_expiry,
    status: row.status,
    askedAt: row.asked_at,
    askedSeq: row.asked_seq,
    askedSha256: row.asked_sha256,
    holdUntil: row.hold_until,
    expiresAt: row.expires_at,
    houseApprovals: row.house_approvals,
    decidedAt: row.decided_at,
    decidedBy: row.decided_by,
    comment: row.comment,
    editedArguments: row.edited_arguments,
    decidedSha256: row.decided_sha256,
    executedAt: row.executed_at,
    executedSha256: row.executed_sha256,
    linkDigest: row.link_digest,
    linkBy: row.link_by,
  };
}

// ---- in a flush ---------------------------------------------------------------------------------

/** A question about one run: what it waits for, what stands under a key, what has an id. */
export type ApprovalRef = {
  readonly runId: string;
  readonly key: string | null;
  readonly id: string | null;
};

const ofRuns = statement(
  "approvals_of_runs",
  `select ${columns} from signalbox.approval a where a.id in (
     select p.id from unnest($1::uuid[]) as n(run_id)
       join signalbox.approval p on p.run_id = n.run_id and p.status = 'pending'
     union all select k.id from unnest($1::uuid[], $2::text[]) as n(run_id, key)
       join signalbox.approval k on k.run_id = n.run_id and k.key = n.key
         and k.status <> 'cancelled'
     union all select i.id from unnest($1::uuid[], $3::uuid[]) as n(run_id, id)
       join signalbox.approval i on i.id = n.id and i.run_id = n.run_id
     union all select l.id from unnest($1::uuid[], $2::text[]) as n(run_id, key)
       cross join lateral (select b.id from signalbox.approval b
         where b.run_id = n.run_id and b.status in ('approved', 'rejected', 'expired')
         order by b.asked_seq desc limit 1) l
       where n.key is not null)
   order by a.id`,
);

/**
 * What a flush must know of these: the pending one of each run, those named by key or id, and for
 * a question (`key`) also the newest one of the run that was decided.
 * Concurrency: the runs are locked already, and nobody changes an approval without that.
 */
export async function approvalsOfRuns(
  runner: Runner,
  refs: readonly ApprovalRef[],
): Promise<Approval[]> {
  const rows = await runner.query<ApprovalRow>(ofRuns, [
    refs.map(({ runId }) => runId),
    refs.map(({ key }) => key),
    refs.map(({ id }) => id),
  ]);
  return rows.map(approvalOf);
}

type Columns = readonly Column<Approval>[];

const hex = (digest: string | null): string | null => (digest === null ? null : `\\x${digest}`);

const moving: Columns = [
  { name: "status", type: "text", of: ({ status }) => status },
  { name: "hold_until", type: "timestamptz", of: ({ holdUntil }) => instantText(holdUntil) },
  {
    name: "due_at",
    type: "timestamptz",
    of: (one) => (one.status === "pending" ? instantText(approvalDueAt(one)) : null),
  },
  { name: "decided_at", type: "timestamptz", of: ({ decidedAt }) => instantText(decidedAt) },
  { name: "decided_by", type: "text", of: ({ decidedBy }) => decidedBy },
  { name: "comment", type: "text", of: ({ comment }) => comment },
  {
    name: "edited_arguments",
    type: "text",
    of: ({ editedArguments }) => jsonText(editedArguments),
    as: "jsonb",
  },
  { name: "decided_sha256", type: "bytea", of: ({ decidedSha256 }) => hex(decidedSha256) },
  { name: "executed_at", type: "timestamptz", of: ({ executedAt }) => instantText(executedAt) },
  { name: "executed_sha256", type: "bytea", of: ({ executedSha256 }) => hex(executedSha256) },
];

const asked: Columns = [
  { name: "id", type: "uuid", of: ({ id }) => id },
  { name: "project_id", type: "uuid", of: ({ projectId }) => projectId },
  { name: "run_id", type: "uuid", of: ({ runId }) => runId },
  { name: "attempt_id", type: "uuid", of: ({ attemptId }) => attemptId },
  { name: "token", type: "integer", of: ({ token }) => token },
  { name: "agent", type: "text", of: ({ agent }) => agent },
  { name: "key", type: "text", of: ({ key }) => key },
  { name: "title", type: "text", of: ({ title }) => title },
  { name: "action", type: "text", of: ({ action }) => action },
  { name: "arguments", type: "text", of: (one) => jsonText(one.arguments), as: "jsonb" },
  { name: "risk", type: "text", of: ({ risk }) => risk },
  { name: "mode", type: "text", of: ({ mode }) => mode },
  { name: "on_expiry", type: "text", of: ({ onExpiry }) => onExpiry },
  { name: "asked_at", type: "timestamptz", of: ({ askedAt }) => instantText(askedAt) },
  { name: "asked_seq", type: "bigint", of: ({ askedSeq }) => askedSeq },
  { name: "asked_sha256", type: "bytea", of: ({ askedSha256 }) => hex(askedSha256) },
  { name: "expires_at", type: "timestamptz", of: ({ expiresAt }) => instantText(expiresAt) },
  { name: "house_approvals", type: "integer", of: ({ houseApprovals }) => houseApprovals },
];

const whole: Columns = [...asked, ...moving];
const insert = statement(
  "insert_approvals",
  `with w as (insert into signalbox.approval (${namesOf(whole)})
     select ${valuesOf(whole)} from ${batch(whole)} returning 1)
   select signalbox.expect(count(*), $${parametersOf(whole) + 1}, 'insert approvals') from w`,
);

/** Makes questions. Concurrency: a second pending one of a run fails by its index. */
export async function insertApprovals(runner: Runner, rows: readonly Approval[]): Promise<void> {
  await runner.query(insert, [...arraysOf(whole, rows), rows.length]);
}

/** An approval as a flush found it and as it is now. */
export type ApprovalWrite = { readonly before: Approval; readonly after: Approval };

const changed: readonly Column<ApprovalWrite>[] = [
  { name: "id", type: "uuid", of: ({ after }) => after.id },
  { name: "was", type: "text", of: ({ before }) => before.status },
  ...moving.map((column) => ({ ...column, of: ({ after }: ApprovalWrite) => column.of(after) })),
];
// Links are made without the run's lock: what a flush read of them may be old.
const setting = [
  ...moving.map(({ name, as }) => `${name} = n.${name}${as === undefined ? "" : `::${as}`}`),
  "link_digest = case when n.status = 'pending' then a.link_digest end",
  `spent_link_digest = case when n.status <> 'pending'
     then coalesce(a.link_digest, a.spent_link_digest) end`,
].join(", ");
const update = statement(
  "update_approvals",
  `with w as (update signalbox.approval a set ${setting}
     from ${batch(changed)} where a.id = n.id and a.status = n.was returning 1)
   select signalbox.expect(count(*), $${parametersOf(changed) + 1}, 'update approvals') from w`,
);

/** Writes decisions, each over the status it was made on: a row decided meanwhile fails all. */
export async function updateApprovals(
  runner: Runner,
  rows: readonly ApprovalWrite[],
): Promise<void> {
  await runner.query(update, [...arraysOf(changed, rows), rows.length]);
}

// ---- questions and links ------------------------------------------------------------------------

const one = statement(
  "approval_by_id",
  `select ${columns} from signalbox.approval a where a.project_id = $1 and a.id = $2`,
);

/** An approval, or null. */
export async function readApproval(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<Approval | null> {
  const rows = await runner.query<ApprovalRow>(one, [projectId, id]);
  return rows[0] === undefined ? null : approvalOf(rows[0]);
}

/** What a list is about; null = all. `pending` goes by an index of its own. */
export type ApprovalListFilter = {
  readonly status: Approval["status"] | null;
  readonly agent: string | null;
  readonly risk: Approval["risk"] | null;
  readonly runId: string | null;
};

const filters = `a.project_id = $1
     and ($3::text is null or a.agent = $3) and ($4::text is null or a.risk = $4)
     and ($5::uuid is null or a.run_id = $5)`;
const pending = "a.status = 'pending'";
const ofStatus = "($7::text is null or a.status = $7)";
const select = `select ${columns} from signalbox.approval a where ${filters}`;
const oldestFirst = "a.id > $2::uuid order by a.id limit $6";
const newestFirst = "a.id < $2::uuid order by a.id desc limit $6";
const inbox = {
  asc: statement("approval_inbox", `${select} and ${pending} and ${oldestFirst}`),
  desc: statement("approval_inbox_newest", `${select} and ${pending} and ${newestFirst}`),
};
const list = {
  asc: statement("list_approvals", `${select} and ${ofStatus} and ${oldestFirst}`),
  desc: statement("list_approvals_newest", `${select} and ${ofStatus} and ${newestFirst}`),
};

/** A page of approvals in the order they were asked (`asc`), or the newest first; from a cursor. */
export async function listApprovals(
  runner: Runner,
  projectId: string,
  filter: ApprovalListFilter,
  page: { readonly order: "asc" | "desc"; readonly from: string; readonly limit: number },
): Promise<Approval[]> {
  const { status, agent, risk, runId } = filter;
  const { order, from, limit } = page;
  const values = [projectId, from, agent, risk, runId, limit];
  const rows = await (status === "pending"
    ? runner.query<ApprovalRow>(inbox[order], values)
    : runner.query<ApprovalRow>(list[order], [...values, status]));
  return rows.map(approvalOf);
}

const spent = statement(
  "spent_link",
  `select encode(a.spent_link_digest, 'hex') as digest from signalbox.approval a
   where a.project_id = $1 and a.id = $2`,
);

/** The digest of the link that a question had when it was decided; null without one. */
export async function spentLink(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<string | null> {
  type Found = { digest: string | null };
  return (await runner.query<Found>(spent, [projectId, id]))[0]?.digest ?? null;
}

const link = statement(
  "link_approval",
  `update signalbox.approval a set link_digest = $3::bytea, link_by = $4
   where a.project_id = $1 and a.id = $2 and a.status = 'pending' returning ${columns}`,
);

/**
 * Gives a pending question a callback link in place of an earlier one; null when it is decided.
 * Concurrency: guarded by the status; a decision at the same instant takes the link with it.
 */
export async function linkApproval(
  runner: Runner,
  projectId: string,
  id: string,
  made: { readonly digest: string; readonly by: string },
): Promise<Approval | null> {
  const rows = await runner.query<ApprovalRow>(link, [projectId, id, hex(made.digest), made.by]);
  return rows[0] === undefined ? null : approvalOf(rows[0]);
}
