// The weekly limit of one model on an account that agents share: that model rests for days, the
// others go on.
// Promises: the limit is said in the provider's words and read by the product's own parser; time is
// moved to the reset, where one run of the model tries before the others follow. An agent that may
// use nothing but that model counts as exhausted, the others do not.
// Leaves to others: limits of a whole account (exhaustion.ts).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { endsOf } from "../stage/fleet-register.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Taken } from "../stage/fleet.ts";
import type { Stage } from "../stage/stage.ts";

const HOUR = 3_600_000;
const LARGE = "Opus";
const SMALL = "Sonnet";
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The provider's words for a reset at a full hour. */
function noticeOf(reset: Date): string {
  const hour = reset.getUTCHours();
  const clock = `${hour % 12 === 0 ? 12 : hour % 12}${hour < 12 ? "am" : "pm"}`;
  const day = `${months[reset.getUTCMonth()]} ${reset.getUTCDate()}`;
  return `${LARGE} weekly limit reached ∙ resets ${day}, ${clock} (UTC)`;
}

const modelOf = ({ claim }: Taken): string | null => claim.run.model;

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const random = stage.random(n);
  const each = stage.size(40, 8);
  const fleet = await Fleet.of(embedding, `weekly-${n}`);
  const both = ["both-1", "both-2", "both-3"];
  await fleet.agents(both, { accounts: ["acme/max-1"] });
  await fleet.agents(["large-only"], { accounts: ["acme/max-1"], models: [LARGE] });
  await fleet.submit(each, { model: LARGE, max_attempts: 1 });
  const everyone = [...both, "large-only"];
  const [met] = await fleet.claim(["both-1"], 1);
  if (met === undefined) throw new Error("nothing was claimed");
  const resetAt = (Math.floor(embedding.nowMs / HOUR) + random.between(30, 150)) * HOUR;
  await fleet.exhausted(met, { message: noticeOf(new Date(resetAt)) });
  await fleet.submit(each, { model: SMALL, max_attempts: 1 });
  await fleet.beat(everyone);
  // While the model rests.
  const meanwhile: Taken[] = [];
  for (;;) {
    const taken = await fleet.claim(everyone, random.between(1, 5));
    if (taken.length === 0) break;
    for (const one of taken) await fleet.finish(one, { inputTokens: 3 });
    meanwhile.push(...taken);
  }
  const statuses = await Promise.all(everyone.map((name) => fleet.agent(name)));
  const tooSoon = resetAt - embedding.nowMs - 60_000;
  await fleet.pass(tooSoon);
  const early = await fleet.claim(everyone, 5);
  await fleet.pass(61_000);
  const tries = await fleet.claim(everyone, 5);
  for (const one of tries) await fleet.finish(one, { inputTokens: 3 });
  await fleet.settled();
  for (let taken = tries; taken.length > 0;) {
    taken = await fleet.claim(everyone, 10);
    for (const one of taken) await fleet.finish(one, { inputTokens: 3 });
  }
  const ends = await endsOf(embedding.register, fleet.project);
  const isWrong = (status: string, at: number): boolean =>
    (status === "exhausted") !== (everyone[at] === "large-only");
  return {
    rested_h: tooSoon / HOUR,
    small_while_it_rested: meanwhile.filter((one) => modelOf(one) === SMALL).length,
    small_held_up: each - meanwhile.filter((one) => modelOf(one) === SMALL).length,
    large_while_it_rested: meanwhile.filter((one) => modelOf(one) === LARGE).length + early.length,
    tries_at_reset: tries.length,
    wrong_status: statuses.filter(({ status }, at) => isWrong(status, at)).length,
    not_completed: ends.filter(({ state }) => state !== "completed").length,
    burned: ends.filter((end) => end.attempts_used !== 1).length,
  };
}

export const weeklyModel: Campaign = {
  name: "weekly-model",
  row: "weekly limit of one model on an account that four agents share (time moved)",
  asked: "runs of another model go on, those of that model rest until the reset",
  step: "step-3",
  reps: 10,
  quickReps: 2,
  limitS: 300,
  figures: {
    rested_h: { unit: "h", least: 24, headline: true },
    small_while_it_rested: { unit: "", least: 1, summed: true, headline: true },
    small_held_up: { ...never, headline: true },
    large_while_it_rested: { ...never, headline: true },
    tries_at_reset: { unit: "", exactly: 1, headline: true },
    wrong_status: never,
    not_completed: never,
    burned: never,
    ...sound,
  },
  open: onOneEngine(repetition, { sweeps: false }),
};
