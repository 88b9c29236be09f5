// The doorbell between servers: "look again", by NOTIFY, carrying names and never facts.
// Promises: rung only while another server is up, from its own connection, at most one statement
// under way at a time; a lost connection is made again and everything is looked at once (F-45,
// F-46).
// Leaves to others: polling, which stands underneath everything.

import pg from "pg";
import type { Clock } from "../std/clock.ts";
import { withDeadline } from "../std/deadline.ts";
import type { Logger } from "../std/logger.ts";
import type { Connection } from "./db.ts";
import { sessionConfig } from "./db.ts";

export type DoorbellOptions = {
  readonly connection: Connection;
  readonly serverId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRing: (name: string) => void;
};

const CHANNEL = "signalbox_doorbell";
/** NOTIFY payloads must stay below 8,000 bytes. */
const MAX_PAYLOAD = 7000;
const PROBE_MS = 10_000;
const RETRY_MS = 1000;
/** What a server says that has nothing to say. */
const HERE = "";
/** A server that was heard of is in the count of servers by then, or gone. */
const QUIET_MS = 15_000;

export class Doorbell {
  readonly #options: DoorbellOptions;
  #client: pg.Client | null = null;
  /** Until it has been counted, there may be one. */
  #others = 1;
  #heardAt = -Infinity;
  #pending = new Set<string>();
  #ringing = false;
  #stopped = false;
  #cancelTimer: () => void = () => {};

  constructor(options: DoorbellOptions) {
    this.#options = options;
  }

  get #id(): string {
    return this.#options.serverId;
  }

  async start(): Promise<void> {
    await this.#connect();
  }

  /** How many other servers are up; with none, ringing does nothing. */
  set others(count: number) {
    this.#others = count;
  }

  /** Whether no other server is up: none was counted, and none has been heard of since. */
  get alone(): boolean {
    const quiet = this.#options.clock.mono() - this.#heardAt > QUIET_MS;
    return this.#client !== null && this.#others === 0 && quiet;
  }

  ring(names: Iterable<string>): void {
    if (this.#others === 0 || this.#stopped) return;
    for (const name of names) this.#pending.add(name);
    if (!this.#ringing) void this.#send();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => {});
  }

  async #send(): Promise<void> {
    this.#ringing = true;
    try {
      while (this.#pending.size > 0 && this.#client !== null) {
        const payload = this.#payload();
        await this.#client.query("select pg_notify($1, $2)", [CHANNEL, payload]);
      }
    } catch (error) {
      this.#options.logger.debug({ err: error }, "a doorbell was not rung");
    } finally {
      this.#pending.clear();
      this.#ringing = false;
    }
  }

  #payload(): string {
    const names: string[] = [];
    let size = 60;
    for (const name of this.#pending) {
      size += Buffer.byteLength(name) + 6;
      if (size > MAX_PAYLOAD && names.length > 0) break;
      names.push(name);
      this.#pending.delete(name);
    }
    return JSON.stringify([this.#id, ...names]);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(
      sessionConfig(this.#options.connection, {
        role: "signalbox_app",
        applicationName: "signalbox doorbell",
        statementTimeoutMs: 5000,
        lockTimeoutMs: 1000,
      }),
    );
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    client.on("notification", (message) => this.#heard(message.payload ?? ""));
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    // The others learn of this server before it serves, and it of them: they answer.
    await client.query("select pg_notify($1, $2)", [CHANNEL, JSON.stringify([this.#id])]);
    this.#client = client;
    this.#probeLater(client);
  }

  #heard(payload: string): void {
    let names: unknown;
    try {
      names = JSON.parse(payload);
    } catch {
      return;
    }
    if (!Array.isArray(names) || names[0] === this.#id) return;
    this.#heardAt = this.#options.clock.mono();
    if (names.length === 1) this.#answer();
    for (const name of names.slice(1)) {
      if (typeof name === "string" && name !== HERE) this.#options.onRing(name);
    }
  }

  /** A server has just begun to listen: it hears of this one. */
  #answer(): void {
    const payload = JSON.stringify([this.#id, HERE]);
    this.#client?.query("select pg_notify($1, $2)", [CHANNEL, payload]).catch(() => {});
  }

  #probeLater(client: pg.Client): void {
    this.#cancelTimer = this.#options.clock.setDeadline(PROBE_MS, () => {
      withDeadline(client.query("select 1"), 5000, "doorbell probe").then(
        () => {
          if (this.#client === client) this.#probeLater(client);
        },
        () => this.#lost(client),
      );
    });
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client || this.#stopped) return;
    this.#client = null;
    // What is said until it is connected again is not heard.
    this.#heardAt = this.#options.clock.mono();
    this.#cancelTimer();
    void client.end().catch(() => {});
    this.#retry();
  }

  #retry(): void {
    if (this.#stopped) return;
    this.#cancelTimer = this.#options.clock.setDeadline(RETRY_MS, () => {
      this.#connect().catch(() => this.#retry());
    });
  }
}
