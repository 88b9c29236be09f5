// Slots: planned times in an agent's calendar. Which step leads where, what may be planned, and
// what follows when slots fall due.
// Promises: pure; the table is the only one; of the slots that are due at most one starts, and only
// where nothing else is ongoing; a slot whose window is over never starts.
// Leaves to others: rows and locks (store), the run of a slot and its end (engine).

import type { Refusal } from "./refusal.ts";
import { refuse, refuseField } from "./refusal.ts";

/** What a slot is. `on_call` lets urgent work through, the others occupy the agent. */
export const slotTypes = ["work", "on_call", "entertainment", "system"] as const;
export type SlotType = (typeof slotTypes)[number];

/** Where a slot stands. The last three are final. */
export const slotStatuses = [
  "not_started",
  "deferred",
  "ongoing",
  "paused",
  "finished",
  "aborted",
  "skipped",
] as const;
export type SlotStatus = (typeof slotStatuses)[number];

/** What can be done with a slot. */
export const slotCommands = [
  "start",
  "finish",
  "abort",
  "skip",
  "defer",
  "pause",
  "resume",
] as const;
export type SlotCommand = (typeof slotCommands)[number];

const planned = { start: "ongoing", skip: "skipped", defer: "deferred" } as const;
const begun = { finish: "finished", abort: "aborted" } as const;

/** From each status the one each command leads to. An absent cell is a refusal. */
const slotTable: Readonly<Record<SlotStatus, Readonly<Partial<Record<SlotCommand, SlotStatus>>>>> =
  {
    not_started: planned,
    deferred: planned,
    ongoing: { ...begun, pause: "paused" },
    paused: { ...begun, resume: "ongoing" },
    finished: {},
    aborted: {},
    skipped: {},
  };

/** A slot as the law sees it. Instants are milliseconds since 1970. */
export type Slot = {
  readonly id: string;
  readonly type: SlotType;
  /** 0–99: which of several due slots starts. */
  readonly priority: number;
  readonly status: SlotStatus;
  readonly startsAt: number;
  readonly endsAt: number;
  /** When it was put off last. */
  readonly deferredAt: number | null;
  /** Its status follows a run of its own, which may outlast it. */
  readonly hasRun: boolean;
};

/** Longest window of a slot. */
export const LONGEST_SLOT_MS = 31 * 24 * 3_600_000;
/** A slot is put off at most once in this time, each time with one more point of priority. */
export const DEFER_EVERY_MS = 15 * 60_000;
/** The highest priority; deferring stops counting there. */
const HIGHEST_PRIORITY = 99;

/**
 * Where a command leads. `repeated`: it is there already, nothing is to be written. Refuses with
 * `invalid_transition`, naming what is allowed.
 */
export function slotStep(
  status: SlotStatus,
  command: SlotCommand,
): { readonly to: SlotStatus; readonly repeated: boolean } | Refusal {
  const to = slotTable[status][command];
  if (to !== undefined) return { to, repeated: false };
  if (leadsTo(command) === status) return { to: status, repeated: true };
  const allowed = slotCommands.filter((name) => slotTable[status][name] !== undefined);
  const can = allowed.length === 0 ? "nothing; it is over" : allowed.join(", ");
  return refuse(
    "invalid_transition",
    `A slot that is ${status} cannot ${command}; allowed now: ${can}.`,
    { status, command, allowed },
  );
}

/** The one status a command leads to, wherever it is allowed. */
function leadsTo(command: SlotCommand): SlotStatus | undefined {
  const cells = slotStatuses.map((status) => slotTable[status][command]);
  return cells.find((to) => to !== undefined);
}

/** Refuses what cannot be planned; null = fine. */
export function checkSlot(
  input: { readonly startsAt: number; readonly endsAt: number; readonly priority: number },
  at: number,
): Refusal | null {
  const { startsAt, endsAt, priority } = input;
  if (!Number.isInteger(priority) || priority < 0 || priority > HIGHEST_PRIORITY) {
    return refuseField("priority", `is no whole number from 0 to ${HIGHEST_PRIORITY}`);
  }
  if (!Number.isFinite(startsAt)) return refuseField("starts_at", "is no instant");
  if (!Number.isFinite(endsAt)) return refuseField("ends_at", "is no instant");
  if (endsAt <= startsAt) return refuseField("ends_at", "must lie after starts_at");
  if (endsAt - startsAt > LONGEST_SLOT_MS) {
    return refuseField("ends_at", "lies more than 31 days after starts_at");
  }
  if (endsAt <= at) return refuseField("ends_at", "lies in the past; nothing is planned there");
  return null;
}

/** What is known of the agent whose slots are due. */
export type SlotAgent = {
  /** Whether it could begin something now, its ongoing slot apart. */
  readonly idle: boolean;
  /** A slot that stands in the way of others while its window lasts. */
  readonly ongoing: Slot | null;
};

/** What follows; a slot is in one of them at most. Deferred ones are as they are afterwards. */
export type DueDecision = {
  readonly starts: Slot | null;
  readonly defers: readonly Slot[];
  readonly skips: readonly Slot[];
  readonly finishes: readonly Slot[];
};

/**
 * Decides over the slots of one agent that time has reached. An idle agent without an ongoing slot
 * starts the highest priority (ties: the earlier, then the id); the others are put off, with one
 * more point of priority and at most once in 15 minutes, until their window is over, then skipped.
 */
export function dueDecision(slots: readonly Slot[], agent: SlotAgent, at: number): DueDecision {
  const isOver = (slot: Slot): boolean => slot.endsAt <= at;
  const waiting = slots.filter(({ status }) => status === "not_started" || status === "deferred");
  const finishes = slots.filter(
    (slot) => isOver(slot) && !slot.hasRun && slotTable[slot.status].finish !== undefined,
  );
  const isFree = agent.idle && (agent.ongoing === null || isOver(agent.ongoing));
  const due = waiting.filter((slot) => slot.startsAt <= at && !isOver(slot)).toSorted(byUrgency);
  const starts = isFree ? (due[0] ?? null) : null;
  return {
    starts,
    defers: due
      .filter((slot) => slot !== starts && mayDefer(slot, at))
      .map((slot) => deferred(slot, at)),
    skips: waiting.filter(isOver),
    finishes,
  };
}

function byUrgency(a: Slot, b: Slot): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  if (a.startsAt !== b.startsAt) return a.startsAt - b.startsAt;
  return a.id < b.id ? -1 : 1; // ids differ
}

function mayDefer({ deferredAt }: Slot, at: number): boolean {
  return deferredAt === null || at - deferredAt >= DEFER_EVERY_MS;
}

function deferred(slot: Slot, at: number): Slot {
  const priority = Math.min(HIGHEST_PRIORITY, slot.priority + 1);
  return { ...slot, status: "deferred", priority, deferredAt: at };
}
