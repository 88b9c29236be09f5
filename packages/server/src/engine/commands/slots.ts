// Slots of an agent's calendar: planning one, and starting, finishing, aborting or skipping it by
// hand. Promises: each change is one short transaction that locks the agent, then the slot, and
// writes one event; a repeated request changes nothing. A slot that has a run ends as its run does:
// finishing it is refused, aborting it cancels the run.
// Leaves to others: what time does (services/slot-sweep.ts), sizes (http).

import type * as wire from "@signalbox/sdk";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse, refuseField } from "../../domain/refusal.ts";
import type { JsonObject } from "../../domain/run.ts";
import { checkSlot, slotStep } from "../../domain/slot.ts";
import { checkNewRun } from "../../domain/submission.ts";
import { fromTypeId, lastUuid, toTypeId } from "../../std/ids.ts";
import type { AgentRow } from "../../store/agents.ts";
import { ensureAgents, excludeAgent, lockAgents } from "../../store/agents.ts";
import type { Runner } from "../../store/db.ts";
import { appendEvents } from "../../store/events.ts";
import { readNow } from "../../store/flushes.ts";
import { iso } from "../../store/run-rows.ts";
import type { SlotRow } from "../../store/slots.ts";
import { endedRuns, insertSlot, listSlots, lockSlot, readSlot } from "../../store/slots.ts";
import type { Origin, PageInput, SlotFilter } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { page as pageOf } from "../queries/page.ts";
import { runOfSlot, startSlotRun, stepOfEndedRun } from "../services/slot-run.ts";
import type { SlotStep } from "../services/slot-steps.ts";
import { eventOf, isOfAgent, stepTo, tellOfSlots, writeSteps } from "../services/slot-steps.ts";
import { regulate } from "./exhausted.ts";
import { cancel } from "./stop-run.ts";

const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const DEFAULT_PRIORITY = 40;

type Answer = Promise<wire.Slot | Refusal>;

export async function createSlot(
  parts: Parts,
  projectId: string,
  input: wire.SlotInput,
  origin: Origin,
): Answer {
  const startsAt = instantOf(input.starts_at);
  if (startsAt === null) return refuseField("starts_at", "is no instant between 1970 and 9999");
  const endsAt = instantOf(input.ends_at);
  if (endsAt === null) return refuseField("ends_at", "is no instant between 1970 and 9999");
  const { agent, type, title = null, priority = DEFAULT_PRIORITY, content = null } = input;
  const template = (input.run ?? null) as JsonObject | null;
  const id = parts.newId();
  const wrongRun =
    template === null ? null : checkRun({ id, agent, run_template: template }, startsAt);
  if (wrongRun !== null) return wrongRun;
  await regulate(parts, projectId);
  const made = await parts.writer.within([projectId], async (runner) => {
    const at = await readNow(runner, parts.context.offsetMs());
    const wrong = checkSlot({ startsAt, endsAt, priority }, at);
    if (wrong !== null) return wrong;
    await ensureAgents(runner, [{ projectId, name: agent }], { newId: parts.newId, lastSeq: 0 });
    const row = await insertSlot(runner, {
      id,
      project_id: projectId,
      agent,
      type,
      title,
      priority,
      starts_at: startsAt,
      ends_at: endsAt,
      content,
      run_template: template,
      created_at: at,
      last_seq: 1,
    });
    const step = { after: row, type: "slot.created" } as const;
    await appendEvents(runner, [eventOf(step, { origin, source: "operator", at })]);
    return row;
  });
  return isRefusal(made) ? made : slotOf(made);
}

/** Refuses a template that could not run in its slot. */
function checkRun(slot: Parameters<typeof runOfSlot>[0], startsAt: number): Refusal | null {
  const spec = runOfSlot(slot);
  if (isRefusal(spec)) return spec;
  const wrong = checkNewRun(spec, startsAt);
  if (wrong === null) return null;
  return refuseField("run.deadline_at", "lies before the slot begins, or before run.not_before");
}

function instantOf(text: string): number | null {
  const at = Date.parse(text);
  return at >= 0 && at <= LAST_INSTANT ? at : null; // false for NaN
}

type Change = { readonly verb: "start" | "finish" | "abort" | "skip"; reason: string | null };

export async function changeSlot(
  parts: Parts,
  projectId: string,
  id: string,
  call: Change & { origin: Origin },
): Answer {
  const found = await parts.reader.within([projectId], (runner) => readSlot(runner, projectId, id));
  if (found === null) return refuse("not_found", "There is no such slot in this project.");
  if (call.verb === "abort" && found.run_id !== null) {
    const { reason, origin } = call;
    // If it has ended already, the slot follows it below.
    await cancel(parts, projectId, found.run_id, { reason, cascade: true, origin });
  }
  const changed = await parts.writer.within([projectId], async (runner) => {
    const ref = { projectId, name: found.agent };
    // No claim that has seen the agent without the slot commits after it.
    await excludeAgent(runner, ref);
    const [agent] = await lockAgents(runner, [ref]);
    const row = await lockSlot(runner, projectId, id);
    if (agent === undefined || row === null) throw new Error("a slot or its agent has vanished");
    const at = await readNow(runner, parts.context.offsetMs());
    const step = await stepOf(runner, { row, agent, at }, call);
    if (step === null) return row;
    if (isRefusal(step)) return step;
    await writeSteps(runner, agent, [step], { origin: call.origin, source: "operator", at });
    return step.after;
  });
  if (isRefusal(changed)) return changed;
  tellOfSlots(parts, { projectId, name: changed.agent });
  const lacksRun = changed.status === "ongoing" && changed.run_template !== null;
  if (!lacksRun || changed.run_id !== null) return slotOf(changed);
  await startSlotRun(parts, changed);
  return (await readOneSlot(parts, projectId, id)) ?? slotOf(changed);
}

type Locked = { readonly row: SlotRow; readonly agent: AgentRow; readonly at: number };

/** The step a verb takes; null when it was taken before. */
async function stepOf(
  runner: Runner,
  { row, agent, at }: Locked,
  { verb, reason }: Change,
): Promise<SlotStep | Refusal | null> {
  const wanted = slotStep(row.status, verb);
  if (isRefusal(wanted)) return wanted;
  if (wanted.repeated) return null;
  if (verb === "start") return startStep({ row, agent, at }, reason);
  if (verb === "skip") return stepTo(row, "skipped", { at, reason });
  if (row.run_id !== null) {
    const ended = await endedRuns(runner, row.project_id, [row.run_id]);
    const run = ended.get(row.run_id);
    if (run !== undefined) return stepOfEndedRun(row, run, at);
  }
  if (verb === "abort") return stepTo(row, "aborted", { at, reason });
  if (row.run_template === null) return stepTo(row, "finished", { at, reason });
  return refuse("invalid_transition", "The slot ends as its run does; end the run, or abort it.", {
    status: row.status,
    command: verb,
    run_id: row.run_id === null ? null : toTypeId("run", row.run_id),
  });
}

function startStep({ row, agent, at }: Locked, reason: string | null): SlotStep | Refusal {
  const { status } = row;
  if (row.ends_at <= at) {
    const words = `The window of the slot ended at ${iso(row.ends_at)}.`;
    return refuse("invalid_transition", words, { status, command: "start" });
  }
  if (agent.slot_id !== null && isOfAgent(row)) {
    const other = toTypeId("slt", agent.slot_id);
    const words = `Agent "${agent.name}" is in another slot (${other}); end that one first.`;
    return refuse("invalid_transition", words, { status, command: "start", ongoing: other });
  }
  return stepTo(row, "ongoing", { at, reason });
}

// ---- questions ----------------------------------------------------------------------------------

export async function readOneSlot(
  parts: Parts,
  projectId: string,
  id: string,
): Promise<wire.Slot | null> {
  const row = await parts.reader.within([projectId], (runner) => readSlot(runner, projectId, id));
  return row === null ? null : slotOf(row);
}

export async function readSlotPage(
  parts: Parts,
  projectId: string,
  filter: SlotFilter,
  page: PageInput,
): Promise<wire.Page<wire.Slot>> {
  const before = page.cursor === null ? lastUuid : fromTypeId("slt", page.cursor);
  if (before === null) return { items: [], has_more: false, next_cursor: null };
  const { limit } = page;
  const asked = { agent: filter.agent ?? null, status: filter.status ?? null };
  const rows = await parts.reader.within([projectId], (runner) =>
    listSlots(runner, projectId, asked, { before, limit: limit + 1 }),
  );
  return pageOf(rows.map(slotOf), limit, (last) => last.id);
}

/** A slot as it is shown. */
function slotOf(row: SlotRow): wire.Slot {
  return {
    id: toTypeId("slt", row.id),
    agent: row.agent,
    type: row.type,
    title: row.title,
    priority: row.priority,
    status: row.status,
    starts_at: iso(row.starts_at),
    ends_at: iso(row.ends_at),
    started_at: iso(row.started_at),
    ended_at: iso(row.ended_at),
    content: row.content,
    run: row.run_template,
    run_id: row.run_id === null ? null : toTypeId("run", row.run_id),
    reason: row.reason,
    created_at: iso(row.created_at),
  };
}
