// Memory after 10,000 items in flight, against before them.
// Promises: the heap is judged after a full collection (`node --expose-gc`); before is measured
// after two rounds of the same load, when what the engine remembers on purpose (runs, lanes,
// prepared statements) is filled; nothing of the load itself is kept.
// Leaves to others: the weight of an idle server (campaigns/start.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { noLatencies, oneLifecycle } from "../stage/lifecycles.ts";
import { placeOf, throughEngine } from "../stage/operators.ts";
import type { Place } from "../stage/operators.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";

const ITEMS = 10_000;
const WARM_UP = 2;
const MIB = 2 ** 20;

type Weight = { heap: number; rss: number };

async function weigh(): Promise<Weight> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("start node with --expose-gc");
  // Sockets and timers let go of what they hold in later turns.
  for (let n = 0; n < 3; n += 1) {
    await sleep(100);
    gc();
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed / MIB, rss: rss / MIB };
}

/** So many lifecycles at once, one each; what the process weighed when all had been asked for. */
async function round(embedding: Embedding, place: Place, items: number): Promise<Weight> {
  const operator = throughEngine(embedding, place);
  const all = Array.from({ length: items }, () => oneLifecycle(operator, noLatencies()));
  await sleep(0);
  const { heapUsed, rss } = process.memoryUsage();
  await Promise.all(all);
  return { heap: heapUsed / MIB, rss: rss / MIB };
}

async function open(stage: Stage) {
  const embedding = await Embedding.open(stage);
  const place = await placeOf(embedding, await embedding.project("memory"));
  const items = stage.size(ITEMS, 300);
  for (let n = 0; n < WARM_UP; n += 1) await round(embedding, place, items);
  let first: Weight | null = null;
  const repeat = async (): Promise<Measured> => {
    const before = await weigh();
    first ??= before;
    const during = await round(embedding, place, items);
    const after = await weigh();
    return {
      heap_ratio: after.heap / before.heap,
      heap_ratio_to_first: after.heap / first.heap,
      heap_before_mib: before.heap,
      heap_during_mib: during.heap,
      heap_after_mib: after.heap,
      rss_ratio: after.rss / before.rss,
      rss_before_mib: before.rss,
      rss_after_mib: after.rss,
    };
  };
  return { repeat, close: () => stage.checkRegister(embedding.register) };
}

export const memory: Campaign = {
  name: "memory",
  row: "10,000 items in flight, then none: memory against before",
  asked: "back within 10 %",
  reps: 5,
  quickReps: 1,
  limitS: 400,
  figures: {
    heap_ratio: { unit: "×", most: 1.1, timed: true, headline: true },
    heap_ratio_to_first: { unit: "×", most: 1.1, timed: true, headline: true },
    heap_before_mib: speed("MiB"),
    heap_during_mib: speed("MiB"),
    heap_after_mib: speed("MiB"),
    rss_ratio: { ...speed("×"), headline: true },
    rss_before_mib: speed("MiB"),
    rss_after_mib: speed("MiB"),
    ...sound,
  },
  open,
};
