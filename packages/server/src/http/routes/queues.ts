// Queues: list, pause, resume.
// Promises: both changes are safe to repeat.
// Leaves to others: what a paused queue holds back (domain/admit).

import { Type } from "../typebox.ts";
import { answer, route } from "../route.ts";
import { pageFrom } from "../mapping/paging.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { queue, withOptionalReason, withReason } from "../schemas/operators.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, name } from "../schemas/scalars.ts";

const params = Type.Object({ name: name("Name of the queue.") }, closed);

const list = route({
  method: "GET",
  url: "/v1/queues",
  operationId: "listQueues",
  summary: "List queues with what waits and what is live",
  tag: "operators",
  auth: "read",
  scope: "project",
  query: shortPageQuery,
  responses: { 200: pageOf(queue) },
  handle: async ({ engine, projectId, query }) =>
    answer(pageFrom(await engine.queues(projectId), query, (one) => one.name)),
});

const pause = route({
  method: "POST",
  url: "/v1/queues/:name/pause",
  operationId: "pauseQueue",
  summary: "Hold back the runs of a queue; live ones go on",
  tag: "operators",
  auth: "operate",
  scope: "project",
  params,
  body: withReason,
  responses: { 200: queue },
  handle: async ({ engine, projectId, params: { name: queueName }, body, origin }) =>
    answer(await engine.pauseQueue(projectId, queueName, body.reason, origin)),
});

const resume = route({
  method: "POST",
  url: "/v1/queues/:name/resume",
  operationId: "resumeQueue",
  summary: "Let the runs of a queue go again",
  tag: "operators",
  auth: "operate",
  scope: "project",
  params,
  body: withOptionalReason,
  responses: { 200: queue },
  handle: async ({ engine, projectId, params: { name: queueName }, body, origin }) =>
    answer(await engine.resumeQueue(projectId, queueName, body.reason ?? null, origin)),
});

export const queueRoutes = [list, pause, resume];
