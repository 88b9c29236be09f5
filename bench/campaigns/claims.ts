// Many workers, one backlog: every run is claimed once.
// Promises: workers are fresh processes in each repetition; in even repetitions they wait when the
// runs arrive, in odd ones they come to a backlog: both races are run.
// Leaves to others: what happens when a worker dies (worker-kill.ts).

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import { Hands, overlaps } from "../stage/crew.ts";
import type { Measured } from "../stage/figures.ts";
import { allEnded, submitAll } from "../stage/submit.ts";

const WORKERS = 8;

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const queue = `claims-${n}`;
  const runs = stage.size(120, 24);
  const random = stage.random(n);
  const items = Array.from({ length: runs }, () => ({
    queue,
    input: { take_ms: random.between(0, 20) },
  }));
  const crew = (): Promise<Hands[]> =>
    Promise.all(
      Array.from({ length: stage.size(WORKERS, 3) }, (_, worker) => {
        const settings = {
          url: server.url,
          key: server.credentials.key,
          name: `hands-${n}-${worker}`,
          queue,
          concurrency: random.between(1, 10),
          leaseMs: 20_000,
          heartbeatMs: 5_000,
          habit: "finish",
        } as const;
        return new Hands(stage.processes, settings, stage.log).ready();
      }),
    );
  const wire = server.wire("submitter");
  let hands: Hands[];
  if (n % 2 === 0) {
    hands = await crew();
    await submitAll(wire, items);
  } else {
    await submitAll(wire, items);
    hands = await crew();
  }
  await allEnded(register, queue, 60_000);
  await Promise.all(hands.map((one) => one.process.stop()));
  const histories = await register.histories(queue);
  const once = (run: (typeof histories)[number]): boolean =>
    run.claims === 1 && run.attempts === 1 && run.fencing_token === 1 && run.attempts_used === 1;
  return {
    runs: histories.length,
    not_completed: runs - histories.filter(({ state }) => state === "completed").length,
    not_claimed_once: histories.filter((run) => !once(run)).length,
    executed_twice: hands.reduce((sum, { begun }) => sum + begun.length, 0) - runs,
    overlapping: overlaps(hands, new Map()),
    workers_with_work: hands.filter(({ begun }) => begun.length > 0).length,
  };
}

export const claims: Campaign = {
  name: "claims",
  row: "120 runs, 8 workers in 8 processes, 20 repetitions",
  asked: "each claimed once, one attempt each",
  reps: 20,
  quickReps: 2,
  limitS: 600,
  figures: {
    runs: { unit: "", summed: true, headline: true },
    not_completed: never,
    not_claimed_once: { ...never, headline: true },
    executed_twice: { ...never, headline: true },
    overlapping: never,
    workers_with_work: { unit: "", least: 2, headline: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};
