// Usage, booked at whichever server it arrives: under which model, once, and what is given back.
import { expect, test } from "vitest";
import type * as wire from "@signalbox/sdk";
import { readModelsAhead, readModelsAsked } from "../../src/engine/services/flush/models.ts";
import { RunMemory } from "../../src/engine/services/flush/memory.ts";
import type { Run } from "../../src/domain/run.ts";
import type { Sent } from "../store/plans.ts";
import { notingReader } from "../store/plans.ts";
import { origin } from "./fixtures.ts";
import type { Held } from "./crew.ts";
import { Crew } from "./crew.ts";
import { ok, useDuo } from "./duo.ts";
import { usageOf } from "./fleet-scene.ts";
import type { Stage } from "./stage.ts";

const duo = useDuo();
const ofLarge = { scope: "model", name: "large", metric: "tokens", limit: 1000 } as const;
const budget = { ...ofLarge, window: "day" } as const;
const ofAgent = { ...budget, scope: "agent", name: "a" } as const;

/** One project as two servers see it: `here` knows its runs, `there` has never met them. */
async function crews(): Promise<{ here: Crew; there: Crew }> {
  const projectId = await duo.project();
  const at = (engine: Stage["engine"]): Crew =>
    new Crew({ engine, project: () => Promise.resolve(projectId) } as Stage, projectId);
  const here = at(duo.a);
  await here.agent("a");
  return { here, there: at(duo.b) };
}

async function claimed(crew: Crew, parts: Parameters<Crew["submit"]>[1] = {}): Promise<Held> {
  await crew.submit(1, parts);
  const [held] = await crew.claim("w1", ["a"]);
  return held as Held;
}

const told = (producer_seq: number, usage: wire.Usage & { model?: string }) =>
  ({ type: "usage.recorded", producer_seq, usage }) as const;
const line = (producer_seq: number, text: string, input_tokens?: number) => ({
  type: "log.line",
  producer_seq,
  data: { text },
  ...(input_tokens === undefined ? {} : { usage: { input_tokens } }),
});

/** Rows of usage as they are filed, by number. */
async function filed(held: Held) {
  const { rows } = await duo.owner.query<{ n: number; model: string | null; late: boolean }>(
    `select u.producer_seq::integer as n, u.model, u.late from signalbox.usage u
     where u.run_id = $1 order by u.producer_seq`,
    [held.runId],
  );
  return rows;
}

/** Types, numbers and texts of what runners have said about a run. */
async function said(crew: Crew, held: Held) {
  const page = { order: "asc", limit: 100 } as const;
  const { items } = await crew.engine.runEvents(crew.projectId, held.runId, page);
  return items
    .filter(({ source }) => source === "runner")
    .map(({ type, data, late }) => [type, data["text"] ?? null, late === true]);
}

test("usage without a model counts for the one its run asks for, at every server", async () => {
  const { here, there } = await crews();
  const { id } = await here.allowance(budget);
  const held = await claimed(here, { model: "large", estimate: { tokens: 100 } });
  ok(await there.append(held, [told(1, { input_tokens: 30 })]));
  expect(await here.use(id)).toEqual({ spent: 30, reserved: 70 });
  ok(await here.append(held, [told(2, { input_tokens: 20 })]));
  await there.complete(held, { inputTokens: 5 });
  expect(await here.use(id)).toEqual({ spent: 55, reserved: 0 });
  expect((await filed(held)).map(({ model }) => model)).toEqual(["large", "large", "large"]);
});

test("for that, nothing is asked after the reading about runs that are remembered", async () => {
  const { here } = await crews();
  await here.allowance(budget);
  const { writer, context } = duo.a.parts;
  const asked = async (held: Held, known: Pick<typeof context, "lanes" | "memory">) => {
    const sent = new Map<string, Sent>();
    const items = [usageOf(here, held, 1, 30)];
    const { run } = context.memory.get(held.runId) as { run: Run };
    const found = await notingReader(writer, sent).within([here.projectId], async (runner) => {
      const hinted = await readModelsAhead(runner, items, known);
      return readModelsAsked(runner, items, [run], { hinted, lanes: known.lanes });
    });
    const names = [...sent.keys()].filter((name) => /_of_|_by_/.test(name)).toSorted();
    const allowances = found.ofModels.map(({ allowance }) => allowance.name);
    return { model: found.models.get(held.runId), allowances, names };
  };
  const large = await claimed(here, { model: "large" });
  const ofLane = { model: "large", allowances: ["large"] };
  expect(await asked(large, context)).toEqual({ ...ofLane, names: ["allowances_of_models"] });
  const forgotten = { lanes: new Map(), memory: new RunMemory() };
  const names = ["allowances_of_lanes", "lanes_by_id"];
  expect(await asked(large, forgotten)).toEqual({ ...ofLane, names });
  // Its lane is remembered from now on.
  expect(await asked(large, forgotten)).toEqual({ ...ofLane, names: [names[0]] });
  const plain = await claimed(here);
  expect(await asked(plain, context)).toEqual({ model: null, allowances: [], names: [] });
});

test("so it does for a budget that was made after the claim", async () => {
  const { here, there } = await crews();
  const held = await claimed(here, { model: "large" });
  const { id } = await here.allowance(budget);
  ok(await here.append(held, [told(1, { input_tokens: 30 })]));
  ok(await there.append(held, [told(2, { input_tokens: 4 })]));
  ok(await here.append(held, [told(3, { input_tokens: 9, model: "small" })]));
  await here.complete(held, { inputTokens: 5 });
  expect(await here.use(id)).toEqual({ spent: 39, reserved: 0 });
});

test("late usage and that of children is filed under the model its run asks for", async () => {
  const { here, there } = await crews();
  const { id } = await here.allowance(budget);
  const held = await claimed(here, { model: "large", estimate: { tokens: 100 } });
  const child = { runId: held.runId, fence: here.fence(held), child: true as const };
  const events = [told(1, { input_tokens: 3 }), told(2, { input_tokens: 9, model: "small" })];
  const [answer] = await there.engine.append(here.projectId, [{ ...child, events }], origin);
  expect(answer).toMatchObject({ stored: 2 });
  await here.complete(held);
  ok(await there.append(held, [told(1, { input_tokens: 40 })]));
  ok(await here.append(held, [told(2, { input_tokens: 7 })]));
  expect(await here.use(id)).toEqual({ spent: 50, reserved: 0 });
  expect(await filed(held)).toEqual([
    { n: -2, model: "small", late: false },
    { n: -1, model: "large", late: false },
    { n: 1, model: "large", late: true },
    { n: 2, model: "large", late: true },
  ]);
});

test("a late log line that carries usage is kept, and what it says is charged once", async () => {
  const { here, there } = await crews();
  const { id } = await here.allowance(ofAgent);
  const held = await claimed(here, { estimate: { tokens: 50 } });
  ok(await here.append(held, [line(1, "working", 10)]));
  await here.complete(held);
  const late = [line(2, "that was all", 5)];
  expect(await here.append(held, late)).toMatchObject({ stored: 1 });
  expect(await there.append(held, late)).toMatchObject({ stored: 0 });
  expect(await here.use(id)).toEqual({ spent: 15, reserved: 0 });
  expect(await said(here, held)).toEqual([
    ["log.line", "working", false],
    ["log.line", "that was all", true],
  ]);
  expect(await here.append(held, [line(2, "that was more", 5)])).toMatchObject({
    code: "producer_seq_mismatch",
  });
  expect(await here.append(held, [line(2, "that was all", 6)])).toMatchObject({
    code: "producer_seq_mismatch",
  });
  expect((await filed(held)).map(({ n, late: isLate }) => [n, isLate])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect((await here.run(held.runId)).usage).toMatchObject({ input_tokens: 15 });
});

test("late lines are kept beside late usage, each of them once", async () => {
  const { here } = await crews();
  const { id } = await here.allowance(ofAgent);
  const held = await claimed(here);
  await here.complete(held);
  const late = [line(1, "one"), told(2, { input_tokens: 5 }), line(3, "three", 6)];
  expect(await here.append(held, late)).toMatchObject({ stored: 3 });
  expect(await here.append(held, late)).toMatchObject({ stored: 0 });
  expect(await here.append(held, [line(1, "uno"), ...late.slice(1)])).toMatchObject({
    code: "producer_seq_mismatch",
  });
  expect(await here.use(id)).toEqual({ spent: 11, reserved: 0 });
  expect(await said(here, held)).toEqual([
    ["log.line", "one", true],
    ["usage.recorded", null, true],
    ["log.line", "three", true],
  ]);
});

test("of an attempt that was overtaken the usage is charged, its lines are not kept", async () => {
  const { here, there } = await crews();
  const { id } = await here.allowance(ofAgent);
  const held = await claimed(here, { estimate: { tokens: 50 } });
  await here.report(held, { kind: "release", cause: "declined" });
  const [again] = await here.claim("w1", ["a"]);
  const late = [line(1, "one"), line(2, "two", 6)];
  expect(await there.append(held, late)).toMatchObject({ stored: 1 });
  expect(await here.append(held, late)).toMatchObject({ stored: 0 });
  expect(await here.use(id)).toEqual({ spent: 6, reserved: 50 });
  expect(await said(here, held)).toEqual([["usage.recorded", null, true]]);
  await here.complete(again as Held);
});

test("a child's log line that carries usage is kept, once per number of the child", async () => {
  const { here } = await crews();
  const { id } = await here.allowance(ofAgent);
  const held = await claimed(here);
  const events = [line(1, "one", 6)];
  const child = { runId: held.runId, fence: here.fence(held), child: true as const, events };
  const answers = await here.engine.append(here.projectId, [child, child], origin);
  expect(answers).toMatchObject([{ stored: 1 }, { stored: 0 }]);
  expect((await here.use(id)).spent).toBe(6);
  expect(await said(here, held)).toEqual([["log.line", "one", false]]);
  await here.complete(held);
});

test("of a model's budget is given back as of others, though nothing was set aside", async () => {
  const { here, there } = await crews();
  const { id } = await here.allowance(budget);
  const large = (n: number, input_tokens: number) => told(n, { input_tokens, model: "large" });
  const killed = await claimed(here);
  ok(await here.append(killed, [large(1, 40)]));
  ok(await there.append(killed, [large(2, 20)]));
  expect((await here.use(id)).spent).toBe(60);
  ok(await there.engine.kill(here.projectId, killed.runId, "enough", origin));
  expect(await here.use(id)).toEqual({ spent: 0, reserved: 0 });
  ok(await here.append(killed, [large(3, 7)]));
  expect((await here.use(id)).spent).toBe(7);

  const error = { code: "broken", message: "it broke" };
  const fail = { kind: "fail", error, retryable: false } as const;
  const failed = await claimed(here);
  ok(await there.append(failed, [large(1, 10)]));
  await here.report(failed, { ...fail, usage: { inputTokens: 11, model: "large" } });
  expect((await here.use(id)).spent).toBe(18);
  const atOnce = await claimed(here);
  await here.report(atOnce, { ...fail, usage: { inputTokens: 3, model: "large" } });
  expect((await here.use(id)).spent).toBe(20);
  const done = await claimed(here);
  ok(await here.append(done, [large(1, 5)]));
  await there.complete(done, { inputTokens: 2 });
  expect(await here.use(id)).toEqual({ spent: 25, reserved: 0 });
});

test("what was used of a model is counted exactly up to the largest amount", async () => {
  const { here, there } = await crews();
  const most = Number.MAX_SAFE_INTEGER;
  const { id } = await here.allowance({ ...budget, limit: most, mode: "soft" });
  const held = await claimed(here);
  for (const n of [1, 2, 3]) {
    const crew = n === 2 ? there : here;
    ok(await crew.append(held, [told(n, { input_tokens: most, model: "large" })]));
  }
  expect((await here.use(id)).spent).toBe(most);
  await here.complete(held);
});
