// explain: why a run is not running now, from the same `blocks` and `misfits` the claim uses.
// Promises: reads only; names every reason that is true now, of the closed list; what it says
// blocks is what a claim would refuse.
// Leaves to others: words on screens.

import type * as wire from "@signalbox/sdk";
import type { Block, Candidate, Offer } from "../../domain/admit.ts";
import { blocks, misfits } from "../../domain/admit.ts";
import type { PendingRun, Run } from "../../domain/run.ts";
import { isEnded, isLeased } from "../../domain/run.ts";
import type { LaneKey } from "../../domain/submission.ts";
import { stateOf } from "../../domain/machine.ts";
import { toTypeId } from "../../std/ids.ts";
import { peekLiveByKey } from "../../store/claims.ts";
import type { Runner } from "../../store/db.ts";
import { readNow } from "../../store/flushes.ts";
import { readPausedQueues, readProjects } from "../../store/projects.ts";
import { countAhead } from "../../store/run-queries.ts";
import { readRuns } from "../../store/runs.ts";
import type { RuntimeRow } from "../../store/runtimes.ts";
import { listRuntimes, readPresence } from "../../store/runtimes.ts";
import { readLanes } from "../../store/specs.ts";
import type { Parts } from "../parts.ts";

export async function explain(
  parts: Parts,
  projectId: string,
  runId: string,
): Promise<wire.Explanation | null> {
  return parts.reader.within([projectId], async (runner) => {
    const run = (await readRuns(runner, [runId]))[0];
    if (run === undefined || run.projectId !== projectId) return null;
    if (run.phase !== "pending") return standing(run);
    const found = await pendingReasons(parts, runner, run);
    const ahead = run.held === 0 ? await countAhead(runner, runId) : 0;
    return pendingExplanation(run, found, ahead);
  });
}

async function pendingReasons(parts: Parts, runner: Runner, run: PendingRun): Promise<Block[]> {
  const { projectId } = run;
  const keys = run.concurrencyKey === null ? [] : [{ projectId, key: run.concurrencyKey }];
  const [lanes, projects, paused, live, runtimes, presence, at] = await Promise.all([
    readLanes(runner, [run.laneId]),
    readProjects(runner, [projectId]),
    readPausedQueues(runner, [projectId]),
    keys.length === 0 ? new Map<string, number>() : peekLiveByKey(runner, keys),
    listRuntimes(runner, projectId, "", 500),
    readPresence(runner, projectId),
    readNow(runner, parts.context.offsetMs()),
  ]);
  const lane = lanes[0] as LaneKey;
  const project = projects[0];
  const candidate: Candidate = { run, lane };
  const general = blocks(candidate, {
    at,
    stopped:
      project === undefined || project.stopped_at === null
        ? null
        : { reason: project.stop_reason ?? "", by: project.stopped_by ?? "" },
    pausedQueues: new Map(
      paused.map((queue) => [
        queue.name,
        { reason: queue.pause_reason ?? "", by: queue.paused_by ?? "" },
      ]),
    ),
    liveByKey: new Map([...live.values()].map((count) => [run.concurrencyKey as string, count])),
  });
  return [...general, ...nobodyFits(lane, { runtimes, presence, at })];
}

type Fleet = {
  runtimes: readonly RuntimeRow[];
  presence: ReadonlyMap<string, string[]>;
  at: number;
};

/** Reasons of the workers, when none that is online could do it. */
function nobodyFits(lane: LaneKey, fleet: Fleet): Block[] {
  const { runtimes, presence, at } = fleet;
  const online = runtimes.filter(
    (row) => row.state === "online" && row.last_heartbeat_at + row.deadline_s * 1000 > at,
  );
  if (online.length === 0) return [{ code: "no_agent", message: "No worker is online." }];
  let fewest: Block[] | null = null;
  for (const row of online) {
    const found = misfits(lane, offerOf(row, presence.get(row.id) ?? []));
    if (found.length === 0) return [];
    if (fewest === null || found.length < fewest.length) fewest = found;
  }
  return fewest ?? [];
}

/**
 * What a registered runtime offers as far as it has said. Queues come with each claim and are taken
 * as fitting here; a registration without runners stands for the default runner.
 */
function offerOf(row: RuntimeRow, agents: readonly string[]): Offer {
  return {
    id: 0,
    runtime: row.name,
    agents: agents.map((name) => ({ name, free: 1 })),
    queues: null,
    runners: new Set(row.runners.length === 0 ? ["default"] : row.runners),
    capabilities: new Set(row.capabilities),
    free: 1,
  };
}

function pendingExplanation(
  run: PendingRun,
  found: readonly Block[],
  ahead: number,
): wire.Explanation {
  const reasons = found.map(({ code, message, until }): wire.ExplainReason => ({
    code,
    message,
    until: until === undefined ? null : new Date(until).toISOString(),
  }));
  if (ahead > 0) {
    const message = `${ahead}${ahead === 1000 ? " or more" : ""} run(s) go first.`;
    reasons.push({ code: "ahead", message, until: null });
  }
  if (reasons.length === 0) {
    reasons.push({
      code: "no_free_slot",
      message: "Ready: the next claim of a worker with a free place takes it.",
      until: null,
    });
  }
  return {
    run_id: toTypeId("run", run.id),
    state: "pending",
    summary: reasons[0]?.message ?? "",
    reasons,
    ahead,
  };
}

function standing(run: Run): wire.Explanation {
  const id = toTypeId("run", run.id);
  const state = stateOf(run.phase);
  if (isEnded(run)) {
    const why = run.statusReason === null ? "" : `: ${run.statusReason}`;
    const summary = `The run has ended ${state} (${run.endCause})${why}.`;
    return { run_id: id, state, summary, reasons: [], ahead: null };
  }
  if (isLeased(run)) {
    const until = new Date(run.lease.expiresAt).toISOString();
    const who = run.agent === null ? run.runtime : `${run.agent} on ${run.runtime}`;
    const asked = run.cancelRequestedAt === null ? "" : " A cancel has been asked for.";
    const summary = `Attempt ${run.fencingToken} by ${who} holds the lease until ${until}.${asked}`;
    return { run_id: id, state, summary, reasons: [], ahead: null };
  }
  return { run_id: id, state, summary: "Waits for a person's answer.", reasons: [], ahead: null };
}
