// A limit in kill mode is crossed in the middle of runs: they are ended and their agent is told,
// and
// no more is spent than what was reported until then.
// Promises: the agents go on consuming and reporting until a heartbeat tells them to stop, as those
// do that have no stream of directives open; the instants of the crossing and of the ends are the
// register's own. Runs of another agent, which draws on nothing, go on. Heartbeats every second in
// the test profile, every 15 s (the protocol's own) in the default one.
// Leaves to others: limits that only keep runs from beginning (limit-100.ts).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { good, origin } from "../stage/embedding.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { booksOf, endsOf, wrongSums } from "../stage/fleet-register.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Taken } from "../stage/fleet.ts";
import { wallMs } from "../stage/operations.ts";
import type { Random } from "../stage/random.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";

const AGENT = "spender";
const LEASE_MS = 60_000;

/** One run at work: reports what it consumes until it is told to stop. */
class Work {
  readonly taken: Taken;
  toldAt: number | null = null;
  told: string | null = null;

  constructor(taken: Taken) {
    this.taken = taken;
  }

  async consume(fleet: Fleet, random: Random): Promise<void> {
    await fleet.report(this.taken, { kind: "start" });
    for (let seq = 1; this.toldAt === null; seq += 1) {
      const usage = { input_tokens: random.between(5, 40), output_tokens: random.between(0, 20) };
      await fleet.append(this.taken, [
        { type: "usage.recorded", producer_seq: seq, data: {}, usage },
      ]);
      await sleep(random.between(20, 80));
    }
  }
}

/** Beats for all of them until each has been told to stop. */
async function beat(fleet: Fleet, works: readonly Work[], everyMs: number): Promise<void> {
  for (;;) {
    const open = works.filter(({ toldAt }) => toldAt === null);
    if (open.length === 0) return;
    await sleep(everyMs);
    const leases = open.map(({ taken: { runId, fence } }) => ({ runId, fence, leaseMs: LEASE_MS }));
    const input = { runtime: fleet.runtime, agents: [AGENT], leases };
    const answer = good(await fleet.engine.heartbeat(fleet.project, input, origin));
    for (const directive of answer.directives) {
      if (!("run_id" in directive)) continue;
      const work = open.find(({ taken }) => taken.claim.run.id === directive.run_id);
      if (work === undefined) continue;
      work.toldAt = wallMs();
      work.told = directive.kind;
    }
  }
}

/** When the limit was crossed, and how much was reported from then on within so long. */
async function crossing(
  { embedding, project }: Fleet,
  limit: number,
  withinMs: number,
): Promise<{ at: number; reported: number }> {
  const [row] = await embedding.register.rows<{ at: number; reported: number }>(
    `with u as (select u.at, u.weight,
         sum(u.weight) over (order by u.at, u.run_id, u.producer_seq) as total
       from (select v.*, coalesce(v.input_tokens, 0) + coalesce(v.output_tokens, 0) as weight
         from signalbox.usage v where v.project_id = $1 and v.agent = $2) u)
     select (extract(epoch from c.at) * 1000)::float8 as at,
       (select sum(u.weight) from u where u.at >= c.at
         and u.at <= c.at + make_interval(secs => $4::float8 / 1000))::float8 as reported
     from (select min(u.at) as at from u where u.total > $3) c`,
    [project, AGENT, limit, withinMs],
  );
  return row ?? { at: NaN, reported: NaN };
}

/** When each run of the agent was ended. */
async function endedAt({ embedding, project }: Fleet): Promise<number[]> {
  const rows = await embedding.register.rows<{ at: number }>(
    `select (extract(epoch from e.at) * 1000)::float8 as at from signalbox.event e
     join signalbox.attempt a on a.run_id = e.stream_id and a.number = e.attempt and a.agent = $2
     where e.project_id = $1 and e.to_state = 'cancelled'`,
    [project, AGENT],
  );
  return rows.map(({ at }) => at);
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const random = stage.random(n);
  const heartbeatMs = stage.options.profile === "default" ? 15_000 : 1_000;
  const limit = random.between(1_000, 4_000);
  const runs = stage.size(8, 4);
  const fleet = await Fleet.of(embedding, `budget-${n}`);
  await fleet.agents([AGENT, "other"]);
  const input = { scope: "agent", name: AGENT, metric: "tokens", window: "day" } as const;
  await fleet.allowance({ ...input, limit, mode: "kill", default_reserve: 50 });
  await fleet.submit(runs + 4);
  const works = (await fleet.claim([AGENT], runs, { leaseMs: LEASE_MS })).map((t) => new Work(t));
  const others = await fleet.claim(["other"], 2, { leaseMs: LEASE_MS });
  for (const one of others) await fleet.report(one, { kind: "start" });
  stage.beforehand(() => works.forEach((work) => (work.toldAt ??= 0)));
  await Promise.all([
    beat(fleet, works, heartbeatMs),
    ...works.map((work) => work.consume(fleet, random)),
  ]);
  await fleet.settled();
  const withinMs = heartbeatMs + 1_000;
  const { at, reported } = await crossing(fleet, limit, withinMs);
  const fenced = (await endedAt(fleet)).map((instant) => instant - at);
  const told = works.map((work) => (work.toldAt ?? Infinity) - at);
  const more = await fleet.claim([AGENT], 2);
  for (const one of others) await fleet.complete(one, { inputTokens: 9 });
  const ends = await endsOf(embedding.register, fleet.project);
  const books = await booksOf(embedding.register, fleet.project);
  const overspend = (books[0]?.spent ?? NaN) - limit;
  const isByBudget = (end: (typeof ends)[number]): boolean =>
    end.state === "cancelled" && end.end_cause === "budget";
  return {
    runs: works.length,
    fenced_after_ms: fenced.length < works.length ? Infinity : Math.max(...fenced),
    told_after_heartbeat_ms: Math.max(...told) - heartbeatMs,
    overspend,
    reported_in_that_time: reported,
    overspend_beyond: Math.max(0, overspend - reported),
    not_by_budget: works.length - ends.filter(isByBudget).length,
    not_told_why: works.filter((work) => work.told !== "budget").length,
    others_stopped: others.length - ends.filter(({ state }) => state === "completed").length,
    claimed_afterwards: more.length,
    not_told_once: Math.abs((await fleet.feed("quota.exceeded")).length - 1),
    wrong_sums: wrongSums(books).length,
  };
}

export const budget: Campaign = {
  name: "budget",
  row: "kill-mode budget crossed in the middle of 8 runs, heartbeats every second (default: 15 s)",
  asked: "fenced within heartbeat + 1 s; overspend at most what was reported in that time",
  step: "step-3",
  reps: 20,
  quickReps: 2,
  limitS: 900,
  figures: {
    runs: { unit: "", summed: true, headline: true },
    fenced_after_ms: { unit: "ms", most: 2_000, timed: true, headline: true },
    told_after_heartbeat_ms: { unit: "ms", most: 1_000, timed: true, headline: true },
    overspend: { unit: "", headline: true },
    reported_in_that_time: { unit: "", headline: true },
    overspend_beyond: { ...never, headline: true },
    not_by_budget: never,
    not_told_why: never,
    others_stopped: never,
    claimed_afterwards: never,
    not_told_once: never,
    wrong_sums: never,
    ...sound,
  },
  open: onOneEngine(repetition),
};
