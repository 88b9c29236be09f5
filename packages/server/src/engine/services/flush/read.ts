// First round trip of a flush: begin, insert the specs that are new, lock the runs, read what
// admission must know, and the database's time. All statements are sent at once (pipelined).
// Promises: every lock a flush takes on runs is taken here, ordered by id; nothing is decided.
// Leaves to others: deciding (decide-items.ts), writing (write.ts).

import type { Run } from "../../../domain/run.ts";
import { groupBy } from "../../../std/group.ts";
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
import type { Floors } from "./floors.ts";
import type { ClaimItem, Item, RunItem, SubmitItem } from "./items.ts";

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
  runtimes: readonly RuntimeRow[];
  projects: readonly ProjectRow[];
  paused: readonly (QueueRow & { project_id: string })[];
  candidates: readonly Run[];
};

export type ReadOptions = LockOptions & {
  readonly offsetMs: number;
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
  const runItems = items.filter((item) => item.kind === "run");
  const claims = items.filter((item) => item.kind === "claim");
  const begun = beginFlush(runner, projects);
  const parts = await Promise.all([
    begun,
    readSubmits(runner, submits),
    readLocked(runner, runItems, options),
    readRuntimes(runner, items),
    readClaims(runner, claims, runtimesKnown, options.floors),
    readStops(runner, projects, items),
    readNow(runner, options.offsetMs),
  ]);
  const [, submit, run, runtimes, claim, stops, at] = parts;
  return { at, ...submit, ...run, runtimes, ...claim, projects: stops };
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
  const keys = new Map<string, { projectId: string; key: string }>();
  for (const { projectId, runs, origin } of items) {
    for (const { id, spec, dependsOn } of runs) {
      rows.push({ runId: id, projectId, spec, dependsOn, submittedBy: origin.actor });
      for (const parent of dependsOn) parents.add(parent);
      if (spec.concurrencyKey !== null) {
        const ref = { projectId, key: spec.concurrencyKey };
        held.set(keyName(ref), ref);
      }
      if (spec.idempotencyKey !== null) {
        const key = { projectId, key: spec.idempotencyKey };
        keys.set(`${projectId}/${key.key}`, key);
      }
    }
  }
  const [inserted, known, open, keyUse] = await Promise.all([
    insertSpecs(runner, rows),
    keys.size === 0 ? [] : findByIdempotency(runner, [...keys.values()]),
    parents.size === 0 ? new Map<string, boolean>() : parentsOpen(runner, [...parents]),
    held.size === 0 ? new Map<string, number>() : peekLiveByKey(runner, [...held.values()]),
  ]);
  return { inserted, known, parents: open, keyUse };
}

async function readLocked(
  runner: Runner,
  items: readonly RunItem[],
  options: LockOptions,
): Promise<Pick<Facts, "runs" | "exists" | "dependencies">> {
  if (items.length === 0) return { runs: [], exists: new Set(), dependencies: [] };
  const ids = [...new Set(items.map((item) => item.runId))].toSorted();
  const dependents = items.filter((item) => "dependencies" in item.what).map((item) => item.runId);
  const [runs, dependencies] = await Promise.all([
    lockRuns(runner, ids, options),
    dependents.length === 0 ? [] : dependencyStates(runner, dependents),
  ]);
  const exists = runs.length === ids.length ? new Set<string>() : await existingRuns(runner, ids);
  return { runs, exists, dependencies };
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
  floors: ReadOptions["floors"],
): Promise<Pick<Facts, "paused" | "candidates">> {
  if (claims.length === 0) return { paused: [], candidates: [] };
  const projects = [...new Set(claims.map((claim) => claim.projectId))].toSorted();
  const [paused, candidates] = await Promise.all([
    readPausedQueues(runner, projects),
    lockCandidates(runner, demandsOf(claims, runtimesKnown), floors.begin()),
  ]);
  floors.found(candidates);
  return { paused, candidates };
}

/** Most candidates taken from one lane for one project in one flush. */
const MAX_DEMAND = 500;

/** The union of what the claims of each project could do; admission decides exactly. */
function demandsOf(
  claims: readonly ClaimItem[],
  runtimesKnown: ReadonlyMap<string, RuntimeRow>,
): Demand[] {
  const byProject = groupBy(claims, (claim) => claim.projectId);
  return [...byProject].map(([projectId, own]) => {
    const free = own.reduce((sum, claim) => sum + claim.free, 0);
    const serveAll = own.some((claim) => claim.queues === null);
    return {
      projectId,
      demand: Math.min(MAX_DEMAND, free),
      runners: unique(own.flatMap((claim) => claim.runners)),
      queues: serveAll ? null : unique(own.flatMap((claim) => claim.queues ?? [])),
      capabilities: unique(
        own.flatMap(
          (claim) => runtimesKnown.get(`${projectId}/${claim.runtime}`)?.capabilities ?? [],
        ),
      ),
      agents: unique(own.flatMap((claim) => claim.agents.map((agent) => agent.name))),
      runtimes: unique(own.map((claim) => claim.runtime)),
    };
  });
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
