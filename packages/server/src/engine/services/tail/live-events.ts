// Events inside this process, for programs that embed the server: listeners and channels per
// project, fed by one tail of the feed.
// Promises: whoever writes is never blocked; a channel holds 64 items, counts what did not fit, and
// then tells its reader to go on from its cursor; a listener that throws is counted and logged, and
// the others hear the event all the same.
// Leaves to others: reading the feed (queries/feed.ts).

import type * as wire from "@signalbox/sdk";
import { readFeedNumber } from "../../../store/events.ts";
import type { Parts } from "../../parts.ts";
import { followFeed } from "../../queries/feed.ts";

/** Items were dropped: read the feed after `after_feed` (null: you have seen none) and go on. */
export type Dropped = { type: "dropped"; dropped: number; after_feed: string | null };
export type LiveItem = wire.FeedItem | Dropped;
export type Listener = (item: wire.FeedItem) => void;

export const CHANNEL_SIZE = 64;

/** A buffer between the tail and one reader. Iterate it once. */
export class EventChannel implements AsyncIterable<LiveItem> {
  readonly #size: number;
  readonly #items: wire.FeedItem[] = [];
  readonly #onClose: () => void;
  #seen: string | null = null;
  #dropping = 0;
  #dropped = 0;
  #closed = false;
  #wake = (): void => {};

  constructor(onClose: () => void = () => {}, size = CHANNEL_SIZE) {
    this.#onClose = onClose;
    this.#size = size;
  }

  /** How many items have not fitted, ever. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Never waits. From the first item without room on, all are dropped until the reader is told. */
  push(item: wire.FeedItem): void {
    if (this.#closed) return;
    if (this.#dropping > 0 || this.#items.length >= this.#size) {
      this.#dropping += 1;
      this.#dropped += 1;
    } else this.#items.push(item);
    this.#wake();
  }

  /** Ends the iteration after what it holds. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LiveItem> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#seen = "feed" in item ? item.feed : item.after_feed;
          yield item;
        } else if (this.#dropping > 0) {
          const dropped = this.#dropping;
          this.#dropping = 0;
          yield { type: "dropped", dropped, after_feed: this.#seen };
        } else if (this.#closed) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.close();
    }
  }
}

type Tail = { readonly listeners: Set<Listener>; readonly stop: AbortController };

/** What `createSignalbox` offers as `events`. */
export class LiveEvents {
  readonly #parts: () => Parts;
  readonly #tails = new Map<string, Tail>();
  #failures = 0;
  #stopped = false;

  constructor(parts: () => Parts) {
    this.#parts = parts;
  }

  /** Calls of listeners that threw. */
  get failures(): number {
    return this.#failures;
  }

  /** Calls `listener` with every event from now on. Returns how to end it. */
  async on(projectId: string, listener: Listener): Promise<() => void> {
    // Two calls with one function are two listeners.
    const own: Listener = (item) => listener(item);
    const tail = this.#tails.get(projectId) ?? (await this.#open(projectId));
    tail.listeners.add(own);
    return () => {
      tail.listeners.delete(own);
      if (tail.listeners.size > 0) return;
      tail.stop.abort();
      if (this.#tails.get(projectId) === tail) this.#tails.delete(projectId);
    };
  }

  /** A channel of every event from now on. Leaving its loop closes it. */
  async channel(projectId: string): Promise<EventChannel> {
    let leave = (): void => {};
    const channel = new EventChannel(() => leave());
    leave = await this.on(projectId, (item) => channel.push(item));
    return channel;
  }

  stop(): void {
    this.#stopped = true;
    for (const { stop } of this.#tails.values()) stop.abort();
    this.#tails.clear();
  }

  async #open(projectId: string): Promise<Tail> {
    const { reader } = this.#parts();
    const afterFeed = await reader.within([projectId], (r) => readFeedNumber(r, projectId));
    const open = this.#tails.get(projectId);
    if (open !== undefined) return open;
    const tail: Tail = { listeners: new Set(), stop: new AbortController() };
    if (this.#stopped) tail.stop.abort();
    this.#tails.set(projectId, tail);
    void this.#follow(projectId, tail, afterFeed);
    return tail;
  }

  async #follow(projectId: string, tail: Tail, afterFeed: number): Promise<void> {
    const { clock, logger } = this.#parts();
    const { signal } = tail.stop;
    let cursor = afterFeed;
    while (!signal.aborted) {
      try {
        const feed = followFeed(this.#parts(), projectId, { afterFeed: cursor }, signal);
        for await (const items of feed) {
          for (const item of items) {
            cursor = Number("feed" in item ? item.feed : item.after_feed);
            this.#tell(tail, item);
          }
        }
      } catch (error) {
        logger.warn({ err: error }, "the feed could not be read; trying again");
        await new Promise<void>((resolve) => clock.setDeadline(RETRY_MS, resolve));
      }
    }
  }

  #tell({ listeners }: Tail, item: wire.FeedItem): void {
    for (const listener of listeners) {
      try {
        listener(item);
      } catch (error) {
        this.#failures += 1;
        this.#parts().logger.warn({ err: error }, "a listener of events threw");
      }
    }
  }
}

const RETRY_MS = 1000;
