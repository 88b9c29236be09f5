// A flush session: one connection of the role `app`, whose statements fly together (flight.ts) and
// which is made anew after a loss.
// Promises: at most one connection; a lost one is destroyed, never reused; connecting has a
// deadline.
// Leaves to others: retrying (batcher).

import pg from "pg";
import type { Connection, Runner, SessionOptions } from "./db.ts";
import { sessionConfig } from "./db.ts";
import { FlightRunner } from "./flight.ts";

export class ClientSession {
  readonly #config: pg.ClientConfig;
  #client: pg.Client | null = null;
  #runner: Runner | null = null;

  constructor(connection: Connection, session: SessionOptions) {
    this.#config = { ...sessionConfig(connection, session), pipeline: false };
  }

  async runner(): Promise<Runner> {
    if (this.#runner !== null) return this.#runner;
    const client = new pg.Client(this.#config);
    client.on("error", () => {
      if (this.#client === client) this.discard();
    });
    client.on("end", () => {
      if (this.#client === client) this.discard();
    });
    await client.connect();
    this.#client = client;
    this.#runner = new FlightRunner(client);
    return this.#runner;
  }

  discard(): void {
    const client = this.#client;
    this.#client = null;
    this.#runner = null;
    // Destroys the socket: a session of unknown state is never used again.
    void client?.end().catch(() => {});
  }

  async end(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    this.#runner = null;
    await client?.end();
  }
}
