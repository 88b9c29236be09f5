// Two engines in two processes on one PostgreSQL under mixed load for ten minutes: no deadlock.
// Promises: deadlocks are counted by PostgreSQL itself (pg_stat_database), those it solved for a
// retry included; a caller sees none and no other fault; both engines write to runs of both.
// Leaves to others: HTTP and worker processes (campaigns/two-servers.ts).

import type { Campaign } from "../stage/campaign.ts";
import { never, sound } from "../stage/campaign.ts";
import { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { workerProgram } from "../stage/places.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";
import type { EngineLoadMeasured, EngineLoadSettings } from "../workers/engine-load.ts";

const LOAD_S = 600;
const NAMES = ["first", "second"];

async function playOne(stage: Stage, settings: EngineLoadSettings): Promise<EngineLoadMeasured> {
  const load = stage.processes.start({
    name: settings.runtime,
    command: process.execPath,
    args: [workerProgram("engine-load"), JSON.stringify(settings)],
  });
  const { code } = await load.exited;
  const said = load.output.at(-1);
  if (code !== 0 || said === undefined || said === "ready") {
    throw new Error(`${settings.runtime} ended with ${code}: ${load.lastWords()}`);
  }
  return JSON.parse(said) as EngineLoadMeasured;
}

async function deadlocks({ register }: Embedding): Promise<number> {
  const [row] = await register.rows<{ n: number }>(
    "select deadlocks::integer as n from pg_stat_database where datname = current_database()",
  );
  return row?.n ?? NaN;
}

const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, one) => total + one, 0);

async function repetition(stage: Stage, embedding: Embedding, n: number): Promise<Measured> {
  const project = await embedding.project(`mixed-${n}`, NAMES[0]);
  await embedding.addRuntime(project, NAMES[1] ?? "");
  const before = await deadlocks(embedding);
  const seconds = stage.size(LOAD_S, 3);
  const both = await Promise.all(
    NAMES.map((runtime, at) =>
      playOne(stage, {
        databaseUrl: embedding.url,
        project,
        runtime,
        seed: stage.options.seed + n * 2 + at,
        seconds,
      }),
    ),
  );
  for (const [at, { done, refused, faults }] of both.entries()) {
    stage.say(`  ${NAMES[at]}: ${JSON.stringify({ done, refused, faults })}`);
    if (sum(faults) > 0) stage.notes.push(`Faults of one engine: ${JSON.stringify(faults)}.`);
  }
  const done = (what: string): number =>
    both.reduce((total, one) => total + (one.done[what] ?? 0), 0);
  // PostgreSQL writes its counters within a second of the end of a transaction.
  await sleep(1_500);
  return {
    deadlocks: (await deadlocks(embedding)) - before,
    faults_seen: both.reduce((total, { faults }) => total + sum(faults), 0),
    operations: both.reduce((total, one) => total + sum(one.done), 0) / seconds,
    submitted: done("submit"),
    completed: done("complete"),
    failed: done("fail"),
    released: done("release"),
    killed: done("kill"),
    cancelled: done("cancel"),
    renewed: done("renewal"),
    refused: both.reduce((total, one) => total + sum(one.refused), 0),
  };
}

const some = { unit: "", least: 1 };

export const twoServersLoad: Campaign = {
  name: "two-servers-load",
  row: "two servers, one database, 10 minutes of mixed load",
  asked: "0 deadlocks (40P01), none seen by a caller",
  reps: 1,
  quickReps: 1,
  limitS: 1_500,
  figures: {
    deadlocks: { ...never, headline: true },
    faults_seen: { ...never, headline: true },
    operations: { ...speed("/s"), headline: true },
    submitted: { ...some, headline: true },
    completed: some,
    failed: some,
    released: some,
    killed: some,
    cancelled: some,
    renewed: { unit: "" },
    refused: { unit: "" },
    ...sound,
  },
  open: async (stage) => {
    const embedding = await Embedding.open(stage);
    stage.notes.push("A third engine made the project; it swept beside the two and took no load.");
    return {
      repeat: (n) => repetition(stage, embedding, n),
      close: () => stage.checkRegister(embedding.register),
    };
  },
};
