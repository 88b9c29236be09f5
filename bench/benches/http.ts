// Lifecycles per second over HTTP: the built server in its own process and one process with the
// SDK's client and worker, on the same machine, at 1, 8, 64 and 512 in flight.
// Promises: the handler starts, emits three events and returns through the worker's API; a
// lifecycle counts when the server has answered its end; the order alternates.
// Leaves to others: the same without HTTP (lifecycles.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { quantile } from "../stage/figures.ts";
import { openOutside, playSdkLoad } from "../stage/sdk-load.ts";
import type { Outside } from "../stage/sdk-load.ts";
import { speed } from "../stage/speed.ts";

const IN_FLIGHT = [1, 8, 64, 512];

async function repetition(outside: Outside, n: number): Promise<Measured> {
  const { stage, register } = outside;
  const measured: Measured = {};
  const chosen = stage.quick ? [1, 64] : IN_FLIGHT;
  for (const inFlight of n % 2 === 0 ? chosen : chosen.toReversed()) {
    await register.rows("checkpoint");
    const { perSecond, latencies } = await playSdkLoad(outside, {
      what: "lifecycles",
      queue: "http",
      inFlight,
      warmUpMs: stage.size(3_000, 200),
      measureMs: stage.size(10_000, 300),
    });
    measured[`at_${inFlight}`] = perSecond;
    measured[`start_p50_at_${inFlight}_ms`] = quantile(latencies, 0.5);
  }
  return { ...measured, best: Math.max(...chosen.map((k) => measured[`at_${k}`] ?? NaN)) };
}

export const http: Campaign = {
  name: "http",
  row: "lifecycles/s over HTTP through the SDK worker, server and worker on the same cores",
  asked: "≥ 3,000 at the best number in flight",
  reps: 3,
  quickReps: 1,
  limitS: 400,
  figures: {
    best: speed("lifecycles/s", { least: 3_000 }),
    ...Object.fromEntries(
      IN_FLIGHT.flatMap((k) => [
        [`at_${k}`, { ...speed("lifecycles/s"), headline: true }],
        [`start_p50_at_${k}_ms`, speed("ms")],
      ]),
    ),
    ...sound,
  },
  open: async (stage) => {
    const outside = await openOutside(stage);
    return {
      repeat: (n) => repetition(outside, n),
      close: () => stage.checkRegister(outside.register),
    };
  },
};
