// Approve, approve, cancel and expiry of one question at the same instant: one effect, the others
// are told.
// Promises: the four leave in one turn of the event loop, in a drawn order, some of them a question
// to the database later; what each was answered and what the register says must be one history that
// the model allows. Every one of the four must have won somewhere.
// Leaves to others: two servers (the tests of the engine), answers after a long time
// (approval-restart.ts).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign } from "../stage/campaign.ts";
import { good, idOf, origin } from "../stage/embedding.ts";
import type { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { Fleet, onOneEngine } from "../stage/fleet.ts";
import type { Taken } from "../stage/fleet.ts";
import { isRefusal } from "../stage/product.ts";
import type { Random } from "../stage/random.ts";
import type { Stage } from "../stage/stage.ts";
import { questionOf } from "./approval-restart.ts";

const EXPIRY_MS = 1_000;
const GRACE_MS = 31_000;
const names = ["ada", "bob", "cancel", "expiry"] as const;
type Name = (typeof names)[number];

/** Codes of those who came too late. */
const told: ReadonlySet<string> = new Set(["approval_decided", "already_terminal"]);
/** Who may have had an effect: a cancel also ends what an approval has let go on. */
const lawful: ReadonlySet<string> = new Set([...names, "ada cancel", "bob cancel"]);

/** Whose wish had an effect, in the order of names; null when somebody was told something else. */
export function effectsOf(answers: ReadonlyMap<Name, unknown>): string | null {
  const refused = [...answers.values()].filter(isRefusal);
  if (refused.some(({ code }) => !told.has(code))) return null;
  const effects = names.filter((name) => !isRefusal(answers.get(name))).join(" ");
  return lawful.has(effects) ? effects : null;
}

async function race(fleet: Fleet, { runId, fence }: Taken, random: Random): Promise<string | null> {
  const { engine, project: projectId } = fleet;
  await fleet.report({ runId, fence }, { kind: "start" });
  const ask = questionOf({ expiresInMs: EXPIRY_MS, onExpiry: "reject" });
  const { approval } = good(await engine.ask(projectId, { runId, fence, ask }, origin));
  if (approval === null) throw new Error("nothing was asked");
  const id = idOf("apr", approval.id);
  fleet.embedding.tick(EXPIRY_MS);
  const answer = { kind: "approve", comment: null } as const;
  const person = (name: string) =>
    engine.answerApproval(projectId, id, answer, { ...origin, actor: `key:${name}` });
  const what = { approval: { kind: "due", id } } as const;
  const wishes: Record<Name, () => Promise<unknown>> = {
    ada: () => person("ada"),
    bob: () => person("bob"),
    cancel: () => engine.cancel(projectId, runId, { reason: null, cascade: false }, origin),
    expiry: () => engine.parts.control.add({ kind: "run", projectId, runId, what, origin }),
  };
  const answers = new Map<Name, unknown>();
  const wish = async (name: Name): Promise<void> => {
    // An answer looks its question up first: without this it would always come last.
    const isLater = name === "cancel" || name === "expiry";
    if (isLater && random.next() < 0.7) await engine.run(projectId, runId);
    answers.set(name, await wishes[name]());
  };
  const order = [...names].toSorted(() => random.next() - 0.5);
  await Promise.all(order.map(wish));
  return effectsOf(answers);
}

async function repetition(
  { stage, embedding }: { stage: Stage; embedding: Embedding },
  n: number,
): Promise<Measured> {
  const random = stage.random(n);
  const trials = stage.size(100, 25);
  const fleet = await Fleet.of(embedding, `approval-race-${n}`, `worker-${n}`);
  await fleet.submit(trials);
  const effects: (string | null)[] = [];
  for (const one of await fleet.claim([], trials)) effects.push(await race(fleet, one, random));
  await fleet.pass(GRACE_MS);
  const rows = await embedding.register.rows<{ decisions: number; resumed: number }>(
    `select count(*) filter (where e.type like 'approval.%'
         and e.type <> 'approval.requested')::integer as decisions,
       count(*) filter (where e.type = 'run.resumed')::integer as resumed
     from signalbox.event e where e.project_id = $1 and e.stream = 'run' group by e.stream_id`,
    [fleet.project],
  );
  const won = (name: Name): number => effects.filter((one) => one?.split(" ")[0] === name).length;
  const approved = won("ada") + won("bob");
  return {
    trials: effects.length,
    answered: approved,
    cancel: won("cancel"),
    expiry: won("expiry"),
    not_allowed: trials - effects.filter((one) => one !== null).length,
    not_one_decision: rows.filter(({ decisions }) => decisions !== 1).length,
    resumed_otherwise: Math.abs(rows.filter(({ resumed }) => resumed === 1).length - approved),
    resumed_twice: rows.filter(({ resumed }) => resumed > 1).length,
  };
}

const wins = { unit: "", least: 1, summed: true, headline: true } as const;

export const approvalRace: Campaign = {
  name: "approval-race",
  row: "approve × approve × cancel × expire at the same instant, 500 trials",
  asked: "one effect, the others told",
  step: "step-4",
  reps: 5,
  quickReps: 1,
  limitS: 300,
  figures: {
    trials: { unit: "", summed: true, headline: true },
    answered: wins,
    cancel: wins,
    expiry: wins,
    not_allowed: { ...never, headline: true },
    not_one_decision: { ...never, headline: true },
    resumed_otherwise: never,
    resumed_twice: { ...never, headline: true },
    ...sound,
  },
  open: onOneEngine(repetition, { sweeps: false }),
};
