// Claims in a flush: asks `admit` who gets which of the locked candidates and gives each grant its
// attempt. Promises: `admit` alone decides; an attempt's secret leaves the process only in its
// claim.
// Leaves to others: finding candidates (store/claims), writing (write.ts).

import { createHmac, randomBytes } from "node:crypto";
import type { AdmitFacts, Candidate, Grant, Offer } from "../../../domain/admission.ts";
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
import type { Estimate } from "../../../domain/allowance/reserve.ts";
import { unknownRuntime } from "./decide-items.ts";
import { agentFactsOf } from "./read-scopes.ts";
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
  /** What candidates say they will consume, and what their parents have set aside. */
  readonly estimates: ReadonlyMap<string, Estimate>;
  readonly parentLeft: ReadonlyMap<string, Map<string, number>>;
  readonly newId: () => string;
  /** Told of lanes that no claim can take from now. */
  readonly onShut: (projectId: string, laneIds: readonly string[]) => void;
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
    if (admission.shutLanes.length > 0) context.onShut(projectId, admission.shutLanes);
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

function candidatesOf(context: ClaimContext, projectId: string): Candidate[] {
  const { candidates, lanes, estimates, parentLeft } = context;
  return candidates
    .filter((run) => run.projectId === projectId)
    .map((run) => {
      const lane = lanes.get(run.laneId) as LaneKey;
      const left = parentLeft.get(run.id);
      const estimate = estimates.get(run.id) ?? null;
      return { run, lane, estimate, ...(left === undefined ? {} : { parentLeft: left }) };
    });
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
    agents: new Map(
      facts.scopes.agents
        .filter((row) => row.project_id === projectId)
        .map((row) => [
          row.name,
          agentFactsOf(row, (account) => state.accounts.rowsOf(projectId, account)),
        ]),
    ),
    accounts: new Map(
      facts.scopes.named
        .filter((ref) => ref.projectId === projectId)
        .map(({ account }) => [account, state.accounts.rowsOf(projectId, account)]),
    ),
    allowances: facts.scopes.uses.filter((use) => use.projectId === projectId),
  };
}

function grant(state: FlushState, item: ClaimItem, given: Grant, attemptId: string): Granted[] {
  const { run, agent, account, durationCapMs } = given;
  if (!state.runs.has(run.id)) state.hold(run);
  const { runtime, leaseMs } = item;
  const metered = given.reserves.length > 0;
  const probing = given.probes.length > 0;
  const how = { account, durationCapMs, metered, probing };
  const command = { kind: "claim", attemptId, runtime, agent, leaseMs, ...how } as const;
  const decision = state.apply(run.id, command, item.origin);
  if (isRefusal(decision)) return [];
  state.meter.open(given, decision.run.fencingToken);
  const probe = { runId: run.id, token: decision.run.fencingToken, since: state.at };
  for (const row of given.probes) state.accounts.grant(run.projectId, row, probe, item.origin);
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
    account,
    at: state.at,
    keyDigest: sha256Hex(secret),
    childDigest: sha256Hex(childSecret),
  });
  return [{ run: claimed, attemptId, secret, childSecret, agent, account, detail: null }];
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
