// heartbeat: renews all leases of a worker in one request and says what it must hear.
// Promises: goes through the control batcher, so it never waits behind work; a lease that is no
// longer the worker's is answered `ok: false` with the reason; directives are made from the rows
// just read.
// Leaves to others: freezing and killing (the worker).

import type * as wire from "@signalbox/sdk";
import { timeLeftMs } from "../../domain/due.ts";
import { limits } from "../../domain/limits.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal } from "../../domain/refusal.ts";
import type { Run } from "../../domain/run.ts";
import { isLeased } from "../../domain/run.ts";
import { toTypeId } from "../../std/ids.ts";
import { readRuns } from "../../store/runs.ts";
import type { HeartbeatInput, Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import type { Answer, RunAnswer } from "../services/flush/items.ts";
import { knowAgents } from "./agents.ts";

export async function heartbeat(
  parts: Parts,
  projectId: string,
  input: HeartbeatInput,
  origin: Origin,
): Promise<wire.HeartbeatResponse | Refusal> {
  if (input.agents.length > 0) await knowAgents(parts, projectId, input.agents, origin);
  const presence = parts.control.add({
    kind: "presence",
    projectId,
    runtime: input.runtime,
    agents: input.agents,
    origin,
  });
  const renewals = input.leases.map(async (lease) => {
    const { leaseMs, checkpoint } = lease;
    const command = {
      kind: "renew" as const,
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    };
    const { runId, fence } = lease;
    const answer = await parts.control.add({
      kind: "run",
      projectId,
      runId,
      fence,
      what: { command },
      origin,
    });
    return { lease, answer };
  });
  const [present, ...renewed] = await Promise.all([presence, ...renewals]);
  if (isRefusal(present)) return present;
  const failed = renewed.find(({ answer }) => isRefusal(answer) && answer.code === "unavailable");
  if (failed !== undefined && isRefusal(failed.answer)) return failed.answer;
  const leases: wire.LeaseAnswer[] = [];
  const directives: wire.Directive[] = [];
  for (const { lease, answer } of renewed) {
    const names = {
      run_id: toTypeId("run", lease.runId),
      attempt_id: toTypeId("att", lease.fence.attemptId),
    };
    if (isRefusal(answer)) {
      leases.push({ ...names, ok: false, code: answer.code });
      continue;
    }
    const { run, at } = answer as RunAnswer;
    if (!isLeased(run)) continue;
    leases.push({
      ...names,
      ok: true,
      lease_ms: run.lease.leaseMs,
      time_left_ms: timeLeftMs(run, at),
    });
    const directive = directiveFor(run);
    if (directive !== null) directives.push(directive);
  }
  directives.push(...(await directivesOfEnded(parts, projectId, renewed)));
  return { leases, directives };
}

/** Why a lease has ended, for the attempts that were still the newest: read only when one has. */
async function directivesOfEnded(
  parts: Parts,
  projectId: string,
  renewed: readonly { lease: HeartbeatInput["leases"][number]; answer: Answer | Refusal }[],
): Promise<wire.Directive[]> {
  const stale = renewed.filter(({ answer }) => isRefusal(answer));
  if (stale.length === 0) return [];
  const runs = await parts.reader.within([projectId], (runner) =>
    readRuns(
      runner,
      stale.map(({ lease }) => lease.runId),
    ),
  );
  const attempts = new Set(stale.map(({ lease }) => lease.fence.attemptId));
  return runs.flatMap((run) => {
    const mine = run.attemptId !== null && attempts.has(run.attemptId);
    return (mine ? directiveFor(run) : null) ?? [];
  });
}

function killedBy({ endCause }: Run): "deadline" | "budget" | "kill" {
  return endCause === "deadline" || endCause === "budget" ? endCause : "kill";
}

/** What the holder of this run must hear now; null when nothing. */
export function directiveFor(run: Run): wire.Directive | null {
  if (run.attemptId === null) return null;
  const names = { run_id: toTypeId("run", run.id), attempt_id: toTypeId("att", run.attemptId) };
  const reason = run.statusReason;
  if (isLeased(run)) {
    return run.cancelRequestedAt === null
      ? null
      : { kind: "cancel", ...names, reason, grace_ms: limits.cancelGraceMs };
  }
  if (run.attemptEnd === "killed") {
    return { kind: killedBy(run), ...names, reason };
  }
  if (run.attemptEnd === "released" && run.statusReason === "stopped") {
    return { kind: "stop", ...names, reason };
  }
  const taken = run.attemptEnd === "lost" || run.phase === "waiting_approval_suspended";
  return taken ? { kind: "fenced", ...names, reason } : null;
}
