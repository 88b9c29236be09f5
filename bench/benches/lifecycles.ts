// Lifecycles per second in process at 1, 8, 64 and 512 in flight, next to the product's own
// statements one row per transaction and to pgbench, in the same PostgreSQL and repetition.
// Promises: the order alternates between repetitions, each measurement has a warm-up and begins
// after a checkpoint; ratios are made inside a repetition, never between two, and to the faster
// way of doing single rows.
// Leaves to others: HTTP (http.ts), what limits it (profile.ts).

import type { Campaign, Play } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { latencyOf, pace } from "../stage/lifecycles.ts";
import type { Operator, Paced } from "../stage/lifecycles.ts";
import { OneByOne, placeOf, throughEngine, withItems } from "../stage/operators.ts";
import type { Place } from "../stage/operators.ts";
import { preparePgbench } from "../stage/pgbench.ts";
import type { Pgbench } from "../stage/pgbench.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";

const IN_FLIGHT = [1, 8, 64, 512];
const COMPARED_AT = 64;
const CONNECTIONS = 16;

type House = {
  stage: Stage;
  embedding: Embedding;
  place: Place;
  /** A place in each of as many projects as there are callers. */
  apart: Place[];
  pgbench: Pgbench | null;
};

function paced(
  { stage }: House,
  operators: Operator | readonly Operator[],
  size: { inFlight: number; quickMs: number },
): Promise<Paced> {
  const [warmUpMs, measureMs] = [stage.size(2_000, 100), stage.size(10_000, size.quickMs)];
  return pace(operators, { inFlight: size.inFlight, warmUpMs, measureMs });
}

async function batched(house: House, inFlight: number): Promise<Measured> {
  const { work } = house.embedding.engine.parts;
  const { flushes: flushesBefore, items: itemsBefore } = work.figures;
  const size = { inFlight, quickMs: 400 };
  const found = await paced(house, throughEngine(house.embedding, house.place), size);
  const flushes = work.figures.flushes - flushesBefore;
  return {
    [`at_${inFlight}`]: found.perSecond,
    [`p50_at_${inFlight}_ms`]: latencyOf(found, 0.5),
    [`p99_at_${inFlight}_ms`]: latencyOf(found, 0.99),
    [`items_per_flush_at_${inFlight}`]: (work.figures.items - itemsBefore) / flushes,
  };
}

/** One item per transaction, in these places. */
async function singleRows(house: House, name: string, places: readonly Place[]): Promise<Measured> {
  const oneByOne = new OneByOne(house.embedding, CONNECTIONS);
  try {
    const operators = places.map((place) => withItems(oneByOne.send, place));
    const inFlight = house.stage.size(COMPARED_AT, CONNECTIONS);
    const found = await paced(house, operators, { inFlight, quickMs: 1_000 });
    return {
      [name]: found.perSecond,
      [`p50_${name}_ms`]: latencyOf(found, 0.5),
      [`again_${name}`]: oneByOne.again,
    };
  } finally {
    await oneByOne.close();
  }
}

async function repetition(house: House, n: number): Promise<Measured> {
  const { embedding, place, apart, pgbench } = house;
  const parts: (() => Promise<Measured>)[] = IN_FLIGHT.map((k) => () => batched(house, k));
  parts.splice(2, 0, () => singleRows(house, "single_rows", [place]));
  parts.splice(3, 0, () => singleRows(house, "single_rows_apart", apart));
  if (pgbench !== null) parts.splice(4, 0, () => pgbench(CONNECTIONS));
  const measured: Measured = {};
  for (const part of n % 2 === 0 ? parts : parts.toReversed()) {
    await embedding.register.rows("checkpoint");
    Object.assign(measured, await part());
  }
  const { at_64 = NaN, at_512 = NaN, single_rows = NaN, single_rows_apart = NaN } = measured;
  const single = Math.max(single_rows, single_rows_apart);
  const ratios = { ratio_at_64: at_64 / single, ratio_at_512: at_512 / single };
  const { pgbench: bare } = measured;
  const toBare =
    bare === undefined ? {} : { at_64_to_pgbench: at_64 / bare, at_512_to_pgbench: at_512 / bare };
  return { ...measured, ...ratios, ...toBare };
}

async function open(stage: Stage): Promise<Play> {
  const embedding = await Embedding.open(stage);
  const place = await placeOf(embedding, await embedding.project("lifecycles"));
  const pgbench = await preparePgbench(stage, embedding);
  stage.notes.push(
    "Single rows: one item per flush and transaction, 64 callers on 16 connections. In one " +
      "project all of them take its feed counter, which numbers events in commit order, one " +
      "after the other; so they are measured in a project each too (apart), and the ratios are " +
      "to the faster of the two.",
  );
  const apart: Place[] = [];
  for (let n = 0; n < stage.size(COMPARED_AT, 8); n += 1) {
    apart.push(await placeOf(embedding, await embedding.project(`apart-${n}`)));
  }
  const house: House = { stage, embedding, place, apart, pgbench };
  return {
    repeat: (n) => repetition(house, n),
    close: () => stage.checkRegister(embedding.register),
  };
}

const perInFlight = Object.fromEntries(
  IN_FLIGHT.flatMap((k) => [
    [`at_${k}`, { ...speed("lifecycles/s"), headline: true }],
    [`p50_at_${k}_ms`, speed("ms")],
    [`p99_at_${k}_ms`, speed("ms")],
    [`items_per_flush_at_${k}`, speed("")],
  ]),
);

export const lifecycles: Campaign = {
  name: "lifecycles",
  row: "lifecycles/s in process, against the same statements one row per transaction (at 64)",
  asked: "≥ 5 × at 64, ≥ 7 × at 512; 6,500 / 10,000 aimed for",
  reps: 3,
  quickReps: 1,
  limitS: 1_500,
  figures: {
    ratio_at_64: speed("×", { least: 5 }),
    ratio_at_512: speed("×", { least: 7 }),
    ...perInFlight,
    single_rows: { ...speed("lifecycles/s"), headline: true },
    p50_single_rows_ms: speed("ms"),
    again_single_rows: { unit: "" },
    single_rows_apart: { ...speed("lifecycles/s"), headline: true },
    p50_single_rows_apart_ms: speed("ms"),
    again_single_rows_apart: { unit: "" },
    pgbench: { ...speed("lifecycles/s"), headline: true },
    pgbench_transaction_ms: speed("ms"),
    at_64_to_pgbench: speed("×"),
    at_512_to_pgbench: speed("×"),
    ...sound,
  },
  open,
};
