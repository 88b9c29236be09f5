// Riders: claims that wait for work go along in the flush of the submission that is for them, so
// that a run is born claimed. They take nothing that another claim would not be given.
// Leaves to others: what becomes of them when things go wrong (riders-faults.test.ts).
import { describe, expect, test } from "vitest";
import type { NewRun } from "../../src/domain/submission.ts";
import type { Granted } from "../../src/engine/services/flush/items.ts";
import { claimUpTo, ok, submitAll } from "./duo.ts";
import { origin } from "./fixtures.ts";
import { submitOf } from "./gated.ts";
import {
  claimItem,
  finish,
  grantsOf,
  idsOf,
  parked,
  quiet,
  submit,
  turn,
  useRiding,
  word,
} from "./parked.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const riding = useRiding(stage);

describe("what is submitted goes to who waits", () => {
  test("in the same commit: run, attempt and both facts are of one transaction", async () => {
    const one = await riding.scene();
    const waiting = await parked(one);
    const [id] = await submit(one, { input: { n: 1 } });
    const [grant] = grantsOf(await waiting.answer);
    expect(grant?.run).toMatchObject({ id, phase: "claimed", fencingToken: 1, attemptsUsed: 1 });
    expect(grant?.detail).toMatchObject({ id, state: "claimed", input: { n: 1 } });
    const { rows } = await riding.owner.query<{ what: string; versions: number }>(
      `with written as (
         select r.xmin::text as version, 'run' as what from signalbox.run r where r.id = $1
         union all select a.xmin::text, 'attempt' from signalbox.attempt a where a.run_id = $1
         union all select e.xmin::text, e.type::text from signalbox.event e where e.stream_id = $1)
       select string_agg(what, ' ' order by what collate "C") as what,
         count(distinct version)::integer as versions from written`,
      [id],
    );
    expect(rows).toEqual([{ what: "attempt run run.claimed run.submitted", versions: 1 }]);
    expect(one.flushes.at(-1)?.outcomes).toHaveLength(2);
  });

  test("each claim takes what it has places for, in the order they came", async () => {
    const one = await riding.scene();
    const agents = [
      { name: "ada", free: 1 },
      { name: "bob", free: 1 },
    ];
    const first = await parked(one, { agents, free: 9 });
    const second = await parked(one, { agents: [], free: 1 });
    const ids = await submit(one, {}, {}, {}, {});
    const grants = grantsOf(await first.answer);
    expect(new Set(grants.map((grant) => grant.agent))).toEqual(new Set(["ada", "bob"]));
    expect(grants).toHaveLength(2);
    const rest = await idsOf(second);
    expect(rest).toHaveLength(1);
    const states = await Promise.all(ids.map(async (id) => `${(await riding.rowOf(id))?.state}`));
    expect(states.toSorted()).toEqual(["claimed", "claimed", "claimed", "pending"]);
  });

  test("an older run of better rank goes first, whatever a claim came along for", async () => {
    const one = await riding.scene();
    const [older] = await submitAll(stage.engine, one.project, 1);
    await riding.owner.query("begin");
    await riding.owner.query("select from signalbox.run r where r.id = $1 for no key update", [
      older,
    ]);
    const waiting = await parked(one); // the older one is held by somebody: passed over
    await riding.owner.query("rollback");
    const [younger] = await submit(one, {});
    expect(await idsOf(waiting)).toEqual([older]);
    expect(await riding.rowOf(younger)).toMatchObject({ state: "pending", token: 0 });
    const [next] = await claimUpTo(stage.engine, one.project, 1);
    expect(next?.runId).toBe(younger);
  });

  test("a new run of better rank passes the older ones", async () => {
    const one = await riding.scene();
    const [older] = await submitAll(stage.engine, one.project, 1, { priority: 1 });
    await riding.owner.query("begin");
    await riding.owner.query("select from signalbox.run r where r.id = $1 for no key update", [
      older,
    ]);
    const waiting = await parked(one);
    await riding.owner.query("rollback");
    const [urgent] = await submit(one, { priority: 99 });
    expect(await idsOf(waiting)).toEqual([urgent]);
  });

  test("more submissions than places: the others wait in the line, and are found", async () => {
    const one = await riding.scene();
    const first = await parked(one);
    const second = await parked(one);
    const ids = await submit(one, {}, {}, {});
    const taken = [...(await idsOf(first)), ...(await idsOf(second))];
    expect(new Set(taken).size).toBe(2);
    const third = await one.dispatcher.claim(
      claimItem(one, { free: 9 }),
      0,
      new AbortController().signal,
    );
    expect(grantsOf(third).map((grant) => grant.run.id)).toEqual(
      ids.filter((id) => !taken.includes(id)),
    );
  });

  test("more claims than runs: who got nothing waits on and gets the next", async () => {
    const one = await riding.scene();
    const both = [await parked(one), await parked(one)];
    const answered: string[][] = [];
    for (const waiting of both) void idsOf(waiting).then((ids) => answered.push(ids));
    const [first] = await submit(one, {});
    while (answered.length < 1) await turn();
    expect(one.dispatcher.waiting).toBe(1);
    const [second] = await submit(one, {});
    while (answered.length < 2) await turn();
    expect(answered).toEqual([[first], [second]]);
  });
});

describe("a rider is given nothing that is held back", () => {
  test("two born with one key of limit 1: one is claimed, the other follows its end", async () => {
    const one = await riding.scene();
    const first = await parked(one);
    const second = await parked(one);
    const ids = await submit(one, { concurrencyKey: "k" }, { concurrencyKey: "k" });
    const [winner] = await Promise.race([first.answer, second.answer]).then(grantsOf);
    const rows = await Promise.all(ids.map((id) => riding.rowOf(id)));
    expect(rows.map((row) => `${row?.state} ${row?.held}`).toSorted()).toEqual([
      "claimed 0",
      "pending 4",
    ]);
    await finish(one, winner as Granted);
    const [[a], [b]] = await Promise.all([idsOf(first), idsOf(second)]);
    expect(new Set([a, b])).toEqual(new Set(ids));
  });

  test("a key that is taken by a live run holds back what is born", async () => {
    const one = await riding.scene();
    const first = await parked(one);
    await submit(one, { concurrencyKey: "k", concurrencyLimit: 2 });
    const [live] = grantsOf(await first.answer);
    const second = await parked(one, { free: 9 });
    const ids = await submit(
      one,
      { concurrencyKey: "k", concurrencyLimit: 2 },
      { concurrencyKey: "k", concurrencyLimit: 2 },
    );
    expect(await idsOf(second)).toHaveLength(1);
    const rows = await Promise.all(ids.map((id) => riding.rowOf(id)));
    expect(rows.map((row) => `${row?.state}`).toSorted()).toEqual(["claimed", "pending"]);
    expect(live?.run.id).not.toBe(ids[0]);
  });

  test("what waits for another run, or for its time, waits", async () => {
    const one = await riding.scene();
    const waiting = await parked(one, { free: 9 });
    const parents = await submitOf(stage.engine, one.project, [{}]);
    const parent = parents.runs[0]?.id as string;
    const far = Date.now() + 3_600_000;
    const others = await submitOf(stage.engine, one.project, [
      { dependsOn: [parent] },
      { notBefore: far },
    ]);
    const both = { ...parents, runs: [...others.runs, ...parents.runs] };
    one.after.dependenciesExist = true;
    expect(word(await one.batcher.add(both))).toBe("answered");
    const [grant, ...none] = grantsOf(await waiting.answer);
    expect([grant?.run.id, none]).toEqual([parent, []]);
    const rows = await Promise.all(others.runs.map(({ id }) => riding.rowOf(id)));
    expect(rows.map((row) => `${row?.state} ${row?.held}`)).toEqual(["pending 2", "pending 1"]);
    const next = await parked(one);
    await finish(one, grant as Granted);
    expect(await idsOf(next)).toEqual([others.runs[0]?.id]);
  });

  test("a worker without the capability goes along in vain and waits on", async () => {
    const one = await riding.scene();
    const waiting = await parked(one);
    const [special] = await submit(one, { requires: ["gpu"] });
    expect(await riding.rowOf(special)).toMatchObject({ state: "pending", token: 0 });
    const [plain] = await submit(one, {});
    expect(await idsOf(waiting)).toEqual([plain]);
  });

  test("work that waits for other work takes nobody along", async () => {
    const one = await riding.scene();
    const waiting = await parked(one);
    const [parent] = await submit(one, { runner: "other" });
    await submit(one, { dependsOn: [parent as string] });
    expect(one.flushes.at(-1)?.outcomes).toHaveLength(1);
    const [plain] = await submit(one, {});
    expect(await idsOf(waiting)).toEqual([plain]);
  });

  test.each<[string, Partial<NewRun>]>([
    ["another runner", { runner: "other" }],
    ["another queue", { queue: "other" }],
    ["another agent", { agent: "other" }],
    ["another runtime", { runtime: "other" }],
    ["another time", { notBefore: Date.UTC(2999, 0, 1) }],
  ])("work for %s takes nobody along", async (_, spec) => {
    const one = await riding.scene();
    const waiting = await parked(one, { queues: ["default"] });
    await submit(one, spec);
    expect(one.flushes.at(-1)?.outcomes).toHaveLength(1);
    const [plain] = await submit(one, {});
    expect(await idsOf(waiting)).toEqual([plain]);
  });

  test("a project that is stopped, a queue that is paused hands out nothing", async () => {
    const one = await riding.scene();
    const waiting = await parked(one);
    const stop = { reason: "fire", cancelLive: false };
    ok(await stage.engine.stopProject(one.project, stop, origin));
    const [first] = await submit(one, {});
    await quiet(one);
    expect(await riding.rowOf(first)).toMatchObject({ state: "pending", token: 0 });
    ok(await stage.engine.pauseQueue(one.project, "default", "cleaning", origin));
    ok(await stage.engine.resumeProject(one.project, "it is out", origin));
    await submit(one, { priority: 99 });
    await quiet(one);
    expect(await riding.rowOf(first)).toMatchObject({ state: "pending", token: 0 });
    ok(await stage.engine.resumeQueue(one.project, "default", null, origin));
    await one.clock.advance(2000); // what another server has changed is found by looking
    expect(await idsOf(waiting)).toHaveLength(1);
  });

  test("a stop that comes while a claim rides is waited for, and nothing is claimed", async () => {
    const one = await riding.scene();
    const waiting = await parked(one);
    const item = await submitOf(stage.engine, one.project, [{}]);
    one.lane.shut();
    const arrived = one.lane.arrival();
    const submitted = one.batcher.add(item);
    await arrived; // the claim is in the flush already
    const stop = { reason: "fire", cancelLive: false };
    ok(await stage.engine.stopProject(one.project, stop, origin));
    one.lane.open();
    expect(word(await submitted)).toBe("answered");
    expect(await riding.rowOf(item.runs[0]?.id)).toMatchObject({ state: "pending", token: 0 });
    waiting.gone.abort();
    expect(await idsOf(waiting)).toEqual([]);
    ok(await stage.engine.resumeProject(one.project, "it is out", origin));
  });
});
