// Nobody is there for an hour: runs wait, nothing is used up, and the register says why once per
// change of the reasons.
// Promises: time is moved in steps and the house sweeps after each; the reasons change when workers
// come and go (none, one that lacks a capability, one whose agent is paused), each long enough to
// be
// told; in the last repetition they change more often than may be told. What stands in the register
// is compared with what was made to happen.
// Leaves to others: agents that are exhausted (exhaustion.ts).

import type { Event } from "@signalbox/sdk";

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { good, origin } from "../stage/embedding.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { endsOf, openIn } from "../stage/fleet-register.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Stage } from "../stage/stage.ts";

const SECOND = 1_000;
const STEP_MS = 20 * SECOND;
const MOST_TOLD = 20;
/** As long as a worker may wait for work before it asks again. */
const WAIT_MS = 3 * SECOND;
/** All that waits is done by then, or is not going to be. */
const MOST_BACK_MS = 60 * SECOND;
/** A worker is stale after 60 s of silence: whoever is to be there is heard of in every step. */
const AGENT = "present";

/** Who is there for a while. */
const scenes = ["nobody", "unable", "paused"] as const;
type Scene = (typeof scenes)[number];

/** One step of time in a scene. */
async function step(fleet: Fleet, scene: Scene): Promise<void> {
  fleet.embedding.tick(STEP_MS);
  if (scene !== "nobody") await fleet.beat([AGENT]);
  await fleet.engine.sweepOnce();
}

async function enter(fleet: Fleet, scene: Scene): Promise<void> {
  const { engine, project } = fleet;
  if (scene === "nobody") {
    good(await engine.registerRuntime(project, fleet.runtime, { state: "offline" }, origin));
    return;
  }
  good(await engine.registerRuntime(project, fleet.runtime, { state: "online" }, origin));
  await fleet.beat([AGENT]);
  const capabilities = scene === "paused" ? ["gpu"] : [];
  await fleet.agents([AGENT], { capabilities });
  if (scene === "paused") good(await engine.pauseAgent(project, AGENT, "campaign", origin));
  else good(await engine.resumeAgent(project, AGENT, null, origin));
}

const isTold = ({ type }: Event): boolean =>
  type === "dispatch.no_agent" || type === "dispatch.quota";
const reasonsOf = ({ data }: Event): string => JSON.stringify(data);

/** What was told to each run, in order. */
export function toldByRun(events: readonly Event[]): Map<string, string[]> {
  const told = new Map<string, string[]>();
  for (const event of events.filter(isTold)) {
    const own = told.get(event.stream_id) ?? [];
    own.push(reasonsOf(event));
    told.set(event.stream_id, own);
  }
  return told;
}

/** How many were told the same twice in a row. */
export function repeats(told: ReadonlyMap<string, readonly string[]>): number {
  return [...told.values()]
    .map((own) => own.filter((words, n) => n > 0 && words === own[n - 1]).length)
    .reduce((sum, count) => sum + count, 0);
}

/** An hour of scenes; how often the reasons changed. */
async function hour(fleet: Fleet, scenesLeft: readonly Scene[], minutes: number): Promise<void> {
  const steps = Math.ceil((minutes * 60 * SECOND) / STEP_MS / scenesLeft.length);
  for (const scene of scenesLeft) {
    await enter(fleet, scene);
    for (let n = 0; n < steps; n += 1) await step(fleet, scene);
  }
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const random = stage.random(n);
  const runs = stage.size(90, 12);
  const isRestless = n % 3 === 2;
  const changes = isRestless ? MOST_TOLD + 6 : random.between(1, stage.size(9, 4));
  const order: Scene[] = ["nobody"];
  while (order.length < changes) order.push(random.pick(scenes.filter((s) => s !== order.at(-1))));
  const fleet = await Fleet.of(embedding, `no-agent-${n}`, `worker-${n}`);
  await fleet.submit(runs, { requires: ["gpu"], max_attempts: 1 });
  const before = await endsOf(embedding.register, fleet.project);
  await hour(fleet, order, isRestless ? order.length * 3 : stage.size(61, order.length * 3));
  const waiting = await endsOf(embedding.register, fleet.project);
  const told = toldByRun(await fleet.feed());
  // One returns.
  await enter(fleet, "paused");
  good(await embedding.engine.resumeAgent(fleet.project, AGENT, null, origin));
  const backAt = performance.now();
  let firstAt: number | null = null;
  while ((await openIn(embedding.register, fleet.project)) > 0) {
    if (performance.now() - backAt > MOST_BACK_MS) break;
    const taken = await fleet.claim([AGENT], 50, { waitMs: WAIT_MS });
    if (taken.length > 0) firstAt ??= performance.now();
    for (const one of taken) await fleet.finish(one);
  }
  const ends = await endsOf(embedding.register, fleet.project);
  const counts = [...told.values()].map((own) => own.length);
  return {
    runs,
    changes: order.length,
    used_meanwhile: waiting.filter((end) => end.attempts_used + end.claims > 0).length,
    not_waiting: waiting.filter(({ state }) => state !== "pending").length,
    never_told: before.length - told.size,
    told_twice: repeats(told),
    told_most: Math.max(0, ...counts),
    not_told_once_per_change: counts.filter((count) => count !== Math.min(MOST_TOLD, order.length))
      .length,
    first_claim_ms: (firstAt ?? Infinity) - backAt,
    not_completed: ends.filter(({ state }) => state !== "completed").length,
    not_one_attempt: ends.filter((end) => end.attempts_used !== 1 || end.claims !== 1).length,
  };
}

export const noAgent: Campaign = {
  name: "no-agent",
  row: "no agent for an hour, no deadlines (time moved)",
  asked:
    "no attempt used; all run when one returns; dispatch events once per change of the reasons, " +
    "≤ 20 per run",
  step: "step-3",
  reps: 6,
  quickReps: 2,
  limitS: 900,
  figures: {
    runs: { unit: "", summed: true, headline: true },
    changes: { unit: "", least: 1, headline: true },
    used_meanwhile: { ...never, headline: true },
    not_waiting: never,
    never_told: never,
    told_twice: { ...never, headline: true },
    told_most: { unit: "", most: MOST_TOLD, headline: true },
    not_told_once_per_change: never,
    first_claim_ms: { unit: "ms" },
    not_completed: { ...never, headline: true },
    not_one_attempt: { ...never, headline: true },
    ...sound,
  },
  open: onOneEngine(repetition, { sweeps: false }),
};
