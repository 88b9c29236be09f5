// A limit of 100 under 1,000 claims that come at once from 16 processes: 100 are admitted.
// Promises: each process is an engine of its own, so no memory is shared, only the database; once
// as
// an allowance of runs, once of tokens with an estimate of 1; in even repetitions what is admitted
// is
// held until every claim was answered, in odd ones it ends meanwhile, so that settling races with
// claims. What the claimers were told is compared with the event log and with the books; while the
// claims go on, the books are looked at again and again.
// Leaves to others: attempts that die (killed-workers.ts).

import type { AllowanceInput } from "@signalbox/sdk";

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { Claimers, roomFor } from "../stage/claimers.ts";
import { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { booksOf, liveNow, wrongSums } from "../stage/fleet-register.ts";
import { Fleet } from "../stage/fleet.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";

const PROCESSES = 16;
const LIMIT = 100;
const AGENT = "a";

type House = { stage: Stage; embedding: Embedding; claimers: Claimers };

/** The limit as runs of the project, or as tokens of the agent. */
const metrics = {
  runs: { scope: "project", metric: "runs", limit: LIMIT, window: "day" },
  tokens: { scope: "agent", name: AGENT, metric: "tokens", limit: LIMIT, window: "day" },
} satisfies Record<string, AllowanceInput>;
type Metric = keyof typeof metrics;

/** Looks at the books until told to stop; the most that was spent and reserved at once. */
async function watch(fleet: Fleet, phase: { isOver: boolean }): Promise<number> {
  let most = 0;
  while (!phase.isOver) {
    const [book] = await booksOf(fleet.embedding.register, fleet.project);
    most = Math.max(most, (book?.spent ?? 0) + (book?.reserved ?? 0));
    await sleep(2);
  }
  return most;
}

async function claimed({ register }: Embedding, project: string): Promise<number> {
  const [row] = await register.rows<{ n: number }>(
    `select count(*)::integer as n from signalbox.event
     where project_id = $1 and type = 'run.claimed'`,
    [project],
  );
  return row?.n ?? NaN;
}

async function race(house: House, n: number, metric: Metric): Promise<Measured> {
  const { stage, embedding, claimers } = house;
  const { register } = embedding;
  const claims = stage.size(1_000, 200);
  const fleet = await Fleet.of(embedding, `limit-${metric}-${n}`);
  const { project } = fleet;
  await claimers.enter(embedding, project);
  await fleet.agents([AGENT]);
  await fleet.allowance(metrics[metric]);
  await fleet.submit(claims, { estimate: { tokens: 1 } });
  const share = (at: number): number =>
    Math.floor((claims * (at + 1)) / claimers.count) - Math.floor((claims * at) / claimers.count);
  const isHeld = n % 2 === 0;
  const finish = isHeld ? null : { inputTokens: 1 };
  const phase = { isOver: false };
  const began = performance.now();
  const claiming = claimers.obey((at) => {
    const calls = share(at);
    return { kind: "claim", project, agents: [AGENT], calls, finish };
  });
  const [told, most] = await Promise.all([
    claiming.finally(() => (phase.isOver = true)),
    watch(fleet, phase),
  ]);
  const tookMs = performance.now() - began;
  if (Object.keys(told.refused).length > 0) stage.say(`  ${JSON.stringify(told.refused)}`);
  const [before] = await booksOf(register, project);
  const live = await liveNow(register, project);
  if (isHeld) for (const held of told.granted) await fleet.finish(held, { inputTokens: 1 });
  await fleet.settled();
  const late = await fleet.claim([AGENT], 10);
  const books = await booksOf(register, project);
  const [book] = books;
  return {
    [`${metric}_admitted`]: told.granted.length,
    [`${metric}_claimed_in_register`]: await claimed(embedding, project),
    [`${metric}_most_at_once`]: most,
    [`${metric}_reserved_while_held`]: (before?.reserved ?? NaN) - (isHeld ? live : 0),
    [`${metric}_spent`]: book?.spent ?? NaN,
    [`${metric}_reserved`]: book?.reserved ?? NaN,
    [`${metric}_left_open`]: (book?.open ?? NaN) + (await liveNow(register, project)),
    [`${metric}_wrong_sums`]: wrongSums(books).length,
    [`${metric}_admitted_later`]: late.length,
    [`${metric}_refused`]: Object.values(told.refused).reduce((sum, count) => sum + count, 0),
    [`${metric}_took_ms`]: tookMs,
  };
}

async function open(stage: Stage) {
  const processes = stage.size(PROCESSES, 3);
  const embedding = await Embedding.open(stage, roomFor(processes));
  const claimers = await Claimers.start(stage, embedding, processes);
  const house = { stage, embedding, claimers };
  return {
    repeat: async (n: number) => ({
      processes: claimers.count,
      ...(await race(house, n, "runs")),
      ...(await race(house, n, "tokens")),
    }),
    close: () => stage.checkRegister(embedding.register),
  };
}

export const limit100: Campaign = {
  name: "limit-100",
  row: "allowance of 100 (runs; tokens, estimate and usage 1), 1,000 claims at once, 16 processes",
  asked: "exactly 100 admitted each time; afterwards spent 100, reserved 0",
  step: "step-3",
  reps: 20,
  quickReps: 2,
  limitS: 1_800,
  figures: {
    processes: { unit: "", least: 2, headline: true },
    ...Object.fromEntries(
      Object.keys(metrics).flatMap((metric) => [
        [`${metric}_admitted`, { unit: "", exactly: LIMIT, headline: true }],
        [`${metric}_claimed_in_register`, { unit: "", exactly: LIMIT }],
        [`${metric}_most_at_once`, { unit: "", most: LIMIT, headline: true }],
        [`${metric}_reserved_while_held`, never],
        [`${metric}_spent`, { unit: "", exactly: LIMIT, headline: true }],
        [`${metric}_reserved`, { ...never, headline: true }],
        [`${metric}_left_open`, never],
        [`${metric}_wrong_sums`, never],
        [`${metric}_admitted_later`, never],
        [`${metric}_refused`, never],
        [`${metric}_took_ms`, { unit: "ms" }],
      ]),
    ),
    ...sound,
  },
  open,
};
