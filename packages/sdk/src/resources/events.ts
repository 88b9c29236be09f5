// The feed of a project: every event in commit order, numbered without gaps.
// Promises: a follower that remembers one integer, the last `feed`, misses nothing.
// Leaves to others: the events of one run (`runs.events`, `runs.follow`).

import { follow } from "../event-stream.ts";
import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { Event, Page } from "../wire.ts";

export type FeedQuery = Omit<PageQuery, "cursor"> & { after_feed?: string; type?: string };

export type FollowFeedOptions = {
  /** Only events after this number of the feed. */
  afterFeed?: string;
  type?: string;
  signal?: AbortSignal;
};

/** `signalbox.events` */
export class Events {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of the feed, forward from `after_feed`.
   *
   * @example
   * const { items } = await signalbox.events.list({ after_feed: "1041", limit: 100 });
   */
  list(query: FeedQuery = {}): Promise<Page<Event>> {
    return this.#http.get("/v1/events", { query });
  }

  /**
   * The feed as it grows. Never ends by itself; goes on through broken connections without a gap.
   *
   * @example
   * for await (const event of signalbox.events.follow({ afterFeed: "1041" })) {
   *   console.log(event.feed, event.type);
   * }
   */
  async *follow(options: FollowFeedOptions = {}): AsyncGenerator<Event> {
    const { afterFeed: lastEventId = "", signal, type } = options;
    const stream = follow(this.#http, { path: "/v1/events", query: { type }, lastEventId, signal });
    for await (const message of stream) {
      if (message.event === "end") return;
      yield JSON.parse(message.data) as Event;
    }
  }
}
