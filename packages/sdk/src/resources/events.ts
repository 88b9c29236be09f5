// The feed of a project: every event in commit order, numbered without gaps.
// Promises: a follower that remembers one integer, the last `feed`, misses nothing.
// Leaves to others: the events of one run (`runs.events`, `runs.follow`).

import { errorOf } from "../errors.ts";
import { follow } from "../event-stream.ts";
import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { Event, Page, Resync } from "../wire.ts";

/** Which events: `type` that ends in a dot is the beginning of types (`run.`). */
export type FeedFilter = { type?: string; run?: string; agent?: string };

export type FeedQuery = PageQuery & FeedFilter & { after_feed?: string };

export type FollowFeedOptions = FeedFilter & {
  /** Only events after this number of the feed. */
  afterFeed?: string;
  signal?: AbortSignal;
  /**
   * Events that this reader has not seen were removed by retention, or the feed was restored from
   * an older state: read anew what you know, then the feed goes on. Without it the iteration throws
   * a `SignalboxError` with code `resync`.
   */
  onResync?: (notice: Resync) => void;
  /** Told at each connection (true) and at its end (false), also when a try failed. */
  onLink?: (isConnected: boolean) => void;
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
    const { afterFeed: lastEventId = "", signal, onResync, onLink, ...query } = options;
    const path = "/v1/events";
    const stream = follow(this.#http, { path, query, lastEventId, signal, onLink });
    for await (const message of stream) {
      if (message.event === "end") return;
      if (message.event === "resync") {
        tellResync(JSON.parse(message.data) as Resync, onResync);
        continue;
      }
      yield JSON.parse(message.data) as Event;
    }
  }
}

function tellResync(notice: Resync, onResync: FollowFeedOptions["onResync"]): void {
  if (onResync !== undefined) {
    onResync(notice);
    return;
  }
  const message = `resync: the feed goes on after ${notice.after_feed}; read anew what you know`;
  throw errorOf({ message, code: "resync", status: 0, retryable: false });
}
