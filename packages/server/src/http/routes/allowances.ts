// Allowances: create, list, look at, change, delete; and what was consumed.
// Promises: what an allowance is for and counts never changes: another one is another id.
// Leaves to others: which fields go together (domain), reserving and settling (engine).

import { Type } from "../typebox.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { fromWireId } from "../mapping/ids.ts";
import { toShortPage } from "../mapping/paging.ts";
import { toUsageFilter } from "../mapping/usage.ts";
import { notFound } from "../refusals.ts";
import { answer, created, found, route } from "../route.ts";
import { allowance, allowanceChange, allowanceInput } from "../schemas/allowance.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, id } from "../schemas/scalars.ts";
import { usageQuery, usageRows } from "../schemas/usage.ts";

const params = Type.Object({ id: id("alw", "The allowance") }, closed);

const list = route({
  method: "GET",
  url: "/v1/allowances",
  operationId: "listAllowances",
  summary: "List allowances with what is spent and reserved",
  tag: "allowances",
  auth: "read",
  scope: "project",
  query: shortPageQuery,
  responses: { 200: pageOf(allowance) },
  handle: async ({ engine, projectId, query }) =>
    answer(await engine.allowances(projectId, toShortPage(query))),
});

const create = route({
  method: "POST",
  url: "/v1/allowances",
  operationId: "createAllowance",
  keeps: "plain",
  summary: "Limit what a project, agent, account or model may consume",
  tag: "allowances",
  auth: "operate",
  scope: "project",
  body: allowanceInput,
  responses: { 201: allowance },
  handle: async ({ engine, projectId, body, origin }) =>
    created(await engine.createAllowance(projectId, body, origin)),
});

const get = route({
  method: "GET",
  url: "/v1/allowances/:id",
  operationId: "getAllowance",
  summary: "One allowance with what is spent and reserved",
  tag: "allowances",
  auth: "read",
  scope: "project",
  params,
  responses: { 200: allowance },
  handle: async ({ engine, projectId, params: { id: wireId } }) => {
    const allowanceId = fromWireId("allowance", wireId);
    return found(
      allowanceId === null ? null : await engine.allowance(projectId, allowanceId),
      "allowance",
    );
  },
});

const update = route({
  method: "PUT",
  url: "/v1/allowances/:id",
  operationId: "updateAllowance",
  summary: "Change limit, mode or default reserve; what is absent stays",
  tag: "allowances",
  auth: "operate",
  scope: "project",
  params,
  body: allowanceChange,
  responses: { 200: allowance },
  handle: async ({ engine, projectId, params: { id: wireId }, body, origin }) => {
    const allowanceId = fromWireId("allowance", wireId);
    if (allowanceId === null) return notFound("allowance");
    return answer(await engine.updateAllowance(projectId, allowanceId, body, origin));
  },
});

const remove = route({
  method: "POST",
  url: "/v1/allowances/:id/delete",
  operationId: "deleteAllowance",
  summary: "End an allowance: it limits nothing any more",
  tag: "allowances",
  auth: "operate",
  scope: "project",
  params,
  responses: { 200: allowance },
  handle: async ({ engine, projectId, params: { id: wireId }, origin }) => {
    const allowanceId = fromWireId("allowance", wireId);
    if (allowanceId === null) return notFound("allowance");
    return answer(await engine.deleteAllowance(projectId, allowanceId, origin));
  },
});

const usage = route({
  method: "GET",
  url: "/v1/usage",
  operationId: "listUsage",
  summary: "What was consumed, by agent, account, model and day",
  tag: "allowances",
  auth: "read",
  scope: "project",
  query: usageQuery,
  responses: { 200: usageRows },
  handle: async ({ engine, projectId, query, wall }) => {
    const filter = toUsageFilter(query, wall());
    if (isRefusal(filter)) return filter;
    return { status: 200, body: { items: await engine.usage(projectId, filter) } };
  },
});

export const allowanceRoutes = [list, create, get, update, remove, usage];
