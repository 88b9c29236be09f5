// Cancel and kill: how people end a run before it ends itself.
// Promises: both need a key that may cancel; a kill needs a reason.
// Leaves to others: grace, fencing, children (domain, engine).

import { answer, route } from "../route.ts";
import { fromWireId } from "../mapping/ids.ts";
import { notFound } from "../refusals.ts";
import { cancelRequest, withReason } from "../schemas/operators.ts";
import { runStatus } from "../schemas/run.ts";
import { runParams } from "./runs.ts";

const cancel = route({
  method: "POST",
  url: "/v1/runs/:id/cancel",
  operationId: "cancelRun",
  summary: "Ask a run to stop; a live one is told and has 30 s",
  tag: "runs",
  auth: "cancel",
  pace: "urgent",
  scope: "project",
  params: runParams,
  body: cancelRequest,
  responses: { 200: runStatus },
  refusals: ["already_terminal", "invalid_transition"],
  handle: async ({ engine, projectId, params, body, origin }) => {
    const runId = fromWireId("run", params.id);
    if (runId === null) return notFound("run");
    const { reason = null, cascade = false } = body;
    return answer(await engine.cancel(projectId, runId, { reason, cascade }, origin));
  },
});

const kill = route({
  method: "POST",
  url: "/v1/runs/:id/kill",
  operationId: "killRun",
  summary: "End a run at once, without waiting for its worker",
  tag: "runs",
  auth: "cancel",
  pace: "urgent",
  scope: "project",
  params: runParams,
  body: withReason,
  responses: { 200: runStatus },
  refusals: ["already_terminal", "invalid_transition"],
  handle: async ({ engine, projectId, params, body, origin }) => {
    const runId = fromWireId("run", params.id);
    if (runId === null) return notFound("run");
    return answer(await engine.kill(projectId, runId, body.reason, origin));
  },
});

export const runControlRoutes = [cancel, kill];
