// Runs: submit one or many, list, look at one.
// Promises: a submission is answered 201, or 200 with `Idempotent-Replayed` when the same key and
// body came before; one wrong item of a batch fails alone.
// Leaves to others: events (`run-events.ts`), cancel and kill (`run-control.ts`), worker writes.

import { Type } from "../typebox.ts";
import type { BatchSubmission, BatchSubmitResult, RunSubmission } from "@signalbox/sdk";
import type { SubmitResult } from "../../engine/contract.ts";
import { isRefusal, refuse, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import type { NewRun } from "../../domain/submission.ts";
import { assert } from "../../std/assert.ts";
import { fromWireId } from "../mapping/ids.ts";
import { toRunFilter, toRunPage } from "../mapping/filter.ts";
import { toNewRun } from "../mapping/submission.ts";
import type { SubmittedWith } from "../mapping/submission.ts";
import { problemOf } from "../problem.ts";
import { notFound, refuseFields } from "../refusals.ts";
import { answer, found, route } from "../route.ts";
import { wrongFields } from "../schemas/check.ts";
import { longPageQuery, runQuery, waitQuery } from "../schemas/filter.ts";
import { pageOf } from "../schemas/page.ts";
import { itemResult } from "../schemas/problem.ts";
import { attempts, explanation, run, runCounts, runInput, runSummary } from "../schemas/run.ts";
import { closed, id, key } from "../schemas/scalars.ts";
import { batchRequest, batchSubmission, runSubmission } from "../schemas/submission.ts";
import { limits } from "../../domain/limits.ts";

export const runParams = Type.Object({ id: id("run", "The run") }, closed);

const submitRefusals = [
  "idempotency_mismatch",
  "unknown_dependency",
  "dependency_cycle",
  "payload_too_large",
] as const;

const submit = route({
  method: "POST",
  url: "/v1/runs",
  operationId: "submitRun",
  summary: "Submit a run",
  tag: "runs",
  auth: "submit",
  scope: "project",
  body: runSubmission,
  bodyClass: "run",
  responses: { 200: runSummary, 201: runSummary },
  refusals: submitRefusals,
  handle: async ({ engine, projectId, origin, body, looks, header }) => {
    const sent = withKey(body, header("idempotency-key"));
    if (isRefusal(sent)) return sent;
    const spec = toNewRun(sent, { looks, traceparent: origin.traceparent });
    if (isRefusal(spec)) return spec;
    const [result] = await engine.submit(projectId, [spec], origin);
    assert(result !== undefined, "submit answered nothing");
    if (isRefusal(result)) return result;
    if (result.created) return { status: 201, body: result.run };
    return { status: 200, body: result.run, headers: { "idempotent-replayed": "true" } };
  },
});

const keyShape = Type.Object({ "Idempotency-Key": key("The run's key.") });

/** The submission with the key of the header, which is the run's key. */
function withKey(body: RunSubmission, headerKey: string | undefined): RunSubmission | Refusal {
  if (headerKey === undefined) return body;
  const wrong = wrongFields(keyShape, { "Idempotency-Key": headerKey });
  if (wrong !== null) return refuseFields(wrong);
  const { idempotency_key: bodyKey = headerKey } = body;
  if (bodyKey !== headerKey) {
    const detail = "idempotency_key of the body and the header Idempotency-Key differ; send one.";
    return refuse("idempotency_mismatch", detail);
  }
  return { ...body, idempotency_key: headerKey };
}

const submitBatch = route({
  method: "POST",
  url: "/v1/runs/batch",
  operationId: "submitRuns",
  summary: "Submit up to 1,000 runs, each with its own result",
  tag: "runs",
  auth: "submit",
  scope: "project",
  body: batchRequest,
  itemwise: true,
  bodyClass: "batch",
  responses: {
    200: Type.Object({
      results: Type.Array(itemResult({ run: runSummary, created: Type.Boolean() })),
    }),
  },
  refusals: submitRefusals,
  handle: async ({ engine, projectId, origin, body, looks }) => {
    const request = { looks, traceparent: origin.traceparent };
    const refs = new Set<string>();
    const specs = body.items.map((item) => specOf(item, { request, refs }));
    const good = specs.filter((spec): spec is NewRun => !isRefusal(spec));
    const submitted = good.length === 0 ? [] : await engine.submit(projectId, good, origin);
    let next = 0;
    const results = specs.map((spec) => {
      const result = isRefusal(spec) ? spec : submitted[next++];
      assert(result !== undefined, "submit answered too few results");
      return itemOf(result, origin.requestId);
    });
    return { status: 200, body: { results } };
  },
});

type Batch = { readonly request: SubmittedWith; readonly refs: Set<string> };

/** One item of a batch. `refs` are the names given so far. */
function specOf(item: BatchSubmission, { request, refs }: Batch): NewRun | Refusal {
  const wrong = wrongFields(batchSubmission, item);
  if (wrong !== null) return refuseFields(wrong);
  if (item.ref !== undefined && refs.has(item.ref)) {
    return refuseField("ref", "is the name of an earlier item of this batch");
  }
  if (item.ref !== undefined) refs.add(item.ref);
  return toNewRun(item, request);
}

function itemOf(result: SubmitResult, requestId: string): BatchSubmitResult {
  if (isRefusal(result)) return { ok: false, problem: problemOf(result, requestId) };
  return { ok: true, run: result.run, created: result.created };
}

const list = route({
  method: "GET",
  url: "/v1/runs",
  operationId: "listRuns",
  summary: "List runs, newest first",
  tag: "runs",
  auth: "read",
  scope: "project",
  query: runQuery,
  responses: { 200: pageOf(runSummary) },
  handle: async ({ engine, projectId, query }) => {
    const filter = toRunFilter(query);
    if (isRefusal(filter)) return filter;
    const page = toRunPage(query);
    if (isRefusal(page)) return page;
    return answer(await engine.runs(projectId, filter, page));
  },
});

const counts = route({
  method: "GET",
  url: "/v1/runs/counts",
  operationId: "countRuns",
  summary: "How many runs are in which state, each counted up to 10,000",
  tag: "runs",
  auth: "read",
  scope: "project",
  responses: { 200: runCounts },
  handle: async ({ engine, projectId }) => answer(await engine.runCounts(projectId)),
});

const get = route({
  method: "GET",
  url: "/v1/runs/:id",
  operationId: "getRun",
  summary: "The whole record of a run",
  tag: "runs",
  auth: "read",
  scope: "project",
  params: runParams,
  responses: { 200: run },
  handle: async ({ engine, projectId, params }) => {
    const runId = fromWireId("run", params.id);
    return found(runId === null ? null : await engine.run(projectId, runId), "run");
  },
});

const getInput = route({
  method: "GET",
  url: "/v1/runs/:id/input",
  operationId: "getRunInput",
  summary: "What the run was given: all that a child's key may read",
  tag: "runs",
  auth: "read",
  attemptKey: "child",
  scope: "project",
  params: runParams,
  responses: { 200: runInput },
  handle: async ({ engine, projectId, params }) => {
    const runId = fromWireId("run", params.id);
    const whole = runId === null ? null : await engine.run(projectId, runId);
    if (whole === null) return notFound("run");
    return { status: 200, body: { input: whole.input, input_sha256: whole.input_sha256 } };
  },
});

const listAttempts = route({
  method: "GET",
  url: "/v1/runs/:id/attempts",
  operationId: "listAttempts",
  summary: "Every attempt of a run, oldest first",
  tag: "runs",
  auth: "read",
  scope: "project",
  params: runParams,
  responses: { 200: attempts },
  handle: async ({ engine, projectId, params }) => {
    const runId = fromWireId("run", params.id);
    if (runId === null) return notFound("run");
    const items = await engine.attempts(projectId, runId);
    // Only an empty list leaves open whether there is such a run.
    if (items.length === 0 && (await engine.run(projectId, runId)) === null) return notFound("run");
    return { status: 200, body: { items } };
  },
});

const explain = route({
  method: "GET",
  url: "/v1/runs/:id/explain",
  operationId: "explainRun",
  summary: "Why a run is not running now",
  tag: "runs",
  auth: "read",
  scope: "project",
  params: runParams,
  responses: { 200: explanation },
  handle: async ({ engine, projectId, params }) => {
    const runId = fromWireId("run", params.id);
    return found(runId === null ? null : await engine.explain(projectId, runId), "run");
  },
});

const children = route({
  method: "GET",
  url: "/v1/runs/:id/children",
  operationId: "listChildren",
  summary: "Runs that this run submitted",
  tag: "runs",
  auth: "read",
  scope: "project",
  params: runParams,
  query: longPageQuery,
  responses: { 200: pageOf(runSummary) },
  handle: async ({ engine, projectId, params, query }) => {
    const parentRun = fromWireId("run", params.id);
    if (parentRun === null) return notFound("run");
    const asked = toRunPage(query);
    if (isRefusal(asked)) return asked;
    const page = await engine.runs(projectId, { parentRun }, asked);
    const isKnown = page.items.length > 0 || (await engine.run(projectId, parentRun)) !== null;
    return isKnown ? { status: 200, body: page } : notFound("run");
  },
});

const wait = route({
  method: "GET",
  url: "/v1/runs/:id/wait",
  operationId: "waitForRun",
  summary: "The run as soon as it is terminal, or as it is when the time is over",
  tag: "runs",
  auth: "read",
  scope: "project",
  params: runParams,
  query: waitQuery,
  waits: true,
  responses: { 200: run },
  handle: async ({ engine, projectId, params, query, signal }) => {
    const runId = fromWireId("run", params.id);
    if (runId === null) return notFound("run");
    const { timeout_ms: timeoutMs = limits.waitMsMax } = query;
    return found(await engine.waitForRun(projectId, runId, timeoutMs, signal), "run");
  },
});

export const runRoutes = [
  submit,
  submitBatch,
  list,
  counts,
  get,
  getInput,
  listAttempts,
  explain,
  children,
  wait,
];
