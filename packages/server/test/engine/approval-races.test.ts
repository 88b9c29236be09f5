// Races over one question: two people, a cancel and the expiry at the same instant on two servers.
// Exactly one of them has an effect, the others are told, and every history is lawful.
import { expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Claimed } from "./duo.ts";
import { claimUpTo, seenWaiting, submitAll, useDuo } from "./duo.ts";
import { asked, by, inWords, startOne, tell, uuidOf } from "./asking.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();
const TRIALS = 300;
const AT_ONCE = 5;
const yes = { kind: "approve", comment: null } as const;

test("approve against approve: both wait for the run, one is told who was first", async () => {
  const project = await duo.project();
  const mine = await startOne(duo.a, project);
  const id = uuidOf(await asked(duo.a, project, mine));
  await duo.owner.query("begin");
  await duo.owner.query("select from signalbox.run r where r.id = $1 for no key update", [
    mine.runId,
  ]);
  const first = duo.a.answerApproval(project, id, yes, by("ada"));
  const second = duo.b.answerApproval(project, id, yes, by("bob"));
  await seenWaiting(duo.owner, "signalbox control");
  await duo.owner.query("rollback");
  const words = (await Promise.all([first, second])).map(inWords);
  expect(words.toSorted()).toEqual(["approved", "refused approval_decided"]);
});

const names = ["ada", "bob", "stop", "expiry"] as const;
type Name = (typeof names)[number];

/**
 * One question that is due, and four who want to end it; returns whose wish had an effect. A stop
 * is a kill in every second trial, else a cancel.
 */
async function trial(project: string, mine: Claimed, n: number): Promise<string> {
  const { runId } = mine;
  const id = uuidOf(await asked(duo.a, project, mine, { expiresInMs: 1000, onExpiry: "reject" }));
  duo.tick(1000);
  const what = { approval: { kind: "due", id } } as const;
  const soft = { reason: null, cascade: false };
  const wishes: Record<Name, () => Promise<unknown>> = {
    ada: () => duo.a.answerApproval(project, id, yes, by("ada")),
    bob: () => duo.b.answerApproval(project, id, yes, by("bob")),
    stop: () =>
      n % 2 === 0
        ? duo.b.kill(project, runId, "runaway", origin)
        : duo.b.cancel(project, runId, soft, origin),
    expiry: () => duo.a.parts.control.add({ kind: "run", projectId: project, runId, what, origin }),
  };
  // Each is first in turn; in every second round by as long as a question to the database takes.
  const order = names.map((_, at) => names[(at + n) % names.length] as Name);
  const answers = new Map<Name, unknown>();
  const wish = async (name: Name): Promise<void> => void answers.set(name, await wishes[name]());
  const [first, ...others] = order as [Name, ...Name[]];
  const begun = wish(first);
  if (n % 8 >= 4) await duo.b.run(project, runId);
  await Promise.all([begun, ...others.map(wish)]);
  const codes = [...answers.values()].flatMap((one) => (isRefusal(one) ? [one.code] : []));
  const told = ["approval_decided", "already_terminal"];
  expect(codes.filter((code) => !told.includes(code))).toEqual([]);
  return names.filter((name) => !isRefusal(answers.get(name))).join("+");
}

test("approve, approve, stop and expiry at once, 300 trials: one decision each", async () => {
  const project = await duo.project();
  await submitAll(duo.a, project, TRIALS);
  const claims = await claimUpTo(duo.a, project, TRIALS);
  expect(claims).toHaveLength(TRIALS);
  for (const claimed of claims) await tell(duo.a, project, claimed, { kind: "start" });
  const effects: string[] = [];
  for (let n = 0; n < claims.length; n += AT_ONCE) {
    const some = claims.slice(n, n + AT_ONCE);
    effects.push(...(await Promise.all(some.map((one, at) => trial(project, one, n + at)))));
  }
  // A stop also ends the run that an approval has let go on: both took effect, in that order.
  const lawful = ["ada", "bob", "stop", "expiry", "ada+stop", "bob+stop"];
  expect(effects.filter((one) => !lawful.includes(one))).toEqual([]);
  for (const name of names) {
    expect(
      effects.some((one) => one.includes(name)),
      `${name} never won`,
    ).toBe(true);
  }
  // What was asked to end is ended by the house.
  duo.tick(31_000);
  await duo.beat();
  await duo.a.sweepOnce();
  const { rows } = await duo.owner.query<{ decisions: string; resumed: string }>(
    `select count(*) filter (where e.type like 'approval.%' and e.type <> 'approval.requested')
         as decisions, count(*) filter (where e.type = 'run.resumed') as resumed
     from signalbox.event e where e.stream_id = any ($1::uuid[]) group by e.stream_id`,
    [claims.map(({ runId }) => runId)],
  );
  expect(rows.filter(({ decisions }) => Number(decisions) !== 1)).toEqual([]);
  const approved = effects.filter((one) => /ada|bob/.test(one)).length;
  expect(rows.filter(({ resumed }) => Number(resumed) === 1)).toHaveLength(approved);
});

test("the same question from one attempt at two servers, 50 times: asked once", async () => {
  const project = await duo.project();
  for (let n = 0; n < 50; n += 1) {
    const mine = await startOne(duo.a, project);
    const [one, other] = await Promise.all([
      asked(duo.a, project, mine),
      asked(duo.b, project, mine),
    ]);
    expect(one.id).toBe(other.id);
  }
});
