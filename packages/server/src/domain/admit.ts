// The one admission: who gets what, and why not. `admit` decides the claim on locked rows,
// `explain` asks the same functions without locks, so what explain says blocks is what the claim
// refuses.
// Promises: pure; never grants beyond what an offer or a key limit leaves free; grants in rank
// order.
// Leaves to others: reading the facts under the right locks (`store/claims`), words on screens.

import type { Instant, PendingRun } from "./run.ts";
import { HELD_DEPENDENCY, HELD_NOT_DUE } from "./run.ts";
import type { LaneKey } from "./submission.ts";

/** Why a run is not claimed now. The closed list of codes is the type. */
export type BlockCode =
  | "not_due"
  | "deadline_passed"
  | "dependency"
  | "concurrency_key"
  | "queue_paused"
  | "project_stopped"
  | "no_runner"
  | "no_capability"
  | "no_agent"
  | "no_runtime"
  | "not_served"
  | "no_free_slot"
  | "ahead";

/** One reason why a run is not claimed now; `until` when an instant ends it. */
export type Block = {
  readonly code: BlockCode;
  readonly message: string;
  readonly until?: Instant;
};

/** A run that might be claimed, with its lane. */
export type Candidate = { readonly run: PendingRun; readonly lane: LaneKey };

/** A claim that waits at this server: what its worker can do and how much it takes. */
export type Offer = {
  readonly id: number;
  readonly runtime: string;
  /** Agents the worker works as; empty = work without an agent's name. */
  readonly agents: readonly { readonly name: string; readonly free: number }[];
  /** Null serves every queue. */
  readonly queues: ReadonlySet<string> | null;
  readonly runners: ReadonlySet<string>;
  readonly capabilities: ReadonlySet<string>;
  readonly free: number;
};

/** What admission knows of a project besides candidates and offers. `at` is the database's now. */
export type AdmitFacts = {
  readonly at: Instant;
  readonly stopped: { readonly reason: string; readonly by: string } | null;
  readonly pausedQueues: ReadonlyMap<string, { readonly reason: string; readonly by: string }>;
  /** Live attempts per concurrency key, counted under the key's lock. */
  readonly liveByKey: ReadonlyMap<string, number>;
};

/** This run goes to this claim, as this agent (null: the worker works without agents). */
export type Grant = {
  readonly run: PendingRun;
  readonly offer: Offer;
  readonly agent: string | null;
};
/** Everything one admission decided. */
export type Admission = {
  readonly grants: readonly Grant[];
  /** Candidates whose concurrency key is taken: to be held back until it is free. */
  readonly keyTaken: readonly PendingRun[];
};

/** Everything that blocks the run whoever asks: time, dependencies, key, queue, stop. */
export function blocks({ run, lane }: Candidate, facts: AdmitFacts): Block[] {
  const found: Block[] = [];
  if (facts.stopped !== null) {
    found.push({
      code: "project_stopped",
      message: `The project was stopped by ${facts.stopped.by}: ${facts.stopped.reason}`,
    });
  }
  if (run.deadlineAt !== null && run.deadlineAt <= facts.at) {
    found.push({ code: "deadline_passed", message: "Its deadline has passed; it ends `timeout`." });
  }
  if (run.held & HELD_NOT_DUE && run.notBefore !== null && run.notBefore > facts.at) {
    found.push({
      code: "not_due",
      message: `Not due until ${new Date(run.notBefore).toISOString()}.`,
      until: run.notBefore,
    });
  }
  if (run.held & HELD_DEPENDENCY) {
    found.push({
      code: "dependency",
      message: `Waits for ${run.openDependencies} run(s) it depends on.`,
    });
  }
  if (keyIsTaken(run, facts.liveByKey)) {
    found.push({
      code: "concurrency_key",
      message: `Concurrency key "${run.concurrencyKey}" is held by another run.`,
    });
  }
  const paused = facts.pausedQueues.get(lane.queue);
  if (paused !== undefined) {
    found.push({
      code: "queue_paused",
      message: `Queue "${lane.queue}" was paused by ${paused.by}: ${paused.reason}`,
    });
  }
  return found;
}

/**
 * Everything about one offer that does not fit the run: runner, capability, agent, runtime, queue.
 */
export function misfits(lane: LaneKey, offer: Offer): Block[] {
  const found: Block[] = [];
  if (!offer.runners.has(lane.runner)) {
    found.push({ code: "no_runner", message: `No worker has runner "${lane.runner}".` });
  }
  const missing = lane.requires.filter((name) => !offer.capabilities.has(name));
  if (missing.length > 0) {
    found.push({
      code: "no_capability",
      message: `No worker has the capabilities ${missing.map((m) => `"${m}"`).join(", ")}.`,
    });
  }
  if (lane.agent !== null && !offer.agents.some((agent) => agent.name === lane.agent)) {
    found.push({ code: "no_agent", message: `No live worker works as agent "${lane.agent}".` });
  }
  if (lane.runtime !== null && lane.runtime !== offer.runtime) {
    found.push({
      code: "no_runtime",
      message: `Runtime "${lane.runtime}" is not asking for work.`,
    });
  }
  if (offer.queues !== null && !offer.queues.has(lane.queue)) {
    found.push({ code: "not_served", message: `No worker serves queue "${lane.queue}".` });
  }
  return found;
}

/** Decides who gets what. Candidates and offers are of one project. */
export function admit(
  candidates: readonly Candidate[],
  offers: readonly Offer[],
  facts: AdmitFacts,
): Admission {
  const grants: Grant[] = [];
  const keyTaken: PendingRun[] = [];
  const live = new Map(facts.liveByKey);
  const seats = offers.map((offer) => ({
    offer,
    free: offer.free,
    agents: offer.agents.map((agent) => ({ name: agent.name, free: agent.free })),
  }));
  const ordered = candidates.toSorted(
    (a, b) => a.run.rank - b.run.rank || compare(a.run.id, b.run.id),
  );
  const now = { ...facts, liveByKey: live };
  const fitting = new Map<LaneKey, Seat[]>();
  for (const candidate of ordered) {
    const { run, lane } = candidate;
    const why = blocks(candidate, now);
    if (why.length > 0) {
      if (why.some((block) => block.code === "concurrency_key")) keyTaken.push(run);
      continue;
    }
    const seat = bestSeat(lane, seatsFor(lane, seats, fitting));
    if (seat === null) continue;
    seat.seat.free -= 1;
    if (seat.agent !== null) seat.agent.free -= 1;
    grants.push({ run, offer: seat.seat.offer, agent: seat.agent?.name ?? null });
    if (run.concurrencyKey !== null) {
      live.set(run.concurrencyKey, (live.get(run.concurrencyKey) ?? 0) + 1);
    }
  }
  return { grants, keyTaken };
}

type Seat = { offer: Offer; free: number; agents: { name: string; free: number }[] };
type Choice = { seat: Seat; agent: { name: string; free: number } | null };

/** The seats that fit a lane, looked up once for all its runs. */
function seatsFor(lane: LaneKey, all: readonly Seat[], known: Map<LaneKey, Seat[]>): Seat[] {
  let seats = known.get(lane);
  if (seats === undefined) {
    seats = all.filter((seat) => misfits(lane, seat.offer).length === 0);
    known.set(lane, seats);
  }
  return seats;
}

/** The seat with the most free places; ties by the order in which the claims came. */
function bestSeat(lane: LaneKey, seats: readonly Seat[]): Choice | null {
  let best: Choice | null = null;
  for (const seat of seats) {
    if (seat.free <= (best === null ? 0 : best.seat.free)) continue;
    const agent = freeAgent(lane, seat);
    if (agent === undefined) continue;
    best = { seat, agent };
  }
  return best;
}

/** The agent that takes it; null when the worker has no agents; undefined when none is free. */
function freeAgent(lane: LaneKey, seat: Seat): { name: string; free: number } | null | undefined {
  if (seat.agents.length === 0) return null;
  const able = seat.agents.filter(
    (agent) => agent.free > 0 && (lane.agent === null || agent.name === lane.agent),
  );
  if (able.length === 0) return undefined;
  return able.reduce((best, agent) =>
    agent.free > best.free || (agent.free === best.free && agent.name < best.name) ? agent : best,
  );
}

function keyIsTaken(run: PendingRun, live: ReadonlyMap<string, number>): boolean {
  if (run.concurrencyKey === null) return false;
  return (live.get(run.concurrencyKey) ?? 0) >= run.concurrencyLimit;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
