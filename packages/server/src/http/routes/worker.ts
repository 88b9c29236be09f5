// The worker protocol in batches: claims, heartbeats, events and reports of many runs at once.
// Promises: answers come item by item, in order; one wrong item fails alone.
// Leaves to others: the same for one run, for curl (`run-worker.ts`), runtimes (`runtimes.ts`).

import type { ItemResult, LeaseAnswer, Report } from "@signalbox/sdk";
import type { Static } from "../typebox.ts";
import type { AppendInput, HeartbeatInput } from "../../engine/contract.ts";
import { limits } from "../../domain/limits.ts";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { defaultRunner } from "../../domain/submission.ts";
import { assert } from "../../std/assert.ts";
import { toTypeId } from "../../std/ids.ts";
import type { Caller } from "../auth.ts";
import { withinBounds, wrongAgents, wrongFences } from "../bound.ts";
import { toAsk } from "../mapping/approval.ts";
import { clean } from "../mapping/clean.ts";
import type { Looks } from "../mapping/clean.ts";
import { toAppended } from "../mapping/events.ts";
import type { FencedRun } from "../mapping/fence.ts";
import { toFencedRun } from "../mapping/fence.ts";
import { toExhausted } from "../mapping/limit.ts";
import { toAsked, wrongCheckpoint } from "../mapping/report.ts";
import { problemOf } from "../problem.ts";
import { refuseFields } from "../refusals.ts";
import { applyReports } from "../reporting.ts";
import type { Reported } from "../reporting.ts";
import { answer, route } from "../route.ts";
import { wrongFields } from "../schemas/check.ts";
import { reportKinds, reports, reportsRequest } from "../schemas/report.ts";
import {
  claimRequest,
  claimResponse,
  eventsItem,
  eventsRequest,
  eventsResponse,
  heartbeatRequest,
  heartbeatResponse,
  reportsResponse,
} from "../schemas/worker.ts";

const claim = route({
  method: "POST",
  url: "/v1/claims",
  operationId: "claimRuns",
  summary: "Claim runs; waits up to `wait_ms` for work",
  tag: "worker",
  auth: "work",
  pace: "lease",
  scope: "project",
  body: claimRequest,
  waits: true,
  responses: { 200: claimResponse },
  refusals: ["runtime_unknown", "runtime_draining", "runtime_stale", "project_stopped"],
  handle: async ({ engine, projectId, caller, body, origin, signal }) => {
    const { free, agents = [] } = body;
    const named = agents.map(({ name }) => name);
    const wrong = wrongAgents(caller, named, "some");
    if (wrong !== null) return wrong;
    const input = {
      runtime: body.runtime,
      agents: agents.map((agent) => ({ name: agent.name, free: agent.free ?? free })),
      queues: body.queues ?? null,
      runners: body.runners ?? [defaultRunner],
      free,
      leaseMs: body.lease_ms ?? limits.leaseMsDefault,
      waitMs: body.wait_ms ?? 0,
    };
    return answer(await engine.claim(projectId, input, origin, signal));
  },
});

const heartbeat = route({
  method: "POST",
  url: "/v1/heartbeats",
  operationId: "heartbeat",
  summary: "Renew all leases of a worker; the answer carries directives",
  tag: "worker",
  auth: "work",
  pace: "lease",
  scope: "project",
  body: heartbeatRequest,
  emitted: true,
  bodyClass: "heartbeats",
  responses: { 200: heartbeatResponse },
  refusals: ["runtime_unknown", "payload_too_large"],
  handle: async ({ engine, projectId, body, looks, origin, caller }) => {
    const { runtime, agents = [] } = body;
    const wrong = wrongAgents(caller, agents);
    if (wrong !== null) return wrong;
    const sent: HeartbeatInput["leases"] = [];
    const unknown: LeaseAnswer[] = [];
    for (const [at, lease] of body.leases.entries()) {
      const refusal = wrongCheckpoint(lease.checkpoint, looks, `leases.${at}.checkpoint`);
      if (refusal !== null) return refusal;
      const fenced = toFencedRun(lease, caller);
      if (isRefusal(fenced)) {
        const { run_id, attempt_id } = lease;
        unknown.push({ run_id, attempt_id, ok: false, code: fenced.code });
      } else sent.push({ ...fenced, ...renewalOf(lease, looks) });
    }
    const foreign = await wrongFences({ engine, projectId, caller }, sent);
    const leases = sent.filter((_, at) => foreign[at] === null);
    unknown.push(...sent.flatMap((one, at) => leaseOf(one, foreign[at] ?? null)));
    const renewed = await engine.heartbeat(projectId, { runtime, agents, leases }, origin);
    if (isRefusal(renewed)) return renewed;
    const all = [...renewed.leases, ...unknown]; // each answer names its lease
    return { status: 200, body: { leases: all, directives: renewed.directives } };
  },
});

/** The answer for a lease that is not the key's to renew; none for one that is. */
function leaseOf({ runId, fence }: FencedRun, refusal: Refusal | null): LeaseAnswer[] {
  if (refusal === null) return [];
  const [run_id, attempt_id] = [toTypeId("run", runId), toTypeId("att", fence.attemptId)];
  return [{ run_id, attempt_id, ok: false, code: refusal.code }];
}

type Renewal = Pick<HeartbeatInput["leases"][number], "leaseMs" | "checkpoint">;
type SentRenewal = Pick<
  Static<typeof heartbeatRequest>["leases"][number],
  "lease_ms" | "checkpoint"
>;

/** Length and checkpoint of a renewal, the latter as it can be stored. */
export function renewalOf({ lease_ms: leaseMs, checkpoint }: SentRenewal, looks: Looks): Renewal {
  return {
    ...(leaseMs === undefined ? {} : { leaseMs }),
    ...(checkpoint === undefined ? {} : { checkpoint: clean(checkpoint, looks).value }),
  };
}

const events = route({
  method: "POST",
  url: "/v1/events",
  operationId: "appendEvents",
  summary: "Append events of many runs",
  tag: "worker",
  auth: "work",
  pace: "lease",
  scope: "project",
  body: eventsRequest,
  itemwise: true,
  emitted: true,
  bodyClass: "events",
  responses: { 200: eventsResponse },
  refusals: ["too_many_events"],
  handle: async ({ engine, projectId, body, looks, caller, origin }) => {
    const read = body.items.map((item) => appendOf(item, { looks, caller }));
    const items = await withinBounds({ engine, projectId, caller }, read);
    const good = items.filter((item): item is AppendInput => !isRefusal(item));
    const total = good.reduce((sum, { events: list }) => sum + list.length, 0);
    if (total > limits.eventsPerBatch) {
      const most = limits.eventsPerBatch;
      return refuse("too_many_events", `A request may carry ${most} events.`, { limit: most });
    }
    const stored = good.length === 0 ? [] : await engine.append(projectId, good, origin);
    const results = merged(items, stored).map((one) => itemOf(one, origin.requestId));
    return { status: 200, body: { results } };
  },
});

type Reading = { readonly looks: Looks; readonly caller: Caller };

function appendOf(
  item: Static<typeof eventsItem>,
  { looks, caller }: Reading,
): AppendInput | Refusal {
  const wrong = wrongFields(eventsItem, item);
  if (wrong !== null) return refuseFields(wrong);
  const fenced = toFencedRun(item, caller);
  if (isRefusal(fenced)) return fenced;
  const list = toAppended(item.events, { looks });
  return isRefusal(list) ? list : { ...fenced, events: list };
}

const report = route({
  method: "POST",
  url: "/v1/reports",
  operationId: "report",
  summary: "Report starts, ends, waits and limits of many runs",
  tag: "worker",
  auth: "work",
  pace: "lease",
  scope: "project",
  body: reportsRequest,
  itemwise: true,
  emitted: true,
  bodyClass: "reports",
  responses: { 200: reportsResponse },
  handle: async ({ engine, projectId, body, looks, caller, origin }) => {
    const read = body.items.map((item) => reportOf(item, { looks, caller }));
    const items = await withinBounds({ engine, projectId, caller }, read);
    const good = items.filter((item): item is Reported => !isRefusal(item));
    const done = await applyReports({ engine, projectId, origin }, good);
    const results = merged(items, done).map((one) => itemOf(one, origin.requestId));
    return { status: 200, body: { results } };
  },
});

function reportOf(item: Report, { looks, caller }: Reading): Reported | Refusal {
  const wrong = wrongReport(item);
  if (wrong !== null) return wrong;
  const fenced = toFencedRun(item, caller);
  if (isRefusal(fenced)) return fenced;
  if (item.kind === "exhausted") return { ...fenced, ...toExhausted(item, looks) };
  if (item.kind === "await_approval") {
    const ask = toAsk(item, looks);
    return isRefusal(ask) ? ask : { ...fenced, ...ask };
  }
  const asked = toAsked(item, looks);
  return isRefusal(asked) ? asked : { ...fenced, ...asked };
}

/** Checked against the shape of its own kind, so that the errors are about that kind. */
function wrongReport(item: Report | null): Refusal | null {
  const kind = item?.kind;
  if (kind === undefined || !reportKinds.includes(kind)) {
    const message = `must be one of ${reportKinds.join(", ")}`;
    return refuseFields([{ field: "kind", message }]);
  }
  const wrong = wrongFields(reports[kind], item);
  return wrong === null ? null : refuseFields(wrong);
}

/** Refusals in their place, results of the others between them, in the order of the items. */
function merged<R>(items: readonly unknown[], results: readonly R[]): (R | Refusal)[] {
  let next = 0;
  return items.map((item) => {
    if (isRefusal(item)) return item;
    const result = results[next++];
    assert(result !== undefined, "the engine answered too few results");
    return result;
  });
}

function itemOf<T extends object>(result: T | Refusal, requestId: string): ItemResult<T> {
  if (isRefusal(result)) return { ok: false, problem: problemOf(result, requestId) };
  return { ok: true, ...result };
}

export const workerRoutes = [claim, heartbeat, events, report];
