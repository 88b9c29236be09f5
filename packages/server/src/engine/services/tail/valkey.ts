// Valkey (or Redis) as a sink: every event of every project into a stream and a channel per
// project.
// Promises: no transition waits for it; a persisted cursor per project, so what happened while it
// was away arrives afterwards, in order; the id of a stream entry is its feed number, so the stream
// has no event twice; a published message can come twice after a crash.
// Leaves to others: what an event looks like (queries/views.ts), the client (iovalkey, optional).

import type { Valkey } from "iovalkey";
import { Service } from "../../../std/service.ts";
import { sha256Hex } from "../../../std/digest.ts";
import { toTypeId } from "../../../std/ids.ts";
import type { Reader } from "../../../store/db.ts";
import { readFeed } from "../../../store/events.ts";
import type { StoredEvent } from "../../../store/events.ts";
import {
  projectsBehind,
  projectsLeasedTo,
  projectsOfNewSink,
} from "../../../store/house/outbox.ts";
import {
  beginSink,
  leaseSinkCursor,
  moveSinkCursor,
  releaseSinkCursors,
} from "../../../store/sink-cursors.ts";
import type { Parts } from "../../parts.ts";
import { eventOf } from "../../queries/views.ts";

export type ValkeyOptions = {
  readonly url: string;
  readonly parts: () => Parts;
  /** Connections of its own, as `app`. */
  readonly writer: Reader;
  readonly serverId: string;
  /** Entries a stream keeps, about. Default 100,000. */
  readonly keep?: number;
};

const PAGE = 250;
/** A page of the feed, whatever it is about. */
const whole = {
  until: Number.MAX_SAFE_INTEGER,
  type: null,
  run: null,
  agent: null,
  limit: PAGE,
} as const;
const PAGES_PER_TURN = 20;
const LOOK_MS = 1000;
const GATHER_MS = 20;
const LEASE_MS = 30_000;
const COMMAND_MS = 5000;
const KEEP = 100_000;
const LONGEST_RECONNECT_MS = 5000;
/** What the server says of an entry that it has already. */
const THERE_ALREADY = /equal or smaller/;

export const streamKey = (projectId: string): string =>
  `signalbox:{${toTypeId("prj", projectId)}}:events`;

/** The sink's name: where it is, without who asks. */
function nameOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  const place = `${protocol}//${host}${pathname}`;
  return place.length <= 100 ? place : sha256Hex(place);
}

export class ValkeySink {
  readonly #options: ValkeyOptions;
  readonly #sink: string;
  readonly #service: Service;
  #client: Valkey | null = null;
  #isDown = false;
  /** Projects whose stream has been compared with its cursor since this connection was made. */
  readonly #compared = new Set<string>();

  constructor(options: ValkeyOptions & Pick<Parts, "clock" | "logger">) {
    this.#options = options;
    this.#sink = nameOf(options.url);
    const { clock, logger } = options;
    const round = (): Promise<number> => this.#round();
    this.#service = new Service({ name: "tail.valkey", clock, logger, round });
  }

  /** Rejects when the client is not installed; a server that is down is waited for. */
  async start(): Promise<void> {
    const { Valkey: Client } = await import("iovalkey").catch((cause: unknown) => {
      throw new Error("the events URL needs the package iovalkey, which is not installed", {
        cause,
      });
    });
    await this.#begin();
    const client = new Client(this.#options.url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: COMMAND_MS,
      commandTimeout: COMMAND_MS,
      retryStrategy: (times) => Math.min(LONGEST_RECONNECT_MS, 50 * 2 ** Math.min(times, 10)),
    });
    // What a broken connection means is found out, and told once, by the round that needs it.
    client.on("error", () => {});
    client.on("ready", () => {
      this.#compared.clear();
      this.#service.wake();
    });
    this.#client = client;
    void client.connect().catch(() => {});
    this.#service.start();
  }

  committed(): void {
    if (this.#client?.status === "ready") this.#service.wakeWithin(GATHER_MS);
  }

  async stop(): Promise<void> {
    if (this.#client === null) return;
    await this.#service.stop();
    this.#client.disconnect();
    const { parts, writer, serverId } = this.#options;
    const { house } = parts();
    await house
      .within([], (runner) => projectsLeasedTo(runner, this.#sink, serverId))
      .then((mine) => writer.within(mine, (r) => releaseSinkCursors(r, this.#sink, serverId)))
      .catch(() => {}); // they end by themselves
  }

  /** In projects that were there before a sink was first named, it begins with the next event. */
  async #begin(): Promise<void> {
    const { parts, writer } = this.#options;
    const { house } = parts();
    const all = await house.within([], (runner) => projectsOfNewSink(runner, this.#sink));
    if (all !== null) await writer.within(all, (runner) => beginSink(runner, this.#sink, all));
  }

  async #round(): Promise<number> {
    const { house, logger } = this.#options.parts();
    const behind = await house.within([], (runner) => projectsBehind(runner, this.#sink));
    let isLeft = false;
    for (const projectId of behind) {
      try {
        isLeft = (await this.#catchUp(projectId)) || isLeft;
        if (this.#isDown) logger.info({ sink: this.#sink }, "the events sink is back");
        this.#isDown = false;
      } catch (error) {
        if (!isSinkFault(error)) throw error;
        if (!this.#isDown) logger.warn({ sink: this.#sink, err: error }, "the events sink is away");
        this.#isDown = true;
        return LOOK_MS;
      }
    }
    return isLeft ? 0 : LOOK_MS;
  }

  /** Writes what is new in one project; whether more is left. */
  async #catchUp(projectId: string): Promise<boolean> {
    const { parts, writer, serverId: by } = this.#options;
    const ref = { projectId, sink: this.#sink };
    const lease = { by, leaseMs: LEASE_MS };
    for (let pages = 0; pages < PAGES_PER_TURN; pages++) {
      const cursor = await writer.within([projectId], (r) => leaseSinkCursor(r, ref, lease));
      if (cursor === null) return false;
      const after = await this.#compare(projectId, cursor);
      const page = { ...whole, after };
      const rows = await parts().reader.within([projectId], (r) => readFeed(r, projectId, page));
      const last = rows.at(-1);
      if (last === undefined) return false;
      await this.#write(projectId, rows);
      await writer.within([projectId], (runner) =>
        moveSinkCursor(runner, ref, { by, cursor: last.feed }),
      );
      if (rows.length < PAGE) return false;
    }
    return true;
  }

  /**
   * Where to go on: a server that was restored from an older state has less than it once took, and
   * is given that again.
   */
  async #compare(projectId: string, cursor: number): Promise<number> {
    if (this.#compared.has(projectId)) return cursor;
    const asked = this.#connected().xrevrange(streamKey(projectId), "+", "-", "COUNT", 1);
    const [newest] = await sinkAnswer(asked);
    this.#compared.add(projectId);
    const stored = Number(newest?.[0]?.split("-")[0] ?? cursor);
    return Math.min(cursor, stored);
  }

  async #write(projectId: string, rows: readonly StoredEvent[]): Promise<void> {
    const key = streamKey(projectId);
    const keep = this.#options.keep ?? KEEP;
    // In one transaction: either all are refused (out of memory) or each has its place.
    const all = this.#connected().multi();
    for (const row of rows) {
      const event = eventOf(row);
      const text = JSON.stringify(event);
      const fields = ["type", event.type, "stream_id", event.stream_id, "event", text];
      all.xadd(key, "MAXLEN", "~", keep, `${row.feed}-0`, ...fields);
      all.publish(key, text);
    }
    const answers = await sinkAnswer(all.exec());
    if (answers === null) throw new SinkFault("the transaction was refused");
    const wrong = answers.find(([error]) => error !== null && !THERE_ALREADY.test(error.message));
    if (wrong !== undefined) throw new SinkFault((wrong[0] as Error).message);
  }

  #connected(): Valkey {
    if (this.#client?.status !== "ready") throw new SinkFault("it is not connected");
    return this.#client;
  }
}

/** The other side's fault, not ours: it is waited for. */
class SinkFault extends Error {
  override readonly name = "SinkFault";
}

const isSinkFault = (error: unknown): boolean => error instanceof SinkFault;

async function sinkAnswer<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new SinkFault((error as Error).message, { cause: error });
  }
}
