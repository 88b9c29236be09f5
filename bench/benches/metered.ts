// Lifecycles per second of 64 agents with an allowance of tokens each, against the same agents with
// none, at 64 and 512 in flight.
// Promises: the same operations in both, usage with every end; without means that nothing at all is
// configured in the project, so the whole price of allowances is measured. Both in slices that take
// turns inside one repetition, the first of them in alternating order. At the end the books of
// every
// allowance are right, and nothing is reserved.
// Leaves to others: lifecycles without agents (lifecycles.ts), limits that are reached (campaigns).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign, Play } from "../stage/campaign.ts";
import { Embedding, good, origin } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { booksOf, wrongSums } from "../stage/fleet-register.ts";
import { latencyOf, pace } from "../stage/lifecycles.ts";
import type { Operator } from "../stage/lifecycles.ts";
import { placeOf, throughEngine } from "../stage/operators.ts";
import type { Place } from "../stage/operators.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";

const AGENTS = 64;
const IN_FLIGHT = [64, 512];
const LIMIT = 1_000_000_000_000;
/** Slices of each kind in a repetition: `plain metered metered plain`, twice. */
const TURNS = [0, 1, 1, 0, 1, 0, 0, 1];
const usage = { inputTokens: 1_200, outputTokens: 300 };

const agentNames = Array.from({ length: AGENTS }, (_, n) => `agent-${n}`);

type Side = { name: "plain" | "metered"; operators: Operator[] };
type House = { stage: Stage; embedding: Embedding; sides: readonly [Side, Side] };

async function allow(embedding: Embedding, project: string): Promise<void> {
  const { engine } = embedding;
  for (const name of agentNames) {
    const input = { scope: "agent", name, metric: "tokens", limit: LIMIT, window: "day" } as const;
    good(await engine.registerAgent(project, name, {}, origin));
    good(await engine.createAllowance(project, input, origin));
  }
}

function operatorsIn(embedding: Embedding, place: Place): Operator[] {
  return agentNames.map((agent) => throughEngine(embedding, place, { agent, usage }));
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

async function at(house: House, n: number, inFlight: number): Promise<Measured> {
  const { stage, embedding, sides } = house;
  const speeds = { plain: [] as number[], metered: [] as number[] };
  const latencies = { plain: [] as number[], metered: [] as number[] };
  await embedding.register.rows("checkpoint");
  for (const turn of TURNS.slice(0, stage.size(TURNS.length, 2))) {
    const side = sides[(turn + n) % 2 === 0 ? 0 : 1];
    const [warmUpMs, measureMs] = [stage.size(1_000, 50), stage.size(4_000, 250)];
    const loops = stage.size(inFlight, inFlight / 8);
    const found = await pace(side.operators, { inFlight: loops, warmUpMs, measureMs });
    speeds[side.name].push(found.perSecond);
    latencies[side.name].push(latencyOf(found, 0.5));
  }
  return {
    [`ratio_at_${inFlight}`]: mean(speeds.metered) / mean(speeds.plain),
    [`metered_at_${inFlight}`]: mean(speeds.metered),
    [`plain_at_${inFlight}`]: mean(speeds.plain),
    [`p50_metered_at_${inFlight}_ms`]: mean(latencies.metered),
    [`p50_plain_at_${inFlight}_ms`]: mean(latencies.plain),
  };
}

async function open(stage: Stage): Promise<Play> {
  const embedding = await Embedding.open(stage);
  stage.notes.push("Without: the same agents in a project in which nothing is configured at all.");
  const plain = await placeOf(embedding, await embedding.project("plain"));
  const metered = await placeOf(embedding, await embedding.project("metered"));
  await allow(embedding, metered.project);
  const sides = [
    { name: "plain", operators: operatorsIn(embedding, plain) },
    { name: "metered", operators: operatorsIn(embedding, metered) },
  ] as const;
  const house: House = { stage, embedding, sides };
  return {
    repeat: async (n) => {
      const measured: Measured = {};
      for (const inFlight of IN_FLIGHT) Object.assign(measured, await at(house, n, inFlight));
      return measured;
    },
    close: async () => {
      await embedding.engine.parts.after.settled();
      const books = await booksOf(embedding.register, metered.project);
      return {
        wrong_sums: wrongSums(books).length,
        reserved_at_rest: books.reduce((sum, book) => sum + book.reserved + book.open, 0),
        ...(await stage.checkRegister(embedding.register)),
      };
    },
  };
}

export const metered: Campaign = {
  name: "metered",
  row: "lifecycles/s, 64 agents with an allowance of tokens each, against none (at 64 and 512)",
  asked: "≥ 0.70 ×",
  step: "step-3",
  reps: 5,
  quickReps: 1,
  limitS: 900,
  figures: {
    ...Object.fromEntries(
      IN_FLIGHT.flatMap((inFlight) => [
        [`ratio_at_${inFlight}`, speed("×", { least: 0.7 })],
        [`metered_at_${inFlight}`, { ...speed("lifecycles/s"), headline: true }],
        [`plain_at_${inFlight}`, { ...speed("lifecycles/s"), headline: true }],
        [`p50_metered_at_${inFlight}_ms`, speed("ms")],
        [`p50_plain_at_${inFlight}_ms`, speed("ms")],
      ]),
    ),
    wrong_sums: never,
    reserved_at_rest: never,
    ...sound,
  },
  open,
};
