// Two servers on one PostgreSQL under mixed load: no deadlock, no run done twice.
// Promises: clients, workers and meddlers use both servers, often one for a run that the other has
// claimed out; deadlocks are counted by PostgreSQL itself (pg_stat_database). The database is that
// of TEST_DATABASE_URL, else the one in the box.
// Leaves to others: servers that die (server-kill.ts).

import type { Campaign, Play } from "../stage/campaign.ts";
import { never, sound } from "../stage/campaign.ts";
import { Hands, overlaps } from "../stage/crew.ts";
import { makeDatabase } from "../stage/database.ts";
import type { Measured } from "../stage/figures.ts";
import { brokenPromises } from "../stage/kept.ts";
import { Load } from "../stage/load.ts";
import { Meddling } from "../stage/meddling.ts";
import type { History, Register } from "../stage/register.ts";
import type { Server } from "../stage/server.ts";
import type { Stage } from "../stage/stage.ts";
import { allEnded } from "../stage/submit.ts";
import { uuidOf } from "../stage/type-id.ts";
import { sleep } from "../stage/until.ts";

const LOAD_S = 60;

type Pair = { stage: Stage; servers: readonly [Server, Server]; register: Register };

async function crewOf({ stage, servers }: Pair, queue: string): Promise<Hands[]> {
  const settings = servers.flatMap(({ url, credentials: { key } }, at) =>
    [0, 1].map((n) => ({ url, key, name: `${queue}-hands-${at}-${n}`, queue })),
  );
  const times = { concurrency: 4, leaseMs: 20_000, heartbeatMs: 2_000, habit: "finish" } as const;
  return Promise.all(
    settings.map((one) => new Hands(stage.processes, { ...one, ...times }, stage.log).ready()),
  );
}

async function deadlocks({ register }: Pair): Promise<number> {
  const [row] = await register.rows<{ n: number }>(
    `select deadlocks::integer as n from pg_stat_database where datname = current_database()`,
  );
  return row?.n ?? NaN;
}

/**
 * Completed runs were done once; others ended because somebody asked, or what they wait for did.
 */
function isOnce(stopped: ReadonlySet<string>, run: History): boolean {
  if (run.terminal_events !== 1 || run.claims > 1 || run.lost > 0) return false;
  if (run.state === "completed") return run.claims === 1 && run.counted === 1;
  if (run.state === "failed") return run.end_cause === "dependency" && run.claims === 0;
  return run.state === "cancelled" && stopped.has(run.id);
}

async function repetition(pair: Pair, n: number): Promise<Measured> {
  const { stage, servers, register } = pair;
  const [plain, worked] = [`plain-${n}`, `worked-${n}`];
  const before = await deadlocks(pair);
  const crew = await crewOf(pair, worked);
  const turn = (name: string): Server => servers[name.endsWith("1") || name.endsWith("3") ? 1 : 0];
  const load = new Load({
    queue: plain,
    seed: stage.options.seed + n,
    submitters: 4,
    workers: 4,
    leaseMs: 20_000,
    thinkMs: 10,
    wire: (name) => turn(name).wire(name),
  });
  const wires = servers.map((server, at) => server.wire(`meddler-${at}`));
  const meddling = new Meddling({ queue: worked, random: stage.random(n), wires });
  stage.beforehand(() => load.halt());
  stage.beforehand(() => meddling.halt());
  await sleep(stage.size(LOAD_S, 3) * 1_000);
  await Promise.all([meddling.stop(), load.stopSubmitting()]);
  await allEnded(register, plain, 120_000);
  await allEnded(register, worked, 120_000);
  await load.stop();
  await Promise.all(crew.map((one) => one.process.stop()));
  const broken = await brokenPromises(register, load.promised);
  const histories = [...(await register.histories(plain)), ...(await register.histories(worked))];
  const stopped = new Set([...meddling.stopped].map(uuidOf));
  const strange = histories.filter((run) => !isOnce(stopped, run));
  for (const run of strange.slice(0, 5)) stage.say(`  ${JSON.stringify(run)}`);
  // PostgreSQL writes its counters within a second of the end of a transaction.
  await sleep(1_500);
  return {
    runs: histories.length,
    completed: histories.filter(({ state }) => state === "completed").length,
    stopped_by_meddlers: histories.filter(({ state }) => state === "cancelled").length,
    deadlocks: (await deadlocks(pair)) - before,
    not_once: strange.length,
    overlapping: overlaps(crew, new Map()),
    promises_broken: broken.submits + broken.events + broken.completions + broken.doubled,
  };
}

async function open(stage: Stage): Promise<Play> {
  const database = await makeDatabase(stage.makeFolder("database"));
  stage.afterwards(database.close);
  stage.notes.push(`The database was ${database.where}.`);
  const first = await stage.startServer("first", { databaseUrl: database.url });
  const { key } = first.credentials;
  const second = await stage.startServer("second", { databaseUrl: database.url, key });
  const pair: Pair = { stage, servers: [first, second], register: first.register() };
  return {
    repeat: (n) => repetition(pair, n),
    close: async () => {
      const measured = await stage.checkRegister(pair.register);
      await pair.register.close();
      return measured;
    },
  };
}

export const twoServers: Campaign = {
  name: "two-servers",
  row: "two servers on one PostgreSQL, mixed load 60 s",
  asked: "0 deadlocks, each run once",
  reps: 1,
  quickReps: 1,
  limitS: 400,
  figures: {
    runs: { unit: "", least: 1, headline: true },
    completed: { unit: "", least: 1, headline: true },
    stopped_by_meddlers: { unit: "", least: 1 },
    deadlocks: { ...never, headline: true },
    not_once: { ...never, headline: true },
    overlapping: never,
    promises_broken: never,
    ...sound,
  },
  open,
};
