// What one claim costs with 1 k, 100 k and 1 M runs pending, and with 1 M finished behind 1 k.
// Promises: a database each, vacuumed and analysed after it was filled; claims go round the
// databases in turn, so that whatever disturbs one disturbs all; each claimed run is completed and
// replaced outside of the measured time, so that a backlog stays as large as it is called.
// Leaves to others: blocked work (blocked.ts), old snapshots (snapshot.ts).

import type { Campaign, Play } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding, newRun } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { quantile } from "../stage/figures.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";

const CLAIMS = 1_000;
const SCALES = [
  { name: "1k", pending: 1_000, finished: 0 },
  { name: "100k", pending: 100_000, finished: 0 },
  { name: "1m", pending: 1_000_000, finished: 0 },
  { name: "1m_finished", pending: 1_000, finished: 1_000_000 },
];
/** A thousandth, for the quick form. */
const QUICK = 0.001;

type Filled = { name: string; embedding: Embedding; project: string };

async function fill(
  stage: Stage,
  embedding: Embedding,
  { name, pending, finished }: (typeof SCALES)[number],
): Promise<Filled> {
  const began = performance.now();
  const project = await embedding.project(`flatness-${name}`);
  const scaled = (count: number): number => Math.ceil(count * stage.size(1, QUICK));
  if (finished > 0) {
    const [done = ""] = await embedding.submit(project, newRun());
    await embedding.finish(project, await embedding.claim(project, 1));
    await embedding.copy(done, { count: scaled(finished) });
  }
  const [run = ""] = await embedding.submit(project, newRun());
  await embedding.copy(run, { count: scaled(pending) });
  await embedding.settle();
  stage.say(`  ${name}: filled in ${Math.round((performance.now() - began) / 1_000)} s`);
  return { name, embedding, project };
}

/** One measured claim; then the run is completed and another one submitted. */
async function claimOne({ embedding, project }: Filled): Promise<number> {
  const began = performance.now();
  const held = await embedding.claim(project, 1);
  const took = performance.now() - began;
  if (held.length !== 1) throw new Error("a claim found nothing");
  await embedding.finish(project, held);
  await embedding.submit(project, newRun());
  return took;
}

async function repetition(stage: Stage, all: readonly Filled[]): Promise<Measured> {
  const took = new Map(all.map(({ name }) => [name, [] as number[]]));
  if (!stage.quick) for (const { embedding } of all) await embedding.settle();
  for (const one of all) for (let n = 0; n < stage.size(50, 2); n += 1) await claimOne(one);
  for (let n = 0; n < stage.size(CLAIMS, 10); n += 1) {
    for (const one of n % 2 === 0 ? all : all.toReversed()) {
      took.get(one.name)?.push(await claimOne(one));
    }
  }
  const p50 = (name: string): number => quantile(took.get(name) ?? [], 0.5);
  const measured: Measured = {};
  for (const [name, claims] of took) {
    measured[`p50_${name}_ms`] = p50(name);
    measured[`p99_${name}_ms`] = quantile(claims, 0.99);
    if (name !== "1k") measured[`ratio_${name}`] = p50(name) / p50("1k");
  }
  return measured;
}

async function open(stage: Stage): Promise<Play> {
  const first = await Embedding.open(stage);
  const all: Filled[] = [];
  for (const scale of SCALES) {
    const embedding = all.length === 0 ? first : await first.beside(stage);
    all.push(await fill(stage, embedding, scale));
  }
  stage.notes.push(
    "The runs pending and finished were copied by SQL from ones the engine made; of the register " +
      "that of the 100 k is asked, since the questions read every event.",
  );
  const [, checked = first] = all.map(({ embedding }) => embedding);
  return {
    repeat: () => repetition(stage, all),
    close: () => stage.checkRegister(checked.register),
  };
}

export const flatness: Campaign = {
  name: "flatness",
  row: "claim p50 with 100 k and 1 M pending, and with 1 M finished, against 1 k pending",
  asked: "≤ 1.3 ×",
  reps: 3,
  quickReps: 1,
  limitS: 1_500,
  figures: {
    ratio_100k: speed("×", { most: 1.3 }),
    ratio_1m: speed("×", { most: 1.3 }),
    ratio_1m_finished: speed("×", { most: 1.3 }),
    ...Object.fromEntries(
      SCALES.flatMap(({ name }) => [
        [`p50_${name}_ms`, speed("ms")],
        [`p99_${name}_ms`, speed("ms")],
      ]),
    ),
    ...sound,
  },
  open,
};
