// Events of one run: read as pages or followed as a stream, appended by its attempt.
// Promises: `id:` of a frame is `seq`, so a reader resumes without a gap; the stream of a run that
// ends says `event: end`; a child's key appends log lines and usage, nothing else.
// Leaves to others: following (engine), frames (`sse.ts`), the feed of the project (`events.ts`).

import type { Event } from "@signalbox/sdk";
import type { Engine, EventLook } from "../../engine/contract.ts";
import { isLookedFor } from "../../engine/queries/run-events.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { assert } from "../../std/assert.ts";
import { wrongFences } from "../bound.ts";
import { toEventLook, toEventPage } from "../mapping/event-page.ts";
import { toAppended } from "../mapping/events.ts";
import { toFencedRun } from "../mapping/fence.ts";
import { fromWireId } from "../mapping/ids.ts";
import { notFound } from "../refusals.ts";
import { answer, route } from "../route.ts";
import { event } from "../schemas/event.ts";
import { runEventsQuery } from "../schemas/filter.ts";
import { pageOf } from "../schemas/page.ts";
import { appended, runEvents } from "../schemas/worker.ts";
import { lastEventId } from "../sse.ts";
import type { Frame } from "../sse.ts";
import { runParams } from "./runs.ts";

const list = route({
  method: "GET",
  url: "/v1/runs/:id/events",
  operationId: "listRunEvents",
  summary: "Events of a run, as pages or as a stream",
  tag: "events",
  auth: "read",
  scope: "project",
  params: runParams,
  query: runEventsQuery,
  waits: true,
  streams: event,
  responses: { 200: pageOf(event) },
  handle: async ({ engine, projectId, params, query, header, wantsStream }) => {
    const runId = fromWireId("run", params.id);
    if (runId === null) return notFound("run");
    if (wantsStream) {
      if ((await engine.run(projectId, runId)) === null) return notFound("run");
      const after = lastEventId(header("last-event-id"), query.last_event_id ?? query.after_seq);
      const run = { projectId, runId, type: query.type, look: toEventLook(query) };
      return { stream: (signal) => frames(engine, run, { after, signal }) };
    }
    const page = await engine.runEvents(projectId, runId, toEventPage(query));
    if (page.items.length === 0 && (await engine.run(projectId, runId)) === null) {
      return notFound("run");
    }
    return { status: 200, body: page };
  },
});

/** Every event after `after` as a frame, then `end` once the run has ended. */
async function* frames(
  engine: Engine,
  run: {
    projectId: string;
    runId: string;
    type: string | undefined;
    look: EventLook | undefined;
  },
  { after, signal }: { after: number; signal: AbortSignal },
): AsyncGenerator<Frame> {
  for await (const one of engine.followRun(run.projectId, run.runId, after, signal)) {
    const isAsked = run.type === undefined || run.type === one.type;
    if (isAsked && (run.look === undefined || isLookedFor(one, run.look))) yield frameOf(one);
  }
  if (!signal.aborted) yield { event: "end", data: {} };
}

function frameOf(one: Event): Frame {
  return { id: one.seq, event: one.type, data: one };
}

const append = route({
  method: "POST",
  url: "/v1/runs/:id/events",
  operationId: "appendRunEvents",
  summary: "Append events to one run",
  tag: "single-run worker",
  auth: "work",
  pace: "lease",
  attemptKey: "child",
  scope: "project",
  params: runParams,
  body: runEvents,
  emitted: true,
  bodyClass: "events",
  responses: { 200: appended },
  refusals: [
    "stale_fencing_token",
    "already_terminal",
    "reserved_event_type",
    "producer_seq_mismatch",
    "too_many_events",
  ],
  handle: async ({ engine, projectId, params, body, looks, caller, origin }) => {
    const fenced = toFencedRun({ ...body, run_id: params.id }, caller);
    if (isRefusal(fenced)) return fenced;
    const [foreign = null] = await wrongFences({ engine, projectId, caller }, [fenced]);
    if (foreign !== null) return foreign;
    const child = caller.kind === "attempt" && caller.attempt.child;
    const events = toAppended(body.events, { looks, child });
    if (isRefusal(events)) return events;
    const [result] = await engine.append(projectId, [{ ...fenced, events, child }], origin);
    assert(result !== undefined, "append answered nothing");
    return answer(result);
  },
});

export const runEventRoutes = [list, append];
