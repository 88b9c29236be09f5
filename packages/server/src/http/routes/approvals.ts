// Approvals as people see them: the inbox, one question, approving, rejecting; and callback links
// for whoever has no key.
// Promises: only keys that may approve decide or make links: never a worker's, never an attempt's;
// a link shows its question and answers it once; used, it says what was decided and when, and
// no more; a link that was replaced is as absent as one that never was.
// Leaves to others: asking (`run-approvals.ts`), who is first (domain).

import { Type } from "../typebox.ts";
import { isRefusal } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import type { Approval, LinkedApproval } from "@signalbox/sdk";
import { toAnswer } from "../mapping/approval.ts";
import { fromWireId } from "../mapping/ids.ts";
import { toShortPage } from "../mapping/paging.ts";
import { notFound } from "../refusals.ts";
import { answer, found, route } from "../route.ts";
import type { Route } from "../route.ts";
import {
  approval,
  approvalLink,
  approvalQuery,
  approvalWait,
  approveRequest,
  linkAnswer,
  linkedApproval,
  rejectRequest,
} from "../schemas/approval.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, id } from "../schemas/scalars.ts";

const params = Type.Object({ id: id("apr", "The approval") }, closed);

const list = route({
  method: "GET",
  url: "/v1/approvals",
  operationId: "listApprovals",
  summary: "Questions across runs, oldest first unless `order=desc`; `status=pending` is the inbox",
  tag: "approvals",
  auth: "read",
  scope: "project",
  query: approvalQuery,
  responses: { 200: pageOf(approval) },
  handle: async ({ engine, projectId, query }) => {
    const { status, agent, risk, order, run_id: wireRun } = query;
    const runId = wireRun === undefined ? undefined : fromWireId("run", wireRun);
    if (runId === null) return notFound("run");
    const filter = {
      ...(status === undefined ? {} : { status }),
      ...(agent === undefined ? {} : { agent }),
      ...(risk === undefined ? {} : { risk }),
      ...(runId === undefined ? {} : { runId }),
      ...(order === undefined ? {} : { order }),
    };
    return answer(await engine.approvals(projectId, filter, toShortPage(query)));
  },
});

const get = route({
  method: "GET",
  url: "/v1/approvals/:id",
  operationId: "getApproval",
  summary: "One question; `wait_s` waits for the answer",
  tag: "approvals",
  auth: "read",
  scope: "project",
  params,
  query: approvalWait,
  waits: true,
  responses: { 200: approval },
  handle: async ({ engine, projectId, params: at, query, signal }) => {
    const approvalId = fromWireId("approval", at.id);
    if (approvalId === null) return notFound("approval");
    const wait = { timeoutMs: (query.wait_s ?? 0) * 1000, signal };
    return found(await engine.approval(projectId, approvalId, wait), "approval");
  },
});

function decision(kind: "approve" | "reject"): Route {
  return route({
    method: "POST",
    url: `/v1/approvals/:id/${kind}`,
    operationId: `${kind}Approval`,
    summary: kind === "approve" ? "Approve, as asked or with edited arguments" : "Reject",
    tag: "approvals",
    auth: "approve",
    scope: "project",
    params,
    body: kind === "approve" ? approveRequest : rejectRequest,
    bodyClass: "run",
    responses: { 200: approval },
    refusals: ["approval_decided", "payload_too_large"],
    handle: async ({ engine, projectId, params: at, body, looks, origin }) => {
      const approvalId = fromWireId("approval", at.id);
      if (approvalId === null) return notFound("approval");
      const given = toAnswer(kind, body, looks);
      if (isRefusal(given)) return given;
      return answer(await engine.answerApproval(projectId, approvalId, given, origin));
    },
  });
}

const link = route({
  method: "POST",
  url: "/v1/approvals/:id/link",
  operationId: "linkApproval",
  summary: "Make a callback link: whoever has it can answer this question, once",
  tag: "approvals",
  auth: "approve",
  scope: "project",
  params,
  responses: { 200: approvalLink },
  refusals: ["approval_decided"],
  handle: async ({ engine, projectId, params: at, origin }) => {
    const approvalId = fromWireId("approval", at.id);
    if (approvalId === null) return notFound("approval");
    return answer(await engine.linkApproval(projectId, approvalId, origin));
  },
});

// ---- by link ------------------------------------------------------------------------------------

const LINK_LENGTH = 101;
const linkParams = Type.Object(
  { token: Type.String({ maxLength: 2 * LINK_LENGTH, description: "The token of the link." }) },
  closed,
);
const byLink = {
  url: "/v1/approval-links/:token",
  tag: "approvals",
  auth: "public",
  scope: "installation",
  params: linkParams,
  responses: { 200: linkedApproval },
} as const;
/** What a link shows is for whoever has it, and for no cache in between. */
const privately = { "cache-control": "no-store" };

function linked(one: Approval | null): Refusal | LinkedAnswer {
  if (one === null) return notFound("open question under this link");
  const { id: approvalId, title, action, risk, agent, status } = one;
  const { asked_at, expires_at, arguments: args } = one;
  const what = { id: approvalId, title, action, arguments: args, risk, agent };
  return { status: 200, body: { ...what, asked_at, expires_at, status }, headers: privately };
}
type LinkedAnswer = { status: 200; body: LinkedApproval; headers: typeof privately };

const showLink = route({
  ...byLink,
  method: "GET",
  operationId: "getApprovalByLink",
  summary: "What a callback link asks; decides nothing",
  refusals: ["not_found", "approval_decided"],
  handle: async ({ engine, params: { token } }) => {
    const found = await engine.approvalByLink(token);
    return isRefusal(found) ? found : linked(found);
  },
});

const answerLink = route({
  ...byLink,
  method: "POST",
  operationId: "answerApprovalByLink",
  summary: "Answer by a callback link, without a key",
  body: linkAnswer,
  bodyClass: "run",
  refusals: ["not_found", "approval_decided", "payload_too_large"],
  handle: async ({ engine, params: { token }, body, looks, origin }) => {
    const given = toAnswer(body.decision, body, looks);
    if (isRefusal(given)) return given;
    const result = await engine.answerByLink(token, given, origin);
    return isRefusal(result) ? result : linked(result);
  },
});

export const approvalRoutes = [
  list,
  get,
  decision("approve"),
  decision("reject"),
  link,
  showLink,
  answerLink,
];
