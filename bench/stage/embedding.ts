// An engine inside this process, on a database of its own: what benches "in process" measure.
// Promises: the whole engine as `signalbox up` starts it, sweeps and all, without HTTP; the
// database says what it is before anything is measured; all of it ends with the stage. Time can be
// moved ahead, for the engine, not for the database.
// Leaves to others: load (lifecycles.ts), the database itself (database.ts).

import { setMaxListeners } from "node:events";
import type { BatchSubmission, Claim } from "@signalbox/sdk";

import { copyRuns } from "./backlog.ts";
import type { Copies } from "./backlog.ts";
import { makeDatabase } from "./database.ts";
import type { OwnDatabase } from "./database.ts";
import { durabilityOf } from "./durability.ts";
import { wallMs } from "./operations.ts";
import { fromTypeId, isRefusal, migrate, startEngine, toNewRun } from "./product.ts";
import type { ClaimInput, Engine, NewRun, Refusal } from "./product.ts";
import { Register } from "./register.ts";
import type { Stage } from "./stage.ts";

export const origin = { actor: "key:bench", requestId: "bench", traceparent: null };

/** How an engine is started. */
type How = {
  /** Off: the campaign sweeps by itself, after it has moved time. */
  readonly sweeps?: boolean;
};
/** By how much the engine's time is ahead of the database's. */
type Time = { aheadMs: number };

/** A running engine and its database, read from behind. */
export class Embedding {
  readonly url: string;
  readonly register: Register;
  readonly #database: OwnDatabase;
  readonly #time: Time;
  readonly #how: How;
  engine: Engine;

  private constructor(
    database: OwnDatabase,
    url: string,
    at: { time: Time; how: How; engine: Engine },
  ) {
    this.#database = database;
    this.#time = at.time;
    this.#how = at.how;
    this.url = url;
    this.engine = at.engine;
    this.register = new Register(url);
  }

  /** `settings`: extra ones of the PostgreSQL in the box. */
  static async open(
    stage: Stage,
    settings: Record<string, string> = {},
    how: How = {},
  ): Promise<Embedding> {
    const database = await makeDatabase(stage.makeFolder("database"), settings);
    stage.afterwards(database.close);
    stage.notes.push(`The database was ${database.where}.`);
    const embedding = await Embedding.#on(stage, database, { url: database.url, how });
    stage.postgres = await durabilityOf(embedding.register, stage);
    return embedding;
  }

  static async #on(
    stage: Stage,
    database: OwnDatabase,
    { url, how }: { url: string; how: How },
  ): Promise<Embedding> {
    await migrate({ connectionString: url });
    const time = { aheadMs: 0 };
    const engine = await engineOn(url, time, how);
    const embedding = new Embedding(database, url, { time, how, engine });
    stage.afterwards(() => embedding.close());
    return embedding;
  }

  /** Another engine on another database of the same server. */
  async beside(stage: Stage): Promise<Embedding> {
    const url = await this.#database.another();
    return Embedding.#on(stage, this.#database, { url, how: this.#how });
  }

  /** A second engine on the same database and at the same time; it ends with the stage. */
  async second(stage: Stage): Promise<Engine> {
    const engine = await engineOn(this.url, this.#time, this.#how);
    stage.afterwards(() => engine.stop());
    return engine;
  }

  /** Stops the engine and starts another on the same database: nothing is remembered. */
  async restart(): Promise<void> {
    await this.engine.stop();
    this.engine = await engineOn(this.url, this.#time, this.#how);
  }

  /** Moves the engine's time forward. Whatever has become due is left to the next sweep. */
  tick(ms: number): void {
    this.#time.aheadMs += ms;
  }

  /** The engine's now, as the database would say it. */
  get nowMs(): number {
    return wallMs() + this.#time.aheadMs;
  }

  async close(): Promise<void> {
    await this.register.close();
    await this.engine.stop();
  }

  /** A new project with one runtime; its UUID. */
  async project(name: string, runtime = "bench"): Promise<string> {
    const project = good(await this.engine.createProject(name, origin));
    const id = idOf("prj", project.id);
    await this.addRuntime(id, runtime);
    return id;
  }

  async addRuntime(project: string, name: string): Promise<void> {
    // Nobody beats its heart while others are measured.
    good(await this.engine.registerRuntime(project, name, { deadline_s: DEADLINE_S }, origin));
  }

  /** Submits runs of one project; their UUIDs. */
  async submit(project: string, ...specs: NewRun[]): Promise<string[]> {
    const results = await this.engine.submit(project, specs, origin);
    return results.map((result) => idOf("run", good(result).run.id));
  }

  /** Claims up to so many runs at once; without work, none. */
  async claim(project: string, free: number, given: Partial<ClaimInput> = {}): Promise<Held[]> {
    const input = { ...claimInput, free, ...given };
    const { claims } = good(await this.engine.claim(project, input, origin, never));
    return claims.map(heldOf);
  }

  /** Starts and completes what was claimed. */
  async finish(project: string, held: readonly Held[]): Promise<void> {
    const items = held.flatMap((one) => [
      { ...one, command: { kind: "start" } as const },
      { ...one, command: { kind: "complete", output: null } as const },
    ]);
    for (const answer of await this.engine.report(project, items, origin)) good(answer);
  }

  /** Copies a run behind the engine's back; then another engine begins, which has seen nothing. */
  async copy(run: string, copies: Copies): Promise<void> {
    await copyRuns(this.register, run, copies);
    await this.restart();
  }

  /** What the database does from time to time by itself, done now. */
  async settle(): Promise<void> {
    await this.register.rows("vacuum (analyze)");
    await this.register.rows("checkpoint");
  }
}

/** A claimed run. */
export type Held = { runId: string; fence: { attemptId: string; token: number } };

/** What a worker writes with. */
export function heldOf({ run, attempt_id, fencing_token }: Claim): Held {
  const fence = { attemptId: idOf("att", attempt_id), token: fencing_token };
  return { runId: idOf("run", run.id), fence };
}

/** Nobody gives up. Hundreds of claims listen to it at a time. */
export const never = new AbortController().signal;
setMaxListeners(0, never);

/** Long enough that no lease ends while a bench goes on, and no runtime becomes stale. */
const LEASE_MS = 3_600_000;
const DEADLINE_S = LEASE_MS / 1_000;

export const claimInput: ClaimInput = {
  runtime: "bench",
  agents: [],
  queues: null,
  runners: ["default"],
  free: 1,
  leaseMs: LEASE_MS,
  waitMs: 0,
};

function engineOn(url: string, time: Time, { sweeps = true }: How): Promise<Engine> {
  return startEngine({
    connection: { connectionString: url },
    version: "bench",
    sweeps,
    offsetMs: () => time.aheadMs,
  });
}

/** The answer, or the refusal thrown. */
export function good<T>(answer: T | Refusal | undefined): T {
  if (answer === undefined) throw new Error("no answer");
  if (isRefusal(answer)) throw new Refused(answer);
  return answer;
}

/** A refusal that a bench did not expect. */
export class Refused extends Error {
  readonly code: string;
  constructor(refusal: Refusal) {
    super(`refused: ${refusal.code}: ${refusal.detail}`);
    this.code = refusal.code;
  }
}

/** The UUID behind an id of the wire. */
export function idOf(prefix: Parameters<typeof fromTypeId>[0], id: string): string {
  const uuid = fromTypeId(prefix, id);
  if (uuid === null) throw new Error(`${id} is no id of ${prefix}`);
  return uuid;
}

/** A submission as the doors would hand it down: checked, hashed, defaults filled in. */
export function newRun(sent: BatchSubmission = {}): NewRun {
  const looks = { bytes: 100, suspicious: false, deep: false };
  return good(
    toNewRun({ input: { n: 1, text: "hello, world" }, ...sent }, { looks, traceparent: null }),
  );
}
