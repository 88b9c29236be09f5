// Kill, cancel and heartbeat in process while the work batcher is saturated, and while it is stuck
// on a row that another transaction holds.
// Promises: each is asked for alone, at random moments, about a running run of the same project as
// the load; the worst sample of every repetition is judged, not a median. Stuck on the run: its
// row is locked and its start goes from flush to flush. Stuck on the attempt: the row of the
// attempt is locked and the start meets that in the middle of a flush. How many lifecycles ended
// beside it, how many were refused as late, and the longest plain commit of a witness in the same
// seconds stand beside; they are not judged.
// Leaves to others: what the commands do (campaigns).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding, good, newRun, origin, Refused } from "../stage/embedding.ts";
import type { Held } from "../stage/embedding.ts";
import type { FigureKind, Measured } from "../stage/figures.ts";
import { quantile } from "../stage/figures.ts";
import { Lifecycles } from "../stage/lifecycles.ts";
import { placeOf, throughEngine } from "../stage/operators.ts";
import type { Place } from "../stage/operators.ts";
import { Client } from "../stage/postgres.ts";
import type { Random } from "../stage/random.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";
import { Witness } from "../stage/witness.ts";

const SATURATED = 512;
const BESIDE_STUCK = 64;
const SAMPLES = 60;
const SETTLE_MS = 2_000;
const TARGETS = "targets";

const commands = ["kill", "cancel", "heartbeat"] as const;
type Command = (typeof commands)[number];

type House = { stage: Stage; embedding: Embedding; place: Place };

/** Running runs of the project that nobody works on. */
async function targets({ embedding, place }: House, count: number): Promise<Held[]> {
  const { project } = place;
  const specs = Array.from({ length: count }, () => newRun({ queue: TARGETS }));
  await embedding.submit(project, ...specs);
  const held = await embedding.claim(project, count, { queues: [TARGETS] });
  const items = held.map((one) => ({ ...one, command: { kind: "start" } as const }));
  for (const answer of await embedding.engine.report(project, items, origin)) good(answer);
  if (held.length !== count) throw new Error(`${held.length} of ${count} targets were claimed`);
  return held;
}

async function give({ embedding, place }: House, command: Command, held: Held): Promise<number> {
  const { engine } = embedding;
  const { project } = place;
  const { runId } = held;
  const began = performance.now();
  if (command === "kill") good(await engine.kill(project, runId, "bench", origin));
  if (command === "cancel") {
    good(await engine.cancel(project, runId, { reason: null, cascade: false }, origin));
  }
  if (command === "heartbeat") {
    const input = { runtime: "bench", agents: [], leases: [held] };
    const { leases } = good(await engine.heartbeat(project, input, origin));
    if (leases[0]?.ok !== true) throw new Error("a heartbeat did not renew");
  }
  return performance.now() - began;
}

async function sample(
  house: House,
  condition: string,
  { held, random }: { held: Held[]; random: Random },
): Promise<Measured> {
  const took = new Map<Command, number[]>(commands.map((command) => [command, []]));
  while (held.length > 0) {
    for (const command of commands) {
      const target = held.pop();
      if (target === undefined) break;
      took.get(command)?.push(await give(house, command, target));
      await sleep(random.between(2, 30));
    }
  }
  return Object.fromEntries(
    commands.flatMap((command) => {
      const all = took.get(command) ?? [];
      return [
        [`${condition}_${command}_p50_ms`, quantile(all, 0.5)],
        [`${condition}_${command}_p99_ms`, quantile(all, 0.99)],
        [`${condition}_${command}_most_ms`, Math.max(...all)],
      ];
    }),
  );
}

type Under = {
  condition: string;
  inFlight: number;
  /** The runs that the commands are about. */
  held: Held[];
  random: Random;
  /** Once the samples are taken, before the lifecycles are waited for. */
  after?: () => Promise<void>;
};

/** Takes samples while so many lifecycles are in flight. */
async function under(house: House, load: Under): Promise<Measured> {
  const { stage, embedding, place } = house;
  const { condition, held, random } = load;
  const witness = await Witness.begin(embedding.url);
  const working = new Lifecycles(throughEngine(embedding, place), load.inFlight, isLate);
  try {
    await sleep(stage.size(SETTLE_MS, 100));
    witness.take();
    const measured = await sample(house, condition, { held, random });
    const { commitMostMs, lateMostMs } = witness.take();
    return {
      ...measured,
      [`${condition}_witness_commit_most_ms`]: commitMostMs,
      [`${condition}_witness_late_most_ms`]: lateMostMs,
      [`${condition}_lifecycles`]: working.ended,
      [`${condition}_refused_late`]: working.excused,
    };
  } finally {
    await load.after?.();
    await working.stop();
    await witness.end();
  }
}

/** What is said to an item that waited 10 s for a row that somebody else holds. */
const isLate = (error: unknown): boolean =>
  error instanceof Refused && error.code === "unavailable";

/** Another transaction that holds a row of this run until it is told to let go. */
async function hold(
  { url }: Embedding,
  table: "run" | "attempt",
  run: string,
): Promise<() => Promise<void>> {
  const holder = new Client({ connectionString: url });
  await holder.connect();
  await holder.query("begin");
  const column = table === "run" ? "id" : "run_id";
  await holder.query(`select 1 from signalbox.${table} where ${column} = $1 for update`, [run]);
  return async () => {
    await holder.query("rollback");
    await holder.end();
  };
}

/** Holds a row of a claimed run, and keeps asking for the start that needs that row. */
async function stuck(
  house: House,
  { table, random }: { table: "run" | "attempt"; random: Random },
): Promise<Measured> {
  const { stage, embedding, place } = house;
  const { project } = place;
  const held = await targets(house, stage.size(SAMPLES, 5) * commands.length);
  await embedding.submit(project, newRun({ queue: "stuck" }));
  const [needed] = await embedding.claim(project, 1, { queues: ["stuck"] });
  if (needed === undefined) throw new Error("nothing to be stuck on");
  const letGo = await hold(embedding, table, needed.runId);
  const wait = { isOver: false };
  const asking = (async () => {
    while (!wait.isOver) {
      const items = [{ ...needed, command: { kind: "start" } as const }];
      try {
        good((await embedding.engine.report(project, items, origin))[0]);
        if (!wait.isOver) throw new Error("what was to be stuck was not");
      } catch (error) {
        if (!isLate(error)) throw error;
      }
    }
  })();
  const after = async (): Promise<void> => {
    wait.isOver = true;
    await letGo();
    await asking;
  };
  const condition = `stuck_on_${table}`;
  return under(house, { condition, inFlight: BESIDE_STUCK, held, random, after });
}

/** As many lifecycles as the engine can take, and more. */
async function saturated(house: House, random: Random): Promise<Measured> {
  const held = await targets(house, house.stage.size(SAMPLES, 5) * commands.length);
  return under(house, { condition: "saturated", inFlight: SATURATED, held, random });
}

async function repetition(house: House, n: number): Promise<Measured> {
  const random = house.stage.random(n);
  return {
    ...(await saturated(house, random)),
    ...(await stuck(house, { table: "run", random })),
    ...(await stuck(house, { table: "attempt", random })),
  };
}

const judged = { unit: "ms", most: 250, timed: true, headline: true } satisfies FigureKind;

export const control: Campaign = {
  name: "control",
  row: "kill, cancel and heartbeat while the work batcher is saturated (512) or stuck on a lock",
  asked: "≤ 250 ms each",
  reps: 3,
  quickReps: 1,
  limitS: 600,
  figures: {
    ...Object.fromEntries(
      ["saturated", "stuck_on_run", "stuck_on_attempt"].flatMap((condition) => [
        ...commands.flatMap((command) => [
          [`${condition}_${command}_most_ms`, judged],
          [`${condition}_${command}_p50_ms`, speed("ms")],
          [`${condition}_${command}_p99_ms`, speed("ms")],
        ]),
        [`${condition}_witness_commit_most_ms`, speed("ms")],
        [`${condition}_witness_late_most_ms`, speed("ms")],
        [`${condition}_lifecycles`, speed("")],
        [`${condition}_refused_late`, speed("")],
      ]),
    ),
    ...sound,
  },
  open: async (stage) => {
    const embedding = await Embedding.open(stage);
    const place = await placeOf(embedding, await embedding.project("control"));
    return {
      repeat: (n) => repetition({ stage, embedding, place }, n),
      close: () => stage.checkRegister(embedding.register),
    };
  },
};
