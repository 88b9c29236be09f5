// A fleet that shares one account meets its provider's limit: it rests until the reset, then one
// run
// at a time tries, and nothing is burned.
// Promises: agents hand on the provider's answers as they came (status, headers, body), so the
// product's own parser reads the instant; every run may be tried once only, so an attempt that is
// burned fails its run. In odd repetitions the first try after the reset is cut off, and another
// has
// to try. The test profile resets after 3 s, the full one after 63 s.
// Leaves to others: limits of one model (weekly-model.ts), what texts say (limit-parser.ts).

import type { LimitReport } from "@signalbox/sdk";

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { endsOf, openIn } from "../stage/fleet-register.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Taken } from "../stage/fleet.ts";
import { Provider } from "../stage/provider.ts";
import type { Call } from "../stage/provider.ts";
import type { Stage } from "../stage/stage.ts";
import { wallMs } from "../stage/operations.ts";
import { sleep, until } from "../stage/until.ts";

const ACCOUNT = "acme/max-1";
const WAIT_MS = 1_000;

/** One run: the provider is asked, and what it says is reported. */
async function attempt(fleet: Fleet, provider: Provider, taken: Taken): Promise<void> {
  await fleet.report(taken, { kind: "start" });
  const answer = await fetch(provider.url, { method: "POST", body: "{}" }).catch(() => null);
  if (answer === null) {
    await fleet.report(taken, { kind: "release", cause: "declined" });
  } else if (answer.status === 429) {
    const report: LimitReport = {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      message: await answer.text(),
    };
    await fleet.exhausted(taken, report);
  } else {
    await answer.text();
    await fleet.complete(taken, { inputTokens: 12 });
  }
}

/** Agents at work, each at so many runs at a time, until they are told to stop. */
async function work(
  fleet: Fleet,
  provider: Provider,
  crew: { names: readonly string[]; places: number; phase: { isOver: boolean } },
): Promise<void> {
  const loop = async (name: string): Promise<void> => {
    while (!crew.phase.isOver) {
      const taken = await fleet.claim([name], 1, { waitMs: WAIT_MS });
      for (const one of taken) await attempt(fleet, provider, one);
    }
  };
  const loops = crew.names.flatMap((name) => Array.from({ length: crew.places }, () => loop(name)));
  await Promise.all(loops);
}

/** Attempts that were live when the house was first told of the limit, by the event log. */
async function liveWhenTold({ register }: Embedding, project: string): Promise<number> {
  const [row] = await register.rows<{ live: number }>(
    `select coalesce(sum(e.lease_delta), 0)::integer as live from signalbox.event e
     where e.project_id = $1 and e.lease_delta <> 0 and e.feed < (
       select min(t.feed) from signalbox.event t
       where t.project_id = $1 and t.type in ('account.exhausted', 'run.requeued'))`,
    [project],
  );
  return row?.live ?? NaN;
}

/** Most calls that were under way at the same time. */
export function mostAtOnce(calls: readonly Call[]): number {
  return Math.max(
    0,
    ...calls.map(({ at }) => calls.filter((one) => one.at <= at && at < one.endedAt).length),
  );
}

/** What became of the calls around the reset. */
export function around(calls: readonly Call[], resetAt: number) {
  const tries = calls.filter(({ at }) => at >= resetAt);
  const success = tries.find(({ status }) => status === 200);
  const firstSuccess = success?.endedAt ?? Infinity;
  const trying = tries.filter(({ at }) => at < firstSuccess);
  return {
    refused: calls.filter(({ at, status }) => at < resetAt && status === 429).length,
    trying: trying.length,
    most_at_once: mostAtOnce(trying),
    first_success_ms: firstSuccess - resetAt,
  };
}

/** Waits until all runs have ended; how many agents were not shown exhausted before the reset. */
async function watch(
  fleet: Fleet,
  provider: Provider,
  { names, resetMs }: { names: readonly string[]; resetMs: number },
): Promise<number> {
  const { embedding, project } = fleet;
  const isMet = (): boolean => provider.resetAt !== null;
  await until("the limit is met", isMet, { limitMs: 30_000 });
  await sleep(resetMs / 2);
  const agents = await Promise.all(names.map((name) => fleet.agent(name)));
  // On a machine too busy to look in time there is nothing to say: the limit is over by right.
  const isInTime = wallMs() < (provider.resetAt ?? 0);
  const isDone = async (): Promise<boolean> => (await openIn(embedding.register, project)) === 0;
  await until("every run has ended", isDone, { limitMs: resetMs + 60_000, everyMs: 50 });
  return isInTime ? agents.filter(({ status }) => status !== "exhausted").length : 0;
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const random = stage.random(n);
  const resetMs = stage.options.profile === "full" ? 63_000 : stage.size(3_000, 2_400);
  const runs = stage.size(100, 30);
  const names = Array.from({ length: stage.size(5, 3) }, (_, agent) => `agent-${agent}`);
  const fleet = await Fleet.of(embedding, `exhaustion-${n}`);
  await fleet.agents(names, { accounts: [ACCOUNT] });
  await fleet.submit(runs, { max_attempts: 1 });
  const provider = await Provider.start(stage, {
    allowed: random.between(5, 15),
    resetMs,
    takeMs: () => random.between(20, 120),
    cutAfterReset: n % 2,
  });
  const phase = { isOver: false };
  stage.beforehand(() => (phase.isOver = true));
  const watching = watch(fleet, provider, { names, resetMs });
  const [awake] = await Promise.all([
    watching.finally(() => (phase.isOver = true)),
    work(fleet, provider, { names, places: stage.size(4, 2), phase }),
  ]);
  const live = await liveWhenTold(embedding, fleet.project);
  const calls = around(provider.calls, provider.resetAt ?? NaN);
  const ends = await endsOf(embedding.register, fleet.project);
  return {
    runs,
    live_at_first_429: live,
    refused_calls: calls.refused,
    refused_beyond_live: Math.max(0, calls.refused - live),
    tries_after_reset: calls.trying,
    tries_at_once: calls.most_at_once,
    first_success_after_reset_ms: calls.first_success_ms,
    burned: ends.filter((end) => end.attempts_used !== 1 || end.counted !== 1).length,
    not_completed: ends.filter(({ state }) => state !== "completed").length,
    not_shown_exhausted: awake,
  };
}

export const exhaustion: Campaign = {
  name: "exhaustion",
  row: "100 runs, 5 agents on one account that answers 429 with a reset in 3 s (full: 63 s)",
  asked:
    "calls before the reset ≤ attempts live at the first 429; then one at a time until one " +
    "succeeds, ≤ reset + 1 s; no attempt burned, all complete",
  step: "step-3",
  reps: 10,
  quickReps: 2,
  limitS: 900,
  figures: {
    runs: { unit: "", summed: true, headline: true },
    live_at_first_429: { unit: "", least: 1, headline: true },
    refused_calls: { unit: "", least: 1, headline: true },
    refused_beyond_live: { ...never, headline: true },
    tries_after_reset: { unit: "", least: 1 },
    tries_at_once: { unit: "", exactly: 1, headline: true },
    first_success_after_reset_ms: { unit: "ms", most: 1_000, timed: true, headline: true },
    burned: { ...never, headline: true },
    not_completed: { ...never, headline: true },
    not_shown_exhausted: never,
    ...sound,
  },
  open: onOneEngine(repetition),
};
