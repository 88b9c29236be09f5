// Whether a run fits an agent now, on which of its accounts, and what it sets aside: pause, slot,
// models, exhaustion, concurrency, allowances.
// Promises: pure; the same answer to the claim and to explain; of several accounts the first that
// is open and has room, one that is tried as a probe only when no other is.
// Leaves to others: which agent of several (`admit.ts`), runner, queue and runtime (`blocks.ts`).

import type { AccountFacts, AdmitFacts, AgentFacts, AllowanceUse, Block } from "./admission.ts";
import type { Candidate, Offer, Reserve } from "./admission.ts";
import { Bug } from "../std/assert.ts";
import { isInScope } from "./admission.ts";
import { checkOrder, fits, refusalReason, reserveOf } from "./allowance/reserve.ts";
import { drawFromParent } from "./allowance/settle.ts";
import { noCapability } from "./blocks.ts";
import type { Exhaustion } from "./exhaustion/exhaustion.ts";
import { admits } from "./exhaustion/exhaustion.ts";

/** Below this priority a run that names no agent does not reach one on call (model §5). */
export const ON_CALL_PRIORITY = 60;

/** How a run would go to an agent: nothing blocks it, or what does. */
export type Fit =
  | {
      readonly blocked: null;
      readonly account: string | null;
      readonly probes: readonly Exhaustion[];
      readonly reserves: readonly Reserve[];
      readonly durationCapMs: number | null;
    }
  | { readonly blocked: readonly Block[] };

/** An agent that may do it: what is known of it (null: no settings), and the worker it is on. */
export type Taker = {
  readonly name: string | null;
  readonly facts: AgentFacts | null;
  readonly offer: Pick<Offer, "capabilities">;
};

/** What limits whoever takes a run: allowances, and limits of accounts that runs name. */
export type Limits = Pick<AdmitFacts, "accounts" | "allowances">;

/** Whether the agent can take the run now, and how. */
export function fitOf(candidate: Candidate, taker: Taker, limits: Limits): Fit {
  const { facts, name } = taker;
  const standing = facts === null ? [] : standingBlocks(candidate, taker, facts);
  const accounts = accountsFor(candidate, facts, limits);
  if (accounts.length === 0) standing.push(noAccount(candidate, name));
  const choice = chooseAccount(candidate, taker, accounts, limits.allowances);
  if (standing.length > 0 || choice.blocked !== null) {
    return { blocked: [...standing, ...(choice.blocked ?? [])] };
  }
  return { ...choice, durationCapMs: facts?.maxRunDurationMs ?? null };
}

/** What blocks whatever account it draws on. */
function standingBlocks({ run, lane }: Candidate, taker: Taker, facts: AgentFacts): Block[] {
  const found: Block[] = [];
  const { paused, slot, models, maxConcurrent, live } = facts;
  const agent = `Agent "${facts.name}"`;
  if (paused !== null) {
    const message = `${agent} was paused by ${paused.by}: ${paused.reason}`;
    found.push({ code: "agent_paused", message });
  }
  if (slot !== null && slot.type !== "on_call") {
    const message = `${agent} is occupied by a slot (${slot.type}).`;
    found.push({ code: "in_slot", message, until: slot.endsAt });
  }
  const urgent = run.priority >= ON_CALL_PRIORITY || lane.agent === facts.name;
  if (slot?.type === "on_call" && !urgent) {
    const message = `${agent} is on call: it takes runs of priority ${ON_CALL_PRIORITY} or more.`;
    found.push({ code: "on_call", message, until: slot.endsAt });
  }
  const missing = lane.requires.filter(
    (name) => !taker.offer.capabilities.has(name) && !facts.capabilities.includes(name),
  );
  if (missing.length > 0) found.push(noCapability(missing));
  if (models !== null && (lane.model === null || !models.includes(lane.model))) {
    const which = lane.model === null ? "the run names no model" : `"${lane.model}"`;
    const message = `${agent}: model not in allowlist (${which}).`;
    found.push({ code: "model_not_allowed", message });
  }
  if (maxConcurrent !== null && live >= maxConcurrent) {
    const message = `${agent} holds ${live} of at most ${maxConcurrent} runs.`;
    found.push({ code: "concurrency", message });
  }
  return found;
}

/** The accounts a run may draw on: the agent's, or the one it names if the agent has it. */
function accountsFor(
  { lane }: Candidate,
  facts: AgentFacts | null,
  { accounts }: Limits,
): readonly AccountFacts[] {
  if (lane.account === null) return facts === null ? [nowhere] : facts.accounts;
  if (facts === null) return [{ name: lane.account, rows: accounts.get(lane.account) ?? [] }];
  return facts.accounts.filter((account) => account.name === lane.account);
}

/** Stands for no account at all: the worker works without an agent. */
const nowhere: AccountFacts = { name: "", rows: [] };

function noAccount({ lane }: Candidate, agent: string | null): Block {
  const message = `Agent "${agent}" does not draw on account "${lane.account}".`;
  return { code: "no_account", message };
}

type Choice =
  | {
      readonly blocked: null;
      readonly account: string | null;
      readonly probes: readonly Exhaustion[];
      readonly reserves: readonly Reserve[];
    }
  | { readonly blocked: readonly Block[] };

function chooseAccount(
  candidate: Candidate,
  taker: Taker,
  accounts: readonly AccountFacts[],
  uses: readonly AllowanceUse[],
): Choice {
  const closed: Exhaustion[] = [];
  const refused: Block[] = [];
  let asProbe: Choice | null = null;
  for (const account of accounts) {
    const standing = admits(account.rows, candidate.lane.model);
    if (!standing.open) {
      closed.push(standing.row);
      continue;
    }
    const name = account === nowhere ? null : account.name;
    const { reserves, blocked } = reservesFor(candidate, taker, name, uses);
    if (blocked.length > 0) {
      refused.push(...blocked);
      continue;
    }
    const choice = { blocked: null, account: name, probes: standing.probes, reserves } as const;
    if (standing.probes.length === 0) return choice;
    asProbe ??= choice;
  }
  if (asProbe !== null) return asProbe;
  const exhausted = closed.length === 0 ? [] : [exhaustedBlock(taker.name, closed)];
  return { blocked: [...exhausted, ...refused] };
}

function exhaustedBlock(agent: string | null, rows: readonly Exhaustion[]): Block {
  const instants = rows.flatMap((row) => row.recoveryAt ?? []);
  const soonest = instants.length === 0 ? null : Math.min(...instants);
  const row = rows.find((one) => one.recoveryAt === soonest) ?? rows[0];
  if (row === undefined) throw new Bug("exhausted by no limit");
  const what = row.model === null ? "" : ` for model "${row.model}"`;
  const until =
    soonest === null ? "until a person recovers it" : `until ${new Date(soonest).toISOString()}`;
  const probe = row.state === "half_open" ? "; one run tries it now" : "";
  const who = agent === null ? `Account "${row.account}"` : `Agent "${agent}"`;
  const message =
    `${who} is exhausted ${until}${probe}: account "${row.account}"${what}, ` +
    `${row.reason} (${row.evidence.rule}).`;
  return {
    code: "exhausted",
    message,
    ...(soonest === null ? {} : { until: soonest }),
    facts: { account: row.account, model: row.model, reason: row.reason, rule: row.evidence.rule },
  };
}

type Reserved = { readonly reserves: Reserve[]; readonly blocked: Block[] };

/** What the attempt would set aside of every allowance that counts it, and those without room. */
function reservesFor(
  candidate: Candidate,
  { name, facts }: Taker,
  account: string | null,
  uses: readonly AllowanceUse[],
): Reserved {
  const of = { agent: name, account, model: candidate.lane.model };
  const own = uses.filter(({ allowance }) => isInScope(allowance, of));
  if (own.length === 0) return { reserves: [], blocked: [] };
  const given = {
    estimate: candidate.estimate ?? null,
    typicalTokens: facts?.typicalTokens ?? null,
    typicalCost: facts?.typicalCost ?? null,
  };
  const reserves: Reserve[] = [];
  const blocked: Block[] = [];
  for (const use of own.toSorted((a, b) => checkOrder(a.allowance, b.allowance))) {
    const amount = reserveOf(use.allowance, given);
    const left = candidate.parentLeft?.get(use.allowance.id) ?? 0;
    const fromParent = drawFromParent(left, amount);
    // What the parent has set aside counts already.
    const reserved = use.reserved - fromParent;
    if (!fits(use.allowance, { ...use, reserved }, amount)) blocked.push(allowanceBlock(use));
    else if (use.allowance.metric !== "concurrent_runs") {
      reserves.push({ allowance: use.allowance, amount, fromParent });
    }
  }
  return { reserves, blocked };
}

function allowanceBlock({ allowance, spent, reserved, live, endsAt }: AllowanceUse): Block {
  const used = allowance.metric === "concurrent_runs" ? live : spent + reserved;
  const share = allowance.limit === 0 ? 100 : Math.floor((used / allowance.limit) * 100);
  const whose = allowance.name === null ? "the project" : `${allowance.scope} "${allowance.name}"`;
  const message = `Allowance of ${whose}: ${refusalReason(allowance)} (used ${share} %).`;
  return {
    code: "allowance",
    message,
    ...(endsAt === null ? {} : { until: endsAt }),
    facts: { allowance: allowance.id, limit: allowance.limit, spent, reserved },
  };
}
