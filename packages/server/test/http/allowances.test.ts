// Allowances and usage over HTTP, with the real engine.

import type { Allowance, Claim, UsageRow } from "@signalbox/sdk";
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

async function created(input: object): Promise<Allowance> {
  const reply = await operate("POST /v1/allowances", input);
  expect(reply.status, reply.text).toBe(201);
  return reply.body;
}
const remove = (id: string): Promise<Reply> => operate(`POST /v1/allowances/${id}/delete`);

async function claims(agent: string, free: number): Promise<Claim[]> {
  const body = { runtime: "w1", agents: [{ name: agent }], free, lease_ms: 600_000 };
  return (await work("POST /v1/claims", body)).body.claims;
}

describe("an allowance", () => {
  test("is shown as it was made, with its defaults and its period", async () => {
    const made = await created({
      scope: "agent",
      name: "reviewer",
      metric: "cost_micros",
      limit: 5_000_000,
      window: "day",
      time_zone: "Europe/Berlin",
      reset_time: "06:30",
      default_reserve: 1000,
    });
    expect(made).toMatchObject({
      id: expect.stringMatching(/^alw_/),
      scope: "agent",
      name: "reviewer",
      metric: "cost_micros",
      limit: 5_000_000,
      window: "day",
      window_hours: null,
      time_zone: "Europe/Berlin",
      reset_time: "06:30",
      mode: "hard",
      default_reserve: 1000,
      spent: 0,
      reserved: 0,
    });
    const hours =
      (Date.parse(made.period_ends_at ?? "") - Date.parse(made.period_started_at ?? "")) / 36e5;
    expect(hours).toBeGreaterThanOrEqual(23);
    expect(hours).toBeLessThanOrEqual(25);
    expect((await read(`GET /v1/allowances/${made.id}`)).body).toEqual(made);
    expect((await read("GET /v1/allowances")).body.items).toContainEqual(made);
    await remove(made.id);
  });

  test("keeps what a change does not name, and is gone once it is deleted", async () => {
    const input = { scope: "project", metric: "tokens", limit: 10, window: "rolling" };
    const { id } = await created({ ...input, window_hours: 5, default_reserve: 2 });
    const put = (body: object) => operate(`PUT /v1/allowances/${id}`, body);
    expect((await put({ limit: Number.MAX_SAFE_INTEGER })).body).toMatchObject({
      id,
      limit: Number.MAX_SAFE_INTEGER,
      mode: "hard",
      default_reserve: 2,
      window: "rolling",
      window_hours: 5,
    });
    expect((await put({ mode: "kill", default_reserve: null })).body).toMatchObject({
      limit: Number.MAX_SAFE_INTEGER,
      mode: "kill",
      default_reserve: null,
    });
    expect((await put({})).body).toMatchObject({ mode: "kill" });
    expect((await remove(id)).body).toMatchObject({ id });
    for (const line of [`GET /v1/allowances/${id}`, `PUT /v1/allowances/${id}`]) {
      expect((await operate(line)).status, line).toBe(404);
    }
    expect((await remove(id)).status).toBe(404);
    const { items } = (await read("GET /v1/allowances")).body;
    expect(items.map((one: Allowance) => one.id)).not.toContain(id);
  });

  const tokens = { scope: "project", metric: "tokens", limit: 1, window: "day" };
  test.each([
    ["a name for the project", { ...tokens, name: "p" }, "name"],
    ["an agent without a name", { ...tokens, scope: "agent" }, "name"],
    ["a zone that does not exist", { ...tokens, time_zone: "Mars/Olympus" }, "time_zone"],
    ["tokens without a window", { ...tokens, window: undefined }, "window"],
    ["a window for live runs", { ...tokens, metric: "concurrent_runs" }, "window"],
    ["a rolling window of no length", { ...tokens, window: "rolling" }, "window_hours"],
    ["hours for a day", { ...tokens, window_hours: 5 }, "window_hours"],
    ["hours without a window", { ...tokens, window: undefined, window_hours: 5 }, "window"],
    ["kill for runs", { ...tokens, metric: "runs", mode: "kill" }, "mode"],
  ])("with %s is refused", async (_name, body, field) => {
    const reply = await operate("POST /v1/allowances", body);
    expect([reply.status, reply.body.code]).toEqual([400, "validation_failed"]);
    expect(reply.body.errors.map((one: { field: string }) => one.field)).toContain(field);
  });

  test("a list is paged without a gap or a repeat", async () => {
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      made.push((await created({ ...tokens, scope: "model", name: `m${n}` })).id);
    }
    const seen: string[] = [];
    let cursor = "";
    for (let page = 0; page < 20; page++) {
      const { body } = await read(`GET /v1/allowances?limit=2${cursor}`);
      seen.push(...body.items.map(({ id }: Allowance) => id));
      if (!body.has_more) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen.toSorted()).toEqual(made.toSorted());
    for (const id of made) await remove(id);
  });

  test("of another project is not found", async () => {
    const { id } = await created(tokens);
    const origin = { actor: "test", requestId: "t", traceparent: null };
    const other = must(await scene.engine.createProject("other", origin));
    const otherId = fromTypeId("prj", other.id) ?? "";
    const input = { name: "k", roles: ["admin" as const], expiresAt: null };
    const { key } = must(await scene.engine.createKey(otherId, input, origin));
    const verbs = [`GET /v1/allowances/${id}`, `PUT /v1/allowances/${id}`];
    for (const line of [...verbs, `POST /v1/allowances/${id}/delete`]) {
      expect((await ask(scene.app, key, line)).status, line).toBe(404);
    }
    expect((await ask(scene.app, key, "GET /v1/allowances")).body.items).toEqual([]);
    await remove(id);
  });

  test("of live runs lets as many go as it says, and explains the rest", async () => {
    const input = { scope: "agent", name: "narrow", metric: "concurrent_runs", limit: 1 };
    const { id } = await created(input);
    const runs = [
      await submitted(scene, { agent: "narrow" }),
      await submitted(scene, { agent: "narrow" }),
    ];
    expect(await claims("narrow", 2)).toHaveLength(1);
    expect((await read(`GET /v1/allowances/${id}`)).body).toMatchObject({ spent: 1, limit: 1 });
    const { reasons } = (await read(`GET /v1/runs/${runs[1]?.id}/explain`)).body;
    expect(JSON.stringify(reasons)).toContain("concurrent job limit reached");
    await operate(`PUT /v1/allowances/${id}`, { limit: 2 });
    expect(await claims("narrow", 2)).toHaveLength(1);
    await remove(id);
  });
});

describe("usage", () => {
  test("is booked once, spent of its allowance, and summed by agent, model and day", async () => {
    const limit = { scope: "agent", name: "spender", metric: "tokens", limit: 1000, window: "day" };
    const { id } = await created({ ...limit, default_reserve: 100 });
    await submitted(scene, { agent: "spender" });
    const [claim] = await claims("spender", 1);
    if (claim === undefined) throw new Error("nothing was claimed");
    expect((await read(`GET /v1/allowances/${id}`)).body).toMatchObject({
      spent: 0,
      reserved: 100,
    });
    const fence = { attempt_id: claim.attempt_id, fencing_token: claim.fencing_token };
    const own = (verb: string, body: object) =>
      ask(scene.app, claim.attempt_key, `POST /v1/runs/${claim.run.id}/${verb}`, {
        body: { ...fence, ...body },
      });
    const events = [
      {
        type: "usage.recorded",
        producer_seq: 1,
        usage: { input_tokens: 30, output_tokens: 10, cost_micros: 5, model: "opus" },
      },
    ];
    for (let n = 0; n < 2; n++) await own("events", { events }); // the second was stored before
    expect((await read(`GET /v1/allowances/${id}`)).body).toMatchObject({
      spent: 40,
      reserved: 60,
    });
    await own("complete", { usage: { input_tokens: 2, model: "sonnet" } });
    expect((await read(`GET /v1/allowances/${id}`)).body).toMatchObject({ spent: 42, reserved: 0 });
    const run = (await read(`GET /v1/runs/${claim.run.id}`)).body;
    expect(run.usage).toMatchObject({ input_tokens: 32, output_tokens: 10, cost_micros: 5 });
    const rows: UsageRow[] = (await read("GET /v1/usage?agent=spender")).body.items;
    const told = rows.map(({ agent, model, attempts, usage }) => ({
      agent,
      model,
      attempts,
      usage,
    }));
    expect(told.toSorted((a, b) => String(a.model).localeCompare(String(b.model)))).toEqual([
      {
        agent: "spender",
        model: "opus",
        attempts: 1,
        usage: { input_tokens: 30, output_tokens: 10, cost_micros: 5 },
      },
      { agent: "spender", model: "sonnet", attempts: 1, usage: { input_tokens: 2 } },
    ]);
    expect(rows[0]?.day).toMatch(/^\d{4}-\d\d-\d\d$/);
    const before = "GET /v1/usage?from=2001-01-01T00:00:00Z&to=2001-02-01T00:00:00Z";
    expect((await read(before)).body.items).toEqual([]);
    expect((await read("GET /v1/usage?agent=nobody")).body.items).toEqual([]);
    await remove(id);
  });
});
