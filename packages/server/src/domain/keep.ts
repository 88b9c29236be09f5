// What keeps a lease alive and what keeps a pending run out of the line: renew, extend, and the
// held bits. Promises: none of these changes the state or writes a fact; the only other thing they
// may bring along is a checkpoint.
// Leaves to others: when they are due (`due.ts`, sweeps), who gets a free key (`admit.ts`).

import type { Decision, Moment, RunCommand } from "./command.ts";
import type { Fact } from "./event.ts";
import { checkpointOf, notAllowed, unchanged } from "./facts.ts";
import type { Refusal } from "./refusal.ts";
import type { Run } from "./run.ts";
import { HELD_DEPENDENCY, HELD_KEY, HELD_NOT_DUE, isLeased } from "./run.ts";

type Of<K extends RunCommand["kind"]> = Extract<RunCommand, { kind: K }>;

/** A heartbeat: the lease runs from now again. Allowed in every state that holds a lease. */
export function renew(run: Run, command: Of<"renew">, now: Moment): Decision | Refusal {
  if (!isLeased(run)) return notAllowed(run, "renew");
  const leaseMs = command.leaseMs ?? run.lease.leaseMs;
  const lease = { expiresAt: now.at + leaseMs, leaseMs };
  const next = { ...run, lease, ...checkpointOf(command.checkpoint) };
  return { run: next, facts: [], attempt: [] };
}

/** After an outage of the house a live lease lives on for at least `byMs` from now. */
export function extend(run: Run, byMs: number, now: Moment): Decision | Refusal {
  if (!isLeased(run)) return notAllowed(run, "extend");
  const expiresAt = Math.max(run.lease.expiresAt, now.at + Math.min(byMs, run.lease.leaseMs));
  if (expiresAt === run.lease.expiresAt) return unchanged(run);
  return { run: { ...run, lease: { ...run.lease, expiresAt } }, facts: [], attempt: [] };
}

/** Clears held bits whose cause has ended: due, last dependency done, key free. */
export function releaseHeld(
  run: Run,
  command: Of<"release_held">,
  now: Moment,
): Decision | Refusal {
  if (run.phase !== "pending") return notAllowed(run, "claim");
  const openDependencies = command.openDependencies ?? run.openDependencies;
  let held = run.held;
  if (command.bits & HELD_KEY) held &= ~HELD_KEY;
  if (command.bits & HELD_NOT_DUE && (run.notBefore === null || run.notBefore <= now.at)) {
    held &= ~HELD_NOT_DUE;
  }
  if (openDependencies === 0) held &= ~HELD_DEPENDENCY;
  if (held === run.held && openDependencies === run.openDependencies) return unchanged(run);
  return { run: { ...run, held, openDependencies }, facts: [], attempt: [] };
}

/** Out of the ready index until the holder of its concurrency key ends. */
export function holdKey(run: Run): Decision | Refusal {
  if (run.phase !== "pending") return notAllowed(run, "claim");
  return { run: { ...run, held: run.held | HELD_KEY }, facts: [], attempt: [] };
}

/** The agent a run asked for stays away: it goes to the line that any agent may take from. */
export function reroute(run: Run, command: Of<"reroute">, now: Moment): Decision | Refusal {
  if (run.phase !== "pending") return notAllowed(run, "claim");
  if (run.laneId === command.laneId) return unchanged(run);
  const fact: Fact = {
    type: "dispatch.no_agent",
    source: "host",
    at: now.at,
    data: { agent: command.agent, policy: "any" },
  };
  return { run: { ...run, laneId: command.laneId }, facts: [fact], attempt: [] };
}

/** Why a due run has not been claimed for a while. */
export function noteBlocked(run: Run, command: Of<"note_blocked">, now: Moment): Decision {
  if (run.phase !== "pending") return unchanged(run);
  const { type, codes } = command;
  return { run, facts: [{ type, source: "host", at: now.at, data: { codes } }], attempt: [] };
}
