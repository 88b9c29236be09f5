// Complete against cancel at the same instant: whichever commits first decides, and nothing else
// can come of it.
// Promises: the two requests leave in one turn of the event loop, in a drawn order and up to 1 ms
// apart, from every state in which a worker may complete. What the two answers say and what the
// register says must be one of the two histories that the model allows.
// Leaves to others: cancel against every other command (the tests of the domain).

import type { Claim, ClaimResponse } from "@signalbox/sdk";

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import type { Random } from "../stage/random.ts";
import { submitAll } from "../stage/submit.ts";
import { uuidOf } from "../stage/type-id.ts";
import { sleep } from "../stage/until.ts";
import type { Reply, Wire } from "../stage/wire.ts";

/** What the server said to each: cancel, complete, and complete once more. */
export type Answers = { complete: Reply; cancel: Reply; again: Reply };

const LEASE_MS = 300_000;

async function claimAll(wire: Wire, queue: string, runs: number): Promise<Claim[]> {
  const runtime = `racer-${queue}`;
  await wire.must(`PUT /v1/runtimes/${runtime}`, { body: {} });
  const body = { runtime, queues: [queue], free: runs, lease_ms: LEASE_MS, wait_ms: 5_000 };
  const { claims } = await wire.must<ClaimResponse>("POST /v1/claims", { body });
  if (claims.length !== runs) throw new Error(`claimed ${claims.length} of ${runs}`);
  return claims;
}

/** Brings a run into one of the states from which a worker may complete it. */
async function prepare(wire: Wire, claim: Claim, random: Random): Promise<void> {
  const { attempt_id, fencing_token } = claim;
  const state = random.pick(["claimed", "running", "running", "running", "waiting_tool"] as const);
  const at = `POST /v1/runs/${claim.run.id}`;
  const body = { attempt_id, fencing_token };
  if (state !== "claimed") await wire.must(`${at}/start`, { body });
  if (state === "waiting_tool") await wire.must(`${at}/await_tool`, { body });
}

async function race(wire: Wire, claim: Claim, random: Random): Promise<Answers> {
  const { attempt_id, fencing_token } = claim;
  const at = `POST /v1/runs/${claim.run.id}`;
  const body = { attempt_id, fencing_token, output: { done: true } };
  const complete = (): Promise<Reply> => wire.ask(`${at}/complete`, { body });
  const cancel = (): Promise<Reply> => wire.ask(`${at}/cancel`, { body: { reason: "race" } });
  const gapMs = random.pick([0, 0, 0, 1]);
  const isCompleteFirst = random.next() < 0.5;
  const first = (isCompleteFirst ? complete : cancel)();
  if (gapMs > 0) await sleep(gapMs);
  const second = (isCompleteFirst ? cancel : complete)();
  const [one, two] = await Promise.all([first, second]);
  const again = await complete();
  return isCompleteFirst
    ? { complete: one, cancel: two, again }
    : { complete: two, cancel: one, again };
}

/** What the register says. */
export type Ended = {
  state: string;
  end_cause: string;
  terminal_events: number;
  has_output: boolean;
};

/** Which of the two allowed histories this is; null for any other. */
export function historyOf(answers: Answers, run: Ended): "completed" | "cancelled" | null {
  const { complete, cancel, again } = answers;
  const told = [complete.status, complete.body["state"], again.status, again.body["state"]];
  if (run.terminal_events !== 1 || !run.has_output) return null;
  const isCompleted =
    String(told) === "200,completed,200,completed" &&
    cancel.status === 409 &&
    cancel.code === "already_terminal" &&
    run.state === "completed" &&
    run.end_cause === "completed";
  if (isCompleted) return "completed";
  const isCancelled =
    String(told) === "200,cancelled,200,cancelled" &&
    cancel.status === 200 &&
    run.state === "cancelled" &&
    run.end_cause === "cancel";
  return isCancelled ? "cancelled" : null;
}

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const queue = `cancel-race-${n}`;
  const runs = stage.size(100, 20);
  const random = stage.random(n);
  const wire = server.wire("racer");
  await submitAll(
    wire,
    Array.from({ length: runs }, () => ({ queue })),
  );
  const claims = await claimAll(wire, queue, runs);
  const answers: Answers[] = [];
  for (const claim of claims) {
    await prepare(wire, claim, random);
    answers.push(await race(wire, claim, random));
  }
  const endings = await register.rows<Ended & { id: string }>(
    `select r.id, r.state, r.end_cause, r.output_sha256 is not null as has_output,
       (select count(*)::integer from signalbox.event e where e.stream_id = r.id
         and e.to_state in ('completed', 'failed', 'cancelled', 'timeout')) as terminal_events
     from signalbox.run r join signalbox.run_spec s on s.run_id = r.id
     where s.queue = $1 order by r.id`,
    [queue],
  );
  const byId = new Map(claims.map(({ run }, n) => [uuidOf(run.id), answers[n]]));
  const outcomes = endings.map((run) => {
    const said = byId.get(run.id);
    const history = said === undefined ? null : historyOf(said, run);
    if (history === null) stage.say(`  ${JSON.stringify({ run, said }).slice(0, 2_000)}`);
    return history;
  });
  return {
    trials: outcomes.length,
    completed: outcomes.filter((one) => one === "completed").length,
    cancelled: outcomes.filter((one) => one === "cancelled").length,
    not_allowed: runs - outcomes.filter((one) => one !== null).length,
    not_one_terminal: endings.filter((run) => run.terminal_events !== 1).length,
  };
}

export const cancelRace: Campaign = {
  name: "cancel-race",
  row: "complete against cancel at the same instant, 500 trials",
  asked: "every history is one that `model.md` allows, one terminal event",
  reps: 5,
  quickReps: 1,
  limitS: 300,
  figures: {
    trials: { unit: "", summed: true, headline: true },
    // Both must happen, or the two never met.
    completed: { unit: "", least: 1, summed: true, headline: true },
    cancelled: { unit: "", least: 1, summed: true, headline: true },
    not_allowed: { ...never, headline: true },
    not_one_terminal: { ...never, headline: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};
