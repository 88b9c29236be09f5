// One run of low priority under a stream of higher ones that is more than the workers can do: it
// waits as long as the ranks say, and not for ever.
// Promises: time is moved in steps of some minutes; in each, 120 % of what the workers can do
// arrives, and the workers take as much as they can. How long it may wait is computed from the law
// alone: what its rank is behind, then whatever stood before it at that moment, at full capacity.
// Leaves to others: critical runs (≥ 80), which go first always.

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { newRun } from "../stage/embedding.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Stage } from "../stage/stage.ts";

const MINUTE = 60_000;
/** A point of priority is worth so much waiting (the product's default). */
const AGEING_MS = 15 * MINUTE;
const OVERLOAD = 1.2;

type Stream = {
  readonly low: number;
  readonly high: number;
  readonly stepMs: number;
  /** Runs that the workers can do in a step. */
  readonly capacity: number;
};

type Waited = {
  readonly waitedMs: number;
  /** Runs with a better rank that stood before it when its rank difference was over. */
  readonly aheadThen: number;
  /** Runs that went before it although their rank was worse. */
  readonly overtaken: number;
  readonly steps: number;
};

/** Runs of the project that go before this one, by rank. */
async function ahead({ register }: Embedding, run: string): Promise<number> {
  const [row] = await register.rows<{ n: number }>(
    `select count(*)::integer as n from signalbox.run r join signalbox.run o
       on o.project_id = r.project_id and o.state = 'pending' and (o.rank, o.id) < (r.rank, r.id)
     where r.id = $1`,
    [run],
  );
  return row?.n ?? NaN;
}

/** Runs of a worse rank that were claimed before this one was. */
export async function overtakers({ register }: Embedding, run: string): Promise<number> {
  const [row] = await register.rows<{ n: number }>(
    `select count(*)::integer as n from signalbox.run r
     join signalbox.event mine on mine.stream_id = r.id and mine.type = 'run.claimed'
     join signalbox.run o on o.project_id = r.project_id and (o.rank, o.id) > (r.rank, r.id)
     join signalbox.event theirs on theirs.stream_id = o.id and theirs.type = 'run.claimed'
       and theirs.feed < mine.feed
     where r.id = $1`,
    [run],
  );
  return row?.n ?? NaN;
}

async function wait(fleet: Fleet, stream: Stream): Promise<Waited> {
  const { embedding } = fleet;
  const { low, high, stepMs, capacity } = stream;
  const differenceMs = (high - low) * AGEING_MS;
  let arrivals = 0;
  const arrive = async (): Promise<void> => {
    arrivals += capacity * OVERLOAD;
    const whole = Math.floor(arrivals);
    arrivals -= whole;
    await fleet.submit(whole, { priority: high });
  };
  await arrive();
  const [run = ""] = await embedding.submit(fleet.project, newRun({ priority: low }));
  const beganAt = embedding.nowMs;
  let aheadThen: number | null = null;
  for (let steps = 0; ; steps += 1) {
    const waitedMs = embedding.nowMs - beganAt;
    if (waitedMs >= differenceMs) aheadThen ??= await ahead(embedding, run);
    const taken = await fleet.claim(["a"], capacity);
    for (const one of taken) await fleet.finish(one);
    if (taken.some(({ runId }) => runId === run)) {
      const overtaken = await overtakers(embedding, run);
      return { waitedMs, aheadThen: aheadThen ?? 0, overtaken, steps };
    }
    if (waitedMs > 10 * differenceMs) throw new Error("it waits for ever");
    embedding.tick(stepMs);
    await arrive();
  }
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const random = stage.random(n);
  const low = random.between(0, 30);
  const stream: Stream = {
    low,
    high: low + random.between(2, stage.size(40, 4)),
    stepMs: random.between(8, 16) * MINUTE,
    capacity: random.between(5, 10),
  };
  const fleet = await Fleet.of(embedding, `low-${n}`, `worker-${n}`);
  const { waitedMs, aheadThen, overtaken, steps } = await wait(fleet, stream);
  const differenceMs = (stream.high - stream.low) * AGEING_MS;
  // A run is taken in steps: the step it falls into and the one before are its granularity.
  const boundMs = differenceMs + (Math.ceil(aheadThen / stream.capacity) + 1) * stream.stepMs;
  return {
    rank_difference_h: differenceMs / (60 * MINUTE),
    queue_ahead: aheadThen,
    waited_h: waitedMs / (60 * MINUTE),
    waited_to_bound: waitedMs / boundMs,
    overtaken_by_worse: overtaken,
    steps,
  };
}

export const lowPriority: Campaign = {
  name: "low-priority",
  row: "low-priority run under a stream of higher ones at 120 % of capacity (time moved)",
  asked: "waits at most its rank difference plus the queue ahead of it",
  step: "step-3",
  reps: 10,
  quickReps: 2,
  limitS: 600,
  figures: {
    rank_difference_h: { unit: "h", headline: true },
    queue_ahead: { unit: "", least: 1, headline: true },
    waited_h: { unit: "h", headline: true },
    waited_to_bound: { unit: "×", most: 1, least: 0.1, headline: true },
    overtaken_by_worse: { ...never, headline: true },
    steps: { unit: "" },
    ...sound,
  },
  open: onOneEngine(repetition, { sweeps: false }),
};
