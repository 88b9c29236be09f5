// The sweep of calendars: slots that time has reached are started, put off, skipped or finished,
// and those that have a run follow it.
// Promises: any server may sweep at any time: it finds, and decides again under the agent's lock; a
// server that dies between a start and the submission of its run is made good by the next sweep.
// Leaves to others: what follows (`domain/slot.ts`), whether the agent is idle (its status).

import { Refused } from "../../domain/refusal.ts";
import { dueDecision } from "../../domain/slot.ts";
import { nilUuid } from "../../std/ids.ts";
import type { AgentRef, AgentRow } from "../../store/agents.ts";
import { excludeAgent, lockAgents } from "../../store/agents.ts";
import { readNow } from "../../store/flushes.ts";
import type { EndedSlotRun, SlotRow } from "../../store/slots.ts";
import { endedRuns, lockPresentSlots } from "../../store/slots.ts";
import type { Parts } from "../parts.ts";
import { houseOrigin } from "./after.ts";
import { startSlotRun, stepOfEndedRun } from "./slot-run.ts";
import type { SlotStep } from "./slot-steps.ts";
import { isOfAgent, lawOf, stepDeferred, stepTo, tellOfSlots, writeSteps } from "./slot-steps.ts";

/** Slots of one agent that are looked at in a round. */
const MOST_SLOTS = 500;
const PAGE = 200;

export type SlotSweepOptions = {
  readonly parts: Parts;
  /** Agents with slots that ask for a decision, after a cursor, in order. */
  readonly find: (
    after: AgentRef,
    limit: number,
  ) => Promise<readonly { readonly project_id: string; readonly name: string }[]>;
  /** Told of agents whose situation has changed: their status is to be looked at again. */
  readonly onChanged?: (agents: readonly AgentRef[]) => void;
};

/** One round over all agents whose calendar asks for something. */
export async function sweepSlots({ parts, find, onChanged }: SlotSweepOptions): Promise<void> {
  let after: AgentRef = { projectId: nilUuid, name: "" };
  for (;;) {
    const page = await find(after, PAGE);
    for (const { project_id: projectId, name } of page) {
      after = { projectId, name };
      if (!(await sweepSafely(parts, after))) continue;
      tellOfSlots(parts, after);
      onChanged?.([after]);
    }
    if (page.length < PAGE) return;
  }
}

/** What goes wrong with one agent keeps nothing from the others; the next sweep tries again. */
async function sweepSafely(parts: Parts, ref: AgentRef): Promise<boolean> {
  try {
    return await sweepAgent(parts, ref);
  } catch (error) {
    if (error instanceof Refused) throw error; // the database cannot be reached
    parts.logger.warn({ err: error, agent: ref.name }, "the slots of an agent were not swept");
    return false;
  }
}

/** Decides over the slots of one agent; whether any of them took a step. */
async function sweepAgent(parts: Parts, ref: AgentRef): Promise<boolean> {
  const { steps, toSubmit } = await parts.writer.within([ref.projectId], async (runner) => {
    // No claim that has seen the agent without the slot commits after it.
    await excludeAgent(runner, ref);
    const [agent] = await lockAgents(runner, [ref]);
    if (agent === undefined) return { steps: [], toSubmit: [] };
    const at = await readNow(runner, parts.context.offsetMs());
    const rows = await lockPresentSlots(runner, ref, at, MOST_SLOTS);
    const ids = rows.flatMap((row) => row.run_id ?? []);
    const ended = await endedRuns(runner, ref.projectId, ids);
    const steps = stepsOf(agent, rows, { ended, at });
    await writeSteps(runner, agent, steps, { origin: houseOrigin("slots"), source: "host", at });
    return { steps, toSubmit: withoutRun(rows, steps) };
  });
  for (const slot of toSubmit) await startSlotRun(parts, slot);
  return steps.length > 0;
}

type Present = { readonly ended: ReadonlyMap<string, EndedSlotRun>; readonly at: number };

/** Everything that time and ended runs make of the slots of one agent. */
function stepsOf(agent: AgentRow, rows: readonly SlotRow[], { ended, at }: Present): SlotStep[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const followed = rows.flatMap((row) => {
    const run = row.status !== "ongoing" || row.run_id === null ? undefined : ended.get(row.run_id);
    return run === undefined ? [] : [stepOfEndedRun(row, run, at)];
  });
  const over = new Set(followed.map(({ after }) => after.id));
  const left = rows.filter((row) => !over.has(row.id));
  const blocking = left.find((row) => row.status === "ongoing" && blocks(row, at));
  const decision = dueDecision(
    left.map(lawOf),
    {
      idle: agent.status === "idle" && agent.paused_at === null,
      ongoing: blocking === undefined ? null : lawOf(blocking),
    },
    at,
  );
  const rowOf = (id: string): SlotRow => byId.get(id) as SlotRow;
  const finish = { at, reason: "its time is over" };
  return [
    ...followed,
    ...decision.finishes.map(({ id }) => stepTo(rowOf(id), "finished", finish)),
    ...decision.skips.map(({ id }) => first(rowOf(id), stepTo(rowOf(id), "skipped", finish))),
    ...decision.defers.map((slot) => {
      const row = rowOf(slot.id);
      return first(row, stepDeferred(row, slot, at));
    }),
    ...(decision.starts === null
      ? []
      : [decision.starts].map(({ id }) => first(rowOf(id), stepTo(rowOf(id), "ongoing", { at })))),
  ];
}

/** Whether an ongoing slot keeps others from starting: while its window lasts. */
function blocks(row: SlotRow, at: number): boolean {
  return isOfAgent(row) || row.ends_at > at;
}

/** What time reached for the first time was due, too. */
function first(before: SlotRow, step: SlotStep): SlotStep {
  return before.status === "not_started" ? { ...step, also: ["slot.due"] } : step;
}

/** Ongoing slots whose run is not submitted yet, those that began just now among them. */
function withoutRun(rows: readonly SlotRow[], steps: readonly SlotStep[]): SlotRow[] {
  const after = new Map(steps.map((step) => [step.after.id, step.after]));
  return rows
    .map((row) => after.get(row.id) ?? row)
    .filter((row) => row.status === "ongoing" && row.run_template !== null && row.run_id === null);
}
