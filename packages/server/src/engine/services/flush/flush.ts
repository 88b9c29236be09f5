// One flush: takes the items that waited, reads, decides, writes, commits, and says what became of
// each. Promises: two round trips (three when a candidate names a concurrency key or an unknown
// lane); an unknown outcome of the commit is said to be unknown, never guessed (F-53).
// Leaves to others: which items go together and who retries (batcher.ts), what follows a commit
// (hooks).

import type { PendingRun } from "../../../domain/run.ts";
import type { LaneKey } from "../../../domain/submission.ts";
import type { Estimate } from "../../../domain/allowance/reserve.ts";
import type { StoredExhaustion } from "../../../store/accounts.ts";
import { lockAccounts } from "../../../store/accounts.ts";
import type { AgentForClaim } from "../../../store/agents.ts";
import type { AttemptWrite } from "../../../store/attempts.ts";
import { readEstimates } from "../../../store/allowances.ts";
import { countLiveByKey, MAX_LANES } from "../../../store/claims.ts";
import type { Runner } from "../../../store/db.ts";
import { isConnectionLoss } from "../../../store/db.ts";
import { flushCommitted, rollbackFlush } from "../../../store/flushes.ts";
import { lockParentReservations } from "../../../store/reservations.ts";
import type { Presence, RuntimeRow } from "../../../store/runtimes.ts";
import { readLanes } from "../../../store/specs.ts";
import type { ClaimContext } from "./decide-claims.ts";
import { claimable, decideClaims, keysOf } from "./decide-claims.ts";
import { decideAccount, decidePresence, decideRun, decideSubmit } from "./decide-items.ts";
import { decideLetter } from "./decide-letters.ts";
import type { Floors } from "./floors.ts";
import type { Change, ClaimItem, Granted, Item, Outcome } from "./items.ts";
import type { Facts } from "./read.ts";
import { isOnCall, readFacts } from "./read.ts";
import { drawsOnNone } from "./read-scopes.ts";
import type { RunMemory } from "./memory.ts";
import { readModelsAhead, readModelsAsked } from "./models.ts";
import { signsOfLife } from "./presence.ts";
import type { ShutLanes } from "./shut-lanes.ts";
import { FlushState } from "./state.ts";
import { writeFlush } from "./write.ts";

/** What flushes of one server share. */
export type FlushContext = {
  readonly newId: () => string;
  readonly random: () => number;
  /** Added to the database's clock; 0 outside tests. */
  readonly offsetMs: () => number;
  /** Lanes never change, so a server remembers those it has seen. */
  readonly lanes: Map<string, LaneKey>;
  readonly memory: RunMemory;
  readonly floors: Floors;
  /** Runtimes as last seen, by `project/name`: a hint for finding candidates. */
  readonly runtimes: Map<string, RuntimeRow>;
  /** When this server last wrote the presence of an agent on a runtime (monotonic milliseconds). */
  readonly presence: Map<string, number>;
  readonly mono: () => number;
  /** Projects known to have agents, accounts or allowances that limit their claims: for good. */
  readonly regulated: Set<string>;
  /** Agents as last seen, by `project/name`: a hint for finding candidates. */
  readonly agents: Map<string, AgentForClaim>;
  /** Accounts that the lanes this server has seen name, by project. */
  readonly namedAccounts: Map<string, Set<string>>;
  readonly shut: ShutLanes;
};

export type Flushed = {
  readonly outcomes: Outcome[];
  readonly changes: Change[];
  /** What was written of attempts, by `run/number`. */
  readonly attempts: ReadonlyMap<string, AttemptWrite>;
  /** Limits of accounts as this flush left them. */
  readonly exhaustions: readonly StoredExhaustion[];
  /** Allowances of which something was spent. */
  readonly spent: readonly { readonly projectId: string; readonly allowanceId: string }[];
  /** Agents that were heard from. */
  readonly present: readonly Presence[];
  readonly at: number;
};

/** Lanes and runtimes a server remembers; beyond it, it forgets all and reads again. */
const MAX_REMEMBERED = 20_000;

/** Where a flush runs: a pipelined session of the role `app`, and a fresh one after a loss. */
export interface FlushSession {
  runner(): Promise<Runner>;
  /** Drops the session; the next `runner()` opens a new one. */
  discard(): void;
}

/** The connection was lost after COMMIT was sent: the flush row tells what became of it. */
export class UnknownOutcome extends Error {
  override readonly name = "UnknownOutcome";
  readonly flushId: string;
  readonly flushed: Flushed;
  constructor(flushId: string, flushed: Flushed, cause: unknown) {
    super("the outcome of a flush is not known", { cause });
    this.flushId = flushId;
    this.flushed = flushed;
  }
}

/** Looks up what became of a flush: true = committed, its answers stand; false = run it again. */
export async function didCommit(session: FlushSession, unknown: UnknownOutcome): Promise<boolean> {
  try {
    return await flushCommitted(await session.runner(), unknown.flushId);
  } catch (error) {
    session.discard();
    throw error;
  }
}

export async function runFlush(
  session: FlushSession,
  items: readonly Item[],
  options: { wait: boolean; context: FlushContext },
): Promise<Flushed> {
  const { context } = options;
  const runner = await session.runner();
  context.memory.meet(runner);
  const flushId = context.newId();
  let sent = false;
  let flushed: Flushed | null = null;
  try {
    const state = new FlushState(context.random);
    const outcomes = await decideAll(runner, state, items, options);
    const changes = changesOf(state);
    const { touched, present } = signsOfLife(items, context);
    const exhaustions = state.accounts.changed;
    const spent = state.meter.spentTotals;
    const { attempts, at } = state;
    flushed = { outcomes, changes, attempts, exhaustions, spent, present, at };
    const others = touched.length + present.length + exhaustions.length;
    if (changes.length === 0 && others === 0) {
      await rollbackFlush(runner);
      return flushed;
    }
    const onCommitSent = (): void => {
      sent = true;
    };
    const grants = grantsOf(outcomes);
    const granted = grants.map((grant) => grant.run.id);
    const offsetMs = context.offsetMs();
    const extra = { flushId, touched, present, granted, offsetMs, onCommitSent };
    const { details, version } = await writeFlush(runner, state, items, extra);
    context.memory.keep(
      changes.map((change) => change.after),
      version,
    );
    const byId = new Map(details.map((detail) => [detail.id, detail]));
    for (const grant of grants) grant.detail = byId.get(grant.run.id) ?? null;
    return flushed;
  } catch (error) {
    if (sent && flushed !== null && isConnectionLoss(error)) {
      session.discard();
      throw new UnknownOutcome(flushId, flushed, error);
    }
    await abandon(session, runner, error);
    throw error;
  }
}

function grantsOf(outcomes: readonly Outcome[]): Granted[] {
  return outcomes.flatMap((outcome) =>
    "answer" in outcome && outcome.answer.kind === "claim" ? outcome.answer.grants : [],
  );
}

async function abandon(session: FlushSession, runner: Runner, error: unknown): Promise<void> {
  if (isConnectionLoss(error)) {
    session.discard();
    return;
  }
  try {
    await rollbackFlush(runner);
  } catch {
    session.discard();
  }
}

async function decideAll(
  runner: Runner,
  state: FlushState,
  items: readonly Item[],
  options: { wait: boolean; context: FlushContext },
): Promise<Outcome[]> {
  const { context, wait } = options;
  const reading = readFacts(runner, items, context.runtimes, {
    wait,
    offsetMs: context.offsetMs(),
    remembered: (id) => context.memory.get(id),
    floors: context.floors,
    agents: context.agents,
    shut: context.shut,
    regulated: (projectId) => context.regulated.has(projectId),
    namedAccounts: (projectId) => context.namedAccounts.get(projectId) ?? [],
    newId: context.newId,
  });
  const [facts, hinted] = await Promise.all([reading, readModelsAhead(runner, items, context)]);
  const { lanes } = context;
  const asked = await readModelsAsked(runner, items, facts.runs, { hinted, lanes });
  state.at = facts.at;
  state.models = asked.models;
  state.meter.holdModels(asked.ofModels);
  state.meter.hold(facts.reservations);
  state.meter.holdModels(facts.scopes.ofModels);
  state.accounts.hold(facts.scopes.exhaustions);
  state.accounts.holdAccounts(facts.scopes.accounts);
  for (const run of facts.runs) state.hold(run);
  state.approvals.hold(facts.approvals);
  for (const row of facts.dependencies) state.dependencies.set(row.runId, row);
  for (const row of facts.letters) state.letters.hold(row);
  if (context.runtimes.size > MAX_REMEMBERED) context.runtimes.clear();
  for (const row of facts.runtimes) context.runtimes.set(`${row.project_id}/${row.name}`, row);
  // Claims come last: what is submitted in this flush can be claimed in it.
  const decided = items.map((item) => decideItem(state, facts, item));
  const claims = items.filter((item) => item.kind === "claim");
  if (claims.length === 0) return decided as Outcome[];
  const changed = onCallChanged(facts, context);
  const unread = remember(facts, context);
  const ready = claims.filter(({ projectId }) => !unread.has(projectId));
  const granted = await claimAll(runner, state, { facts, claims: ready, context, changed });
  let nextClaim = 0;
  return decided.map((outcome, index) => {
    if (outcome !== null) return outcome;
    if (unread.has((items[index] as Item).projectId)) return { again: true };
    return granted[nextClaim++] as Outcome;
  });
}

/**
 * Keeps what was read of agents as a hint. Returns projects that turn out to be regulated: their
 * claims come again, since what limits them was not read.
 */
function remember(facts: Facts, context: FlushContext): Set<string> {
  const unread = new Set<string>();
  for (const { id, regulated } of facts.projects) {
    if (!regulated || context.regulated.has(id)) continue;
    context.regulated.add(id);
    unread.add(id);
  }
  if (context.agents.size > MAX_REMEMBERED) context.agents.clear();
  for (const row of facts.scopes.agents) context.agents.set(`${row.project_id}/${row.name}`, row);
  return unread;
}

/** Projects with agents that went on or off call unseen: candidates were sought for others. */
function onCallChanged(facts: Facts, { agents }: FlushContext): Set<string> {
  const changed = new Set<string>();
  for (const row of facts.scopes.agents) {
    const before = agents.get(`${row.project_id}/${row.name}`);
    if (isOnCall(row) !== isOnCall(before)) changed.add(row.project_id);
  }
  return changed;
}

/** Null for claims. */
function decideItem(state: FlushState, facts: Facts, item: Item): Outcome | null {
  switch (item.kind) {
    case "run":
      return decideRun(state, facts, item);
    case "submit":
      return decideSubmit(state, facts, item);
    case "presence":
      return decidePresence(state, facts, item);
    case "account":
      return decideAccount(state, item);
    case "letter":
      return decideLetter(state, facts, item);
    case "claim":
      return null;
  }
}

type Claims = {
  readonly facts: Facts;
  readonly claims: readonly ClaimItem[];
  readonly context: FlushContext;
  /** Projects whose candidates were sought with an outdated hint. */
  readonly changed: ReadonlySet<string>;
};

async function claimAll(runner: Runner, state: FlushState, given: Claims): Promise<Outcome[]> {
  const { facts, claims, context } = given;
  const locked = claimable(state, facts.candidates);
  const known = await readMore(runner, state, locked, given);
  const again = new Set(given.changed);
  const candidates = locked.filter((run) => {
    if (!namesUnreadAccount(run, given)) return true;
    again.add(run.projectId);
    return false;
  });
  let shut = 0;
  const outcomes = decideClaims(state, facts, claims, {
    ...known,
    candidates,
    lanes: context.lanes,
    newId: context.newId,
    onShut: (projectId, laneIds) => {
      if (again.has(projectId)) return;
      shut += laneIds.length;
      context.shut.found(projectId, laneIds, claims);
    },
  });
  // Behind as many lanes as one search sees there may be others.
  return outcomes.map((outcome, index) =>
    shut >= MAX_LANES || again.has((claims[index] as ClaimItem).projectId)
      ? orAgain(outcome)
      : outcome,
  );
}

type More = Pick<ClaimContext, "liveByKey" | "estimates" | "parentLeft">;

/** What admission must know of the candidates: keys, estimates, parents, lanes, accounts. */
async function readMore(
  runner: Runner,
  state: FlushState,
  candidates: readonly PendingRun[],
  { facts, context }: Claims,
): Promise<More> {
  if (context.lanes.size > MAX_REMEMBERED) context.lanes.clear();
  const unknown = new Set(
    candidates.map((run) => run.laneId).filter((id) => !context.lanes.has(id)),
  );
  const keys = keysOf(candidates);
  const metered = candidates.filter((run) => isMetered(facts, run.projectId)).map(({ id }) => id);
  const tried = facts.scopes.exhaustions.filter(({ row }) => row.state === "half_open");
  const refs = tried.map(({ projectId, row }) => ({ projectId, account: row.account }));
  const [lanes, liveByKey, estimates, parentLeft, accounts] = await Promise.all([
    unknown.size === 0 ? [] : readLanes(runner, [...unknown]),
    keys.length === 0 ? new Map<string, number>() : countLiveByKey(runner, keys),
    metered.length === 0 ? new Map<string, Estimate>() : readEstimates(runner, metered),
    metered.length === 0
      ? new Map<string, Map<string, number>>()
      : lockParentReservations(runner, metered, (runId) => state.meter.holds(runId)),
    refs.length === 0 ? [] : lockAccounts(runner, refs, context.newId),
  ]);
  state.accounts.holdAccounts(accounts);
  for (const { id, ...lane } of lanes) context.lanes.set(id, lane);
  for (const { projectId, laneId } of candidates) {
    const account = context.lanes.get(laneId)?.account ?? null;
    if (account === null) continue;
    const named = context.namedAccounts.get(projectId) ?? new Set();
    context.namedAccounts.set(projectId, named.add(account));
  }
  return { liveByKey, estimates, parentLeft };
}

/** Whether a run names an account whose limits were to be read and were not: it is new here. */
function namesUnreadAccount(run: PendingRun, { facts, claims, context }: Claims): boolean {
  const { projectId, laneId } = run;
  const account = context.lanes.get(laneId)?.account ?? null;
  if (account === null || !context.regulated.has(projectId)) return false;
  const isRead = facts.scopes.named.some(
    (ref) => ref.projectId === projectId && ref.account === account,
  );
  if (isRead) return false;
  return claims.some((one) => one.projectId === projectId && drawsOnNone(one, context.agents));
}

function orAgain(outcome: Outcome): Outcome {
  const isEmpty =
    "answer" in outcome && outcome.answer.kind === "claim" && outcome.answer.grants.length === 0;
  return isEmpty ? { again: true } : outcome;
}

/** Whether a project counts tokens or money, so that estimates matter. */
function isMetered(facts: Facts, projectId: string): boolean {
  return facts.scopes.uses.some(
    (use) =>
      use.projectId === projectId &&
      (use.allowance.metric === "tokens" || use.allowance.metric === "cost_micros"),
  );
}

function changesOf(state: FlushState): Change[] {
  const changes: Change[] = [];
  for (const { before, run, events, works } of state.runs.values()) {
    if (run !== before) changes.push({ before, after: run, events, works });
  }
  return changes;
}
