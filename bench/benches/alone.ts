// The lone caller: what each operation takes through the batcher, against the same flush without.
// Promises: one lifecycle at a time; blocks of both ways alternate, so that whatever disturbs the
// machine disturbs both; the same items, the same rows, one connection each.
// Leaves to others: many callers (lifecycles.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding } from "../stage/embedding.ts";
import type { FigureKind, Measured } from "../stage/figures.ts";
import { quantile } from "../stage/figures.ts";
import { kinds, noLatencies, oneLifecycle } from "../stage/lifecycles.ts";
import type { Latencies, Operator } from "../stage/lifecycles.ts";
import { OneByOne, placeOf, throughBatcher, withItems } from "../stage/operators.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";

const BLOCKS = 20;
const PER_BLOCK = 50;

type Way = { operator: Operator; latencies: Latencies };

async function block({ operator, latencies }: Way, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await oneLifecycle(operator, latencies);
}

function figuresFor(batched: Latencies, alone: Latencies): Measured {
  const all = (latencies: Latencies): number => quantile(Object.values(latencies).flat(), 0.5);
  const measured: Measured = {
    ratio: all(batched) / all(alone),
    batched_ms: all(batched),
    unbatched_ms: all(alone),
  };
  for (const kind of kinds) {
    const [mine, bare] = [quantile(batched[kind], 0.5), quantile(alone[kind], 0.5)];
    measured[`${kind}_ms`] = mine;
    measured[`${kind}_ratio`] = mine / bare;
  }
  return measured;
}

async function open(stage: Stage) {
  const embedding = await Embedding.open(stage);
  const place = await placeOf(embedding, await embedding.project("alone"));
  const single = new OneByOne(embedding, 1);
  stage.afterwards(() => single.close());
  const ways = [throughBatcher(embedding.engine), single.send].map((send) => ({
    operator: withItems(send, place),
    latencies: noLatencies(),
  }));
  const [blocks, perBlock] = [stage.size(BLOCKS, 2), stage.size(PER_BLOCK, 3)];
  for (const way of ways) await block(way, 2 * perBlock);
  const repetition = async (n: number): Promise<Measured> => {
    await embedding.register.rows("checkpoint");
    for (const way of ways) way.latencies = noLatencies();
    for (let at = 0; at < blocks; at += 1) {
      for (const way of (at + n) % 2 === 0 ? ways : ways.toReversed()) await block(way, perBlock);
    }
    const [batched, alone] = ways.map(({ latencies }) => latencies);
    return figuresFor(batched ?? noLatencies(), alone ?? noLatencies());
  };
  return { repeat: repetition, close: () => stage.checkRegister(embedding.register) };
}

const perKind: Record<string, FigureKind> = Object.fromEntries(
  kinds.flatMap((kind) => [
    [`${kind}_ratio`, speed("×", { most: 1.1 })],
    [`${kind}_ms`, speed("ms")],
  ]),
);

export const alone: Campaign = {
  name: "alone",
  row: "lone caller: latency per operation through the batcher against unbatched",
  asked: "≤ 1.1 ×",
  reps: 5,
  quickReps: 1,
  limitS: 300,
  figures: {
    ratio: speed("×", { most: 1.1 }),
    batched_ms: speed("ms"),
    unbatched_ms: speed("ms"),
    ...perKind,
    ...sound,
  },
  open,
};
