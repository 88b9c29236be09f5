// The single-run twins of the worker protocol: what a worker written with curl uses.
// Promises: the same code as the batches; a refusal is the answer itself (409 for a stale token);
// the attempt's own key opens them, for its own run only.
// Leaves to others: batches (`worker.ts`), appending events (`run-events.ts`).

import type { HeartbeatResponse, ReportBody } from "@signalbox/sdk";
import { isRefusal, refuse, refusalCodes } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { assert } from "../../std/assert.ts";
import { wrongFences } from "../bound.ts";
import type { FencedRun } from "../mapping/fence.ts";
import { toFencedRun } from "../mapping/fence.ts";
import { toExhausted } from "../mapping/limit.ts";
import { toAsked, wrongCheckpoint } from "../mapping/report.ts";
import { applyReports } from "../reporting.ts";
import { answer, route } from "../route.ts";
import type { Context, Route } from "../route.ts";
import { runReports } from "../schemas/report.ts";
import type { TwinKind } from "../schemas/report.ts";
import { runStatus } from "../schemas/run.ts";
import { heartbeatResponse, runHeartbeat } from "../schemas/worker.ts";
import { runParams } from "./runs.ts";
import { renewalOf } from "./worker.ts";

const summaries: Readonly<Record<TwinKind, string>> = {
  start: "Say that the work has begun",
  complete: "Complete a run with its output",
  fail: "Say that the attempt failed",
  release: "Give a run back",
  exhausted: "Say that a provider's limit was met: the run goes back, the account rests",
  await_tool: "Say that the run waits for a tool",
  resume: "Say that the run goes on",
  terminated: "Say that the attempt's processes are gone",
};

type TwinReport = Exclude<ReportBody, { kind: "await_approval" }>;
type Twin = { readonly id: string };
type FencedBody = { readonly attempt_id: string; readonly fencing_token: number };

function twin(kind: TwinKind): Route {
  return route({
    method: "POST",
    url: `/v1/runs/:id/${kind}`,
    operationId: `${kind.replace("await_tool", "awaitTool")}Run`,
    summary: summaries[kind],
    tag: "single-run worker",
    auth: "work",
    pace: "lease",
    attemptKey: "attempt",
    scope: "project",
    params: runParams,
    body: runReports[kind],
    emitted: true,
    bodyClass: "reports",
    responses: { 200: runStatus },
    refusals: ["stale_fencing_token", "invalid_transition", "already_terminal"],
    handle: async (context) => {
      const { params, body, looks, caller } = context as Context<Twin, unknown, FencedBody>;
      const fenced = toFencedRun({ ...body, run_id: params.id }, caller);
      if (isRefusal(fenced)) return fenced;
      const [foreign = null] = await wrongFences(context, [fenced]);
      if (foreign !== null) return foreign;
      const report = { ...body, kind } as unknown as TwinReport;
      const asked =
        report.kind === "exhausted" ? toExhausted(report, looks) : toAsked(report, looks);
      if (isRefusal(asked)) return asked;
      const [result] = await applyReports(context, [{ ...fenced, ...asked }]);
      assert(result !== undefined, "a report was not answered");
      return answer(isRefusal(result) ? result : result.run);
    },
  });
}

const heartbeat = route({
  method: "POST",
  url: "/v1/runs/:id/heartbeat",
  operationId: "heartbeatRun",
  summary: "Renew the lease of one run; the answer carries its directives",
  tag: "single-run worker",
  auth: "work",
  pace: "lease",
  attemptKey: "attempt",
  scope: "project",
  params: runParams,
  body: runHeartbeat,
  emitted: true,
  bodyClass: "run",
  responses: { 200: heartbeatResponse },
  refusals: ["stale_fencing_token", "payload_too_large"],
  handle: async ({ engine, projectId, params, body, looks, caller, origin }) => {
    const refusal = wrongCheckpoint(body.checkpoint, looks);
    if (refusal !== null) return refusal;
    const fenced = toFencedRun({ ...body, run_id: params.id }, caller);
    if (isRefusal(fenced)) return fenced;
    const [foreign = null] = await wrongFences({ engine, projectId, caller }, [fenced]);
    if (foreign !== null) return foreign;
    const renewal = renewalOf(body, looks);
    const runtime = await runtimeOf({ engine, projectId }, fenced);
    if (isRefusal(runtime)) return runtime;
    const leases = [{ ...fenced, ...renewal }];
    const renewed = await engine.heartbeat(projectId, { runtime, agents: [], leases }, origin);
    return isRefusal(renewed) ? renewed : ownAnswer(renewed, params.id);
  },
});

/** The runtime that holds the run: a heartbeat is always one of a runtime. */
async function runtimeOf(
  { engine, projectId }: Pick<Context<unknown, unknown, unknown>, "engine" | "projectId">,
  { runId }: FencedRun,
): Promise<string | Refusal> {
  const run = await engine.run(projectId, runId);
  if (run === null) return refuse("not_found", "There is no run in this project.");
  if (run.runtime !== null && run.attempt_id !== null) return run.runtime;
  return refuse("stale_fencing_token", "The lease of this attempt has ended; stop the work.", {
    state: run.state,
    newest: run.fencing_token,
  });
}

/** What concerns this run only; a lease that is not renewed is a refusal here. */
function ownAnswer(
  { leases, directives }: HeartbeatResponse,
  runId: string,
): { status: 200; body: HeartbeatResponse } | Refusal {
  const [lease] = leases;
  if (lease === undefined || !lease.ok) {
    const code = refusalCodes.find((one) => one === lease?.code) ?? "stale_fencing_token";
    return refuse(code, "The lease was not renewed; stop the work.");
  }
  const own = directives.filter((one) => "run_id" in one && one.run_id === runId);
  return { status: 200, body: { leases: [lease], directives: own } };
}

export const runWorkerRoutes = [...(Object.keys(runReports) as TwinKind[]).map(twin), heartbeat];
