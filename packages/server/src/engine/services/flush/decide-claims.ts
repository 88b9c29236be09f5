// Claims in a flush: asks `admit` who gets which of the locked candidates and gives each grant its
// attempt. Promises: `admit` alone decides; an attempt's secret leaves the process only in its
// claim.
// Leaves to others: finding candidates (store/claims), writing (write.ts).

import { createHmac, randomBytes } from "node:crypto";
import type { AdmitFacts, Candidate, Grant, Offer } from "../../../domain/admit.ts";
import { admit } from "../../../domain/admit.ts";
import type { Refusal } from "../../../domain/refusal.ts";
import { isRefusal, refuse } from "../../../domain/refusal.ts";
import type { PendingRun, Run } from "../../../domain/run.ts";
import type { LaneKey } from "../../../domain/submission.ts";
import { sha256Hex } from "../../../std/digest.ts";
import { groupBy } from "../../../std/group.ts";
import type { KeyRef } from "../../../store/claims.ts";
import { keyName } from "../../../store/claims.ts";
import type { RuntimeRow } from "../../../store/runtimes.ts";
import { unknownRuntime } from "./decide-items.ts";
import type { ClaimItem, Granted, Outcome } from "./items.ts";
import type { Facts } from "./read.ts";
import type { FlushState } from "./state.ts";

const house = { actor: "house", requestId: "admission", traceparent: null } as const;

/** The secret of an attempt's child processes, derived so that it needs no second random number. */
function childSecretOf(secret: string): string {
  return createHmac("sha256", secret).update("child").digest("base64url").slice(0, 32);
}

function runtimeRefusal(runtime: RuntimeRow | undefined, name: string): Refusal | null {
  if (runtime === undefined) return unknownRuntime(name);
  if (runtime.state === "online") return null;
  if (runtime.state === "stale") {
    return refuse("runtime_stale", `Runtime "${name}" is stale; register it again.`);
  }
  return refuse(
    "runtime_draining",
    `Runtime "${name}" is ${runtime.state} and takes no new work; register it as online.`,
    { state: runtime.state },
  );
}

export type ClaimContext = {
  readonly candidates: readonly PendingRun[];
  readonly lanes: ReadonlyMap<string, LaneKey>;
  readonly liveByKey: ReadonlyMap<string, number>;
  readonly newId: () => string;
};

/** Decides all claims of the flush; the outcomes are in the order of the items. */
export function decideClaims(
  state: FlushState,
  facts: Facts,
  items: readonly ClaimItem[],
  context: ClaimContext,
): Outcome[] {
  const outcomes: Outcome[] = items.map((item) => {
    const refusal = runtimeRefusal(runtimeOf(facts, item), item.runtime);
    return refusal === null ? { answer: noGrants(state) } : { refusal };
  });
  const open = items
    .map((item, index) => ({ item, index }))
    .filter(({ index }) => "answer" in (outcomes[index] as Outcome));
  const byProject = groupBy(open, ({ item }) => item.projectId);
  for (const [projectId, own] of byProject) {
    const offers = own.map(({ item, index }) => offerOf(facts, item, index));
    const candidates = candidatesOf(context, projectId);
    const admission = admit(candidates, offers, admitFacts(state, facts, projectId, context));
    const granted = groupBy(admission.grants, (grant) => grant.offer.id);
    for (const [index, grants] of granted) {
      const item = items[index] as ClaimItem;
      const done = grants.flatMap((given) => grant(state, item, given, context.newId()));
      outcomes[index] = { answer: { kind: "claim", grants: done, at: state.at } };
    }
    for (const run of admission.keyTaken) {
      if (!state.runs.has(run.id)) state.hold(run);
      state.apply(run.id, { kind: "hold_key" }, house);
    }
  }
  return outcomes;
}

function noGrants(state: FlushState) {
  return { kind: "claim", grants: [], at: state.at } as const;
}

function runtimeOf(facts: Facts, item: ClaimItem): RuntimeRow | undefined {
  return facts.runtimes.find(
    (row) => row.project_id === item.projectId && row.name === item.runtime,
  );
}

function offerOf(facts: Facts, item: ClaimItem, id: number): Offer {
  return {
    id,
    runtime: item.runtime,
    agents: item.agents,
    queues: item.queues === null ? null : new Set(item.queues),
    runners: new Set(item.runners),
    capabilities: new Set(runtimeOf(facts, item)?.capabilities),
    free: item.free,
  };
}

function candidatesOf({ candidates, lanes }: ClaimContext, projectId: string): Candidate[] {
  return candidates
    .filter((run) => run.projectId === projectId)
    .map((run) => ({ run, lane: lanes.get(run.laneId) as LaneKey }));
}

/**
 * What may be claimed: the locked candidates as this flush has left them, and what was born ready
 * in it, which nobody else can see yet.
 */
export function claimable(state: FlushState, locked: readonly Run[]): PendingRun[] {
  const runs = locked.map((run) => state.runs.get(run.id)?.run ?? run);
  for (const { before, run } of state.runs.values()) if (before === null) runs.push(run);
  return runs.filter((run): run is PendingRun => run.phase === "pending" && run.held === 0);
}

function admitFacts(
  state: FlushState,
  facts: Facts,
  projectId: string,
  context: ClaimContext,
): AdmitFacts {
  const project = facts.projects.find((row) => row.id === projectId);
  const stopped =
    project === undefined || project.stopped_at === null
      ? null
      : { reason: project.stop_reason ?? "", by: project.stopped_by ?? "" };
  const paused = facts.paused.filter((queue) => queue.project_id === projectId);
  const prefix = `${projectId}/`;
  const liveByKey = new Map(
    [...context.liveByKey]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, live]) => [name.slice(prefix.length), live]),
  );
  return {
    at: state.at,
    stopped,
    pausedQueues: new Map(
      paused.map((queue) => [
        queue.name,
        { reason: queue.pause_reason ?? "", by: queue.paused_by ?? "" },
      ]),
    ),
    liveByKey,
  };
}

function grant(
  state: FlushState,
  item: ClaimItem,
  given: Pick<Grant, "run" | "agent">,
  attemptId: string,
): Granted[] {
  const { run, agent } = given;
  if (!state.runs.has(run.id)) state.hold(run);
  const { runtime, leaseMs } = item;
  const command = { kind: "claim", attemptId, runtime, agent, leaseMs } as const;
  const decision = state.apply(run.id, command, item.origin);
  if (isRefusal(decision)) return [];
  const secret = randomBytes(24).toString("base64url");
  const childSecret = childSecretOf(secret);
  const claimed = state.runs.get(run.id)?.run as Run;
  state.newAttempts.push({
    runId: run.id,
    number: claimed.fencingToken,
    id: attemptId,
    projectId: run.projectId,
    agent,
    runtime,
    at: state.at,
    keyDigest: sha256Hex(secret),
    childDigest: sha256Hex(childSecret),
  });
  return [{ run: claimed, attemptId, secret, childSecret, agent, detail: null }];
}

/** The concurrency keys among the candidates: to be counted under their locks before admission. */
export function keysOf(candidates: readonly Run[]): KeyRef[] {
  const keys = new Map<string, KeyRef>();
  for (const run of candidates) {
    if (run.concurrencyKey === null) continue;
    const ref = { projectId: run.projectId, key: run.concurrencyKey };
    keys.set(keyName(ref), ref);
  }
  return [...keys.values()];
}
