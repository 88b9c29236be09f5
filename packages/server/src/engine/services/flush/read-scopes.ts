// Who may work, as a flush reads it: agents that ask for work, the limits of their accounts, the
// allowances that count them; accounts that are reported on; reservations of attempts that end.
// Promises: locks before reads, in one order: agents, accounts, allowances; a project without any
// such settings (not `regulated`) costs nothing.
// Leaves to others: what it means (`domain/fit.ts`), runs and candidates (read.ts).

import type { AgentFacts } from "../../../domain/admission.ts";
import type { Allowance } from "../../../domain/allowance/allowance.ts";
import { medianOf } from "../../../domain/allowance/reserve.ts";
import type { RunCommand, Usage } from "../../../domain/command.ts";
import type { Exhaustion } from "../../../domain/exhaustion/exhaustion.ts";
import type { AccountRow, StoredExhaustion } from "../../../store/accounts.ts";
import { lockAccounts, lockExhaustions, lockExhaustionsOfAgents } from "../../../store/accounts.ts";
import type { AccountRef, AgentForClaim, AgentRef } from "../../../store/agents.ts";
import {
  lockLimitedAgents,
  readClaimAgents,
  shareAccounts,
  shareSettings,
} from "../../../store/agents.ts";
import type { StoredUse } from "../../../store/allowances.ts";
import {
  lockAllowances,
  readAllowanceUses,
  readModelAllowances,
} from "../../../store/allowances.ts";
import type { Runner } from "../../../store/db.ts";
import type { ClaimItem, Item } from "./items.ts";

/** Everything a flush knows of who may work. */
export type Scopes = {
  readonly agents: readonly AgentForClaim[];
  readonly exhaustions: readonly StoredExhaustion[];
  readonly accounts: readonly AccountRow[];
  readonly uses: readonly StoredUse[];
  /** Accounts that runs name and whose limits were read for workers without an agent. */
  readonly named: readonly AccountRef[];
  /** Allowances of models that attempts say they have used. */
  readonly ofModels: readonly { readonly projectId: string; readonly allowance: Allowance }[];
};

export type ScopeOptions = {
  /** Whether a project is known to have agents, accounts or allowances that limit its claims. */
  readonly regulated: (projectId: string) => boolean;
  /** Agents as last seen, by `project/name`: a hint for finding candidates. */
  readonly agents: ReadonlyMap<string, AgentForClaim>;
  /** Accounts that runs of a project are known to name. */
  readonly namedAccounts: (projectId: string) => Iterable<string>;
  readonly newId: () => string;
  readonly offsetMs: number;
};

const nothing: Scopes = {
  agents: [],
  exhaustions: [],
  accounts: [],
  uses: [],
  named: [],
  ofModels: [],
};

/** Locks and reads what claims, usage and reports on accounts of a flush need. */
export async function readScopes(
  runner: Runner,
  items: readonly Item[],
  options: ScopeOptions,
): Promise<Scopes> {
  const models = modelsUsed(items);
  const [scopes, ofModels] = await Promise.all([
    readWho(runner, items, options),
    models.length === 0
      ? []
      : readModelAllowances(runner, [...new Set(items.map((item) => item.projectId))], models),
  ]);
  return { ...scopes, ofModels };
}

/** Models that the reports of a flush name. */
function modelsUsed(items: readonly Item[]): string[] {
  const models = new Set<string>();
  for (const item of items) {
    if (item.kind !== "run" || !("command" in item.what)) continue;
    for (const usage of usagesOf(item.what.command)) {
      if (usage.model !== undefined) models.add(usage.model);
    }
  }
  return [...models];
}

/** What a command says was consumed. */
export function usagesOf(command: RunCommand): Usage[] {
  if (command.kind === "append") return command.events.flatMap(({ usage }) => usage ?? []);
  if (command.kind === "record_usage") return command.records.map(({ usage }) => usage);
  const ends = command.kind === "complete" || command.kind === "fail";
  return ends && command.usage !== undefined ? [command.usage] : [];
}

async function readWho(
  runner: Runner,
  items: readonly Item[],
  options: ScopeOptions,
): Promise<Scopes> {
  const claims = items.filter((item) => item.kind === "claim");
  const alone = accountsOf(items);
  const agents = agentsOf(claims);
  const regulated = agents.filter(({ projectId }) => options.regulated(projectId));
  const asked = new Set(claims.map((claim) => claim.projectId));
  const projects = [...asked].filter(options.regulated).toSorted();
  const rivals = agents.filter(
    ({ projectId }) => options.regulated(projectId) || hasRivals(agents, projectId),
  );
  const named = namedIn(claims, options);
  const runIds = items.flatMap((item) => (item.kind === "run" ? [item.runId] : []));
  if (projects.length + rivals.length + alone.length === 0) return nothing;
  if (projects.length + alone.length === 0) {
    return { ...nothing, agents: await readClaimAgents(runner, rivals) };
  }
  const counted = { agents: regulated, accounts: named };
  const [, , , accounts, , ofAgents, ofAccounts, rows, uses] = await Promise.all([
    projects.length === 0 ? null : shareSettings(runner, regulated, projects),
    lockLimitedAgents(runner, regulated),
    shareAccounts(runner, regulated, { named, alone }),
    alone.length === 0 ? [] : lockAccounts(runner, alone, options.newId),
    projects.length === 0 ? null : lockAllowances(runner, projects, { ...counted, runIds }),
    regulated.length === 0 ? [] : lockExhaustionsOfAgents(runner, regulated),
    alone.length + named.length === 0 ? [] : lockExhaustions(runner, [...alone, ...named]),
    rivals.length === 0 ? [] : readClaimAgents(runner, rivals),
    projects.length === 0
      ? []
      : readAllowanceUses(runner, projects, { ...counted, offsetMs: options.offsetMs }),
  ]);
  const exhaustions = [...ofAgents, ...ofAccounts];
  return { agents: rows, exhaustions, accounts, uses, named, ofModels: [] };
}

/** Accounts that runs name, where somebody asks who draws on none of his own. */
function namedIn(claims: readonly ClaimItem[], options: ScopeOptions): AccountRef[] {
  const projects = new Set<string>();
  for (const claim of claims) {
    if (options.regulated(claim.projectId) && drawsOnNone(claim, options.agents)) {
      projects.add(claim.projectId);
    }
  }
  return [...projects].flatMap((projectId) =>
    [...options.namedAccounts(projectId)].map((account) => ({ projectId, account })),
  );
}

/** Whether a claim may take runs for nobody, or for an agent of whom nothing is known. */
export function drawsOnNone(
  { projectId, agents }: ClaimItem,
  known: ReadonlyMap<string, AgentForClaim>,
): boolean {
  return agents.length === 0 || agents.some(({ name }) => !known.has(`${projectId}/${name}`));
}

/** Whether several agents of a project ask: then it matters how much each has to do. */
function hasRivals(agents: readonly AgentRef[], projectId: string): boolean {
  let count = 0;
  for (const ref of agents) if (ref.projectId === projectId) count += 1;
  return count > 1;
}

function agentsOf(claims: readonly ClaimItem[]): AgentRef[] {
  const refs = new Map<string, AgentRef>();
  for (const { projectId, agents } of claims) {
    for (const { name } of agents) refs.set(`${projectId}/${name}`, { projectId, name });
  }
  return [...refs.values()];
}

/** Accounts that are reported on or recovered: kept from claims meanwhile. */
function accountsOf(items: readonly Item[]): AccountRef[] {
  const refs = new Map<string, AccountRef>();
  for (const item of items) {
    const { projectId } = item;
    let account: string | undefined;
    if (item.kind === "account") account = item.account;
    else if (item.kind === "run" && "command" in item.what) account = item.what.exhausts?.account;
    if (account !== undefined) refs.set(`${projectId}/${account}`, { projectId, account });
  }
  return [...refs.values()];
}

/** An agent as admission sees it. */
export function agentFactsOf(
  row: AgentForClaim,
  rowsOf: (account: string) => readonly Exhaustion[],
): AgentFacts {
  const accounts = accountNamesOf(row);
  return {
    name: row.name,
    paused:
      row.paused_at === null ? null : { reason: row.pause_reason ?? "", by: row.paused_by ?? "" },
    slot:
      row.slot_type === null ? null : { type: row.slot_type, endsAt: row.slot_ends_at as number },
    capabilities: row.capabilities,
    models: row.models,
    maxConcurrent: row.max_concurrent,
    maxRunDurationMs: row.max_run_duration_ms,
    accounts: accounts.map((name) => ({ name, rows: rowsOf(name) })),
    live: row.live,
    typicalTokens: medianOf(row.recent_tokens),
    typicalCost: medianOf(row.recent_cost),
  };
}

/** Accounts an agent draws on: at least one, of its own name. */
export function accountNamesOf(row: { name: string; accounts: readonly string[] }): string[] {
  return row.accounts.length === 0 ? [row.name] : [...row.accounts];
}
