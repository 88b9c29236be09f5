// Dead letters: groups of like errors, the letters of one, redrive and discard; and acts on many
// runs at once.
// Promises: reading needs `read`, closing letters `operate`, cancelling `cancel`; an act on many
// counts first.
// Leaves to others: what each act does (engine), filters (`mapping/bulk.ts`).

import type { Static } from "../typebox.ts";
import type { LetterFilter } from "../../engine/contract.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { fromWireId } from "../mapping/ids.ts";
import { toBulkWhich, toChanges } from "../mapping/bulk.ts";
import { toShortPage } from "../mapping/paging.ts";
import { notFound } from "../refusals.ts";
import { answer, route } from "../route.ts";
import {
  bulkCancelRequest,
  bulkDiscardRequest,
  bulkRedriveRequest,
  bulkResult,
  deadLetter,
  deadLetterGroup,
  discardRequest,
  letterParams,
  letterQuery,
  redriven,
  redriveRequest,
} from "../schemas/dead-letters.ts";
import { pageOf } from "../schemas/page.ts";
import { runSummary } from "../schemas/run.ts";
import { runParams } from "./runs.ts";

function filterOf({ status = "open", queue, agent }: Static<typeof letterQuery>): LetterFilter {
  return {
    status,
    ...(queue === undefined ? {} : { queue }),
    ...(agent === undefined ? {} : { agent }),
  };
}

const groups = route({
  method: "GET",
  url: "/v1/dead-letters",
  operationId: "listDeadLetters",
  summary: "Dead letters by what their errors have in common, the group that grew last first",
  tag: "dead letters",
  auth: "read",
  scope: "project",
  query: letterQuery,
  responses: { 200: pageOf(deadLetterGroup) },
  handle: async ({ engine, projectId, query }) =>
    answer(await engine.letterGroups(projectId, filterOf(query), toShortPage(query))),
});

const letters = route({
  method: "GET",
  url: "/v1/dead-letters/:fingerprint",
  operationId: "listDeadLettersOfGroup",
  summary: "The dead letters of one group, newest first",
  tag: "dead letters",
  auth: "read",
  scope: "project",
  params: letterParams,
  query: letterQuery,
  responses: { 200: pageOf(deadLetter) },
  handle: async ({ engine, projectId, params, query }) => {
    const filter = { ...filterOf(query), fingerprint: params.fingerprint };
    return answer(await engine.letters(projectId, filter, toShortPage(query)));
  },
});

const closing = ["not_a_dead_letter", "dead_letter_closed"] as const;

const redrive = route({
  method: "POST",
  url: "/v1/runs/:id/redrive",
  operationId: "redriveRun",
  summary: "Try a dead letter again as a new run, with what is to be different",
  tag: "dead letters",
  auth: "operate",
  scope: "project",
  params: runParams,
  body: redriveRequest,
  bodyClass: "run",
  responses: { 200: redriven, 201: redriven },
  refusals: [...closing, "payload_too_large"],
  handle: async ({ engine, projectId, params, body, looks, origin }) => {
    const runId = fromWireId("run", params.id);
    if (runId === null) return notFound("run");
    const changes = toChanges(body, looks);
    if (isRefusal(changes)) return changes;
    const result = await engine.redrive(projectId, runId, changes, origin);
    if (isRefusal(result)) return result;
    if (result.created) return { status: 201, body: result };
    return { status: 200, body: result, headers: { "idempotent-replayed": "true" } };
  },
});

const discard = route({
  method: "POST",
  url: "/v1/runs/:id/discard",
  operationId: "discardRun",
  summary: "Put a dead letter away, with a note",
  tag: "dead letters",
  auth: "operate",
  scope: "project",
  params: runParams,
  body: discardRequest,
  responses: { 200: runSummary },
  refusals: closing,
  handle: async ({ engine, projectId, params, body, origin }) => {
    const runId = fromWireId("run", params.id);
    if (runId === null) return notFound("run");
    return answer(await engine.discard(projectId, runId, body.note, origin));
  },
});

const many = {
  method: "POST",
  tag: "runs",
  scope: "project",
  bodyClass: "run",
  responses: { 200: bulkResult },
  refusals: ["count_changed", "payload_too_large"],
} as const;

const cancelMany = route({
  ...many,
  url: "/v1/runs/cancel",
  operationId: "cancelRuns",
  summary: "Ask every run that matches to stop; count first with dry_run",
  auth: "cancel",
  body: bulkCancelRequest,
  handle: async ({ engine, projectId, body, origin }) => {
    const { reason, cascade = false, ...sent } = body;
    const which = toBulkWhich(sent);
    if (isRefusal(which)) return which;
    return answer(await engine.bulk(projectId, which, { kind: "cancel", reason, cascade }, origin));
  },
});

const redriveMany = route({
  ...many,
  url: "/v1/runs/redrive",
  operationId: "redriveRuns",
  summary: "Redrive every dead letter that matches; count first with dry_run",
  auth: "operate",
  body: bulkRedriveRequest,
  handle: async ({ engine, projectId, body, looks, origin }) => {
    const { changes: wanted = {}, ...sent } = body;
    const which = toBulkWhich(sent);
    if (isRefusal(which)) return which;
    const changes = toChanges(wanted, looks);
    if (isRefusal(changes)) return changes;
    return answer(await engine.bulk(projectId, which, { kind: "redrive", changes }, origin));
  },
});

const discardMany = route({
  ...many,
  url: "/v1/runs/discard",
  operationId: "discardRuns",
  summary: "Discard every dead letter that matches; count first with dry_run",
  auth: "operate",
  body: bulkDiscardRequest,
  handle: async ({ engine, projectId, body, origin }) => {
    const { note, ...sent } = body;
    const which = toBulkWhich(sent);
    if (isRefusal(which)) return which;
    return answer(await engine.bulk(projectId, which, { kind: "discard", note }, origin));
  },
});

export const deadLetterRoutes = [
  groups,
  letters,
  redrive,
  discard,
  cancelMany,
  redriveMany,
  discardMany,
];
