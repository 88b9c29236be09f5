// Who gets what among agents: pauses, slots, routing, the agent that was asked for, and what is
// told while nobody can.
import { describe, expect, test } from "vitest";
import { Crew } from "./crew.ts";
import { ok } from "./duo.ts";
import { origin } from "./fixtures.ts";
import { useStage } from "./stage.ts";

const stage = useStage();

async function crew(...agents: string[]): Promise<Crew> {
  const made = await Crew.of(stage);
  await made.worker("w1");
  for (const name of agents) await made.agent(name);
  return made;
}

test("an agent nobody described is known from its first claim on", async () => {
  const c = await crew();
  await c.submit(1);
  await c.claim("w1", ["fresh"]);
  expect(await c.status("fresh")).toBe("busy");
  expect(await c.feed("agent.registered")).toHaveLength(1);
});

test("a crew that comes at once is known at once, each with an account and one event", async () => {
  const c = await crew("known");
  const names = Array.from({ length: 40 }, (_, n) => `fresh-${n}`);
  await Promise.all([c.claim("w1", [...names, "known"]), c.claim("w1", names.toReversed())]);
  const told = (await c.feed("agent.registered")).map(({ data }) => data["name"]);
  expect(told).toHaveLength(names.length + 1);
  expect(new Set(told)).toEqual(new Set([...names, "known"]));
  for (const name of names.slice(0, 3)) {
    expect((await stage.engine.account(c.projectId, name))?.name).toBe(name);
  }
});

test("a paused agent takes nothing, and who paused it is told", async () => {
  const c = await crew("a");
  const [run = ""] = await c.submit(1);
  ok(await stage.engine.pauseAgent(c.projectId, "a", "its prompt is wrong", origin));
  expect(await c.claim("w1", ["a"])).toEqual([]);
  const { reasons = [] } = (await stage.engine.explain(c.projectId, run)) ?? {};
  expect(reasons[0]?.message).toContain("its prompt is wrong");
  ok(await stage.engine.resumeAgent(c.projectId, "a", null, origin));
  expect(await c.claim("w1", ["a"])).toHaveLength(1);
});

test("work goes to the agent with the most free share", async () => {
  const c = await crew();
  await c.agent("big", { max_concurrent: 10 });
  await c.agent("small", { max_concurrent: 2 });
  await c.submit(6);
  const held = await c.claim("w1", ["big", "small"], 6);
  const names = held.map(({ claim }) => claim.agent);
  expect(names.filter((name) => name === "small")).toHaveLength(1);
  expect(names.filter((name) => name === "big")).toHaveLength(5);
});

test("a refusal for one agent tries the next", async () => {
  const c = await crew("a", "b");
  ok(await stage.engine.pauseAgent(c.projectId, "a", "no", origin));
  await c.submit(2);
  const held = await c.claim("w1", ["a", "b"], 2);
  expect(held.map(({ claim }) => claim.agent)).toEqual(["b", "b"]);
});

test("many lines of a blocked agent do not hide the one that can be done", async () => {
  const c = await crew("a", "b");
  ok(await stage.engine.pauseAgent(c.projectId, "a", "no", origin));
  for (let n = 0; n < 130; n += 1)
    await c.submit(1, { agent: "a", runner: "default", queue: `q${n}` });
  const [run = ""] = await c.submit(1, { agent: "b", queue: "last" });
  const held = await c.claim("w1", ["a", "b"]);
  expect(held.map(({ runId }) => runId)).toEqual([run]);
});

test("a run waits for the agent it names, unless it may go to any after a while", async () => {
  const c = await crew("b");
  const [waits = ""] = await c.submit(1, { agent: "gone" });
  const [goes = ""] = await c.submit(1, { agent: "gone", agentTimeoutMs: 60_000 });
  expect(await c.claim("w1", ["b"])).toEqual([]);
  const { reasons = [] } = (await stage.engine.explain(c.projectId, waits)) ?? {};
  expect(reasons[0]?.message).toContain('no agent named "gone"');
  stage.tick(61_000);
  await stage.engine.sweepOnce();
  const held = await c.claim("w1", ["b"], 2);
  expect(held.map(({ runId }) => runId)).toEqual([goes]);
});

test("an occupied agent takes nothing; one on call takes what is urgent or its own", async () => {
  const c = await crew("a", "b");
  const slot = (agent: string, type: "work" | "on_call") => ({
    agent,
    type,
    starts_at: new Date(Date.now() + stage.engine.parts.context.offsetMs()).toISOString(),
    ends_at: new Date(Date.now() + stage.engine.parts.context.offsetMs() + 3_600_000).toISOString(),
  });
  ok(await stage.engine.createSlot(c.projectId, slot("a", "work"), origin));
  ok(await stage.engine.createSlot(c.projectId, slot("b", "on_call"), origin));
  await c.beat("w1", ["a", "b"]);
  expect([await c.status("a"), await c.status("b")]).toEqual(["idle", "idle"]);
  stage.tick(2000);
  await stage.engine.sweepOnce();
  expect([await c.status("a"), await c.status("b")]).toEqual(["busy", "on_call"]);
  const [low = ""] = await c.submit(1);
  expect(await c.claim("w1", ["a", "b"])).toEqual([]);
  expect((await c.why(low)).toSorted()).toEqual(["in_slot", "on_call"]);
  const [urgent = ""] = await c.submit(1, { priority: 60 });
  const [own = ""] = await c.submit(1, { agent: "b" });
  const held = await c.claim("w1", ["a", "b"], 3);
  expect(new Map(held.map(({ runId, claim }) => [runId, claim.agent]))).toEqual(
    new Map([
      [urgent, "b"],
      [own, "b"],
    ]),
  );
});

describe("one on call with a single place", () => {
  async function onCall(...others: string[]): Promise<Crew> {
    const c = await crew("b", ...others);
    const now = Date.now() + stage.engine.parts.context.offsetMs();
    const slot = {
      agent: "b",
      type: "on_call",
      starts_at: new Date(now).toISOString(),
      ends_at: new Date(now + 3_600_000).toISOString(),
    } as const;
    ok(await stage.engine.createSlot(c.projectId, slot, origin));
    await c.beat("w1", ["b"]);
    expect(await c.status("b")).toBe("idle");
    stage.tick(2000);
    await stage.engine.sweepOnce();
    expect(await c.status("b")).toBe("on_call");
    return c;
  }

  test("finds the urgent run behind old ones of the same line, at its first claim", async () => {
    const c = await onCall();
    await c.submit(3);
    stage.tick(3 * 3_600_000);
    await c.worker("w1");
    const [urgent] = await c.submit(1, { priority: 60 });
    expect((await c.claim("w1", ["b"])).map(({ runId }) => runId)).toEqual([urgent]);
    expect(await c.claim("w1", ["b"])).toEqual([]);
  });

  test("and beside one who has no place left for what stands before it", async () => {
    const c = await onCall("a");
    await c.agent("a", { max_concurrent: 0 });
    await c.submit(3);
    stage.tick(3 * 3_600_000);
    await c.worker("w1");
    const [urgent] = await c.submit(1, { priority: 60 });
    const held = await c.claim("w1", ["a", "b"]);
    expect(held.map(({ runId, claim }) => [runId, claim.agent])).toEqual([[urgent, "b"]]);
  });

  test("takes the old ones again as soon as its slot is over", async () => {
    const c = await onCall();
    const [old] = await c.submit(1);
    expect(await c.claim("w1", ["b"])).toEqual([]);
    stage.tick(3_600_000);
    await stage.engine.sweepOnce();
    await c.worker("w1");
    expect((await c.claim("w1", ["b"])).map(({ runId }) => runId)).toEqual([old]);
  });
});

test("why a run waits is told once per change, after 30 s", async () => {
  const c = await crew("a");
  const [run = ""] = await c.submit(1, { requires: ["gpu"] });
  const told = async () => {
    await stage.engine.sweepOnce();
    return (await c.feed("dispatch.no_agent")).length;
  };
  expect(await told()).toBe(0);
  stage.tick(31_000);
  await c.worker("w1");
  expect(await told()).toBe(0);
  stage.tick(31_000);
  await c.worker("w1");
  expect(await told()).toBe(1);
  stage.tick(40_000);
  await c.worker("w1");
  expect(await told()).toBe(1);
  expect((await c.run(run)).attempts_used).toBe(0);
  await c.worker("w1", ["gpu"]);
  expect(await c.claim("w1", ["a"])).toHaveLength(1);
});

test("a runtime that is not heard of is stale and cannot claim; its leases live on", async () => {
  const c = await crew("a");
  await c.submit(2);
  const [held] = await c.claim("w1", ["a"]);
  stage.tick(50_000);
  await c.report(held as never, { kind: "renew", leaseMs: 600_000 });
  stage.tick(11_000);
  await stage.engine.sweepOnce();
  expect((await stage.engine.runtime(c.projectId, "w1"))?.state).toBe("stale");
  expect((await c.run(held?.runId ?? "")).state).toBe("claimed");
  await c.complete(held as never);
  expect(await c.feed("runtime.stale")).toHaveLength(1);
});

test("a draining runtime takes nothing new and ends what it has", async () => {
  const c = await crew("a");
  await c.submit(2);
  const [held] = await c.claim("w1", ["a"]);
  ok(await stage.engine.drainRuntime(c.projectId, "w1", "an update", origin));
  const input = { runtime: "w1", agents: [], queues: null, runners: ["default"], free: 1 };
  const { signal } = new AbortController();
  const answer = await stage.engine.claim(
    c.projectId,
    { ...input, leaseMs: 60_000, waitMs: 0 },
    origin,
    signal,
  );
  expect(answer).toMatchObject({ code: "runtime_draining" });
  await c.complete(held as never);
});
