// The feed of a project: every event in commit order, as pages or as a stream.
// Promises: `id:` of a frame is `feed`, so a reader that remembers one integer misses nothing.
// Leaves to others: events of one run (`run-events.ts`), appending (`worker.ts`).

import type { Engine } from "../../engine/contract.ts";
import { answer, route } from "../route.ts";
import { event } from "../schemas/event.ts";
import { feedQuery } from "../schemas/filter.ts";
import { longPageDefault, pageOf } from "../schemas/page.ts";
import { lastEventId } from "../sse.ts";
import type { Frame } from "../sse.ts";

const feed = route({
  method: "GET",
  url: "/v1/events",
  operationId: "listEvents",
  summary: "Events of the project in commit order, as pages or as a stream",
  tag: "events",
  auth: "read",
  scope: "project",
  query: feedQuery,
  waits: true,
  streams: event,
  responses: { 200: pageOf(event) },
  handle: async ({ engine, projectId, query, header, wantsStream }) => {
    const { limit = longPageDefault, type, after_feed: afterFeed, cursor } = query;
    if (wantsStream) {
      const after = lastEventId(header("last-event-id"), query.last_event_id ?? afterFeed);
      const wanted = { projectId, type };
      return { stream: (signal) => frames(engine, wanted, { after, signal }) };
    }
    // A cursor is the `feed` of the last event of the page before.
    const after = lastEventId(cursor, afterFeed);
    const filter = type === undefined ? {} : { type };
    return answer(await engine.projectEvents(projectId, { afterFeed: after, limit, ...filter }));
  },
});

async function* frames(
  engine: Engine,
  { projectId, type }: { projectId: string; type: string | undefined },
  { after, signal }: { after: number; signal: AbortSignal },
): AsyncGenerator<Frame> {
  for await (const one of engine.followProject(projectId, after, signal)) {
    if (type === undefined || type === one.type) {
      yield { id: one.feed, event: one.type, data: one };
    }
  }
}

export const eventRoutes = [feed];
