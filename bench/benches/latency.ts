// From a submit to the start of its handler, over HTTP, with an idle worker that waits for work.
// Promises: one run after the other; measured with one monotonic clock, from before the request
// is made to the first line of the handler; a random pause lets the worker be idle again.
// Leaves to others: the same under load (http.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { quantile } from "../stage/figures.ts";
import { openOutside, playSdkLoad } from "../stage/sdk-load.ts";
import { speed } from "../stage/speed.ts";

const SAMPLES = 1_000;
/** The first requests open connections and compile the path: no idle worker meets them twice. */
const WARM_UP = 200;

export const latency: Campaign = {
  name: "latency",
  row: "submit → handler start over HTTP, idle worker",
  asked: "p50 ≤ 2 ms, p99 ≤ 10 ms",
  reps: 3,
  quickReps: 1,
  limitS: 300,
  figures: {
    p50_ms: speed("ms", { most: 2 }),
    p99_ms: speed("ms", { most: 10 }),
    first_ms: speed("ms"),
    least_ms: speed("ms"),
    most_ms: speed("ms"),
    ...sound,
  },
  open: async (stage) => {
    const outside = await openOutside(stage);
    const [samples, warmUp] = [stage.size(SAMPLES, 15), stage.size(WARM_UP, 5)];
    const asked = { what: "latency", queue: "latency", inFlight: 8 } as const;
    return {
      repeat: async () => {
        const { latencies } = await playSdkLoad(outside, { ...asked, samples: warmUp + samples });
        const measured = latencies.slice(warmUp);
        return {
          p50_ms: quantile(measured, 0.5),
          p99_ms: quantile(measured, 0.99),
          first_ms: latencies[0] ?? NaN,
          least_ms: Math.min(...measured),
          most_ms: Math.max(...measured),
        };
      },
      close: () => stage.checkRegister(outside.register),
    };
  },
};
