// A project with agents, accounts and allowances on an engine inside this process, in few words.
// Promises: through the engine's verbs, as the doors do; a refusal that nobody expects is thrown; a
// worker that was silent for too long registers again, as the product's own does.
// Leaves to others: engines in processes of their own (claimers.ts), what is judged (campaigns/).

import type {
  Agent,
  AgentRegistration,
  AllowanceInput,
  BatchSubmission,
  Claim,
  Event,
  EventSubmission,
  LimitReport,
} from "@signalbox/sdk";

import type { Campaign } from "./campaign.ts";
import { claimInput, Embedding, good, heldOf, idOf, never, newRun, origin } from "./embedding.ts";
import type { Held } from "./embedding.ts";
import type { Measured } from "./figures.ts";
import { isRefusal } from "./product.ts";
import type { ClaimInput, Command } from "./product.ts";
import type { Stage } from "./stage.ts";

/** A claimed run: what its worker writes with, and what it was told. */
export type Taken = Held & { readonly claim: Claim };

/** What an attempt consumed. */
export type Consumed = { readonly inputTokens?: number; readonly costMicros?: number };

const PAGE = 500;
/** Runs of one submission. */
const BATCH = 1_000;

export class Fleet {
  readonly embedding: Embedding;
  readonly project: string;
  readonly runtime: string;

  private constructor(embedding: Embedding, project: string, runtime: string) {
    this.embedding = embedding;
    this.project = project;
    this.runtime = runtime;
  }

  /** A new project with one worker. */
  static async of(embedding: Embedding, name: string, runtime = "bench"): Promise<Fleet> {
    return new Fleet(embedding, await embedding.project(name, runtime), runtime);
  }

  get engine(): Embedding["engine"] {
    return this.embedding.engine;
  }

  async agents(names: readonly string[], settings: AgentRegistration = {}): Promise<void> {
    for (const name of names) {
      good(await this.engine.registerAgent(this.project, name, settings, origin));
    }
  }

  /** Sets an allowance; its UUID. */
  async allowance(input: AllowanceInput): Promise<string> {
    return idOf("alw", good(await this.engine.createAllowance(this.project, input, origin)).id);
  }

  /** What counts against an allowance now. */
  async use(id: string): Promise<{ spent: number; reserved: number }> {
    const found = await this.engine.allowance(this.project, id);
    if (found === null) throw new Error("there is no such allowance");
    return { spent: found.spent, reserved: found.reserved };
  }

  /** Submits so many runs; their UUIDs. */
  async submit(count: number, sent: BatchSubmission = {}): Promise<string[]> {
    const ids: string[] = [];
    for (let left = count; left > 0; left -= BATCH) {
      const specs = Array.from({ length: Math.min(left, BATCH) }, () => newRun(sent));
      ids.push(...(await this.embedding.submit(this.project, ...specs)));
    }
    return ids;
  }

  /** Claims as these agents (none: without a name), each for as many as are asked for. */
  async claim(
    agents: readonly string[],
    free: number,
    given: Partial<ClaimInput> = {},
  ): Promise<Taken[]> {
    const named = agents.map((name) => ({ name, free }));
    const input = { ...claimInput, runtime: this.runtime, agents: named, free, ...given };
    const ask = () => this.engine.claim(this.project, input, origin, never);
    const first = await ask();
    const isStale = isRefusal(first) && first.code === "runtime_stale";
    if (isStale) await this.embedding.addRuntime(this.project, this.runtime);
    const { claims } = good(isStale ? await ask() : first);
    return claims.map((claim) => ({ ...heldOf(claim), claim }));
  }

  async report({ runId, fence }: Held, command: Command): Promise<void> {
    good((await this.engine.report(this.project, [{ runId, fence, command }], origin))[0]);
  }

  /** Starts and completes. */
  async finish(held: Held, usage?: Consumed): Promise<void> {
    await this.report(held, { kind: "start" });
    await this.complete(held, usage);
  }

  async complete(held: Held, usage?: Consumed): Promise<void> {
    const consumed = usage === undefined ? {} : { usage };
    await this.report(held, { kind: "complete", output: null, ...consumed });
  }

  async append({ runId, fence }: Held, events: EventSubmission[]): Promise<void> {
    good((await this.engine.append(this.project, [{ runId, fence, events }], origin))[0]);
  }

  async exhausted({ runId, fence }: Held, report: LimitReport): Promise<void> {
    good(await this.engine.exhausted(this.project, { runId, fence, report }, origin));
  }

  /** A sign of life of these agents; the worker registers again if it must. */
  async beat(agents: readonly string[]): Promise<void> {
    await this.embedding.addRuntime(this.project, this.runtime);
    const input = { runtime: this.runtime, agents: [...agents], leases: [] };
    good(await this.engine.heartbeat(this.project, input, origin));
    await this.settled();
  }

  /** Moves time and lets the house find what has become due. */
  async pass(ms: number): Promise<void> {
    this.embedding.tick(ms);
    await this.engine.sweepOnce();
  }

  /** Everything that follows what was committed so far is done. */
  settled(): Promise<void> {
    return this.engine.parts.after.settled();
  }

  async agent(name: string): Promise<Agent> {
    const found = await this.engine.agent(this.project, name);
    if (found === null) throw new Error(`there is no agent ${name}`);
    return found;
  }

  /** Codes of what blocks a run now. */
  async why(run: string): Promise<string[]> {
    const found = await this.engine.explain(this.project, run);
    return (found?.reasons ?? []).map(({ code }) => code);
  }

  /** Every event of the project, or those of one type, in the order of their commits. */
  async feed(type?: string): Promise<Event[]> {
    const events: Event[] = [];
    for (let afterFeed = 0; ;) {
      const page = { afterFeed, limit: PAGE, ...(type === undefined ? {} : { type }) };
      const { items } = await this.engine.projectEvents(this.project, page);
      events.push(...items);
      if (items.length < PAGE) return events;
      afterFeed = Number(items.at(-1)?.feed);
    }
  }
}

type Repetition = (house: { stage: Stage; embedding: Embedding }, n: number) => Promise<Measured>;

/**
 * One engine for all repetitions, in this process; the whole register is checked after the last.
 * `sweeps` off: the campaign moves time and sweeps by itself.
 */
export function onOneEngine(
  repetition: Repetition,
  how: { sweeps?: boolean } = {},
): Campaign["open"] {
  return async (stage) => {
    const embedding = await Embedding.open(stage, {}, how);
    return {
      repeat: (n) => repetition({ stage, embedding }, n),
      close: () => stage.checkRegister(embedding.register),
    };
  };
}
