// Runtimes: the server's records of worker processes, and the stream that tells them what to do.
// Promises: registering again keeps absent fields and clears null ones; the stream of directives
// says `: open` once it stands, and begins with what stands now.
// Leaves to others: claims and heartbeats (`worker.ts`).

import { Type } from "../typebox.ts";
import type { Engine } from "../../engine/contract.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { toShortPage } from "../mapping/paging.ts";
import { toRuntimeFilter } from "../mapping/runtime-filter.ts";
import { answer, found, route } from "../route.ts";
import { notFound } from "../refusals.ts";
import { runtimeQuery } from "../schemas/filter.ts";
import { withReason } from "../schemas/operators.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, name } from "../schemas/scalars.ts";
import { directive, runtime, runtimeRegistration } from "../schemas/worker.ts";
import type { Frame } from "../sse.ts";

const params = Type.Object({ name: name("Name of the runtime.") }, closed);

const registerRuntime = route({
  method: "PUT",
  url: "/v1/runtimes/:name",
  operationId: "registerRuntime",
  summary: "Register a worker process, or register it again",
  tag: "worker",
  auth: "work",
  pace: "lease",
  scope: "project",
  params,
  body: runtimeRegistration,
  responses: { 200: runtime },
  handle: async ({ engine, projectId, params: { name: runtimeName }, body, origin }) =>
    answer(await engine.registerRuntime(projectId, runtimeName, body, origin)),
});

const list = route({
  method: "GET",
  url: "/v1/runtimes",
  operationId: "listRuntimes",
  summary: "List runtimes",
  tag: "operators",
  auth: "read",
  scope: "project",
  query: runtimeQuery,
  responses: { 200: pageOf(runtime) },
  handle: async ({ engine, projectId, query }) => {
    const filter = toRuntimeFilter(query);
    if (isRefusal(filter)) return filter;
    return answer(await engine.runtimes(projectId, filter, toShortPage(query)));
  },
});

const get = route({
  method: "GET",
  url: "/v1/runtimes/:name",
  operationId: "getRuntime",
  summary: "One runtime",
  tag: "operators",
  auth: "read",
  scope: "project",
  params,
  responses: { 200: runtime },
  handle: async ({ engine, projectId, params: { name: runtimeName } }) =>
    found(await engine.runtime(projectId, runtimeName), "runtime"),
});

const drain = route({
  method: "POST",
  url: "/v1/runtimes/:name/drain",
  operationId: "drainRuntime",
  summary: "Let a runtime finish what it has and claim nothing more",
  tag: "operators",
  auth: "operate",
  scope: "project",
  params,
  body: withReason,
  responses: { 200: runtime },
  handle: async ({ engine, projectId, params: { name: runtimeName }, body, origin }) =>
    answer(await engine.drainRuntime(projectId, runtimeName, body.reason, origin)),
});

const directives = route({
  method: "GET",
  url: "/v1/runtimes/:name/directives",
  operationId: "followDirectives",
  summary: "Stream of directives for a worker: cancel, kill, stop, deadline, budget, wake",
  tag: "worker",
  auth: "work",
  pace: "lease",
  scope: "project",
  params,
  waits: true,
  streams: directive,
  responses: {},
  handle: async ({ engine, projectId, params: { name: runtimeName } }) => {
    if ((await engine.runtime(projectId, runtimeName)) === null) return notFound("runtime");
    const to = { projectId, runtime: runtimeName };
    return { greeting: "open", stream: (signal) => frames(engine, to, signal) };
  },
});

async function* frames(
  engine: Engine,
  { projectId, runtime: runtimeName }: { projectId: string; runtime: string },
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  for await (const one of engine.directives(projectId, runtimeName, signal)) {
    yield { event: "directive", data: one };
  }
}

export const runtimeRoutes = [registerRuntime, list, get, drain, directives];
