// What admission looks at and what it answers: candidates, offers, the facts of a project, grants,
// and the closed list of reasons why a run is not claimed now.
// Promises: the claim (on locked rows) and explain (without locks) fill in the same shapes.
// Leaves to others: reading the facts (engine), deciding (`admit.ts`).

import type { Allowance, AllowanceScope } from "./allowance/allowance.ts";
import type { Estimate } from "./allowance/reserve.ts";
import type { Exhaustion } from "./exhaustion/exhaustion.ts";
import type { Instant, PendingRun } from "./run.ts";
import type { LaneKey } from "./submission.ts";

/** Why a run is not claimed now: every code there is. */
export const blockCodes = [
  "not_due",
  "deadline_passed",
  "dependency",
  "concurrency_key",
  "queue_paused",
  "project_stopped",
  "no_runner",
  "no_capability",
  "no_agent",
  "no_runtime",
  "no_account",
  "not_served",
  "agent_paused",
  "in_slot",
  "on_call",
  "model_not_allowed",
  "exhausted",
  "concurrency",
  "allowance",
  "no_free_slot",
  "ahead",
] as const;
export type BlockCode = (typeof blockCodes)[number];

/** One reason why a run is not claimed now; `until` when an instant ends it. */
export type Block = {
  readonly code: BlockCode;
  readonly message: string;
  readonly until?: Instant;
  /** For programs: what it is about. */
  readonly facts?: { readonly [name: string]: string | number | null };
};

/** A run that might be claimed, with its lane and what it says it will consume. */
export type Candidate = {
  readonly run: PendingRun;
  readonly lane: LaneKey;
  readonly estimate?: Estimate | null;
  /** What the reservations of its parent have left, by allowance. */
  readonly parentLeft?: Map<string, number>;
};

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

/** An account of an agent with the limits it has met (rows that are open count as none). */
export type AccountFacts = { readonly name: string; readonly rows: readonly Exhaustion[] };

/** What admission knows of an agent. `live`: attempts it holds now, wherever. */
export type AgentFacts = {
  readonly name: string;
  readonly paused: { readonly reason: string; readonly by: string } | null;
  /** The ongoing slot, if any: `on_call` lets urgent work through, others occupy. */
  readonly slot: { readonly type: string; readonly endsAt: Instant } | null;
  readonly capabilities: readonly string[];
  /** Null = any. */
  readonly models: readonly string[] | null;
  readonly maxConcurrent: number | null;
  readonly maxRunDurationMs: number | null;
  /** In order of preference; at least one. */
  readonly accounts: readonly AccountFacts[];
  readonly live: number;
  readonly typicalTokens: number | null;
  readonly typicalCost: number | null;
};

/** An allowance with what counts against it now. `live`: attempts in its scope. */
export type AllowanceUse = {
  readonly allowance: Allowance;
  readonly spent: number;
  readonly reserved: number;
  readonly live: number;
  /** When what is spent counts no more; null for `concurrent_runs`. */
  readonly endsAt: Instant | null;
};

/** What admission knows of a project besides candidates and offers. `at` is the database's now. */
export type AdmitFacts = {
  readonly at: Instant;
  readonly stopped: { readonly reason: string; readonly by: string } | null;
  readonly pausedQueues: ReadonlyMap<string, { readonly reason: string; readonly by: string }>;
  /** Live attempts per concurrency key, counted under the key's lock. */
  readonly liveByKey: ReadonlyMap<string, number>;
  /** Agents by name; one that is not here has no settings. */
  readonly agents: ReadonlyMap<string, AgentFacts>;
  /** Limits of accounts that runs name: for workers without an agent of known settings. */
  readonly accounts: ReadonlyMap<string, readonly Exhaustion[]>;
  readonly allowances: readonly AllowanceUse[];
};

/** What one grant sets aside of one allowance; `fromParent` of it is the parent's already. */
export type Reserve = {
  readonly allowance: Allowance;
  readonly amount: number;
  readonly fromParent: number;
};

/** This run goes to this claim, as this agent (null: the worker works without agents). */
export type Grant = {
  readonly run: PendingRun;
  readonly offer: Offer;
  readonly agent: string | null;
  /** Account it draws on; null when the agent is not known. */
  readonly account: string | null;
  /** Limits that are half open: this attempt tries them. */
  readonly probes: readonly Exhaustion[];
  readonly reserves: readonly Reserve[];
  readonly durationCapMs: number | null;
};

/** Everything one admission decided. */
export type Admission = {
  readonly grants: readonly Grant[];
  /** Candidates whose concurrency key is taken: to be held back until it is free. */
  readonly keyTaken: readonly PendingRun[];
  /** Lanes none of whose candidates fits any offer, though places are free. */
  readonly shutLanes: readonly string[];
};

/** Whether an allowance counts this: an attempt of this agent, account and model. */
export function isInScope(
  { scope, name }: { readonly scope: AllowanceScope; readonly name: string | null },
  of: { readonly agent: string | null; readonly account: string | null; model: string | null },
): boolean {
  if (scope === "project") return true;
  return of[scope] !== null && of[scope] === name;
}
