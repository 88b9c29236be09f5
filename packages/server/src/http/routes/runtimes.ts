// Runtimes: the server's records of worker processes, and the stream that tells them what to do.
// Promises: registering again keeps absent fields and clears null ones; the stream of directives
// says `: open` once it stands, and begins with what stands now.
// Leaves to others: claims and heartbeats (`worker.ts`).

import { Type } from "../typebox.ts";
import type { Engine } from "../../engine/contract.ts";
import { answer, found, route } from "../route.ts";
import { notFound } from "../refusals.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { pageOf, shortPageDefault } from "../schemas/page.ts";
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
  query: shortPageQuery,
  responses: { 200: pageOf(runtime) },
  handle: async ({ engine, projectId, query }) => {
    const { limit = shortPageDefault, cursor = null } = query;
    return answer(await engine.runtimes(projectId, { limit, cursor }));
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

const directives = route({
  method: "GET",
  url: "/v1/runtimes/:name/directives",
  operationId: "followDirectives",
  summary: "Stream of directives for a worker: cancel, kill, stop, deadline, wake",
  tag: "worker",
  auth: "work",
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

export const runtimeRoutes = [registerRuntime, list, get, directives];
