// Workers that are killed at random while they consume: in the end the books are right.
// Promises: each worker is a server and its workers in one process, killed with SIGKILL and started
// anew; leases are short, attempts end in every way, operators kill and cancel beside it, usage
// comes
// with events, with ends and after them. One allowance of tokens per agent and one for the project;
// what they say is compared with the sum of all usage that was accepted, less the refunds.
// Leaves to others: limits that are reached (limit-100.ts, budget.ts).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { roomFor } from "../stage/claimers.ts";
import { Embedding, origin } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import {
  booksOf,
  endsOf,
  liveNow,
  miscountedAttempts,
  openIn,
  wrongSums,
} from "../stage/fleet-register.ts";
import { Fleet } from "../stage/fleet.ts";
import { workerProgram } from "../stage/places.ts";
import type { OwnProcess } from "../stage/processes.ts";
import type { Random } from "../stage/random.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";
import type { SpenderSettings } from "../workers/spender.ts";

const WORKERS = 6;
const LIMIT = 1_000_000_000;
const LEASE_MS = 2_000;
const OPERATE_EVERY_MS = 40;
/** Longer than any machine should need. */
const MOST_MS = 1_200_000;

type House = { stage: Stage; fleet: Fleet; random: Random };

/** Workers of a fleet, one per agent, each in the process it has now. */
class Spenders {
  readonly #house: House;
  readonly #now: OwnProcess[] = [];
  readonly faults: string[] = [];
  killed = 0;

  constructor(house: House, count: number) {
    this.#house = house;
    for (let n = 0; n < count; n += 1) this.#now.push(this.#start(n));
  }

  #start(n: number): OwnProcess {
    const { stage, fleet, random } = this.#house;
    const settings: SpenderSettings = {
      databaseUrl: fleet.embedding.url,
      project: fleet.project,
      runtime: `spender-${n}`,
      agent: `agent-${n}`,
      seed: random.between(1, 1_000_000),
      leaseMs: LEASE_MS,
    };
    return stage.processes.start({
      name: settings.runtime,
      command: process.execPath,
      args: [workerProgram("spender"), JSON.stringify(settings)],
      onLine: (line) => {
        if (line.startsWith("fault ")) this.faults.push(line);
      },
    });
  }

  /** Kills one while it has work, and starts another in its place; none when nothing is left. */
  async killOne(): Promise<void> {
    const { fleet, random } = this.#house;
    const n = random.between(0, this.#now.length - 1);
    const victim = this.#now[n];
    if (victim === undefined) return;
    await victim.saysLine("ready");
    await sleep(random.between(0, 600));
    while (!(await this.#hasWork(victim.name))) {
      if ((await openIn(fleet.embedding.register, fleet.project)) === 0) return;
    }
    await victim.kill9();
    this.killed += 1;
    this.#now[n] = this.#start(n);
  }

  async #hasWork(runtime: string): Promise<boolean> {
    const { embedding, project } = this.#house.fleet;
    const [row] = await embedding.register.rows(
      `select 1 as found from signalbox.run r
       where r.project_id = $1 and r.runtime = $2 and r.lease_expires_at is not null limit 1`,
      [project, runtime],
    );
    return row !== undefined;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#now.map((one) => one.stop()));
  }
}

/** An operator who ends runs that are live, now and then. */
async function operate({ fleet, random }: House, phase: { isOver: boolean }): Promise<void> {
  const { register, engine } = fleet.embedding;
  while (!phase.isOver) {
    const [run] = await register.rows<{ id: string }>(
      `select r.id from signalbox.run r where r.project_id = $1 and r.lease_expires_at is not null
       order by r.lease_expires_at desc limit 1`,
      [fleet.project],
    );
    // Whatever is answered is the law's; the books have to be right with it.
    if (run !== undefined && random.next() < 0.5) {
      await engine.kill(fleet.project, run.id, "campaign", origin);
    } else if (run !== undefined) {
      const input = { reason: "campaign", cascade: false };
      await engine.cancel(fleet.project, run.id, input, origin);
    }
    await sleep(OPERATE_EVERY_MS);
  }
}

/** Kills workers until hardly a run is left, and lets those be done. */
async function killUntilDone({ stage, fleet }: House, spenders: Spenders, runs: number) {
  const { register } = fleet.embedding;
  const atLeast = stage.size(20, 2);
  const began = performance.now();
  for (;;) {
    const open = await openIn(register, fleet.project);
    if (open === 0) return;
    if (performance.now() - began > MOST_MS) throw new Error("runs do not come to an end");
    if (spenders.killed >= atLeast && open < runs / 50) await sleep(100);
    else await spenders.killOne();
  }
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const { register } = embedding;
  const random = stage.random(n);
  const runs = stage.size(20_000, 600);
  const workers = stage.size(WORKERS, 2);
  const fleet = await Fleet.of(embedding, `killed-${n}`);
  const { project } = fleet;
  for (let at = 0; at < workers; at += 1) {
    await embedding.addRuntime(project, `spender-${at}`);
    await fleet.agents([`agent-${at}`]);
    const input = { scope: "agent", name: `agent-${at}`, metric: "tokens", limit: LIMIT } as const;
    await fleet.allowance({ ...input, window: "day", default_reserve: 10 });
  }
  await fleet.allowance({ scope: "project", metric: "tokens", limit: LIMIT, window: "day" });
  await fleet.submit(runs, { max_attempts: 20, backoff: { base_ms: 20, cap_ms: 200 } });
  const house = { stage, fleet, random };
  const phase = { isOver: false };
  stage.beforehand(() => (phase.isOver = true));
  const spenders = new Spenders(house, workers);
  const began = performance.now();
  await Promise.all([
    killUntilDone(house, spenders, runs).finally(() => (phase.isOver = true)),
    operate(house, phase),
  ]);
  await spenders.stop();
  await fleet.settled();
  for (const words of [...new Set(spenders.faults)].slice(0, 5)) stage.say(`  ${words}`);
  const books = await booksOf(register, project);
  const ends = await endsOf(register, project);
  const wrong = wrongSums(books);
  for (const book of wrong.slice(0, 5)) stage.say(`  ${JSON.stringify(book)}`);
  const miscounted = await miscountedAttempts(register, project);
  for (const one of miscounted.slice(0, 10)) stage.say(`  ${JSON.stringify(one)}`);
  const sum = (one: (book: (typeof books)[number]) => number): number =>
    books.reduce((total, book) => total + one(book), 0);
  const [lost] = await register.rows<{ n: number }>(
    `select count(*)::integer as n from signalbox.attempt
     where project_id = $1 and state = 'lost'`,
    [project],
  );
  const [late] = await register.rows<{ n: number }>(
    "select count(*)::integer as n from signalbox.usage where project_id = $1 and late",
    [project],
  );
  return {
    runs: ends.length,
    workers_killed: spenders.killed,
    attempts: ends.reduce((total, end) => total + end.claims, 0),
    attempts_lost: lost?.n ?? NaN,
    late_usage: late?.n ?? NaN,
    refunded: sum(({ refunded }) => refunded),
    spent: sum(({ spent }) => spent),
    reserved_at_rest: sum(({ reserved, open }) => reserved + open),
    live_at_rest: await liveNow(register, project),
    wrong_sums: wrong.length,
    miscounted_attempts: miscounted.length,
    faults: spenders.faults.length,
    seconds: (performance.now() - began) / 1_000,
  };
}

const some = { unit: "", least: 1 };

export const killedWorkers: Campaign = {
  name: "killed-workers",
  row: "20,000 runs, workers killed at random, an allowance per agent and one for the project",
  asked: "at rest reserved 0, live 0; spent = usage − refunds",
  step: "step-3",
  reps: 1,
  quickReps: 1,
  limitS: 1_800,
  figures: {
    runs: { ...some, headline: true },
    workers_killed: { ...some, headline: true },
    attempts: some,
    attempts_lost: { ...some, headline: true },
    late_usage: some,
    refunded: { ...some, headline: true },
    spent: { ...some, headline: true },
    reserved_at_rest: { ...never, headline: true },
    live_at_rest: { ...never, headline: true },
    wrong_sums: { ...never, headline: true },
    miscounted_attempts: never,
    faults: never,
    seconds: { unit: "s" },
    ...sound,
  },
  open: async (stage) => {
    const embedding = await Embedding.open(stage, roomFor(WORKERS + 2));
    return {
      repeat: (n) => repetition({ stage, embedding }, n),
      close: () => stage.checkRegister(embedding.register),
    };
  },
};
