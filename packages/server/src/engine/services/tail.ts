// The tail of the feeds: one reader of the register for everybody who follows a project live.
// Promises: one statement per round over all followed projects, at most one round per 50 ms, so
// what comes within that time goes out together; a follower hears every event after the number it
// was told at the start, in order; one that takes too little is let go and reads on from the
// register, and so do all where events are missing (retention). Nobody follows: nothing is read.
// Leaves to others: what lies further back, filters (queries/feed.ts), frames (http/sse.ts).

import type * as wire from "@signalbox/sdk";
import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";
import type { Reader } from "../../store/db.ts";
import { feedHeads, readTail } from "../../store/house/feed-tail.ts";
import type { TailEvent } from "../../store/house/feed-tail.ts";
import { eventOf } from "../queries/views.ts";
import type { Hub } from "./hub.ts";
import { names, POLL_MS } from "./hub.ts";

/** An event as followers hear it: all of them the same object. */
export type Heard = {
  readonly feed: number;
  readonly agent: string | null;
  readonly event: wire.Event;
};

/** What came in one round. `events` are those of `heard`. */
export type Batch = { readonly heard: readonly Heard[]; readonly events: readonly wire.Event[] };

type Channel = {
  /** What has been delivered; null until the head of the feed is known. */
  cursor: number | null;
  /** Something may have come. */
  rung: boolean;
  readonly followers: Set<Follower>;
  readonly stopBell: () => void;
};

export type TailOptions = {
  readonly house: Reader;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly logger: Logger;
};

const COALESCE_MS = 50;
const RETRY_MS = 1_000;
const PAGE = 1_000;
/** Events that wait for one follower at most. */
const MOST_WAITING = 5_000;

/** One who follows a project. */
export class Follower {
  #start: number | null = null;
  #waiting: Batch[] = [];
  #size = 0;
  #over = false;
  #wake = (): void => {};
  readonly leave: () => void;

  constructor(leave: (one: Follower) => void) {
    this.leave = () => leave(this);
  }

  /** From here on everything is heard. Null when it is over before. */
  async start(signal: AbortSignal): Promise<number | null> {
    while (this.#start === null && !this.#over && !signal.aborted) await this.#wait(signal);
    return this.#over || signal.aborted ? null : this.#start;
  }

  /** What came since; null when it is over: let go, aborted, or the server stops. */
  async next(signal: AbortSignal): Promise<Batch | null> {
    while (this.#waiting.length === 0 && !this.#over && !signal.aborted) await this.#wait(signal);
    const batch = this.#over || signal.aborted ? undefined : this.#waiting.shift();
    this.#size -= batch?.heard.length ?? 0;
    return batch ?? null;
  }

  begin(at: number): void {
    this.#start ??= at;
    this.#wake();
  }

  /** False when it has taken too little: it is let go. */
  hear(batch: Batch): boolean {
    this.#size += batch.heard.length;
    if (this.#size > MOST_WAITING) this.end();
    else this.#waiting.push(batch);
    this.#wake();
    return !this.#over;
  }

  end(): void {
    this.#over = true;
    this.#waiting = [];
    this.#wake();
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener("abort", done);
        this.#wake = (): void => {};
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      this.#wake = done;
    });
  }
}

export class FeedTail {
  readonly #options: TailOptions;
  readonly #channels = new Map<string, Channel>();
  #loop: Promise<void> | null = null;
  #wake = (): void => {};
  #stopped = false;
  /** Rounds that read the register, and events they delivered, for `/metrics`. */
  readonly figures = { rounds: 0, events: 0 };

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** How many follow now. */
  get followers(): number {
    let count = 0;
    for (const { followers } of this.#channels.values()) count += followers.size;
    return count;
  }

  /** Follows a project from now on. */
  join(projectId: string): Follower {
    const channel = this.#channels.get(projectId) ?? this.#open(projectId);
    const follower = new Follower((one) => this.#leave(projectId, one));
    if (this.#stopped) follower.end();
    channel.followers.add(follower);
    if (channel.cursor !== null) follower.begin(channel.cursor);
    this.#loop ??= this.#run().finally(() => (this.#loop = null));
    this.#wake();
    return follower;
  }

  #open(projectId: string): Channel {
    const stopBell = this.#options.hub.heed(names.project(projectId), () => {
      channel.rung = true;
      this.#wake();
    });
    const channel: Channel = { cursor: null, rung: true, followers: new Set(), stopBell };
    this.#channels.set(projectId, channel);
    return channel;
  }

  #leave(projectId: string, follower: Follower): void {
    const channel = this.#channels.get(projectId);
    channel?.followers.delete(follower);
    if (channel === undefined || channel.followers.size > 0) return;
    channel.stopBell();
    this.#channels.delete(projectId);
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { followers } of this.#channels.values()) for (const one of followers) one.end();
    this.#wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    let polledAt = -Infinity;
    const { clock, logger } = this.#options;
    while (this.#channels.size > 0 && !this.#stopped) {
      const isPoll = clock.mono() - polledAt >= POLL_MS;
      const due = [...this.#channels].filter(([, one]) => isPoll || one.rung);
      if (isPoll) polledAt = clock.mono();
      let pause = COALESCE_MS;
      if (due.length > 0) {
        try {
          await this.#round(new Map(due));
        } catch (error) {
          logger.warn({ err: error }, "the tail of the feeds could not be read");
          for (const [, one] of due) one.rung = true;
          pause = RETRY_MS;
        }
        await this.#pause(pause);
      } else {
        await this.#sleep(POLL_MS);
      }
    }
  }

  async #round(due: ReadonlyMap<string, Channel>): Promise<void> {
    const { house } = this.#options;
    const fresh = [...due].filter(([, { cursor }]) => cursor === null).map(([id]) => id);
    // What rings from here on may not be in what is read.
    for (const channel of due.values()) channel.rung = false;
    const { heads, rows } = await house.within([], async (runner) => {
      const found = fresh.length === 0 ? new Map() : await feedHeads(runner, fresh);
      const after = new Map<string, number>();
      for (const [id, { cursor }] of due) if (cursor !== null) after.set(id, cursor);
      const read = after.size === 0 ? [] : await readTail(runner, after, PAGE);
      return { heads: found as Map<string, number>, rows: read };
    });
    this.figures.rounds += 1;
    for (const id of fresh) this.#begin(due.get(id) as Channel, heads.get(id) ?? 0);
    for (const [id, own] of byProject(rows)) this.#deliver(due.get(id) as Channel, own);
  }

  #begin(channel: Channel, head: number): void {
    channel.cursor = head;
    for (const one of channel.followers) one.begin(head);
  }

  #deliver(channel: Channel, rows: readonly TailEvent[]): void {
    const heard = rows.map((row) => ({ feed: row.feed, agent: row.of_agent, event: eventOf(row) }));
    const newest = rows.at(-1)?.feed ?? channel.cursor;
    // A feed has no gaps but where runs were removed: who reads on from the register is told so.
    const hasGap = newest !== (channel.cursor ?? 0) + rows.length;
    channel.cursor = newest;
    if (rows.length === PAGE) channel.rung = true;
    this.figures.events += rows.length;
    const batch: Batch = { heard, events: heard.map(({ event }) => event) };
    for (const one of channel.followers) {
      if (hasGap) one.end();
      else if (one.hear(batch)) continue;
      channel.followers.delete(one);
    }
  }

  /** A pause that only the end of the server shortens. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setDeadline(ms, resolve);
      this.#wake = () => {
        if (!this.#stopped) return;
        cancel();
        resolve();
      };
    });
  }

  #sleep(ms: number): Promise<void> {
    // Rung between the look and now: there is nothing to wait for.
    if ([...this.#channels.values()].some(({ rung }) => rung)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        resolve();
      };
      const cancel = this.#options.clock.setDeadline(ms, done);
      this.#wake = done;
    });
  }
}

function byProject(rows: readonly TailEvent[]): Map<string, TailEvent[]> {
  const found = new Map<string, TailEvent[]>();
  for (const row of rows) {
    const own = found.get(row.project_id);
    if (own === undefined) found.set(row.project_id, [row]);
    else own.push(row);
  }
  return found;
}
