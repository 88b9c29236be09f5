// The ways to do the operations of a lifecycle inside this process: through the engine's verbs, as
// the doors do; as bare items of its batcher; and with the product's own statements, one operation
// per transaction.
// Promises: all write the same rows with the same code that decides and fences; what is left out
// of the last is the batcher alone, and its connections are settled like the engine's own.
// Leaves to others: load and figures (lifecycles.ts, benches/).

import { claimInput, good, heldOf, never, newRun, origin } from "./embedding.ts";
import type { Embedding, Held } from "./embedding.ts";
import type { Operator } from "./lifecycles.ts";
import { ClientSession, newUuid, runFlush } from "./product.ts";
import type { Answer, Command, Engine, FlushSession, Item } from "./product.ts";

/** Where a load works: a queue of a project, and the lane of its runs. */
export type Place = { project: string; queue: string; lane: string };

const WAIT_MS = 5_000;

const event = (seq: number) => ({
  type: "message.delta",
  producer_seq: seq,
  data: { text: "a few words of an answer" },
});
const completed = { kind: "complete", output: { verdict: "looks good" } } as const;

/** Works as this agent, and says with the end what was consumed. */
type Consumer = { agent: string; usage: { inputTokens: number; outputTokens: number } };

/** A queue of this project, with its lane made. Leaves no run behind that is still open. */
export async function placeOf(
  embedding: Embedding,
  project: string,
  queue = "bench",
): Promise<Place> {
  await embedding.submit(project, newRun({ queue }));
  await embedding.finish(project, await embedding.claim(project, 1, { queues: [queue] }));
  const [row] = await embedding.register.rows<{ id: string }>(
    "select id from signalbox.lane where project_id = $1 and queue = $2",
    [project, queue],
  );
  if (row === undefined) throw new Error("the lane of a submitted run is not there");
  return { project, queue, lane: row.id };
}

/** Through the engine's verbs; without a consumer as a worker that has no agent. */
export function throughEngine(
  { engine }: Embedding,
  { project, queue }: Place,
  consumer?: Consumer,
): Operator {
  const report = async (held: Held, command: Command): Promise<unknown> =>
    good((await engine.report(project, [{ ...held, command }], origin))[0]);
  const agents = consumer === undefined ? [] : [{ name: consumer.agent, free: 1 }];
  const end = consumer === undefined ? completed : { ...completed, usage: consumer.usage };
  return {
    submit: async () => good((await engine.submit(project, [newRun({ queue })], origin))[0]),
    claim: async () => {
      const input = { ...claimInput, agents, queues: [queue], waitMs: WAIT_MS };
      for (;;) {
        const [claim] = good(await engine.claim(project, input, origin, never)).claims;
        if (claim !== undefined) return heldOf(claim);
      }
    },
    start: (held) => report(held, { kind: "start" }),
    event: async (held, seq) =>
      good((await engine.append(project, [{ ...held, events: [event(seq)] }], origin))[0]),
    complete: (held) => report(held, end),
  };
}

/** With items, whoever flushes them. */
export function withItems(send: (item: Item) => Promise<Answer>, place: Place): Operator {
  const { project: projectId, queue, lane: laneId } = place;
  const given = { projectId, origin };
  const { waitMs: _, ...asked } = { ...claimInput, queues: [queue] };
  const run = (held: Held, what: Extract<Item, { kind: "run" }>["what"]): Promise<unknown> =>
    send({ kind: "run", ...given, ...held, what });
  return {
    submit: () => {
      const runs = [{ id: newUuid(), laneId, spec: newRun({ queue }), dependsOn: [] }];
      return send({ kind: "submit", ...given, runs });
    },
    claim: async () => {
      for (;;) {
        const answer = await send({ kind: "claim", ...given, ...asked });
        const [grant] = answer.kind === "claim" ? answer.grants : [];
        if (grant === undefined) continue;
        const fence = { attemptId: grant.attemptId, token: grant.run.fencingToken };
        return { runId: grant.run.id, fence };
      }
    },
    start: (held) => run(held, { command: { kind: "start" } }),
    event: (held, seq) => {
      const { type, producer_seq: producerSeq, data } = event(seq);
      return run(held, { command: { kind: "append", events: [{ type, producerSeq, data }] } });
    },
    complete: (held) => run(held, { command: completed }),
  };
}

/** Through the work batcher, without the verb around it. */
export function throughBatcher(engine: Engine): (item: Item) => Promise<Answer> {
  return async (item) => good<Answer>(await engine.parts.work.add(item));
}

/** As the flush sessions of the engine are settled (engine/engine.ts). */
const session = {
  role: "signalbox_app",
  applicationName: "signalbox single rows",
  statementTimeoutMs: 10_000,
  lockTimeoutMs: 200,
  settings: {
    plan_cache_mode: "force_generic_plan",
    enable_seqscan: "off",
    enable_bitmapscan: "off",
    enable_mergejoin: "off",
    jit: "off",
  },
} as const;

const LOCK_NOT_AVAILABLE = "55P03";

/** One transaction per item, on so many connections. */
export class OneByOne {
  readonly #engine: Engine;
  readonly #all: FlushSession[];
  readonly #free: FlushSession[];
  readonly #waiting: ((session: FlushSession) => void)[] = [];
  /** How often an item had to go again: its row was locked, or a lock took too long. */
  again = 0;

  constructor({ engine, url }: Embedding, connections: number) {
    this.#engine = engine;
    const connection = { connectionString: url };
    this.#all = Array.from({ length: connections }, () => new ClientSession(connection, session));
    this.#free = [...this.#all];
  }

  /** Flushes this item alone. Throws its refusal. */
  readonly send = async (item: Item): Promise<Answer> => {
    const own = await this.#take();
    try {
      for (;;) {
        const outcome = await this.#flush(own, item);
        if (outcome === null || "again" in outcome) {
          this.again += 1;
          continue;
        }
        return good<Answer>("answer" in outcome ? outcome.answer : outcome.refusal);
      }
    } finally {
      this.#giveBack(own);
    }
  };

  async #flush(own: FlushSession, item: Item) {
    const { context } = this.#engine.parts;
    try {
      const { outcomes } = await runFlush(own, [item], { wait: true, context });
      return outcomes[0] ?? null;
    } catch (error) {
      if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return null;
      throw error;
    }
  }

  async #take(): Promise<FlushSession> {
    return this.#free.pop() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  #giveBack(own: FlushSession): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(own);
    else next(own);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.end()));
  }
}
