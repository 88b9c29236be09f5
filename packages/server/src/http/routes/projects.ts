// Projects: the one of the key, all of them for the owner, and the emergency stop.
// Promises: only the owner's key makes and lists projects; stop and resume need a reason.
// Leaves to others: what a stop does to live runs (engine).

import { answer, created, found, route } from "../route.ts";
import { pageFrom } from "../mapping/paging.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import {
  everything,
  newProject,
  project,
  retentionRequest,
  stopRequest,
  withReason,
} from "../schemas/operators.ts";
import { pageOf } from "../schemas/page.ts";

const current = route({
  method: "GET",
  url: "/v1/project",
  operationId: "getProject",
  summary: "The project of this key",
  tag: "projects",
  auth: "read",
  scope: "project",
  responses: { 200: project },
  handle: async ({ engine, projectId }) => found(await engine.project(projectId), "project"),
});

const create = route({
  method: "POST",
  url: "/v1/projects",
  operationId: "createProject",
  summary: "Make a project",
  tag: "projects",
  auth: "own",
  scope: "installation",
  body: newProject,
  keeps: "plain",
  responses: { 201: project },
  refusals: ["project_exists"],
  handle: async ({ engine, body, origin }) =>
    created(await engine.createProject(body.name, origin)),
});

const list = route({
  method: "GET",
  url: "/v1/projects",
  operationId: "listProjects",
  summary: "List all projects",
  tag: "projects",
  auth: "own",
  scope: "installation",
  query: shortPageQuery,
  responses: { 200: pageOf(project) },
  handle: async ({ engine, query }) =>
    answer(pageFrom(await engine.projects(), query, (one) => one.id)),
});

const stop = route({
  method: "POST",
  url: "/v1/stop",
  operationId: "stopProject",
  summary: "Emergency stop: no claim and no renewal succeeds until it is lifted",
  tag: "operators",
  auth: "operate",
  pace: "urgent",
  scope: "project",
  body: stopRequest,
  responses: { 200: project },
  handle: async ({ engine, projectId, body, origin }) => {
    const { reason, cancel_live: cancelLive = false } = body;
    return answer(await engine.stopProject(projectId, { reason, cancelLive }, origin));
  },
});

const resume = route({
  method: "POST",
  url: "/v1/resume",
  operationId: "resumeProject",
  summary: "Lift the emergency stop",
  tag: "operators",
  auth: "operate",
  pace: "urgent",
  scope: "project",
  body: withReason,
  responses: { 200: project },
  handle: async ({ engine, projectId, body, origin }) =>
    answer(await engine.resumeProject(projectId, body.reason, origin)),
});

const retention = route({
  method: "PUT",
  url: "/v1/project/retention",
  operationId: "setRetention",
  summary: "Set how long runs, and dead letters without an answer, are kept after their end",
  tag: "projects",
  auth: "administer",
  scope: "project",
  body: retentionRequest,
  responses: { 200: project },
  handle: async ({ engine, projectId, body, origin }) =>
    answer(await engine.setRetention(projectId, body, origin)),
});

const everythingNow = route({
  method: "GET",
  url: "/v1/everything",
  operationId: "getEverything",
  summary: "Whether the whole installation is stopped",
  tag: "operators",
  auth: "own",
  scope: "installation",
  responses: { 200: everything },
  handle: async ({ engine }) => answer(await engine.everything()),
});

const stopEverything = route({
  method: "POST",
  url: "/v1/everything/stop",
  operationId: "stopEverything",
  summary: "Emergency stop of every project, those to come included",
  tag: "operators",
  auth: "own",
  pace: "urgent",
  scope: "installation",
  body: stopRequest,
  responses: { 200: everything },
  handle: async ({ engine, body, origin }) => {
    const { reason, cancel_live: cancelLive = false } = body;
    return answer(await engine.stopEverything({ reason, cancelLive }, origin));
  },
});

const resumeEverything = route({
  method: "POST",
  url: "/v1/everything/resume",
  operationId: "resumeEverything",
  summary: "Lift the stop of everything; a project's own stop stays",
  tag: "operators",
  auth: "own",
  pace: "urgent",
  scope: "installation",
  body: withReason,
  responses: { 200: everything },
  handle: async ({ engine, body, origin }) =>
    answer(await engine.resumeEverything(body.reason, origin)),
});

export const projectRoutes = [
  current,
  create,
  list,
  stop,
  resume,
  everythingNow,
  stopEverything,
  resumeEverything,
  retention,
];
