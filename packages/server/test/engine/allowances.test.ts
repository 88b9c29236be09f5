// Allowances, as an operator lives them: what a claim sets aside, what an attempt is charged, what
// is given back, and where spending really stops.
import { expect, test } from "vitest";
import { readNow } from "../../src/store/flushes.ts";
import { Crew } from "./crew.ts";
import { ok } from "./duo.ts";
import { origin } from "./fixtures.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const tokens = (limit: number) =>
  ({ scope: "agent", name: "a", metric: "tokens", limit, window: "day" }) as const;

async function crew(): Promise<Crew> {
  const made = await Crew.of(stage);
  await made.worker("w1");
  await made.agent("a");
  return made;
}

test("a claim reserves the estimate, the end charges what was used", async () => {
  const c = await crew();
  const { id } = await c.allowance(tokens(100));
  await c.submit(1, { estimate: { tokens: 40 } });
  const [held] = await c.claim("w1", ["a"]);
  expect(await c.use(id)).toEqual({ spent: 0, reserved: 40 });
  await c.complete(held as never, { inputTokens: 25 });
  expect(await c.use(id)).toEqual({ spent: 25, reserved: 0 });
});

test("spent + reserved never passes the limit: what does not fit waits, and why", async () => {
  const c = await crew();
  const { id } = await c.allowance(tokens(100));
  const runs = await c.submit(3, { estimate: { tokens: 40 } });
  const held = await c.claim("w1", ["a"], 3);
  expect(held).toHaveLength(2);
  expect(await c.why(runs[2] as string)).toContain("allowance");
  const { reasons = [] } = (await stage.engine.explain(c.projectId, runs[2] as string)) ?? {};
  expect(reasons.map((reason) => reason.message).join()).toContain("daily token limit exceeded");
  await c.complete(held[0] as never, { inputTokens: 10 });
  expect(await c.use(id)).toEqual({ spent: 10, reserved: 40 });
  expect(await c.claim("w1", ["a"])).toHaveLength(1);
});

test("usage while running moves from reserved to spent, once per number", async () => {
  const c = await crew();
  const { id } = await c.allowance({ ...tokens(100), default_reserve: 30 });
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  const usage = { type: "usage.recorded", producer_seq: 1, usage: { input_tokens: 12 } };
  await c.append(held as never, [usage]);
  await c.append(held as never, [usage]);
  expect(await c.use(id)).toEqual({ spent: 12, reserved: 18 });
  await c.append(held as never, [{ ...usage, producer_seq: 2, usage: { output_tokens: 50 } }]);
  expect(await c.use(id)).toEqual({ spent: 62, reserved: 0 });
  const { usage: total } = await c.run((held as never as { runId: string }).runId);
  expect(total).toMatchObject({ input_tokens: 12, output_tokens: 50 });
});

test("what is typical is reserved when nobody says: the median of the last attempts", async () => {
  const c = await crew();
  const { id } = await c.allowance(tokens(1000));
  for (const inputTokens of [10, 70, 30]) {
    await c.submit(1);
    const [held] = await c.claim("w1", ["a"]);
    await c.complete(held as never, { inputTokens });
    await stage.engine.parts.after.settled();
  }
  await c.submit(1);
  await c.claim("w1", ["a"]);
  expect(await c.use(id)).toEqual({ spent: 110, reserved: 30 });
});

test("runs are counted when they count, and released when they are given back", async () => {
  const c = await crew();
  const { id } = await c.allowance({ scope: "project", metric: "runs", limit: 2, window: "day" });
  await c.submit(3);
  const [first, second] = await c.claim("w1", ["a"], 3);
  expect(await c.use(id)).toEqual({ spent: 0, reserved: 2 });
  await c.report(first as never, { kind: "release", cause: "declined" });
  expect(await c.use(id)).toEqual({ spent: 0, reserved: 1 });
  await c.complete(second as never);
  expect(await c.use(id)).toEqual({ spent: 1, reserved: 0 });
  expect(await c.claim("w1", ["a"], 3)).toHaveLength(1);
});

test("concurrent_runs counts live attempts, wherever they are", async () => {
  const c = await crew();
  await c.allowance({ scope: "agent", name: "a", metric: "concurrent_runs", limit: 2 });
  await c.submit(4);
  const held = await c.claim("w1", ["a"], 4);
  expect(held).toHaveLength(2);
  await c.complete(held[0] as never);
  expect(await c.claim("w1", ["a"], 4)).toHaveLength(1);
});

test("max_concurrent of an agent holds over workers", async () => {
  const c = await crew();
  await c.worker("w2");
  await c.agent("a", { max_concurrent: 2 });
  const [, , third = ""] = await c.submit(3);
  await c.claim("w1", ["a"]);
  expect(await c.claim("w2", ["a"], 5)).toHaveLength(1);
  expect(await c.why(third)).toContain("concurrency");
});

test("a cancel gives tokens back, a failure half of them, money never", async () => {
  const c = await crew();
  const all = await c.allowance(tokens(1000));
  const cost = await c.allowance({ ...tokens(1000), metric: "cost_micros" });
  await c.submit(2, { maxAttempts: 1, estimate: { tokens: 1, cost_micros: 1 } });
  const [one, other] = await c.claim("w1", ["a"], 2);
  const usage = { inputTokens: 101, costMicros: 7 };
  await c.append(one as never, [
    { type: "usage.recorded", producer_seq: 1, usage: { input_tokens: 101, cost_micros: 7 } },
  ]);
  ok(await stage.engine.kill(c.projectId, one?.runId ?? "", "enough", origin));
  expect([await c.use(all.id), await c.use(cost.id)]).toEqual([
    { spent: 0, reserved: 1 },
    { spent: 7, reserved: 1 },
  ]);
  const error = { code: "broken", message: "it broke" };
  await c.report(other as never, { kind: "fail", error, retryable: false, usage });
  expect([await c.use(all.id), await c.use(cost.id)]).toEqual([
    { spent: 51, reserved: 0 },
    { spent: 14, reserved: 0 },
  ]);
});

test("a new day is a new period; live attempts carry over", async () => {
  const c = await crew();
  const { id } = await c.allowance(tokens(100));
  await c.submit(3, { estimate: { tokens: 60 } });
  const [held] = await c.claim("w1", ["a"]);
  await c.append(held as never, [
    { type: "usage.recorded", producer_seq: 1, usage: { input_tokens: 50 } },
  ]);
  expect(await c.claim("w1", ["a"])).toEqual([]);
  const { period_ends_at: end } = (
    await stage.engine.allowances(c.projectId, {
      limit: 1,
      cursor: null,
    })
  ).items[0] as { period_ends_at: string };
  const at = await now();
  stage.tick(Date.parse(end) - at + 1000);
  expect(await c.use(id)).toEqual({ spent: 0, reserved: 10 });
  expect(await c.claim("w1", ["a"])).toHaveLength(1);
});

async function now(): Promise<number> {
  const { reader, context } = stage.engine.parts;
  return reader.within([], (runner) => readNow(runner, context.offsetMs()));
}

test("80 % is told once, beyond the limit is told once", async () => {
  const c = await crew();
  await c.allowance({ ...tokens(100), mode: "soft" });
  await c.submit(4);
  for (const inputTokens of [79, 1, 19, 40]) {
    const [held] = await c.claim("w1", ["a"]);
    await c.complete(held as never, { inputTokens });
    await stage.engine.parts.after.settled();
  }
  expect(await c.feed("quota.warning")).toHaveLength(1);
  expect(await c.feed("quota.exceeded")).toHaveLength(1);
});

test("a limit in kill mode ends what draws on it: cancelled, cause budget, fenced", async () => {
  const c = await crew();
  await c.allowance({ ...tokens(100), metric: "cost_micros", mode: "kill" });
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  await c.append(held as never, [
    { type: "usage.recorded", producer_seq: 1, usage: { cost_micros: 101 } },
  ]);
  await stage.engine.parts.after.settled();
  const run = await c.run(held?.runId ?? "");
  expect(run).toMatchObject({ state: "cancelled", end_cause: "budget" });
  expect(await c.report(held as never, { kind: "complete", output: null })).toMatchObject({
    code: "stale_fencing_token",
  });
  const beat = ok(
    await stage.engine.heartbeat(
      c.projectId,
      {
        runtime: "w1",
        agents: ["a"],
        leases: [{ runId: held?.runId ?? "", fence: c.fence(held as never) }],
      },
      origin,
    ),
  );
  expect(beat.directives.map(({ kind }) => kind)).toEqual(["budget"]);
});

test("what was consumed counts also when it is said after the end, once", async () => {
  const c = await crew();
  const { id } = await c.allowance(tokens(100));
  await c.submit(1, { estimate: { tokens: 20 } });
  const [held] = await c.claim("w1", ["a"]);
  stage.tick(61_000);
  await stage.engine.sweepOnce();
  expect(await c.use(id)).toEqual({ spent: 0, reserved: 0 });
  const late = [{ type: "usage.recorded", producer_seq: 1, usage: { input_tokens: 33 } }];
  expect(await c.append(held as never, late)).toMatchObject({ stored: 1 });
  expect(await c.append(held as never, late)).toMatchObject({ stored: 0 });
  expect(await c.use(id)).toEqual({ spent: 33, reserved: 0 });
  expect((await c.run(held?.runId ?? "")).state).toBe("pending");
});

test("a child draws on what its parent has set aside", async () => {
  const c = await crew();
  const { id } = await c.allowance(tokens(90));
  const [parent = ""] = await c.submit(1, { estimate: { tokens: 80 } });
  const [held] = await c.claim("w1", ["a"]);
  await c.submit(2, { estimate: { tokens: 50 }, parentRun: parent });
  const children = await c.claim("w1", ["a"], 2);
  expect(children).toHaveLength(1);
  expect(await c.use(id)).toEqual({ spent: 0, reserved: 80 });
  await c.complete(children[0] as never, { inputTokens: 50 });
  await c.complete(held as never, { inputTokens: 10 });
  expect(await c.use(id)).toEqual({ spent: 60, reserved: 0 });
});

test("a model's budget counts what is used of it, also by runs that named none", async () => {
  const c = await crew();
  const { id } = await c.allowance({ ...tokens(100), scope: "model", name: "large" });
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  const used = (producer_seq: number, model: string) => ({
    type: "usage.recorded",
    producer_seq,
    usage: { input_tokens: 30, model },
  });
  await c.append(held as never, [used(1, "large"), used(2, "small")]);
  await c.append(held as never, [used(3, "large")]);
  await c.complete(held as never);
  expect(await c.use(id)).toEqual({ spent: 60, reserved: 0 });
  const [waits = ""] = await c.submit(1, { model: "large", estimate: { tokens: 41 } });
  expect(await c.claim("w1", ["a"])).toEqual([]);
  const { reasons = [] } = (await stage.engine.explain(c.projectId, waits)) ?? {};
  expect(reasons[0]?.message).toContain("global model token budget exceeded");
});

test("a child process numbers its usage for itself", async () => {
  const c = await crew();
  const { id } = await c.allowance(tokens(100));
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  const usage = { type: "usage.recorded", producer_seq: 1000, usage: { input_tokens: 5 } };
  const item = { runId: held?.runId ?? "", fence: c.fence(held as never), events: [usage] };
  const child = { ...item, child: true };
  expect(await stage.engine.append(c.projectId, [child, child], origin)).toMatchObject([
    { stored: 1 },
    { stored: 0 },
  ]);
  expect(await c.append(held as never, [{ ...usage, producer_seq: 1 }])).toMatchObject({
    stored: 1,
  });
  expect((await c.use(id)).spent).toBe(10);
});

test("a model that is not on the list is refused with that reason, so is none at all", async () => {
  const c = await crew();
  await c.agent("a", { models: ["small"] });
  const [none = ""] = await c.submit(1);
  const [large = ""] = await c.submit(1, { model: "large" });
  await c.submit(1, { model: "small" });
  const held = await c.claim("w1", ["a"], 3);
  expect(held.map(({ claim }) => claim.run.model)).toEqual(["small"]);
  expect(await c.why(none)).toEqual(["model_not_allowed"]);
  expect(await c.why(large)).toEqual(["model_not_allowed"]);
});

test("the longest duration of an agent ends its attempts", async () => {
  const c = await crew();
  await c.agent("a", { max_run_duration_s: 20 });
  await c.submit(1);
  const [held] = await c.claim("w1", ["a"]);
  stage.tick(21_000);
  await stage.engine.sweepOnce();
  expect(await c.run(held?.runId ?? "")).toMatchObject({ state: "timeout" });
});

test.each([
  ["limit", { limit: -1 }],
  ["limit", { limit: 1.5 }],
  ["name", { name: null }],
  ["time_zone", { time_zone: "Mars/Olympus" }],
  ["window", { window: undefined }],
  ["reset_time", { reset_time: "25:00" }],
])("a wrong %s is refused by name, and nothing is stored", async (field, wrong) => {
  const c = await crew();
  const input = { ...tokens(100), ...wrong } as never;
  const answer = await stage.engine.createAllowance(c.projectId, input, origin);
  expect(answer).toMatchObject({ code: "validation_failed", errors: [{ field }] });
  expect((await stage.engine.allowances(c.projectId, { limit: 9, cursor: null })).items).toEqual(
    [],
  );
});
