// What a claim costs after 60,000 claims under an old snapshot that somebody holds open.
// Promises: the snapshot is a real one (repeatable read, taken before the claims, idle since); the
// same claims are measured before it, in the same repetition.
// Leaves to others: claims without such a neighbour (flatness.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding, newRun } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { quantile } from "../stage/figures.ts";
import { Client } from "../stage/postgres.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";

const CLAIMS = 60_000;
const AT_ONCE = 200;
const MEASURED = 500;

async function claims(stage: Stage, embedding: Embedding, project: string): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < stage.size(MEASURED, 10); n += 1) {
    const began = performance.now();
    const held = await embedding.claim(project, 1);
    took.push(performance.now() - began);
    if (held.length !== 1) throw new Error("a claim found nothing");
    await embedding.finish(project, held);
  }
  return took;
}

async function repetition(stage: Stage, embedding: Embedding, n: number): Promise<Measured> {
  const project = await embedding.project(`snapshot-${n}`);
  const [run = ""] = await embedding.submit(project, newRun());
  const [many, atOnce] = [stage.size(CLAIMS, 60), stage.size(AT_ONCE, 20)];
  await embedding.copy(run, { count: many + 3 * stage.size(MEASURED, 10) });
  await embedding.settle();
  await claims(stage, embedding, project);
  const before = await claims(stage, embedding, project);
  const reader = new Client({ connectionString: embedding.url });
  await reader.connect();
  await reader.query("begin isolation level repeatable read");
  await reader.query("select count(*) from signalbox.project");
  try {
    for (let done = 0; done < many; done += atOnce) {
      await embedding.finish(project, await embedding.claim(project, atOnce));
    }
    const after = await claims(stage, embedding, project);
    const [p50Before, p50After] = [quantile(before, 0.5), quantile(after, 0.5)];
    return {
      ratio: p50After / p50Before,
      before_p50_ms: p50Before,
      after_p50_ms: p50After,
      before_p99_ms: quantile(before, 0.99),
      after_p99_ms: quantile(after, 0.99),
    };
  } finally {
    await reader.query("rollback");
    await reader.end();
  }
}

export const snapshot: Campaign = {
  name: "snapshot",
  row: "claim p50 with an old snapshot open, after 60,000 claims, against before",
  asked: "≤ 2 ×",
  reps: 3,
  quickReps: 1,
  limitS: 900,
  figures: {
    ratio: speed("×", { most: 2 }),
    before_p50_ms: speed("ms"),
    after_p50_ms: speed("ms"),
    before_p99_ms: speed("ms"),
    after_p99_ms: speed("ms"),
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
