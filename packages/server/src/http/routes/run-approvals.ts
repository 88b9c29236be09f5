// Approvals as an attempt sees them: asking, waiting for the answer, saying what was done.
// Promises: an attempt's key, or its child's, opens them for its own run; none of them decides.
// Leaves to others: the inbox and answers (`approvals.ts`), the same as a report (`worker.ts`).

import { Type } from "../typebox.ts";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import { wrongFences } from "../bound.ts";
import { toAsk, toAskingRun, toExecuted } from "../mapping/approval.ts";
import { fromWireId } from "../mapping/ids.ts";
import { notFound } from "../refusals.ts";
import { answer, found, route } from "../route.ts";
import {
  approval,
  approvalWait,
  askedApproval,
  askRequest,
  executedRequest,
} from "../schemas/approval.ts";
import { closed, id } from "../schemas/scalars.ts";
import { runParams } from "./runs.ts";

const params = Type.Object(
  { id: id("run", "The run"), approval_id: id("apr", "The approval") },
  closed,
);

const ask = route({
  method: "POST",
  url: "/v1/runs/:id/approvals",
  operationId: "askApproval",
  summary: "Ask a person; asked again under the same key it is answered at once",
  tag: "single-run worker",
  auth: "work",
  attemptKey: "child",
  scope: "project",
  params: runParams,
  body: askRequest,
  emitted: true,
  bodyClass: "run",
  responses: { 200: askedApproval },
  refusals: [
    "stale_fencing_token",
    "invalid_transition",
    "already_terminal",
    "approval_mismatch",
    "payload_too_large",
  ],
  handle: async ({ engine, projectId, params: { id: runId }, body, looks, caller, origin }) => {
    const fenced = toAskingRun(runId, body, caller);
    if (isRefusal(fenced)) return fenced;
    const [foreign = null] = await wrongFences({ engine, projectId, caller }, [fenced]);
    if (foreign !== null) return foreign;
    const { attempt_id: _, fencing_token: __, ...sent } = body;
    const asked = toAsk(sent, looks);
    if (isRefusal(asked)) return asked;
    const result = await engine.ask(projectId, { ...fenced, ...asked }, origin);
    if (isRefusal(result)) return result;
    const { run, approval: one } = result;
    if (one === null) {
      const words = "The run was asked to end and has ended; nobody is asked.";
      return refuse("already_terminal", words, { state: run.state });
    }
    return { status: 200, body: { approval: one, run_state: run.state } };
  },
});

const get = route({
  method: "GET",
  url: "/v1/runs/:id/approvals/:approval_id",
  operationId: "getRunApproval",
  summary: "A question of this run; `wait_s` waits for the answer",
  tag: "single-run worker",
  auth: "read",
  attemptKey: "child",
  scope: "project",
  params,
  query: approvalWait,
  waits: true,
  responses: { 200: approval },
  handle: async ({ engine, projectId, params: at, query, signal }) => {
    const approvalId = fromWireId("approval", at.approval_id);
    if (approvalId === null) return notFound("approval");
    const now = await engine.approval(projectId, approvalId, { timeoutMs: 0, signal });
    // Of another run: nobody waits for it here.
    if (now === null || now.run_id !== at.id) return notFound("approval");
    const timeoutMs = (query.wait_s ?? 0) * 1000;
    return found(await engine.approval(projectId, approvalId, { timeoutMs, signal }), "approval");
  },
});

const executed = route({
  method: "POST",
  url: "/v1/runs/:id/approvals/:approval_id/executed",
  operationId: "reportExecuted",
  summary: "Say what is done under an approval: refused unless it is what was decided",
  tag: "single-run worker",
  auth: "work",
  attemptKey: "child",
  scope: "project",
  params,
  body: executedRequest,
  emitted: true,
  bodyClass: "run",
  responses: { 200: approval },
  refusals: ["stale_fencing_token", "approval_mismatch", "payload_too_large"],
  handle: async ({ engine, projectId, params: at, body, looks, caller, origin }) => {
    const fenced = toAskingRun(at.id, body, caller);
    if (isRefusal(fenced)) return fenced;
    const [foreign = null] = await wrongFences({ engine, projectId, caller }, [fenced]);
    if (foreign !== null) return foreign;
    const approvalId = fromWireId("approval", at.approval_id);
    if (approvalId === null) return notFound("approval");
    const done = toExecuted(body, looks);
    if (isRefusal(done)) return done;
    return answer(await engine.executed(projectId, { ...fenced, approvalId, done }, origin));
  },
});

export const runApprovalRoutes = [ask, get, executed];
