// First round trip of a flush: begin, insert the specs that are new, lock the runs, read what
// admission must know, and the database's time. All statements are sent at once (pipelined).
// Promises: every lock a flush takes on runs is taken here, ordered by id; nothing is decided.
// Leaves to others: deciding (decide-items.ts), writing (write.ts).

import type { Approval } from "../../../domain/approval.ts";
import { ON_CALL_PRIORITY } from "../../../domain/fit.ts";
import type { Run } from "../../../domain/run.ts";
import { groupBy } from "../../../std/group.ts";
import { approvalsOfRuns } from "../../../store/approvals.ts";
import type { Demand, KeyRef } from "../../../store/claims.ts";
import { keyName, lockCandidates, peekLiveByKey } from "../../../store/claims.ts";
import type { Runner } from "../../../store/db.ts";
import { beginFlush, readNow } from "../../../store/flushes.ts";
import type { ProjectRow, QueueRow } from "../../../store/projects.ts";
import { readPausedQueues, readProjects, shareProjects } from "../../../store/projects.ts";
import type { LockOptions } from "../../../store/runs.ts";
import { existingRuns, lockRuns } from "../../../store/runs.ts";
import type { RuntimeRow } from "../../../store/runtimes.ts";
import { findRuntimes } from "../../../store/runtimes.ts";
import type { DependencyState, KnownKey, SpecRow } from "../../../store/specs.ts";
import {
  dependencyStates,
  findByIdempotency,
  insertSpecs,
  parentsOpen,
} from "../../../store/specs.ts";
import type { AgentForClaim } from "../../../store/agents.ts";
import type { AttemptRef, StoredReservation } from "../../../store/reservations.ts";
import { lockReservations } from "../../../store/reservations.ts";
import type { UsageWrite } from "../../../store/usage.ts";
import { recordUsage } from "../../../store/usage.ts";
import type { Floors } from "./floors.ts";
import type { ScopeOptions, Scopes } from "./read-scopes.ts";
import { readScopes } from "./read-scopes.ts";
import type { LetterRow } from "../../../store/dead-letters.ts";
import { readLetters } from "../../../store/dead-letters.ts";
import type { ClaimItem, Item, LetterItem, RunItem, SubmitItem } from "./items.ts";
import { approvalRefs } from "./approvals.ts";
import type { ShutLanes } from "./shut-lanes.ts";

/** Everything a flush knows before it decides. */
export type Facts = {
  at: number;
  runs: Run[];
  /** Asked for but not locked: held by another transaction (`again`) or not there at all. */
  exists: ReadonlySet<string>;
  inserted: ReadonlySet<string>;
  known: readonly KnownKey[];
  /** Runs that submissions depend on → still open; live attempts of the keys they name. */
  parents: ReadonlyMap<string, boolean>;
  keyUse: ReadonlyMap<string, number>;
  dependencies: readonly DependencyState[];
  /** Dead letters of the runs that somebody redrives or discards. */
  letters: readonly LetterRow[];
  runtimes: readonly RuntimeRow[];
  projects: readonly ProjectRow[];
  paused: readonly (QueueRow & { project_id: string })[];
  candidates: readonly Run[];
  scopes: Scopes;
  reservations: readonly StoredReservation[];
  approvals: readonly Approval[];
  /** Usages said late or by children that were not stored before, as `run/number/producer_seq`. */
  recordedUsage: Set<string>;
};

export type ReadOptions = LockOptions &
  ScopeOptions & {
    readonly shut: Pick<ShutLanes, "for">;
    readonly floors: Pick<Floors, "begin" | "found">;
  };

export async function readFacts(
  runner: Runner,
  items: readonly Item[],
  runtimesKnown: ReadonlyMap<string, RuntimeRow>,
  options: ReadOptions,
): Promise<Facts> {
  const projects = [...new Set(items.map((item) => item.projectId))];
  const submits = items.filter((item) => item.kind === "submit");
  const runItems = items.filter((item) => item.kind === "run" || item.kind === "letter");
  const claims = items.filter((item) => item.kind === "claim");
  const begun = beginFlush(runner, projects);
  const parts = await Promise.all([
    begun,
    readScopes(runner, items, options),
    readSubmits(runner, submits),
    readLocked(runner, runItems, options),
    readRuntimes(runner, items),
    readClaims(runner, claims, runtimesKnown, options),
    readStops(runner, projects, items),
    readNow(runner, options.offsetMs),
  ]);
  const [, scopes, submit, run, runtimes, claim, stops, at] = parts;
  return { at, scopes, ...submit, ...run, runtimes, ...claim, projects: stops };
}

async function readSubmits(
  runner: Runner,
  items: readonly SubmitItem[],
): Promise<Pick<Facts, "inserted" | "known" | "parents" | "keyUse">> {
  if (items.length === 0) {
    return { inserted: new Set(), known: [], parents: new Map(), keyUse: new Map() };
  }
  const parents = new Set<string>();
  const held = new Map<string, KeyRef>();
  const rows: SpecRow[] = [];
  for (const { projectId, runs, origin } of items) {
    for (const { id, spec, dependsOn } of runs) {
      rows.push({ runId: id, projectId, spec, dependsOn, submittedBy: origin.actor });
      for (const parent of dependsOn) parents.add(parent);
      if (spec.concurrencyKey !== null) {
        const ref = { projectId, key: spec.concurrencyKey };
        held.set(keyName(ref), ref);
      }
    }
  }
  const [inserted, open, keyUse] = await Promise.all([
    insertSpecs(runner, rows),
    parents.size === 0 ? new Map<string, boolean>() : parentsOpen(runner, [...parents]),
    held.size === 0 ? new Map<string, number>() : peekLiveByKey(runner, [...held.values()]),
  ]);
  const known = await readKnown(runner, rows, inserted);
  return { inserted, known, parents: open, keyUse };
}

/** The runs that stand under the keys of those that were not inserted: seldom any. */
async function readKnown(
  runner: Runner,
  rows: readonly SpecRow[],
  inserted: ReadonlySet<string>,
): Promise<readonly KnownKey[]> {
  if (inserted.size === rows.length) return [];
  const keys = new Map<string, { projectId: string; key: string }>();
  for (const { runId, projectId, spec } of rows) {
    if (inserted.has(runId) || spec.idempotencyKey === null) continue;
    keys.set(`${projectId}/${spec.idempotencyKey}`, { projectId, key: spec.idempotencyKey });
  }
  return findByIdempotency(runner, [...keys.values()]);
}

type Locked = Pick<
  Facts,
  "runs" | "exists" | "dependencies" | "letters" | "reservations" | "recordedUsage" | "approvals"
>;

async function readLocked(
  runner: Runner,
  about: readonly (RunItem | LetterItem)[],
  options: LockOptions,
): Promise<Locked> {
  if (about.length === 0) return noneLocked;
  const ids = [...new Set(about.map((item) => item.runId))].toSorted();
  const items = about.filter((item) => item.kind === "run");
  const letterIds = about.flatMap((item) => (item.kind === "letter" ? [item.runId] : []));
  const dependents = items.filter((item) => "dependencies" in item.what).map((item) => item.runId);
  const guessed = meteredOf(ids.map((id) => options.remembered(id)?.run));
  const [runs, letters, dependencies, held] = await Promise.all([
    lockRuns(runner, ids, options),
    // After the lock: whoever closed one before has committed.
    letterIds.length === 0 ? [] : readLetters(runner, letterIds),
    dependents.length === 0 ? [] : dependencyStates(runner, dependents),
    guessed.length === 0 ? [] : lockReservations(runner, guessed),
  ]);
  const told = toRecord(items, runs);
  const known = new Set(guessed.map(({ runId, number }) => `${runId}/${number}`));
  const missed = meteredOf(runs).filter((ref) => !known.has(`${ref.runId}/${ref.number}`));
  const unread = [...missed, ...told];
  const refs = approvalRefs(items, runs);
  const [exists, recordedUsage, more, approvals] = await Promise.all([
    runs.length === ids.length ? new Set<string>() : existingRuns(runner, ids),
    told.length === 0 ? new Set<string>() : recordUsage(runner, told),
    unread.length === 0 ? [] : lockReservations(runner, unread),
    refs.length === 0 ? [] : approvalsOfRuns(runner, refs),
  ]);
  const reservations = [...held, ...more];
  return { runs, exists, dependencies, letters, recordedUsage, reservations, approvals };
}

const noneLocked = {
  letters: [],
  runs: [],
  exists: new Set<string>(),
  dependencies: [],
  reservations: [],
  recordedUsage: new Set<string>(),
  approvals: [],
};

/** Live attempts that have set something aside. */
function meteredOf(runs: readonly (Run | undefined)[]): AttemptRef[] {
  return runs.flatMap((run) =>
    run?.metered === true ? [{ runId: run.id, number: run.fencingToken }] : [],
  );
}

/**
 * Usage said after the end or by child processes: stored here, so that it is booked once. Only that
 * of runs which this flush holds: what is stored and not decided on would never be booked. Of
 * several under one number the first counts.
 */
function toRecord(items: readonly RunItem[], held: readonly Run[]): Omit<UsageWrite, "at">[] {
  const projectOf = new Map(held.map((run) => [run.id, run.projectId]));
  const told = new Map<string, Omit<UsageWrite, "at">>();
  for (const { runId, projectId, what } of items) {
    if (!("command" in what) || what.command.kind !== "record_usage") continue;
    if (projectOf.get(runId) !== projectId) continue;
    const { token, agent, account, records, late } = what.command;
    for (const { producerSeq, usage } of records) {
      const name = `${runId}/${token}/${producerSeq}`;
      if (told.has(name)) continue;
      const model = usage.model ?? null;
      const who = { runId, number: token, projectId, agent, account, model };
      told.set(name, { ...who, producerSeq, usage, late });
    }
  }
  return [...told.values()];
}

async function readRuntimes(runner: Runner, items: readonly Item[]): Promise<RuntimeRow[]> {
  const refs = new Map<string, { projectId: string; name: string }>();
  for (const item of items) {
    if (item.kind === "claim" || item.kind === "presence") {
      refs.set(`${item.projectId}/${item.runtime}`, {
        projectId: item.projectId,
        name: item.runtime,
      });
    }
  }
  return refs.size === 0 ? [] : findRuntimes(runner, [...refs.values()]);
}

/** The stops that claims and renewals must respect: none commits while this flush is under way. */
async function readStops(
  runner: Runner,
  projects: readonly string[],
  items: readonly Item[],
): Promise<ProjectRow[]> {
  if (!items.some((item) => item.kind === "claim" || isRenewal(item))) return [];
  const sorted = projects.toSorted();
  const [, rows] = await Promise.all([shareProjects(runner, sorted), readProjects(runner, sorted)]);
  return rows;
}

/** Whether an item asks for more time under a lease. */
export function isRenewal(item: Item): boolean {
  return item.kind === "run" && "command" in item.what && item.what.command.kind === "renew";
}

async function readClaims(
  runner: Runner,
  claims: readonly ClaimItem[],
  runtimesKnown: ReadonlyMap<string, RuntimeRow>,
  { floors, agents, shut }: Pick<ReadOptions, "floors" | "agents" | "shut">,
): Promise<Pick<Facts, "paused" | "candidates">> {
  if (claims.length === 0) return { paused: [], candidates: [] };
  const projects = [...new Set(claims.map((claim) => claim.projectId))].toSorted();
  const demands = demandsOf(claims, runtimesKnown, agents);
  const [paused, candidates] = await Promise.all([
    readPausedQueues(runner, projects),
    lockCandidates(runner, demands, {
      floors: floors.begin(),
      shut: shut.for(claims),
    }),
  ]);
  // Where only urgent runs were looked for, others stand below what was found.
  const partly = new Set(demands.flatMap((one) => (one.minPriority > 0 ? one.projectId : [])));
  floors.found(candidates.filter((run) => !partly.has(run.projectId)));
  const once = new Map(candidates.map((run) => [run.id, run]));
  return { paused, candidates: once.size < candidates.length ? [...once.values()] : candidates };
}

/** Most candidates taken from one lane for one project in one flush. */
const MAX_DEMAND = 500;

/**
 * The union of what the claims of each project could do; admission decides exactly. For agents that
 * were on call when last seen urgent runs are looked for by themselves: in the line of a lane they
 * may stand behind many that others would take.
 */
function demandsOf(
  claims: readonly ClaimItem[],
  runtimesKnown: ReadonlyMap<string, RuntimeRow>,
  agentsKnown: ReadonlyMap<string, AgentForClaim>,
): Demand[] {
  const byProject = groupBy(claims, (claim) => claim.projectId);
  return [...byProject].flatMap(([projectId, own]) => {
    const names = unique(own.flatMap((claim) => claim.agents.map((agent) => agent.name)));
    const onCall = names.filter((name) => isOnCall(agentsKnown.get(`${projectId}/${name}`)));
    const others = names.filter((name) => !onCall.includes(name));
    const all = demandOf(projectId, own, { runtimesKnown, agentsKnown });
    const urgent = { ...all, agents: onCall, minPriority: ON_CALL_PRIORITY };
    if (onCall.length === 0) return [all];
    const isForOthers = others.length > 0 || own.some((claim) => claim.agents.length === 0);
    return isForOthers ? [{ ...all, agents: others }, urgent] : [urgent];
  });
}

type Known = {
  readonly runtimesKnown: ReadonlyMap<string, RuntimeRow>;
  readonly agentsKnown: ReadonlyMap<string, AgentForClaim>;
};

function demandOf(
  projectId: string,
  own: readonly ClaimItem[],
  { runtimesKnown, agentsKnown }: Known,
): Demand {
  const free = own.reduce((sum, claim) => sum + claim.free, 0);
  const serveAll = own.some((claim) => claim.queues === null);
  return {
    projectId,
    demand: Math.min(MAX_DEMAND, free),
    runners: unique(own.flatMap((claim) => claim.runners)),
    queues: serveAll ? null : unique(own.flatMap((claim) => claim.queues ?? [])),
    capabilities: unique(
      own.flatMap((claim) => [
        ...(runtimesKnown.get(`${projectId}/${claim.runtime}`)?.capabilities ?? []),
        ...claim.agents.flatMap(
          ({ name }) => agentsKnown.get(`${projectId}/${name}`)?.capabilities ?? [],
        ),
      ]),
    ),
    agents: unique(own.flatMap((claim) => claim.agents.map((agent) => agent.name))),
    runtimes: unique(own.map((claim) => claim.runtime)),
    minPriority: 0,
  };
}

/** Whether an agent was on call when last seen: a hint, admission decides. */
export function isOnCall(agent: AgentForClaim | undefined): boolean {
  return agent?.slot_type === "on_call";
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
