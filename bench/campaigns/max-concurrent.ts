// An agent that may have so many runs at a time, and 16 claimers who want more for it.
// Promises: the claimers sit in four engines of their own. First they claim and hold, all at once,
// until the agent has no place left, and once more: what is held then has to be the limit itself.
// Then each works, asking for up to eight runs at a time, so 128 are wanted; what the agent held is
// swept along the event log, commit by commit, and must never be more.
// Leaves to others: limits by key (the invariants), allowances (limit-100.ts).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { Claimers, roomFor } from "../stage/claimers.ts";
import { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { endsOf, mostLiveByAgent, openIn } from "../stage/fleet-register.ts";
import { Fleet } from "../stage/fleet.ts";
import type { Stage } from "../stage/stage.ts";
import { until } from "../stage/until.ts";

const LIMITS = [1, 3, 50];
const ENGINES = 4;
const CLAIMERS = 16;
const FREE = 8;
const AGENT = "a";

type House = { stage: Stage; embedding: Embedding; claimers: Claimers };

/** Claims for the agent, all at once, until its places are taken, and once more; what is held. */
async function filled(house: House, project: string, limit: number): Promise<number> {
  const { stage, claimers } = house;
  const calls = (CLAIMERS / claimers.count) * FREE;
  let held = 0;
  const claimAll = async (): Promise<boolean> => {
    const order = { kind: "claim", project, agents: [AGENT], calls, finish: null } as const;
    held += (await claimers.obey(() => order)).granted.length;
    return held >= limit;
  };
  await until("the agent is full", claimAll, { limitMs: stage.size(60_000, 60_000), everyMs: 50 });
  await claimAll();
  await claimers.obey(() => ({ kind: "finish", project }));
  return held;
}

async function under(house: House, n: number, limit: number): Promise<Measured> {
  const { stage, embedding, claimers } = house;
  const runs = stage.size(5_000, limit === 50 ? 300 : 60);
  const fleet = await Fleet.of(embedding, `most-${limit}-${n}`);
  const { project } = fleet;
  await claimers.enter(embedding, project);
  await fleet.agents([AGENT], { max_concurrent: limit });
  await fleet.submit(runs);
  const held = await filled(house, project, limit);
  const began = performance.now();
  await claimers.obey(() => ({
    kind: "work",
    project,
    agents: [AGENT],
    claimers: CLAIMERS / claimers.count,
    free: FREE,
    takeMs: limit === 50 ? 100 : 2,
  }));
  const isDone = async (): Promise<boolean> => (await openIn(embedding.register, project)) === 0;
  await until("every run has ended", isDone, { limitMs: stage.size(900_000, 60_000), everyMs: 50 });
  const seconds = (performance.now() - began) / 1_000;
  const told = await claimers.obey(() => ({ kind: "stop" }));
  if (Object.keys(told.refused).length > 0) stage.say(`  ${JSON.stringify(told.refused)}`);
  const ends = await endsOf(embedding.register, project);
  const most = await mostLiveByAgent(embedding.register, project);
  return {
    [`held_at_once_of_${limit}`]: held,
    [`most_of_${limit}`]: most.get(AGENT) ?? NaN,
    [`not_once_of_${limit}`]: ends.filter(
      ({ state, claims }) => state !== "completed" || claims !== 1,
    ).length,
    [`runs_per_second_of_${limit}`]: (runs - held) / seconds,
  };
}

async function open(stage: Stage) {
  const engines = stage.size(ENGINES, 2);
  const embedding = await Embedding.open(stage, roomFor(engines));
  const claimers = await Claimers.start(stage, embedding, engines);
  return {
    repeat: async (n: number) => {
      const measured: Measured = { claimers: CLAIMERS };
      for (const limit of LIMITS) {
        Object.assign(measured, await under({ stage, embedding, claimers }, n, limit));
      }
      return measured;
    },
    close: () => stage.checkRegister(embedding.register),
  };
}

export const maxConcurrent: Campaign = {
  name: "max-concurrent",
  row: "max_concurrent 1, 3, 50 with 16 claimers and 5,000 short runs each",
  asked: "never exceeded, by the event history",
  step: "step-3",
  reps: 1,
  quickReps: 1,
  limitS: 3_600,
  figures: {
    claimers: { unit: "", exactly: CLAIMERS, headline: true },
    ...Object.fromEntries(
      LIMITS.flatMap((limit) => [
        [`held_at_once_of_${limit}`, { unit: "", exactly: limit }],
        [`most_of_${limit}`, { unit: "", exactly: limit, headline: true }],
        [`not_once_of_${limit}`, never],
        [`runs_per_second_of_${limit}`, { unit: "/s" }],
      ]),
    ),
    ...sound,
  },
  open,
};
