// The feed of a project: every event in commit order, as pages or as a stream.
// Promises: `id:` of a frame is `feed`, so a reader that remembers one integer misses nothing.
// Leaves to others: events of one run (`run-events.ts`), appending (`worker.ts`).

import type { FeedItem } from "@signalbox/sdk";
import type { Static } from "../typebox.ts";
import { isRefusal, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import type { Engine, FeedFilter } from "../../engine/contract.ts";
import { fromWireId } from "../mapping/ids.ts";
import { answer, route } from "../route.ts";
import { event } from "../schemas/event.ts";
import { feedQuery } from "../schemas/filter.ts";
import { longPageDefault, pageOf } from "../schemas/page.ts";
import { lastEventId, textOf } from "../sse.ts";
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
    const { limit = longPageDefault, after_feed: afterFeed, cursor } = query;
    const filter = filterOf(query);
    if (isRefusal(filter)) return filter;
    if (wantsStream) {
      const after = lastEventId(header("last-event-id"), query.last_event_id ?? afterFeed);
      const from = { afterFeed: after, ...filter };
      return { stream: (signal) => frames(engine, projectId, from, signal) };
    }
    // A cursor is the number of the feed up to which the page before has looked.
    const after = lastEventId(cursor, afterFeed);
    return answer(await engine.projectEvents(projectId, { afterFeed: after, limit, ...filter }));
  },
});

function filterOf(query: Static<typeof feedQuery>): FeedFilter | Refusal {
  const { type, run, agent } = query;
  const runId = run === undefined ? undefined : fromWireId("run", run);
  if (runId === null) return refuseField("run", "is not a run id (run_…)");
  return {
    ...(type === undefined ? {} : { type }),
    ...(runId === undefined ? {} : { run: runId }),
    ...(agent === undefined ? {} : { agent }),
  };
}

/** Frames of what came together. All followers without a filter get the same text. */
const written = new WeakMap<readonly FeedItem[], string>();

/** Who was told `resync` goes on after its number. */
const textOfItem = (one: FeedItem): string =>
  textOf({ id: "feed" in one ? one.feed : one.after_feed, event: one.type, data: one });

async function* frames(
  engine: Engine,
  projectId: string,
  from: { afterFeed: number } & FeedFilter,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  for await (const items of engine.followProject(projectId, from, signal)) {
    let text = written.get(items);
    if (text === undefined) {
      text = items.map(textOfItem).join("");
      written.set(items, text);
    }
    yield { text };
  }
}

export const eventRoutes = [feed];
