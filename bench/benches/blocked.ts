// One runnable run behind 50,000 that cannot go, blocked in six ways.
// Promises: each way in a project of its own; what is blocked was made by the product and copied
// with better ranks than the runnable run; cold is the first claim of an engine that has just been
// started, connections and all (beside it: the same with nothing blocked); warm are the claims
// after it, each behind the same 50,000.
// Leaves to others: backlogs that can go (flatness.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding, good, newRun, origin } from "../stage/embedding.ts";
import type { FigureKind, Measured } from "../stage/figures.ts";
import { quantile } from "../stage/figures.ts";
import type { NewRun } from "../stage/product.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";

const BLOCKED = 50_000;
const WARM = 30;
const HOUR_MS = 3_600_000;

/** Makes the run to copy and whatever blocks it, in this project; gives its id. */
type Way = (embedding: Embedding, project: string, count: number) => Promise<string>;

async function one(embedding: Embedding, project: string, spec: NewRun): Promise<string> {
  const [id = ""] = await embedding.submit(project, spec);
  return id;
}

const keyed = (n: string): NewRun => newRun({ concurrency_key: `key-${n}` });

const ways: Record<string, Way> = {
  paused_queue: async (embedding, project) => {
    const run = await one(embedding, project, newRun({ queue: "paused" }));
    good(await embedding.engine.pauseQueue(project, "paused", "bench", origin));
    return run;
  },
  missing_capability: (embedding, project) =>
    one(embedding, project, newRun({ requires: ["a-rare-thing"] })),
  taken_keys: async (embedding, project, count) => {
    const holder = await one(embedding, project, keyed("0"));
    if ((await embedding.claim(project, 1)).length !== 1) throw new Error("the key is not taken");
    await embedding.copy(holder, { count, key: "key-" });
    return one(embedding, project, keyed("0"));
  },
  not_due: (embedding, project) => {
    const not_before = new Date(performance.timeOrigin + performance.now() + 24 * HOUR_MS);
    return one(embedding, project, newRun({ not_before: not_before.toISOString() }));
  },
  open_dependency: async (embedding, project) => {
    const later = new Date(performance.timeOrigin + performance.now() + 24 * HOUR_MS);
    const parent = await one(embedding, project, newRun({ not_before: later.toISOString() }));
    return one(embedding, project, { ...newRun(), dependsOn: [parent] });
  },
  absent_agent: (embedding, project) => one(embedding, project, newRun({ agent: "nobody" })),
};

/** Milliseconds of one claim that must find exactly the one run that can go. */
async function claimBehind(embedding: Embedding, project: string): Promise<number> {
  const runnable = await one(embedding, project, newRun());
  return claimExactly(embedding, project, runnable);
}

async function claimExactly(
  embedding: Embedding,
  project: string,
  runnable: string,
): Promise<number> {
  const began = performance.now();
  const held = await embedding.claim(project, 1, { agents: [{ name: "somebody", free: 1 }] });
  const took = performance.now() - began;
  if (held[0]?.runId !== runnable) throw new Error("the claim did not find the runnable run");
  await embedding.finish(project, held);
  return took;
}

/** What the first claim of an engine costs by itself. */
async function nothingBlocked(embedding: Embedding, n: number): Promise<Measured> {
  const project = await embedding.project(`nothing-${n}`);
  const runnable = await one(embedding, project, newRun());
  await embedding.restart();
  return { nothing_cold_ms: await claimExactly(embedding, project, runnable) };
}

async function repetition(stage: Stage, embedding: Embedding, n: number): Promise<Measured> {
  const measured = await nothingBlocked(embedding, n);
  const count = stage.size(BLOCKED, 100);
  for (const [name, block] of Object.entries(ways)) {
    const project = await embedding.project(`${name}-${n}`);
    const run = await block(embedding, project, count);
    const key = name === "taken_keys" ? { key: "key-" } : {};
    await embedding.copy(run, { count: count - 1, ...key });
    const runnable = await one(embedding, project, newRun());
    await embedding.settle();
    await embedding.restart();
    measured[`${name}_cold_ms`] = await claimExactly(embedding, project, runnable);
    const warm: number[] = [];
    for (let at = 0; at < stage.size(WARM, 3); at += 1) {
      warm.push(await claimBehind(embedding, project));
    }
    measured[`${name}_warm_ms`] = quantile(warm, 0.5);
    measured[`${name}_warm_most_ms`] = Math.max(...warm);
  }
  return measured;
}

/** The first claim counts in every repetition: no median excuses one that was slow. */
const every = { unit: "ms", most: 50, timed: true, headline: true } satisfies FigureKind;

export const blocked: Campaign = {
  name: "blocked",
  row: "one runnable run behind 50,000 blocked ones, six ways",
  asked: "claimed ≤ 50 ms each",
  reps: 3,
  quickReps: 1,
  limitS: 900,
  figures: {
    ...Object.fromEntries(
      Object.keys(ways).flatMap((name) => [
        [`${name}_cold_ms`, every],
        [`${name}_warm_ms`, speed("ms", { most: 50 })],
        [`${name}_warm_most_ms`, speed("ms")],
      ]),
    ),
    nothing_cold_ms: speed("ms"),
    ...sound,
  },
  open: async (stage) => {
    const embedding = await Embedding.open(stage);
    return {
      repeat: (n) => repetition(stage, embedding, n),
      close: () => stage.checkRegister(embedding.register),
    };
  },
};
