// Agents: register, look at, pause, resume, read what happened to them.
// Promises: registering again keeps absent fields and puts null ones back to the default; pausing
// and resuming are safe to repeat.
// Leaves to others: status (domain), what a paused agent may not claim (domain/admit).

import type { AgentRegistration } from "@signalbox/sdk";
import { Type } from "../typebox.ts";
import { toEventPage } from "../mapping/event-page.ts";
import { toShortPage } from "../mapping/paging.ts";
import { answer, found, route } from "../route.ts";
import { agent, agentQuery, agentRegistration } from "../schemas/agent.ts";
import { event } from "../schemas/event.ts";
import { streamEventsQuery } from "../schemas/filter.ts";
import { withOptionalReason, withReason } from "../schemas/operators.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, name } from "../schemas/scalars.ts";

const params = Type.Object({ name: name("Name of the agent.") }, closed);

const list = route({
  method: "GET",
  url: "/v1/agents",
  operationId: "listAgents",
  summary: "List agents with their status",
  tag: "agents",
  auth: "read",
  scope: "project",
  query: agentQuery,
  responses: { 200: pageOf(agent) },
  handle: async ({ engine, projectId, query }) => {
    const { status, paused } = query;
    const filter = {
      ...(status === undefined ? {} : { status }),
      ...(paused === undefined ? {} : { paused }),
    };
    return answer(await engine.agents(projectId, filter, toShortPage(query)));
  },
});

const register = route({
  method: "PUT",
  url: "/v1/agents/:name",
  operationId: "registerAgent",
  summary: "Register an agent, or change what it may do",
  tag: "agents",
  auth: "operate",
  scope: "project",
  params,
  body: agentRegistration,
  bodyClass: "run",
  responses: { 200: agent },
  handle: async ({ engine, projectId, params: { name: agentName }, body, origin }) =>
    answer(await engine.registerAgent(projectId, agentName, withNamesOnce(body), origin)),
});

/** The registration with every name of its lists once: order counts, repeats do not. */
function withNamesOnce(sent: AgentRegistration): AgentRegistration {
  const registration = { ...sent };
  for (const list of ["capabilities", "models", "accounts"] as const) {
    const names = sent[list];
    if (names !== undefined && names !== null) registration[list] = [...new Set(names)];
  }
  return registration;
}

const get = route({
  method: "GET",
  url: "/v1/agents/:name",
  operationId: "getAgent",
  summary: "One agent",
  tag: "agents",
  auth: "read",
  scope: "project",
  params,
  responses: { 200: agent },
  handle: async ({ engine, projectId, params: { name: agentName } }) =>
    found(await engine.agent(projectId, agentName), "agent"),
});

const pause = route({
  method: "POST",
  url: "/v1/agents/:name/pause",
  operationId: "pauseAgent",
  summary: "Let an agent claim nothing more; what it has goes on",
  tag: "agents",
  auth: "operate",
  scope: "project",
  params,
  body: withReason,
  responses: { 200: agent },
  handle: async ({ engine, projectId, params: { name: agentName }, body, origin }) =>
    answer(await engine.pauseAgent(projectId, agentName, body.reason, origin)),
});

const resume = route({
  method: "POST",
  url: "/v1/agents/:name/resume",
  operationId: "resumeAgent",
  summary: "Let a paused agent claim again",
  tag: "agents",
  auth: "operate",
  scope: "project",
  params,
  body: withOptionalReason,
  responses: { 200: agent },
  handle: async ({ engine, projectId, params: { name: agentName }, body, origin }) =>
    answer(await engine.resumeAgent(projectId, agentName, body.reason ?? null, origin)),
});

const events = route({
  method: "GET",
  url: "/v1/agents/:name/events",
  operationId: "listAgentEvents",
  summary: "What happened to an agent: its status, its pauses",
  tag: "agents",
  auth: "read",
  scope: "project",
  params,
  query: streamEventsQuery,
  responses: { 200: pageOf(event) },
  handle: async ({ engine, projectId, params: { name: agentName }, query }) =>
    found(await engine.agentEvents(projectId, agentName, toEventPage(query)), "agent"),
});

export const agentRoutes = [list, register, get, pause, resume, events];
