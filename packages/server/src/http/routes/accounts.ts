// Accounts that agents draw on: register, look at, report a limit, say that it is over.
// Promises: a name with a slash (`anthropic/max-1`) is one segment, percent-encoded; a report of a
// limit is cleaned rather than refused.
// Leaves to others: reading what the provider said, and when it recovers (domain).

import { Type } from "../typebox.ts";
import { refuse } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { clean } from "../mapping/clean.ts";
import { toLimitReport } from "../mapping/limit.ts";
import { toShortPage } from "../mapping/paging.ts";
import { answer, found, route } from "../route.ts";
import type { Context } from "../route.ts";
import { account, accountRegistration, recoverRequest } from "../schemas/agent.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { limitReport } from "../schemas/limit.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, name } from "../schemas/scalars.ts";

const params = Type.Object({ name: name("Name of the account; a slash as `%2F`.") }, closed);

const list = route({
  method: "GET",
  url: "/v1/accounts",
  operationId: "listAccounts",
  summary: "List accounts with their limits",
  tag: "agents",
  auth: "read",
  scope: "project",
  query: shortPageQuery,
  responses: { 200: pageOf(account) },
  handle: async ({ engine, projectId, query }) =>
    answer(await engine.accounts(projectId, toShortPage(query))),
});

const register = route({
  method: "PUT",
  url: "/v1/accounts/:name",
  operationId: "registerAccount",
  summary: "Register an account, or change what is known of it",
  tag: "agents",
  auth: "operate",
  scope: "project",
  params,
  body: accountRegistration,
  bodyClass: "run",
  responses: { 200: account },
  handle: async ({ engine, projectId, params: { name: accountName }, body, origin }) =>
    answer(await engine.registerAccount(projectId, accountName, body, origin)),
});

const get = route({
  method: "GET",
  url: "/v1/accounts/:name",
  operationId: "getAccount",
  summary: "One account with its limits",
  tag: "agents",
  auth: "read",
  scope: "project",
  params,
  responses: { 200: account },
  handle: async ({ engine, projectId, params: { name: accountName } }) =>
    found(await engine.account(projectId, accountName), "account"),
});

const exhausted = route({
  method: "POST",
  url: "/v1/accounts/:name/exhausted",
  operationId: "reportExhaustion",
  summary: "Report that a provider's limit was met outside of a run",
  tag: "worker",
  auth: "work",
  pace: "lease",
  scope: "project",
  params,
  body: limitReport,
  emitted: true,
  bodyClass: "events",
  responses: { 200: account },
  handle: async ({ engine, projectId, caller, params, body, looks, origin }) => {
    const { name: accountName } = params;
    const wrong = await wrongAccount({ engine, projectId, caller }, accountName);
    if (wrong !== null) return wrong;
    const report = toLimitReport(clean(body, looks).value);
    return answer(await engine.reportExhaustion(projectId, accountName, report, origin));
  },
});

type Asked = Pick<Context<unknown, unknown, unknown>, "engine" | "projectId" | "caller">;

/** A key that is bound to agents speaks of the accounts that these draw on. */
async function wrongAccount(asked: Asked, accountName: string): Promise<Refusal | null> {
  const { engine, projectId, caller } = asked;
  const agents = caller.kind === "key" ? caller.principal.agents : null;
  if (agents === null) return null;
  const own = await Promise.all(agents.map((agent) => engine.agent(projectId, agent)));
  if (own.some((agent) => agent?.accounts.includes(accountName) === true)) return null;
  return refuse("forbidden", `This key works as ${agents.join(", ")}, none of which draws on it.`);
}

const recover = route({
  method: "POST",
  url: "/v1/accounts/:name/recover",
  operationId: "recoverAccount",
  summary: "Say that a limit is over: one run tries it",
  tag: "agents",
  auth: "operate",
  scope: "project",
  params,
  body: recoverRequest,
  responses: { 200: account },
  handle: async ({ engine, projectId, params: { name: accountName }, body, origin }) => {
    const { model, reason } = body;
    const input = model === undefined ? { reason } : { model, reason };
    return answer(await engine.recoverAccount(projectId, accountName, input, origin));
  },
});

export const accountRoutes = [list, register, get, exhausted, recover];
