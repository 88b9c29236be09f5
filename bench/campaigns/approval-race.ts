// Approve, approve, cancel and expiry of one question at the same instant, on two engines over one
// database: one effect, the others are told.
// Promises: the four leave in one turn of the event loop, in a drawn order, each to an engine drawn
// for it but never all to one, some of them a question to the database later; what each was
// answered and what the register says must be one history that the model allows. Every one of the
// four must have won somewhere, and each engine.
// Leaves to others: answers after a long time (approval-restart.ts), engines in processes of their
// own (two-servers.ts).

import { never, sound } from "../stage/campaign.ts";
import type { Campaign, Play } from "../stage/campaign.ts";
import { Embedding, good, idOf, origin } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { Fleet } from "../stage/fleet.ts";
import type { Taken } from "../stage/fleet.ts";
import { isRefusal } from "../stage/product.ts";
import type { Engine } from "../stage/product.ts";
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

type House = {
  readonly stage: Stage;
  readonly embedding: Embedding;
  readonly engines: readonly [Engine, Engine];
};
/** Whose wishes had an effect, and at which engine that of the first of them was. */
type Raced = { readonly effects: string | null; readonly at: number };

/** For each name an engine, not all the same one. */
function placesOf(random: Random): ReadonlyMap<Name, 0 | 1> {
  const draw = (): 0 | 1 => (random.next() < 0.5 ? 0 : 1);
  const drawn = new Map(names.map((name) => [name, draw()]));
  if (new Set(drawn.values()).size === 2) return drawn;
  const other = names[Math.floor(random.next() * names.length)] as Name;
  return drawn.set(other, drawn.get(other) === 0 ? 1 : 0);
}

async function race(
  { engines }: House,
  fleet: Fleet,
  { runId, fence }: Taken,
  random: Random,
): Promise<Raced> {
  const { project: projectId } = fleet;
  await fleet.report({ runId, fence }, { kind: "start" });
  const ask = questionOf({ expiresInMs: EXPIRY_MS, onExpiry: "reject" });
  const { approval } = good(await fleet.engine.ask(projectId, { runId, fence, ask }, origin));
  if (approval === null) throw new Error("nothing was asked");
  const id = idOf("apr", approval.id);
  fleet.embedding.tick(EXPIRY_MS);
  const places = placesOf(random);
  const at = (name: Name): Engine => engines[places.get(name) as 0 | 1];
  const answer = { kind: "approve", comment: null } as const;
  const person = (name: "ada" | "bob") =>
    at(name).answerApproval(projectId, id, answer, { ...origin, actor: `key:${name}` });
  const what = { approval: { kind: "due", id } } as const;
  const due = { kind: "run", projectId, runId, what, origin } as const;
  const wishes: Record<Name, () => Promise<unknown>> = {
    ada: () => person("ada"),
    bob: () => person("bob"),
    cancel: () => at("cancel").cancel(projectId, runId, { reason: null, cascade: false }, origin),
    expiry: () => at("expiry").parts.control.add(due),
  };
  const answers = new Map<Name, unknown>();
  const wish = async (name: Name): Promise<void> => {
    // An answer looks its question up first: without this it would always come last.
    const isLater = name === "cancel" || name === "expiry";
    if (isLater && random.next() < 0.7) await at(name).run(projectId, runId);
    answers.set(name, await wishes[name]());
  };
  const order = [...names].toSorted(() => random.next() - 0.5);
  await Promise.all(order.map(wish));
  const effects = effectsOf(answers);
  const first = effects?.split(" ")[0] as Name | undefined;
  return { effects, at: first === undefined ? Number.NaN : (places.get(first) as number) };
}

async function repetition(house: House, n: number): Promise<Measured> {
  const { stage, embedding } = house;
  const random = stage.random(n);
  const trials = stage.size(100, 25);
  const fleet = await Fleet.of(embedding, `approval-race-${n}`, `worker-${n}`);
  await fleet.submit(trials);
  const raced: Raced[] = [];
  for (const one of await fleet.claim([], trials)) {
    raced.push(await race(house, fleet, one, random));
  }
  const effects = raced.map((one) => one.effects);
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
    at_first_engine: raced.filter(({ at }) => at === 0).length,
    at_second_engine: raced.filter(({ at }) => at === 1).length,
    not_allowed: trials - effects.filter((one) => one !== null).length,
    not_one_decision: rows.filter(({ decisions }) => decisions !== 1).length,
    resumed_otherwise: Math.abs(rows.filter(({ resumed }) => resumed === 1).length - approved),
    resumed_twice: rows.filter(({ resumed }) => resumed > 1).length,
  };
}

async function open(stage: Stage): Promise<Play> {
  const embedding = await Embedding.open(stage, {}, { sweeps: false });
  const house = {
    stage,
    embedding,
    engines: [embedding.engine, await embedding.second(stage)],
  } as const;
  return {
    repeat: (n) => repetition(house, n),
    close: () => stage.checkRegister(embedding.register),
  };
}

const wins = { unit: "", least: 1, summed: true, headline: true } as const;

export const approvalRace: Campaign = {
  name: "approval-race",
  row: "approve × approve × cancel × expire at the same instant on two engines, 500 trials",
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
    at_first_engine: wins,
    at_second_engine: wins,
    not_allowed: { ...never, headline: true },
    not_one_decision: { ...never, headline: true },
    resumed_otherwise: never,
    resumed_twice: { ...never, headline: true },
    ...sound,
  },
  open,
};
