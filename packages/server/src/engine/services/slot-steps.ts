// Steps of slots: what a step makes of a row, and writing the steps of one agent's slots.
// Promises: rows, the agent's columns and one event per step commit together; a slot that occupies
// its agent or puts it on call stands in the agent's row while it is ongoing, and only then.
// Leaves to others: which step is allowed (`domain/slot.ts`), the locks (the caller holds the agent
// and the slots), telling waiting claims.

import type { HouseEventType } from "../../domain/event.ts";
import type { Slot, SlotStatus } from "../../domain/slot.ts";
import { toTypeId } from "../../std/ids.ts";
import type { AgentRef, AgentRow } from "../../store/agents.ts";
import type { Runner } from "../../store/db.ts";
import type { EventRow } from "../../store/events.ts";
import { appendEvents } from "../../store/events.ts";
import { iso } from "../../store/run-rows.ts";
import type { SlotRow } from "../../store/slots.ts";
import { occupyAgent, saveSlots } from "../../store/slots.ts";
import type { Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { names } from "./hub.ts";

/** One step: the row as it is afterwards, and what is recorded. */
export type SlotStep = {
  readonly after: SlotRow;
  readonly type: HouseEventType;
  readonly also?: readonly HouseEventType[];
};

const events = {
  ongoing: "slot.started",
  deferred: "slot.deferred",
  finished: "slot.finished",
  aborted: "slot.aborted",
  skipped: "slot.skipped",
} as const satisfies Partial<Record<SlotStatus, HouseEventType>>;

/** The row as the law sees it. */
export function lawOf(row: SlotRow): Slot {
  return {
    id: row.id,
    type: row.type,
    priority: row.priority,
    status: row.status,
    startsAt: row.starts_at,
    endsAt: row.ends_at,
    deferredAt: row.deferred_at,
    hasRun: row.run_template !== null,
  };
}

/** The step to another status. One that begins before its time begins its window with it. */
export function stepTo(
  before: SlotRow,
  status: keyof typeof events,
  what: { readonly at: number; readonly reason?: string | null },
): SlotStep {
  const { at, reason = null } = what;
  const isOver = status === "finished" || status === "aborted" || status === "skipped";
  const after: SlotRow = {
    ...before,
    status,
    starts_at: status === "ongoing" ? Math.min(before.starts_at, at) : before.starts_at,
    started_at: status === "ongoing" ? (before.started_at ?? at) : before.started_at,
    ended_at: isOver ? at : null,
    reason,
    last_seq: before.last_seq + 1,
  };
  return { after, type: events[status] };
}

/** It was put off: the law has said to which priority. */
export function stepDeferred(before: SlotRow, deferred: Slot, at: number): SlotStep {
  const step = stepTo(before, "deferred", { at, reason: "the agent is not free" });
  return {
    ...step,
    after: { ...step.after, priority: deferred.priority, deferred_at: deferred.deferredAt },
  };
}

/** Whether it stands in the agent's row while it is ongoing: all but those that are a mere run. */
export function isOfAgent(row: Pick<SlotRow, "type" | "run_template">): boolean {
  return row.type === "on_call" || row.run_template === null;
}

/** Writes the steps of one locked agent's locked slots; the last statement of its transaction. */
export async function writeSteps(
  runner: Runner,
  agent: Pick<AgentRow, "id" | "project_id" | "slot_id">,
  steps: readonly SlotStep[],
  by: { readonly origin: Origin; readonly source: "host" | "operator"; readonly at: number },
): Promise<void> {
  if (steps.length === 0) return;
  const rows = steps.map((step) => step.after);
  await saveSlots(runner, agent.project_id, rows);
  const started = rows.find((row) => row.status === "ongoing" && isOfAgent(row));
  const isFreed = rows.some((row) => row.id === agent.slot_id && row.status !== "ongoing");
  if (started !== undefined || isFreed) await occupyAgent(runner, agent, started ?? null);
  await appendEvents(
    runner,
    steps.map((step) => eventOf(step, by)),
  );
}

/** The event of a step, numbered by the row. */
export function eventOf(
  { after, type, also }: SlotStep,
  by: { readonly origin: Origin; readonly source: "host" | "operator"; readonly at: number },
): EventRow {
  const { origin, source, at } = by;
  return {
    stream: "slot",
    streamId: after.id,
    seq: after.last_seq,
    projectId: after.project_id,
    fact: {
      type,
      ...(also === undefined ? {} : { also }),
      source,
      at,
      data: {
        agent: after.agent,
        slot_type: after.type,
        priority: after.priority,
        starts_at: iso(after.starts_at),
        ends_at: iso(after.ends_at),
        reason: after.reason,
        ...(after.run_id === null ? {} : { run: toTypeId("run", after.run_id) }),
      },
    },
    actor: origin.actor,
    requestId: origin.requestId,
    traceparent: origin.traceparent,
  };
}

/** The agent may take work again, or no more: its status, waiting claims and followers follow. */
export function tellOfSlots(
  parts: Pick<Parts, "hub" | "ring" | "statuses" | "reopen">,
  { projectId, name }: AgentRef,
): void {
  const bell = names.project(projectId);
  parts.hub.ring(bell);
  parts.ring([bell]);
  parts.statuses.look(projectId, [name]);
  parts.reopen(projectId);
}
