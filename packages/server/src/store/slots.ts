// Slots: planned times in the calendars of agents, and the columns of an agent that say which
// ongoing slot occupies it or puts it on call.
// Promises: rows are written under the lock of their agent, taken before theirs, so that of one
// agent's slots two servers never start two; lists are bounded, newest first.
// Leaves to others: which step is allowed (`domain/slot.ts`), finding what is due
// (`house/due-slots.ts`).

import type { SlotStatus, SlotType } from "../domain/slot.ts";
import type { JsonObject } from "../domain/run.ts";
import { instantText } from "./batch.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type SlotRow = {
  id: string;
  project_id: string;
  agent: string;
  type: SlotType;
  title: string | null;
  priority: number;
  status: SlotStatus;
  starts_at: number;
  ends_at: number;
  started_at: number | null;
  ended_at: number | null;
  deferred_at: number | null;
  content: JsonObject | null;
  run_template: JsonObject | null;
  run_id: string | null;
  reason: string | null;
  created_at: number;
  last_seq: number;
};

const columns = `s.id, s.project_id, s.agent, s.type, s.title, s.priority, s.status, s.starts_at,
  s.ends_at, s.started_at, s.ended_at, s.deferred_at, s.content, s.run_template, s.run_id, s.reason,
  s.created_at, s.last_seq`;

const insert = statement(
  "insert_slot",
  `insert into signalbox.slot as s (id, project_id, agent, type, title, priority, status, starts_at,
     ends_at, content, run_template, created_at, last_seq)
   values ($1, $2, $3, $4, $5, $6, 'not_started', $7::timestamptz, $8::timestamptz, $9::jsonb,
     $10::jsonb, $11::timestamptz, $12) returning ${columns}`,
);

/** A slot that is new: nothing of it has happened. */
export type NewSlot = Pick<
  SlotRow,
  | "id"
  | "project_id"
  | "agent"
  | "type"
  | "title"
  | "priority"
  | "starts_at"
  | "ends_at"
  | "content"
  | "run_template"
  | "created_at"
  | "last_seq"
>;

/** Makes a slot that has not started. */
export async function insertSlot(runner: Runner, slot: NewSlot): Promise<SlotRow> {
  const rows = await runner.query<SlotRow>(insert, [
    slot.id,
    slot.project_id,
    slot.agent,
    slot.type,
    slot.title,
    slot.priority,
    instantText(slot.starts_at),
    instantText(slot.ends_at),
    slot.content === null ? null : JSON.stringify(slot.content),
    slot.run_template === null ? null : JSON.stringify(slot.run_template),
    instantText(slot.created_at),
    slot.last_seq,
  ]);
  return rows[0] as SlotRow;
}

const one = statement(
  "slot_by_id",
  `select ${columns} from signalbox.slot s where s.project_id = $1 and s.id = $2`,
);
const lockOne = statement("lock_slot", `${one.text} for no key update`);

/** A slot, or null. */
export async function readSlot(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<SlotRow | null> {
  const rows = await runner.query<SlotRow>(one, [projectId, id]);
  return rows[0] ?? null;
}

/** The same, locked. Concurrency: its agent is locked already. */
export async function lockSlot(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<SlotRow | null> {
  const rows = await runner.query<SlotRow>(lockOne, [projectId, id]);
  return rows[0] ?? null;
}

const lockPresent = statement(
  "lock_present_slots",
  `select ${columns} from signalbox.slot s
   where s.project_id = $1 and s.agent = $2 and (s.status in ('ongoing', 'paused')
     or (s.status in ('not_started', 'deferred') and s.starts_at <= $3::timestamptz))
   order by s.status in ('ongoing', 'paused') desc, s.ends_at <= $3::timestamptz desc,
     s.priority desc, s.starts_at, s.id limit $4 for no key update`,
);

/**
 * Slots of one agent that are begun or due at an instant, locked; of more than `limit` the begun
 * ones, those whose window is over, the most urgent. Concurrency: the agent is locked already.
 */
export async function lockPresentSlots(
  runner: Runner,
  agent: { readonly projectId: string; readonly name: string },
  at: number,
  limit: number,
): Promise<SlotRow[]> {
  const { projectId, name } = agent;
  return runner.query<SlotRow>(lockPresent, [projectId, name, instantText(at), limit]);
}

const save = statement(
  "save_slots",
  `with w as (update signalbox.slot s set status = n.status, priority = n.priority,
     starts_at = n.starts_at, started_at = n.started_at, ended_at = n.ended_at,
     deferred_at = n.deferred_at, reason = n.reason, last_seq = n.last_seq
   from json_to_recordset($2::json) as n(id uuid, status text, priority smallint,
     starts_at timestamptz, started_at timestamptz, ended_at timestamptz, deferred_at timestamptz,
     reason text, last_seq bigint)
   where s.project_id = $1 and s.id = n.id returning 1)
   select signalbox.expect(count(*), $3, 'save slots') from w`,
);

/** Writes what may change of locked slots of one project. */
export async function saveSlots(
  runner: Runner,
  projectId: string,
  rows: readonly SlotRow[],
): Promise<void> {
  const records = rows.map((row) => ({
    id: row.id,
    status: row.status,
    priority: row.priority,
    starts_at: instantText(row.starts_at),
    started_at: instantText(row.started_at),
    ended_at: instantText(row.ended_at),
    deferred_at: instantText(row.deferred_at),
    reason: row.reason,
    last_seq: row.last_seq,
  }));
  await runner.query(save, [projectId, JSON.stringify(records), rows.length]);
}

const attach = statement(
  "attach_slot_run",
  `update signalbox.slot s set run_id = $3
   where s.project_id = $1 and s.id = $2 and s.status = 'ongoing'
     and (s.run_id is null or s.run_id = $3) returning s.id`,
);

/** Notes which run a slot has started; false when the slot is not ongoing any more. */
export async function attachSlotRun(
  runner: Runner,
  slot: Pick<SlotRow, "project_id" | "id">,
  runId: string,
): Promise<boolean> {
  return (await runner.query(attach, [slot.project_id, slot.id, runId])).length > 0;
}

const occupy = statement(
  "occupy_agent",
  `update signalbox.agent a set slot_id = $3, slot_type = $4, slot_ends_at = $5::timestamptz
   where a.project_id = $1 and a.id = $2`,
);

/** Says which slot occupies a locked agent or puts it on call; null = none. */
export async function occupyAgent(
  runner: Runner,
  agent: { readonly project_id: string; readonly id: string },
  slot: Pick<SlotRow, "id" | "type" | "ends_at"> | null,
): Promise<void> {
  await runner.query(occupy, [
    agent.project_id,
    agent.id,
    slot?.id ?? null,
    slot?.type ?? null,
    instantText(slot?.ends_at),
  ]);
}

const runs = statement(
  "runs_of_slots",
  `select r.id, r.state, r.status_reason from signalbox.run r
   where r.project_id = $1 and r.id = any ($2::uuid[]) and r.finished_at is not null
   order by r.id`,
);

/** How a run of a slot ended. */
export type EndedSlotRun = { id: string; state: string; status_reason: string | null };

/** Those of the runs that have ended: for good, so no lock is needed. */
export async function endedRuns(
  runner: Runner,
  projectId: string,
  ids: readonly string[],
): Promise<Map<string, EndedSlotRun>> {
  if (ids.length === 0) return new Map();
  const rows = await runner.query<EndedSlotRun>(runs, [projectId, ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

const list = statement(
  "list_slots",
  `select ${columns} from signalbox.slot s
   where s.project_id = $1 and s.id < $2::uuid and ($3::text is null or s.agent = $3)
     and ($4::text is null or s.status = $4)
   order by s.id desc limit $5`,
);

/** A page of slots, the newest first. */
export async function listSlots(
  runner: Runner,
  projectId: string,
  filter: { readonly agent: string | null; readonly status: string | null },
  page: { readonly before: string; readonly limit: number },
): Promise<SlotRow[]> {
  const { agent, status } = filter;
  return runner.query<SlotRow>(list, [projectId, page.before, agent, status, page.limit]);
}
