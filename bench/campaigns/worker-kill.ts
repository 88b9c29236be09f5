// kill -9 of a worker process that holds many runs: another worker gets all of them back.
// Promises: the moment of the kill is drawn at random within a heartbeat; instants of lease ends
// and claims are the register's own (same machine, same clock). The first repetition uses the
// worker's default lease of 20 s and the default backoff, the others a lease of 5 s.
// Leaves to others: workers that are frozen instead of dead (stale-writes.ts).

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import { Hands, overlaps } from "../stage/crew.ts";
import { quantile } from "../stage/figures.ts";
import type { Measured } from "../stage/figures.ts";
import { wallMs } from "../stage/operations.ts";
import { allEnded, submitAll } from "../stage/submit.ts";
import { sleep, until } from "../stage/until.ts";

type Times = { leaseMs: number; heartbeatMs: number; backoffMs: number; jitter: number };

const PRODUCT: Times = { leaseMs: 20_000, heartbeatMs: 5_000, backoffMs: 5_000, jitter: 0.2 };
const SHORT: Times = { leaseMs: 5_000, heartbeatMs: 1_000, backoffMs: 100, jitter: 0 };

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const isLong = !stage.quick && (n === 0 || stage.options.profile === "default");
  const times = isLong ? PRODUCT : SHORT;
  const queue = `worker-kill-${n}`;
  const runs = stage.size(50, 8);
  const random = stage.random(n);
  const backoff = { base_ms: times.backoffMs, jitter: times.jitter };
  const hands = (name: string, habit: "hold" | "finish"): Hands => {
    const { url, credentials } = server;
    const { leaseMs, heartbeatMs } = times;
    const settings = { url, key: credentials.key, queue, concurrency: runs, leaseMs, heartbeatMs };
    return new Hands(stage.processes, { ...settings, name, habit }, stage.log);
  };
  const victim = await hands(`victim-${n}`, "hold").ready();
  const items = Array.from({ length: runs }, () => ({
    queue,
    backoff,
    input: { take_ms: random.between(0, 200) },
  }));
  await submitAll(server.wire("submitter"), items);
  await until("the victim holds every run", () => victim.begun.length === runs, {
    limitMs: 30_000,
  });
  const heir = await hands(`heir-${n}`, "finish").ready();
  await sleep(random.between(0, times.heartbeatMs));
  const killedAt = wallMs();
  await victim.process.kill9();
  const boundMs = times.leaseMs + 1_000 + times.backoffMs * (1 + times.jitter);
  await allEnded(register, queue, boundMs + 60_000);
  await heir.process.stop();
  const handovers = await register.handovers(queue);
  const histories = await register.histories(queue);
  const requeued = handovers.map(({ ended_at }) => ended_at - killedAt);
  const again = handovers.flatMap(({ claimed_again_at: at }) => (at === null ? [] : at - killedAt));
  return {
    held: victim.begun.length,
    lost: runs - histories.filter(({ state }) => state === "completed").length,
    not_two_claims: histories.filter(({ claims }) => claims !== 2).length,
    twice_at_once: overlaps([victim, heir], new Map([[victim, killedAt]])),
    lease_s: times.leaseMs / 1_000,
    claimed_again_ms: quantile(again, 0.99),
    requeue_minus_lease_ms: Math.max(...requeued) - times.leaseMs,
    claim_minus_bound_ms: again.length < runs ? Infinity : Math.max(...again) - boundMs,
  };
}

export const workerKill: Campaign = {
  name: "worker-kill",
  row: "kill -9 of the worker that holds 50 runs",
  asked: "all claimed again within lease + 1 s (+ backoff); none lost, none twice at once",
  reps: 10,
  quickReps: 1,
  limitS: 600,
  figures: {
    held: { unit: "", summed: true, headline: true },
    lost: { ...never, headline: true },
    not_two_claims: never,
    twice_at_once: { ...never, headline: true },
    lease_s: { unit: "s" },
    claimed_again_ms: { unit: "ms" },
    // Negative: sooner. The last heartbeat was before the kill; bound = lease + 1 s + backoff.
    requeue_minus_lease_ms: { unit: "ms", most: 1_000, timed: true, headline: true },
    claim_minus_bound_ms: { unit: "ms", most: 0, timed: true, headline: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};
