// The models that usage counts for when its reports name none: those that their runs ask for.
// Promises: the same on every server, whether or not it has seen the run or its lane before; a
// flush without such usage reads nothing for it, one about runs that this server remembers waits
// for no further round trip.
// Leaves to others: what is charged (meter.ts), models that reports name (read-scopes.ts).

import type { Run } from "../../../domain/run.ts";
import type { LaneKey } from "../../../domain/submission.ts";
import type { ModelAllowance } from "../../../store/allowances.ts";
import { readAllowancesOfLanes, readModelAllowances } from "../../../store/allowances.ts";
import type { Runner } from "../../../store/db.ts";
import { readLanes } from "../../../store/specs.ts";
import type { Item } from "./items.ts";
import type { RunMemory } from "./memory.ts";
import { usagesOf } from "./read-scopes.ts";

/** What a server remembers. */
type Known = {
  readonly lanes: Map<string, LaneKey>;
  readonly memory: Pick<RunMemory, "get">;
};

/** Allowances read ahead, and the models they were asked for. */
type Hinted = { readonly models: ReadonlySet<string>; readonly ofModels: ModelAllowance[] };

/** The model that each run asks for, by the run's id, and the allowances of these models. */
type Asked = {
  readonly models: ReadonlyMap<string, string | null>;
  readonly ofModels: readonly ModelAllowance[];
};

/** Beyond so many lanes those that are met here are read again each time. */
const MAX_LANES_KEPT = 20_000;

/** Runs about which usage is told without the name of a model. */
function silentRuns(items: readonly Item[]): Set<string> {
  const runs = new Set<string>();
  for (const item of items) {
    if (item.kind !== "run" || !("command" in item.what)) continue;
    if (usagesOf(item.what.command).some(({ model }) => model === undefined)) runs.add(item.runId);
  }
  return runs;
}

/**
 * Sent with the reading of a flush: allowances of the models that its runs ask for, as far as this
 * server remembers the runs.
 */
export async function readModelsAhead(
  runner: Runner,
  items: readonly Item[],
  { lanes, memory }: Known,
): Promise<Hinted> {
  const models = new Set<string>();
  for (const id of silentRuns(items)) {
    const laneId = memory.get(id)?.run.laneId;
    const model = laneId === undefined ? null : lanes.get(laneId)?.model;
    if (typeof model === "string") models.add(model);
  }
  const projects = [...new Set(items.map((item) => item.projectId))];
  const ofModels =
    models.size === 0 ? [] : await readModelAllowances(runner, projects, [...models]);
  return { models, ofModels };
}

/** Once the runs are locked: what was not known ahead is read now, in one round trip. */
export async function readModelsAsked(
  runner: Runner,
  items: readonly Item[],
  locked: readonly Run[],
  { hinted, lanes }: { hinted: Hinted } & Pick<Known, "lanes">,
): Promise<Asked> {
  const silent = silentRuns(items);
  const runs = locked.filter((run) => silent.has(run.id));
  const modelOf = new Map<string, string | null>();
  const unread = new Set<string>();
  for (const { laneId } of runs) {
    const lane = lanes.get(laneId);
    if (lane !== undefined) modelOf.set(laneId, lane.model);
    const model = lane?.model;
    if (model !== null && (model === undefined || !hinted.models.has(model))) unread.add(laneId);
  }
  const unknown = [...unread].filter((laneId) => !modelOf.has(laneId));
  const [rows, more] = await Promise.all([
    unknown.length === 0 ? [] : readLanes(runner, unknown),
    unread.size === 0 ? [] : readAllowancesOfLanes(runner, [...unread]),
  ]);
  for (const { id, ...lane } of rows) {
    modelOf.set(id, lane.model);
    if (lanes.size < MAX_LANES_KEPT) lanes.set(id, lane);
  }
  const models = new Map(runs.map((run) => [run.id, modelOf.get(run.laneId) ?? null]));
  return { models, ofModels: [...hinted.ofModels, ...more] };
}
