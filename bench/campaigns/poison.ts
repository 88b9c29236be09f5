// A run that kills whatever worker takes it: bounded, and it harms nobody else's count.
// Promises: workers are processes that are started again whenever one dies, as a service manager
// would; each does one run at a time, so that a poison run takes only itself along.
// Leaves to others: leases lost with many runs at once (worker-kill.ts).

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import { Hands } from "../stage/crew.ts";
import type { Measured } from "../stage/figures.ts";
import type { History } from "../stage/register.ts";
import { allEnded, submitAll } from "../stage/submit.ts";

const LEASE_MS = 1_000;

/** One place for a worker, filled again until closed. Returns how many workers died in it. */
async function place(make: (life: number) => Hands, closed: AbortSignal): Promise<number> {
  for (let life = 0; ; life += 1) {
    const hands = make(life);
    const stop = (): void => void hands.process.stop();
    closed.addEventListener("abort", stop, { once: true });
    const { signal } = await hands.process.exited;
    closed.removeEventListener("abort", stop);
    if (closed.aborted) return life;
    if (signal !== "SIGKILL") throw new Error(`a worker ended: ${hands.process.lastWords()}`);
  }
}

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const queue = `poison-${n}`;
  const random = stage.random(n);
  const limits = stage.quick ? [2] : [3, 3, 5, 1];
  const healthy = stage.size(8, 2);
  const backoff = { base_ms: 50, cap_ms: 500 };
  const poison = limits.map((max_attempts) => {
    return {
      queue,
      backoff,
      max_attempts,
      input: { dies: random.pick(["at once", "later"] as const) },
    };
  });
  const good = Array.from({ length: healthy }, () => ({ queue, backoff, input: { take_ms: 20 } }));
  const ids = await submitAll(server.wire("submitter"), [...poison, ...good]);
  const closed = new AbortController();
  const make = (seat: number) => (life: number) =>
    new Hands(
      stage.processes,
      {
        url: server.url,
        key: server.credentials.key,
        name: `seat-${n}-${seat}-${life}`,
        queue,
        concurrency: 1,
        leaseMs: LEASE_MS,
        heartbeatMs: 300,
        habit: "finish",
      },
      stage.log,
    );
  stage.beforehand(() => closed.abort());
  const seats = [0, 1].map((seat) => place(make(seat), closed.signal));
  const left = Promise.all(seats);
  const empty = left.then(() => {
    throw new Error("every worker has left its place");
  });
  await Promise.race([allEnded(register, queue, 60_000), empty]);
  closed.abort();
  const deaths = await left;
  const histories = await register.histories(queue);
  const uuids = histories.map(({ id }) => id);
  if (uuids.length !== ids.length) throw new Error("runs are missing from the register");
  const poisoned = histories.filter(({ state }) => state === "failed");
  const isBounded = (run: History): boolean =>
    run.error_code === "E-RUN-002" &&
    run.end_cause === "attempts" &&
    run.dead_lettered &&
    run.terminal_events === 1 &&
    run.claims === run.counted + run.excused &&
    run.attempts_used === run.counted;
  const counted = poisoned.map((run) => run.counted).toSorted((a, b) => a - b);
  const isExact = JSON.stringify(counted) === JSON.stringify(limits.toSorted((a, b) => a - b));
  const isGood = (run: History): boolean =>
    run.state === "completed" && run.claims === 1 + run.excused;
  return {
    poison_runs: limits.length,
    workers_killed: deaths.reduce((sum, one) => sum + one, 0),
    not_exactly_max_attempts: isExact ? 0 : 1,
    not_dead_lettered: limits.length - poisoned.filter(isBounded).length,
    good_runs_harmed: healthy - histories.filter(isGood).length,
    // On a machine so busy that the house itself was away for 2 s: claims that cost nothing.
    excused_claims: poisoned.reduce((sum, { excused }) => sum + excused, 0),
  };
}

export const poison: Campaign = {
  name: "poison",
  row: "poison run that kills its worker",
  asked: "exactly max_attempts counted claims, then failed `E-RUN-002`, dead-lettered",
  reps: 5,
  quickReps: 1,
  limitS: 400,
  figures: {
    poison_runs: { unit: "", summed: true, headline: true },
    workers_killed: { unit: "", summed: true, headline: true },
    not_exactly_max_attempts: { ...never, headline: true },
    not_dead_lettered: { ...never, headline: true },
    good_runs_harmed: never,
    excused_claims: { unit: "", summed: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};
