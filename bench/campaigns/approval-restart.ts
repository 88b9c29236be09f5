// A question that is answered after an hour, with the server restarted in between: the run goes on
// once, with its checkpoint, and no attempt is counted for the waiting.
// Promises: time is moved, the server is stopped and another started on the same database before
// the answer; held runs fall back to suspended on the way, others are suspended from the beginning.
// The next attempt asks the same and must be answered at once. Leaves to others: answers at the
// same instant (approval-race.ts).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { good, idOf, origin } from "../stage/embedding.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Taken } from "../stage/fleet.ts";
import type { Ask } from "../stage/product.ts";
import type { Stage } from "../stage/stage.ts";

const HOUR_MS = 3_600_000;
const STEP_MS = 300_000;

export const questionOf = (parts: Partial<Ask> = {}): Ask => ({
  key: null,
  title: "Merge?",
  action: "merge",
  arguments: { pr: 42 },
  risk: "medium",
  mode: "hold",
  holdMs: 900_000,
  expiresInMs: 4 * HOUR_MS,
  onExpiry: "timeout",
  ...parts,
});

/** Claims, starts and asks; the UUIDs of the questions by run. */
async function askAll(fleet: Fleet, taken: readonly Taken[]): Promise<Map<string, string>> {
  const asked = new Map<string, string>();
  for (const [n, { runId, fence }] of taken.entries()) {
    await fleet.report({ runId, fence }, { kind: "start" });
    const ask = questionOf({ mode: n % 2 === 0 ? "hold" : "suspend" });
    const input = { runId, fence, ask, checkpoint: { step: n } };
    const { approval } = good(await fleet.engine.ask(fleet.project, input, origin));
    if (approval === null) throw new Error("nothing was asked");
    asked.set(runId, idOf("apr", approval.id));
  }
  return asked;
}

/** What became of a run: as it should (null), or what was wrong. */
async function goesOn(fleet: Fleet, one: Taken, asked: string | undefined): Promise<string | null> {
  const { runId, fence, claim } = one;
  await fleet.report({ runId, fence }, { kind: "start" });
  const input = { runId, fence, ask: questionOf() };
  const { approval, run } = good(await fleet.engine.ask(fleet.project, input, origin));
  if (approval === null || idOf("apr", approval.id) !== asked) return "another question";
  if (approval.status !== "approved" || run.state !== "running") return "not answered at once";
  const found = claim.run.checkpoint as { step?: number } | null;
  if (typeof found?.step !== "number") return "no checkpoint";
  await fleet.complete({ runId, fence });
  return null;
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const runs = stage.size(40, 6);
  const fleet = await Fleet.of(embedding, `approval-restart-${n}`, `worker-${n}`);
  await fleet.submit(runs, { max_attempts: 1 });
  const asked = await askAll(fleet, await fleet.claim([], runs));
  for (let ms = 0; ms < HOUR_MS; ms += STEP_MS) {
    await fleet.pass(STEP_MS);
    if (ms === HOUR_MS / 2) await embedding.restart();
  }
  const waiting = await embedding.register.rows<{ state: string; held: boolean; used: number }>(
    `select r.state, r.lease_expires_at is not null as held, r.attempts_used as used
     from signalbox.run r where r.project_id = $1 order by r.id`,
    [fleet.project],
  );
  await embedding.restart();
  const answer = { kind: "approve", comment: null } as const;
  for (const id of asked.values()) {
    good(await fleet.engine.answerApproval(fleet.project, id, answer, origin));
  }
  const again = await fleet.claim([], runs * 2);
  const wrong: string[] = [];
  for (const one of again) {
    const found = await goesOn(fleet, one, asked.get(one.runId));
    if (found !== null) wrong.push(found);
  }
  for (const words of new Set(wrong)) stage.say(`  ${words}`);
  const ends = await embedding.register.rows<{ state: string; used: number; token: number }>(
    `select r.state, r.attempts_used as used, r.fencing_token as token
     from signalbox.run r where r.project_id = $1 order by r.id`,
    [fleet.project],
  );
  return {
    runs,
    not_waiting: waiting.filter(({ state }) => state !== "waiting_approval").length,
    still_held: waiting.filter(({ held }) => held).length,
    counted_meanwhile: waiting.filter(({ used }) => used !== 0).length,
    not_once: ends.filter(({ token }) => token !== 2).length + Math.abs(again.length - runs),
    went_wrong: wrong.length,
    not_completed: ends.filter(({ state }) => state !== "completed").length,
    attempts_not_one: ends.filter(({ used }) => used !== 1).length,
  };
}

export const approvalRestart: Campaign = {
  name: "approval-restart",
  row: "approval answered after an hour (time moved), server restarted in between",
  asked: "the run goes on once, with its checkpoint, attempts unchanged",
  step: "step-4",
  reps: 5,
  quickReps: 1,
  limitS: 300,
  figures: {
    runs: { unit: "", summed: true, headline: true },
    not_waiting: never,
    still_held: never,
    counted_meanwhile: { ...never, headline: true },
    not_once: { ...never, headline: true },
    went_wrong: { ...never, headline: true },
    not_completed: never,
    attempts_not_one: { ...never, headline: true },
    ...sound,
  },
  open: onOneEngine(repetition, { sweeps: false }),
};
