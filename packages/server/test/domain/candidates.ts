// Candidates, offers and facts for tests of admission: whatever is not said is in nobody's way.
// Leaves to others: random fleets (fleets.ts), runs in other phases (runs.ts).

import type {
  AdmitFacts,
  Admission,
  AgentFacts,
  AllowanceUse,
  Block,
  Candidate,
  Offer,
} from "../../src/domain/admission.ts";
import type { Allowance } from "../../src/domain/allowance/allowance.ts";
import type { PendingRun } from "../../src/domain/run.ts";
import type { LaneKey } from "../../src/domain/submission.ts";
import { pending, START } from "./runs.ts";

export const lane: LaneKey = {
  queue: "default",
  runner: "default",
  requires: [],
  agent: null,
  runtime: null,
  model: null,
  account: null,
};

/** A run that was just submitted, in a lane that asks for nothing. */
export function candidateOf(
  id: string,
  parts: Partial<PendingRun> = {},
  where: Partial<LaneKey> = {},
): Candidate {
  return { run: { ...pending(), id, ...parts }, lane: { ...lane, ...where } };
}

/** A worker with one free place, without an agent. */
export function offerOf(id: number, parts: Partial<Offer> = {}): Offer {
  return {
    id,
    runtime: `w${id}`,
    agents: [],
    queues: null,
    runners: new Set(["default"]),
    capabilities: new Set(),
    free: 1,
    ...parts,
  };
}

/** A worker that works as these agents, with as many places for each. */
export function workerAs(id: number, names: readonly string[], free = 1): Offer {
  return offerOf(id, { agents: names.map((name) => ({ name, free })), free });
}

/** An agent with one account of its own name and no limits. */
export function agentOf(name: string, parts: Partial<AgentFacts> = {}): AgentFacts {
  return {
    name,
    paused: null,
    slot: null,
    capabilities: [],
    models: null,
    maxConcurrent: null,
    maxRunDurationMs: null,
    accounts: [{ name, rows: [] }],
    live: 0,
    typicalTokens: null,
    typicalCost: null,
    ...parts,
  };
}

/** An allowance of which nothing is used. */
export function useOf(allowance: Allowance, parts: Partial<AllowanceUse> = {}): AllowanceUse {
  const endsAt = allowance.window === null ? null : START + 3_600_000;
  return { allowance, spent: 0, reserved: 0, live: 0, endsAt, ...parts };
}

export const nothing: AdmitFacts = {
  at: START,
  stopped: null,
  pausedQueues: new Map(),
  liveByKey: new Map(),
  agents: new Map(),
  accounts: new Map(),
  allowances: [],
};

/** Facts in which these agents are known. */
export function knowing(agents: readonly AgentFacts[], parts: Partial<AdmitFacts> = {}) {
  return { ...nothing, agents: new Map(agents.map((agent) => [agent.name, agent])), ...parts };
}

/** Who paused or stopped something. */
export const who = { reason: "cleaning", by: "ada" };

export const codesOf = (found: readonly Block[]): string[] => found.map((block) => block.code);

/** `run→worker/agent` of each grant, in their order. */
export const grantsOf = ({ grants }: Admission): string[] =>
  grants.map(
    ({ run, offer, agent }) => `${run.id}→w${offer.id}${agent === null ? "" : `/${agent}`}`,
  );
