// An exhausted agent falls silent and is heard of again: silence is no recovery.
// Promises: time is moved, not waited for, and the house sweeps while the agent is silent; the
// first silence is the three minutes of the promise, the others are drawn. Every repetition has an
// agent with a limit by instant, one with a limit that waits for a person, and one that shares the
// account of the first.
// Leaves to others: what ends a limit (exhaustion.ts).

import type { Agent } from "@signalbox/sdk";

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Stage } from "../stage/stage.ts";

const MINUTE = 60_000;
const ACCOUNTS: Record<string, string> = { limited: "acme/1", sharer: "acme/1", unpaid: "acme/2" };
const NAMES = Object.keys(ACCOUNTS);

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const random = stage.random(n);
  const silentMs = n === 0 ? 3 * MINUTE : random.between(121_000, 30 * MINUTE);
  const recoveryMs = silentMs + random.between(MINUTE, 5 * 60 * MINUTE);
  const fleet = await Fleet.of(embedding, `silent-${n}`);
  for (const name of NAMES) await fleet.agents([name], { accounts: [ACCOUNTS[name] ?? name] });
  await fleet.submit(3, { max_attempts: 1 });
  const [limited] = await fleet.claim(["limited"], 1);
  const [unpaid] = await fleet.claim(["unpaid"], 1);
  if (limited === undefined || unpaid === undefined) throw new Error("nothing was claimed");
  await fleet.exhausted(limited, { reason: "quota", recovery_in_ms: recoveryMs });
  await fleet.exhausted(unpaid, { reason: "billing", message: "Credit balance is too low" });
  await fleet.beat(NAMES);
  const look = (): Promise<Agent[]> => Promise.all(NAMES.map((name) => fleet.agent(name)));
  const before = await look();
  const steps = random.between(1, 6);
  for (let step = 0; step < steps; step += 1) await fleet.pass(silentMs / steps);
  await fleet.settled();
  const silent = await look();
  await fleet.beat(NAMES);
  const after = await look();
  const claims = await fleet.claim(NAMES, 5);
  const limits = (await embedding.engine.accounts(fleet.project, { limit: 10, cursor: null }))
    .items;
  const closed = limits.flatMap(({ exhaustions }) => exhaustions).filter(isClosed);
  return {
    silent_s: silentMs / 1_000,
    not_exhausted_before: before.filter(isAwake).length,
    not_offline_meanwhile: silent.filter(({ status }) => status !== "offline").length,
    not_exhausted_after: after.filter(isAwake).length,
    other_recovery: before.filter((one, at) => untilOf(one) !== untilOf(after[at])).length,
    claimed: claims.length,
    limits_closed: closed.length,
  };
}

const isAwake = ({ status }: Agent): boolean => status !== "exhausted";
const untilOf = (agent: Agent | undefined): string | null | undefined => agent?.exhausted_until;
const isClosed = ({ state }: { state: string }): boolean => state === "closed";

export const silentAgent: Campaign = {
  name: "silent-agent",
  row: "exhausted agent silent for 3 minutes, then a heartbeat (time moved)",
  asked: "still exhausted, same recovery_at",
  step: "step-3",
  reps: 20,
  quickReps: 3,
  limitS: 300,
  figures: {
    silent_s: { unit: "s", least: 121, headline: true },
    not_exhausted_before: never,
    not_offline_meanwhile: never,
    not_exhausted_after: { ...never, headline: true },
    other_recovery: { ...never, headline: true },
    claimed: { ...never, headline: true },
    limits_closed: { unit: "", exactly: 2 },
    ...sound,
  },
  open: onOneEngine(repetition, { sweeps: false }),
};
