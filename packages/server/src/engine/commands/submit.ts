// submit: runs into the line, one or up to 1,000 at a time.
// Promises: idempotent per project and key; `#ref`s of a batch are replaced and cycles refused
// before anything is stored; each item has its own result, in order.
// Leaves to others: validating the JSON (http), storing (flush).

import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse, refuseField } from "../../domain/refusal.ts";
import type { NewRun } from "../../domain/submission.ts";
import { checkNewRun, laneText } from "../../domain/submission.ts";
import { toTypeId } from "../../std/ids.ts";
import { existingRuns } from "../../store/runs.ts";
import { ensureLanes } from "../../store/specs.ts";
import type { Origin, SubmitResult } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { bornSummary, summaryOf } from "../queries/views.ts";
import { readRunViews } from "../../store/run-queries.ts";
import type { Answer, Submitted, SubmitItem } from "../services/flush/items.ts";

type Prepared = { id: string; spec: NewRun; dependsOn: string[] };

export async function submit(
  parts: Parts,
  projectId: string,
  specs: readonly NewRun[],
  origin: Origin,
): Promise<SubmitResult[]> {
  const { traces } = parts;
  if (traces === null) return submitAll(parts, projectId, specs, origin);
  const traced = traces.submitting(specs, projectId);
  let results: SubmitResult[] = [];
  try {
    results = await submitAll(parts, projectId, traced.specs, origin);
  } finally {
    traced.end(results.map((one) => (isRefusal(one) ? null : one.run.id)));
  }
  return results;
}

async function submitAll(
  parts: Parts,
  projectId: string,
  specs: readonly NewRun[],
  origin: Origin,
): Promise<SubmitResult[]> {
  const prepared = await prepare(parts, projectId, specs);
  const good = prepared.filter((one): one is Prepared => !isRefusal(one));
  const stored = good.length === 0 ? [] : await store(parts, projectId, good, origin);
  let next = 0;
  return prepared.map((one) => (isRefusal(one) ? one : (stored[next++] as SubmitResult)));
}

/** Gives ids, replaces `#ref`s, refuses cycles, unknown dependencies and impossible deadlines. */
async function prepare(
  parts: Parts,
  projectId: string,
  specs: readonly NewRun[],
): Promise<(Prepared | Refusal)[]> {
  const refs = new Map<string, number>();
  for (const [index, spec] of specs.entries()) if (spec.ref !== null) refs.set(spec.ref, index);
  const ids = specs.map(() => parts.newId());
  const known = await knownDependencies(parts, projectId, specs);
  const now = parts.clock.wall() + parts.context.offsetMs();
  const result = specs.map((spec, index): Prepared | Refusal => {
    const wrong = checkNewRun(spec, now);
    if (wrong !== null) return wrong;
    const dependsOn: string[] = [];
    for (const name of spec.dependsOn) {
      const ref = name.startsWith("#") ? refs.get(name.slice(1)) : undefined;
      if (ref !== undefined) dependsOn.push(ids[ref] as string);
      else if (!name.startsWith("#") && known.has(name)) dependsOn.push(name);
      else return unknownDependency(name);
    }
    return { id: ids[index] as string, spec, dependsOn };
  });
  refuseDependentsOfRefused(result, ids);
  return refuseCycles(result);
}

function unknownDependency(name: string): Refusal {
  const shown = name.startsWith("#") ? name : toTypeId("run", name);
  return {
    ...refuse("unknown_dependency", `depends_on: there is no run ${shown} in this project.`),
    errors: [{ field: "depends_on", message: `unknown run ${shown}` }],
  };
}

async function knownDependencies(
  parts: Parts,
  projectId: string,
  specs: readonly NewRun[],
): Promise<ReadonlySet<string>> {
  const asked = new Set(
    specs.flatMap((spec) => spec.dependsOn.filter((id) => !id.startsWith("#"))),
  );
  if (asked.size === 0) return asked;
  return parts.reader.within([projectId], (runner) => existingRuns(runner, [...asked]));
}

/** A run whose dependency in the same batch was refused could never start: it is refused too. */
function refuseDependentsOfRefused(result: (Prepared | Refusal)[], ids: readonly string[]): void {
  for (let changed = true; changed;) {
    changed = false;
    const refused = new Set(ids.filter((_, index) => isRefusal(result[index])));
    for (const [index, one] of result.entries()) {
      if (one === undefined || isRefusal(one)) continue;
      if (!one.dependsOn.some((id) => refused.has(id))) continue;
      result[index] = refuseField("depends_on", "names an item of this batch that was refused");
      changed = true;
    }
  }
}

/**
 * Removes items without open dependencies in the batch, again and again; what is left is a cycle.
 */
function refuseCycles(result: (Prepared | Refusal)[]): (Prepared | Refusal)[] {
  const open = new Map<string, Prepared>();
  for (const one of result) if (!isRefusal(one)) open.set(one.id, one);
  for (let changed = true; changed;) {
    changed = false;
    for (const [id, one] of open) {
      if (one.dependsOn.some((parent) => open.has(parent))) continue;
      open.delete(id);
      changed = true;
    }
  }
  return result.map((one) => {
    if (isRefusal(one) || !open.has(one.id)) return one;
    return {
      ...refuse("dependency_cycle", "depends_on: the runs of this batch wait for each other."),
      errors: [{ field: "depends_on", message: "is part of a cycle" }],
    };
  });
}

async function store(
  parts: Parts,
  projectId: string,
  prepared: readonly Prepared[],
  origin: Origin,
): Promise<SubmitResult[]> {
  const specs = prepared.map(({ spec }) => spec);
  const lanes = await lanesOf(parts, projectId, specs);
  const item: SubmitItem = {
    kind: "submit",
    projectId,
    runs: prepared.map((one, index) => ({ ...one, laneId: lanes[index] as string })),
    origin,
  };
  if (prepared.some((one) => one.dependsOn.length > 0)) parts.after.dependenciesExist = true;
  const answer = await parts.work.add(item);
  if (isRefusal(answer)) return prepared.map(() => answer);
  const { results } = answer as Extract<Answer, { kind: "submit" }>;
  recheckDependents(parts, projectId, results);
  return replayed(parts, projectId, results);
}

/**
 * A dependency may have ended between the look and the commit: the dependents are looked at again.
 */
function recheckDependents(parts: Parts, projectId: string, results: readonly Submitted[]): void {
  for (const result of results) {
    if (!("created" in result) || !result.created) continue;
    if (result.run.openDependencies > 0) parts.after.checkDependencies(projectId, result.run.id);
  }
}

async function replayed(
  parts: Parts,
  projectId: string,
  results: readonly Submitted[],
): Promise<SubmitResult[]> {
  const old = results.flatMap((one) => ("runId" in one ? [one.runId] : []));
  const views =
    old.length === 0
      ? []
      : await parts.reader.within([projectId], (runner) => readRunViews(runner, old));
  const byId = new Map(views.map((view) => [view.id, view]));
  return results.map((one): SubmitResult => {
    if (isRefusal(one)) return one;
    if (one.created) return { run: bornSummary(one.run, one.spec), created: true };
    const view = byId.get(one.runId);
    if (view === undefined) return refuse("unavailable", "The run is being stored; try again.");
    return { run: summaryOf(view), created: false };
  });
}

/**
 * Lane ids, from memory where known: lanes never change. Callers that need the same new lane at
 * the same time share one look.
 */
export async function lanesOf(
  parts: Parts,
  projectId: string,
  specs: readonly NewRun[],
): Promise<string[]> {
  const memory = parts.laneIds;
  if (memory.size > MAX_LANES_REMEMBERED) memory.clear();
  const missing = new Map<string, NewRun>();
  const found = specs.map((spec) => {
    const text = `${projectId}${laneText(spec)}`;
    if (!memory.has(text)) missing.set(text, spec);
    return text;
  });
  if (missing.size > 0) makeLanes(parts, projectId, missing);
  return Promise.all(found.map((text) => memory.get(text) as Promise<string>));
}

/** Puts the promises of the new lanes into the memory; a failure takes them out again. */
function makeLanes(parts: Parts, projectId: string, missing: ReadonlyMap<string, NewRun>): void {
  const texts = [...missing.keys()];
  const refs = [...missing.values()].map((key) => ({ projectId, key }));
  const made = parts.writer.within([projectId], (runner) => ensureLanes(runner, refs, parts.newId));
  made.catch(() => {
    for (const text of texts) parts.laneIds.delete(text);
  });
  for (const [index, text] of texts.entries()) {
    parts.laneIds.set(
      text,
      made.then((ids) => ids[index] as string),
    );
  }
}

const MAX_LANES_REMEMBERED = 20_000;
