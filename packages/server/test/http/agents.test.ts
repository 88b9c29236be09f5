// Agents, their accounts and the runtimes they work on, over HTTP with the real engine.

import type { Agent, Claim, Exhaustion } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromTypeId } from "../../src/std/ids.ts";
import { ask, must, openScene, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await work("PUT /v1/runtimes/w1", { runners: ["default"] });
});
afterAll(async () => {
  await scene?.close();
});

const operate = (line: string, body: unknown = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.operator, line, { body });
const work = (line: string, body: unknown = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.worker, line, { body });
const read = (line: string): Promise<Reply> => ask(scene.app, scene.keys.viewer, line);

async function claims(agent: string, free = 1): Promise<Claim[]> {
  const body = { runtime: "w1", agents: [{ name: agent }], free, lease_ms: 600_000 };
  const reply = await work("POST /v1/claims", body);
  expect(reply.status, reply.text).toBe(200);
  return reply.body.claims;
}

describe("agents", () => {
  test("registering again keeps what is absent and resets what is null", async () => {
    const first = await operate("PUT /v1/agents/reviewer", {
      description: "reads pull requests",
      capabilities: ["git"],
      models: ["opus"],
      labels: { team: "core" },
      max_concurrent: 2,
      max_run_duration_s: 60,
      accounts: ["anthropic/max-2", "anthropic/max-1"],
    });
    expect(first.status, first.text).toBe(200);
    expect(first.body).toMatchObject({
      id: expect.stringMatching(/^agt_/),
      name: "reviewer",
      status: "offline",
      paused_at: null,
      models: ["opus"],
      max_concurrent: 2,
      max_run_duration_s: 60,
      accounts: ["anthropic/max-2", "anthropic/max-1"],
      live: 0,
      slot: null,
    });
    const again = await operate("PUT /v1/agents/reviewer", { models: null, max_concurrent: null });
    expect(again.body).toMatchObject({
      id: first.body.id,
      description: "reads pull requests",
      capabilities: ["git"],
      labels: { team: "core" },
      models: null,
      max_concurrent: null,
      max_run_duration_s: 60,
    });
    expect((await read("GET /v1/agents/reviewer")).body).toMatchObject({ id: first.body.id });
  });

  test("an agent without accounts draws on one of its own name", async () => {
    const { body } = await operate("PUT /v1/agents/loner");
    expect(body.accounts).toEqual(["loner"]);
  });

  test("one that nobody named is 404, also with a name that must be encoded", async () => {
    const lines = ["GET /v1/agents/x", "GET /v1/agents/x%2Fy", "GET /v1/agents/x/events"];
    for (const line of [...lines, "POST /v1/agents/x/resume"]) {
      const reply = await operate(line);
      expect([line, reply.status, reply.body.code]).toEqual([line, 404, "not_found"]);
    }
    const paused = await operate("POST /v1/agents/x/pause", { reason: "r" });
    expect(paused.status).toBe(404);
  });

  test("a list is paged by name, and narrowed by status and pause", async () => {
    for (const name of ["p1", "p2", "p3", "p4", "p5"]) await operate(`PUT /v1/agents/${name}`);
    await operate("POST /v1/agents/p3/pause", { reason: "a drill" });
    const seen: string[] = [];
    let cursor = "";
    for (let page = 0; page < 20; page++) {
      const { body } = await read(`GET /v1/agents?limit=2${cursor}`);
      seen.push(...body.items.map(({ name }: Agent) => name));
      if (!body.has_more) break;
      cursor = `&cursor=${encodeURIComponent(body.next_cursor)}`;
    }
    expect(seen).toEqual(expect.arrayContaining(["p1", "p2", "p3", "p4", "p5", "reviewer"]));
    expect(seen).toEqual(seen.toSorted());
    const names = async (query: string): Promise<string[]> =>
      (await read(`GET /v1/agents?${query}`)).body.items.map(({ name }: Agent) => name);
    expect(await names("paused=true")).toEqual(["p3"]);
    expect(await names("paused=false")).not.toContain("p3");
    expect(await names("status=busy")).toEqual([]);
    expect(await names("status=offline")).toContain("p1");
  });

  test("a paused agent claims nothing until it is resumed; each change is one event", async () => {
    await operate("PUT /v1/agents/pausable");
    await submitted(scene, { agent: "pausable" });
    for (let n = 0; n < 2; n++) {
      const { body } = await operate("POST /v1/agents/pausable/pause", { reason: "a drill" });
      expect(body).toMatchObject({ pause_reason: "a drill" });
      expect(body.paused_by).toMatch(/^key:/);
      expect(body.paused_at).not.toBeNull();
    }
    expect(await claims("pausable")).toEqual([]);
    for (let n = 0; n < 2; n++) {
      const { body } = await operate("POST /v1/agents/pausable/resume", { reason: "over" });
      expect(body).toMatchObject({ paused_at: null, pause_reason: null, paused_by: null });
    }
    expect(await claims("pausable")).toHaveLength(1);
    // What follows from the claim beside it is written by now.
    await scene.engine.sweepOnce();
    const { body } = await read("GET /v1/agents/pausable/events?limit=500");
    const types = body.items.map(({ type }: { type: string }) => type);
    expect(types.filter((type: string) => type !== "agent.status_changed")).toEqual([
      "agent.registered",
      "agent.paused",
      "agent.resumed",
    ]);
    const seqs = body.items.map(({ seq }: { seq: string }) => Number(seq));
    expect(seqs).toEqual(seqs.map((_: number, n: number) => n + 1));
    const last = await read("GET /v1/agents/pausable/events?order=desc&limit=1");
    expect(last.body.items).toEqual([body.items.at(-1)]);
    const typed = await read("GET /v1/agents/pausable/events?type=agent.paused");
    expect(typed.body.items).toMatchObject([
      { stream: "agent", source: "operator", data: { reason: "a drill" } },
    ]);
    const resumed = await read("GET /v1/agents/pausable/events?type=agent.resumed");
    expect(resumed.body.items).toMatchObject([{ source: "operator", data: { reason: "over" } }]);
  });
});

const exhaustionsOf = async (name: string): Promise<Exhaustion[]> =>
  (await read(`GET /v1/accounts/${encodeURIComponent(name)}`)).body.exhaustions;

describe("accounts", () => {
  const path = "/v1/accounts/anthropic%2Fmax-9";

  test("registering again keeps what is absent and resets what is null", async () => {
    const body = { provider: "anthropic", labels: { plan: "max" } };
    const first = await operate(`PUT ${path}`, body);
    expect(first.body).toMatchObject({
      id: expect.stringMatching(/^acc_/),
      name: "anthropic/max-9",
      ...body,
      exhaustions: [],
    });
    const again = await operate(`PUT ${path}`, { labels: null });
    expect(again.body).toMatchObject({ id: first.body.id, provider: "anthropic", labels: {} });
    expect((await read(`GET ${path}`)).body).toEqual(again.body);
    expect((await read("GET /v1/accounts?limit=100")).body.items).toContainEqual(again.body);
  });

  test("one that nobody used is 404", async () => {
    expect((await read("GET /v1/accounts/x%2Fy")).status).toBe(404);
    const recovered = await operate("POST /v1/accounts/x%2Fy/recover", { reason: "r" });
    expect([recovered.status, recovered.body.code]).toEqual([404, "not_found"]);
  });

  test("a limit closes it with its evidence; a person lets the next run try", async () => {
    const report = {
      status: 429,
      headers: { "retry-after": 30, "x-broken": null },
      message: "Number of requests has exceeded your rate limit",
      provider: "anthropic",
    };
    const closed = await work(`POST ${path}/exhausted`, report);
    expect(closed.status, closed.text).toBe(200);
    expect(closed.body.exhaustions).toMatchObject([
      { account: "anthropic/max-9", model: null, state: "closed", reason: "rate_limit" },
    ]);
    const [limit] = closed.body.exhaustions as Exhaustion[];
    const seconds =
      (Date.parse(limit?.recovery_at ?? "") - Date.parse(limit?.closed_at ?? "")) / 1e3;
    expect(seconds).toBeGreaterThan(28);
    expect(seconds).toBeLessThan(32);
    expect(limit?.evidence).toMatchObject({ source: "headers" });
    const recovered = await operate(`POST ${path}/recover`, { reason: "they said sorry" });
    expect(recovered.body.exhaustions).toMatchObject([{ state: "half_open" }]);
  });

  test("a limit of one model leaves the others open, and is recovered alone", async () => {
    const line = "POST /v1/accounts/by-model/exhausted";
    for (const model of ["opus", "sonnet"]) {
      await work(line, { reason: "quota", scope: "model", model, recovery_in_ms: 3_600_000 });
    }
    await operate("POST /v1/accounts/by-model/recover", { model: "opus", reason: "r" });
    const states = (await exhaustionsOf("by-model")).map(({ model, state }) => `${model} ${state}`);
    expect(states.toSorted()).toEqual(["opus half_open", "sonnet closed"]);
  });

  test("an instant in the past, or at the end of time, is taken", async () => {
    const at = async (account: string, recovery_at: string): Promise<Exhaustion | undefined> => {
      const body = { reason: "quota", recovery_at };
      const reply = await work(`POST /v1/accounts/${account}/exhausted`, body);
      expect(reply.status, reply.text).toBe(200);
      return reply.body.exhaustions[0];
    };
    expect((await at("past", "0001-01-01T00:00:00Z"))?.state).not.toBe("open");
    const far = await at("far", "9999-12-31T23:59:59Z");
    const days =
      (Date.parse(far?.recovery_at ?? "") - Date.parse(far?.closed_at ?? "")) / 86_400_000;
    expect(days).toBeGreaterThan(30);
    expect(days).toBeLessThan(32);
  });
});

const fenceOf = ({ attempt_id, fencing_token }: Claim) => ({ attempt_id, fencing_token });
const runOf = async ({ run }: Claim) => (await read(`GET /v1/runs/${run.id}`)).body;

describe("a run that meets a limit", () => {
  test("goes back without cost, and its agent rests until a person recovers it", async () => {
    await operate("PUT /v1/agents/limited", { accounts: ["openai/team-1"] });
    await submitted(scene, { agent: "limited" });
    const [claim] = await claims("limited");
    if (claim === undefined) throw new Error("nothing was claimed");
    expect(claim).toMatchObject({ agent: "limited", account: "openai/team-1" });
    const line = `POST /v1/runs/${claim.run.id}/exhausted`;
    const body = {
      ...fenceOf(claim),
      status: 429,
      message: "You exceeded your current quota, please check your plan and billing details.",
      checkpoint: { page: 3 },
    };
    const back = await ask(scene.app, claim.attempt_key, line, { body });
    expect(back.body, back.text).toMatchObject({ state: "pending", attempts_used: 0 });
    expect(await runOf(claim)).toMatchObject({ checkpoint: { page: 3 }, state: "pending" });
    expect((await exhaustionsOf("openai/team-1"))[0]?.state).toBe("closed");
    expect(await claims("limited")).toEqual([]);
    const { reasons } = (await read(`GET /v1/runs/${claim.run.id}/explain`)).body;
    expect(JSON.stringify(reasons)).toMatch(/exhausted/);
    await operate("POST /v1/accounts/openai%2Fteam-1/recover", { reason: "paid" });
    expect(await claims("limited")).toMatchObject([{ fencing_token: 2 }]);
  });

  test("reports it among others, in the order of the items", async () => {
    await operate("PUT /v1/agents/batched", { accounts: ["batch/1"] });
    for (let n = 0; n < 3; n++) await submitted(scene, { agent: "batched" });
    const held = await claims("batched", 3);
    expect(held).toHaveLength(3);
    const [one, two, three] = held as [Claim, Claim, Claim];
    const of = (claim: Claim) => ({ run_id: claim.run.id, ...fenceOf(claim) });
    const items = [
      { ...of(one), kind: "start" },
      { ...of(two), kind: "start" },
      { ...of(one), kind: "exhausted", reason: "overloaded", headers: { "retry-after": [] } },
      { ...of(two), kind: "complete", output: 2 },
      { ...of(three), kind: "exhausted", fencing_token: 99 },
    ];
    const { body } = await work("POST /v1/reports", { items });
    const said = body.results.map(
      (result: { ok: boolean; run?: { state: string }; problem?: { code: string } }) =>
        result.ok ? result.run?.state : result.problem?.code,
    );
    expect(said).toEqual(["running", "running", "pending", "completed", "stale_fencing_token"]);
    expect(await runOf(three)).toMatchObject({ state: "claimed" });
    const { items: told } = (await read(`GET /v1/runs/${one.run.id}/events`)).body;
    expect(told.map(({ type }: { type: string }) => type)).toEqual([
      "run.submitted",
      "run.claimed",
      "run.started",
      "run.requeued",
    ]);
  });

  test("a stale report closes nothing", async () => {
    await operate("PUT /v1/agents/stale", { accounts: ["stale/1"] });
    await submitted(scene, { agent: "stale" });
    const [claim] = await claims("stale");
    if (claim === undefined) throw new Error("nothing was claimed");
    await operate("PUT /v1/accounts/stale%2F1");
    await work(`POST /v1/runs/${claim.run.id}/release`, fenceOf(claim));
    await work(`POST /v1/runs/${claim.run.id}/exhausted`, fenceOf(claim)); // ended already
    expect(await exhaustionsOf("stale/1")).toEqual([]);
    expect(await claims("stale")).toMatchObject([{ fencing_token: 2 }]);
    const late = await work(`POST /v1/runs/${claim.run.id}/exhausted`, fenceOf(claim));
    expect([late.status, late.body.code]).toEqual([409, "stale_fencing_token"]);
    expect(await exhaustionsOf("stale/1")).toEqual([]);
  });
});

describe("runtimes", () => {
  test("a drain keeps what it has from growing, and is safe to repeat", async () => {
    await work("PUT /v1/runtimes/drained", { labels: { zone: "a:1" } });
    for (let n = 0; n < 2; n++) {
      const reply = await operate("POST /v1/runtimes/drained/drain", { reason: "new image" });
      expect(reply.body, reply.text).toMatchObject({ name: "drained", state: "draining" });
    }
    const claim = await work("POST /v1/claims", { runtime: "drained", free: 1 });
    expect([claim.status, claim.body.code]).toEqual([409, "runtime_draining"]);
    expect((await operate("POST /v1/runtimes/nobody/drain", { reason: "r" })).status).toBe(404);
  });

  test("a list is narrowed by state, label and agent", async () => {
    await work("PUT /v1/runtimes/labelled", { labels: { zone: "b" } });
    const names = async (query: string): Promise<string[]> =>
      (await read(`GET /v1/runtimes?${query}`)).body.items.map(
        ({ name }: { name: string }) => name,
      );
    expect(await names("state=draining")).toEqual(["drained"]);
    expect(await names("label=zone:a:1")).toEqual(["drained"]);
    expect(await names("label=zone:b")).toEqual(["labelled"]);
    expect(await names("label=zone:")).toEqual([]);
    expect(await names("agent=limited")).toEqual(["w1"]);
    expect(await names("agent=limited&state=draining")).toEqual([]);
  });
});

test("names of one project are nothing in another", async () => {
  const origin = { actor: "test", requestId: "t", traceparent: null };
  const other = must(await scene.engine.createProject("other", origin));
  const otherId = fromTypeId("prj", other.id) ?? "";
  const input = { name: "k", roles: ["admin" as const], expiresAt: null };
  const { key } = must(await scene.engine.createKey(otherId, input, origin));
  const foreign = (line: string, body: unknown = {}) => ask(scene.app, key, line, { body });
  for (const line of ["/v1/agents/reviewer", "/v1/accounts/anthropic%2Fmax-9", "/v1/runtimes/w1"]) {
    expect((await foreign(`GET ${line}`)).status, line).toBe(404);
  }
  expect((await foreign("GET /v1/agents")).body.items).toEqual([]);
  expect((await foreign("GET /v1/accounts")).body.items).toEqual([]);
  const own = await foreign("PUT /v1/agents/reviewer", { max_concurrent: 1 });
  expect(own.body).toMatchObject({ name: "reviewer", max_concurrent: 1, models: null });
  expect((await read("GET /v1/agents/reviewer")).body.max_concurrent).toBeNull();
});
