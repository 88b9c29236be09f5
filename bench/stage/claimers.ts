// Engines in processes of their own that claim at the same time (workers/claimer.ts).
// Promises: an order is given to all of them at once, and answered when the last has answered; one
// that dies is told with its last words. There are as many as the database has connections for.
// Leaves to others: orders and what is judged (campaigns/).

import type { ClaimerSettings, Order, Told } from "../workers/claimer.ts";
import type { Embedding } from "./embedding.ts";
import { workerProgram } from "./places.ts";
import type { OwnProcess } from "./processes.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

/** Connections that one server opens at most. */
const CONNECTIONS = 12;
const LIMIT_MS = 120_000;

class Claimer {
  readonly process: OwnProcess;
  readonly runtime: string;

  constructor(stage: Stage, settings: ClaimerSettings) {
    this.runtime = settings.runtime;
    this.process = stage.processes.start({
      name: settings.runtime,
      command: process.execPath,
      args: [workerProgram("claimer"), JSON.stringify(settings)],
      listens: true,
    });
  }

  async obey(order: Order): Promise<Told> {
    const { process: own } = this;
    const answered = own.output.length;
    own.tell(JSON.stringify(order));
    const answer = (): string | false => {
      if (own.exit !== null) throw new Error(`${own.name} ended: ${own.lastWords()}`);
      return own.output[answered] ?? false;
    };
    return JSON.parse(
      await until(`${own.name} answers`, answer, { limitMs: LIMIT_MS, everyMs: 5 }),
    );
  }
}

/** What all of them were told, together. */
function together(all: readonly Told[]): Told {
  const refused: Record<string, number> = {};
  for (const [code, count] of all.flatMap((one) => Object.entries(one.refused))) {
    refused[code] = (refused[code] ?? 0) + count;
  }
  const done = all.reduce((sum, one) => sum + one.done, 0);
  return { granted: all.flatMap((one) => one.granted), done, refused };
}

export class Claimers {
  readonly #all: readonly Claimer[];

  private constructor(all: readonly Claimer[]) {
    this.#all = all;
  }

  /** Starts so many processes, or as many as the database can serve. */
  static async start(stage: Stage, embedding: Embedding, count: number): Promise<Claimers> {
    const [row] = await embedding.register.rows<{ most: number }>(
      "select current_setting('max_connections')::integer as most",
    );
    const most = Math.floor(((row?.most ?? 100) - 2 * CONNECTIONS) / CONNECTIONS);
    if (most < count) stage.notes.push(`The database has connections for ${most} processes only.`);
    const all = Array.from({ length: Math.min(count, most) }, (_, n) => {
      const runtime = `claimer-${n}`;
      const seed = stage.options.seed + n * 31;
      return new Claimer(stage, { databaseUrl: embedding.url, runtime, seed });
    });
    await Promise.all(all.map((one) => one.process.saysLine("ready", LIMIT_MS)));
    return new Claimers(all);
  }

  get count(): number {
    return this.#all.length;
  }

  /** Lets all of them work in a project. */
  async enter(embedding: Embedding, project: string): Promise<void> {
    await Promise.all(this.#all.map(({ runtime }) => embedding.addRuntime(project, runtime)));
  }

  /** Gives the n-th its order, all at the same time. */
  async obey(orderFor: (n: number) => Order): Promise<Told> {
    return together(await Promise.all(this.#all.map((one, n) => one.obey(orderFor(n)))));
  }
}

/** Settings of the PostgreSQL in the box for so many servers. */
export const roomFor = (servers: number): Record<string, string> => ({
  max_connections: String((servers + 3) * CONNECTIONS),
});
