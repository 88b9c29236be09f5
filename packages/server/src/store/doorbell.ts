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

export class Doorbell {
  readonly #options: DoorbellOptions;
  #client: pg.Client | null = null;
  #others = 0;
  #pending = new Set<string>();
  #ringing = false;
  #stopped = false;
  #cancelTimer: () => void = () => {};

  constructor(options: DoorbellOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#connect();
  }

  /** How many other servers are up; with none, ringing does nothing. */
  set others(count: number) {
    this.#others = count;
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
    return JSON.stringify([this.#options.serverId, ...names]);
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
    if (!Array.isArray(names) || names[0] === this.#options.serverId) return;
    for (const name of names.slice(1)) {
      if (typeof name === "string") this.#options.onRing(name);
    }
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
