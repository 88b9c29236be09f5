// The status of an agent: the first that holds of offline, exhausted, on call, busy, idle.
// Promises: pure; offline gives way to what it was, since nothing is remembered but the inputs; a
// limit that is being tried (half open) no longer counts as exhausted.
// Leaves to others: an operator's pause (a flag beside it), reading the inputs and writing the
// status (engine).

import type { Exhaustion } from "./exhaustion/exhaustion.ts";
import { concerns, endOfRow } from "./exhaustion/exhaustion.ts";
import type { SlotType } from "./slot.ts";

/** In the order in which they are asked. */
export const agentStatuses = ["offline", "exhausted", "on_call", "busy", "idle"] as const;
export type AgentStatus = (typeof agentStatuses)[number];

/** Without a heartbeat for longer than this an agent is offline. */
export const PRESENCE_MS = 120_000;

/** What an agent's status is made of. */
export type AgentSituation = {
  readonly lastHeartbeatAt: number | null;
  readonly accounts: readonly { readonly name: string; readonly rows: readonly Exhaustion[] }[];
  /** Models it may use; null = any. */
  readonly models: readonly string[] | null;
  /** Its ongoing slot; one that has a run occupies it by that run alone. */
  readonly slot: {
    readonly type: SlotType;
    readonly hasRun: boolean;
    readonly endsAt: number;
  } | null;
  /** Attempts it holds. */
  readonly live: number;
};

/** The status at an instant, with the reason in words. */
export function statusOf(
  situation: AgentSituation,
  at: number,
): { readonly status: AgentStatus; readonly reason: string } {
  const { lastHeartbeatAt, slot, live } = situation;
  if (lastHeartbeatAt === null) return { status: "offline", reason: "no worker has been heard of" };
  if (at - lastHeartbeatAt > PRESENCE_MS) {
    return { status: "offline", reason: `no heartbeat since ${iso(lastHeartbeatAt)}` };
  }
  const barriers = barriersOf(situation);
  if (barriers !== null) return { status: "exhausted", reason: exhaustedReason(barriers) };
  if (slot?.type === "on_call") {
    return { status: "on_call", reason: `on call until ${iso(slot.endsAt)}` };
  }
  if (live > 0) return { status: "busy", reason: live === 1 ? "1 live run" : `${live} live runs` };
  if (slot !== null && !slot.hasRun) {
    return { status: "busy", reason: `in a slot (${slot.type}) until ${iso(slot.endsAt)}` };
  }
  return { status: "idle", reason: "nothing to do" };
}

/** Until when; null when it is not exhausted, or when only a person can tell. */
export function exhaustedUntil(
  situation: Pick<AgentSituation, "accounts" | "models">,
): number | null {
  const first = soonest(barriersOf(situation) ?? []);
  return first?.recoveryAt ?? null;
}

/**
 * The limit that ends last of each (account, model) it may use; null as soon as one of them is not
 * closed. An empty list of models allows none, so that only whole accounts count.
 */
function barriersOf({
  accounts,
  models,
}: Pick<AgentSituation, "accounts" | "models">): Exhaustion[] | null {
  const asked = models === null || models.length === 0 ? [null] : models;
  const barriers: Exhaustion[] = [];
  for (const { rows } of accounts) {
    const closed = rows.filter((row) => row.state === "closed");
    for (const model of asked) {
      const last = lastOf(closed.filter((row) => concerns(row, model)));
      if (last === null) return null;
      barriers.push(last);
    }
  }
  return barriers.length === 0 ? null : barriers;
}

function lastOf(rows: readonly Exhaustion[]): Exhaustion | null {
  return rows.reduce<Exhaustion | null>(
    (last, row) => (last === null || endOfRow(row) > endOfRow(last) ? row : last),
    null,
  );
}

function soonest(rows: readonly Exhaustion[]): Exhaustion | null {
  return rows.reduce<Exhaustion | null>(
    (first, row) => (first === null || endOfRow(row) < endOfRow(first) ? row : first),
    null,
  );
}

function exhaustedReason(barriers: readonly Exhaustion[]): string {
  const first = soonest(barriers) as Exhaustion;
  const { account, model, reason, recoveryAt, evidence } = first;
  const until = recoveryAt === null ? "until a person recovers it" : `until ${iso(recoveryAt)}`;
  const what = model === null ? "" : ` for model "${model}"`;
  return `exhausted ${until}: account "${account}"${what}, ${reason} (${evidence.rule})`;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
