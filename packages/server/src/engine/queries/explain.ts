// explain: why a run is not running now, from the same law the claim asks.
// Promises: reads only; names every reason that is true now, of the closed list; what it says
// blocks is what a claim would refuse.
// Leaves to others: words on screens.

import type * as wire from "@signalbox/sdk";
import type { Block } from "../../domain/admission.ts";
import { stateOf } from "../../domain/machine.ts";
import type { PendingRun, Run } from "../../domain/run.ts";
import { isEnded, isLeased } from "../../domain/run.ts";
import type { LaneKey } from "../../domain/submission.ts";
import { whyNot } from "../../domain/why.ts";
import { toTypeId } from "../../std/ids.ts";
import { readEstimates } from "../../store/allowances.ts";
import { peekLiveByKey } from "../../store/claims.ts";
import type { Runner } from "../../store/db.ts";
import { countAhead } from "../../store/run-queries.ts";
import { readRuns } from "../../store/runs.ts";
import { readLanes } from "../../store/specs.ts";
import type { Parts } from "../parts.ts";
import { namedBy, readSituation } from "./situation.ts";

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
  const { projectId, concurrencyKey } = run;
  const keys = concurrencyKey === null ? [] : [{ projectId, key: concurrencyKey }];
  const [lanes, live, estimates] = await Promise.all([
    readLanes(runner, [run.laneId]),
    keys.length === 0 ? new Map<string, number>() : peekLiveByKey(runner, keys),
    readEstimates(runner, [run.id]),
  ]);
  const lane = lanes[0] as LaneKey;
  const named = namedBy([lane]);
  const offsetMs = parts.context.offsetMs();
  const { offers, facts } = await readSituation(runner, projectId, { named, offsetMs });
  const liveByKey = new Map([...live.values()].map((count) => [concurrencyKey as string, count]));
  const candidate = { run, lane, estimate: estimates.get(run.id) ?? null };
  return whyNot(candidate, offers, { ...facts, liveByKey });
}

function pendingExplanation(
  run: PendingRun,
  found: readonly Block[],
  ahead: number,
): wire.Explanation {
  const reasons = found.map(({ code, message, until, facts }): wire.ExplainReason => ({
    code,
    message,
    until: until === undefined ? null : new Date(until).toISOString(),
    ...(facts === undefined ? {} : { facts }),
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
    const waits = run.phase === "waiting_approval_held" ? "Waits for a person's answer. " : "";
    const attempt = `Attempt ${run.fencingToken} by ${who}`;
    const summary = `${waits}${attempt} holds the lease until ${until}.${asked}`;
    return { run_id: id, state, summary, reasons: [], ahead: null };
  }
  return { run_id: id, state, summary: "Waits for a person's answer.", reasons: [], ahead: null };
}
