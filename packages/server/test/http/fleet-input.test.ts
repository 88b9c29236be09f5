// Bad input about agents, accounts, allowances, slots, usage and runtimes: refused at the door with
// the name of the field, before the engine is asked; and what good input becomes.

import { describe, expect, test } from "vitest";
import type { NewRun } from "../../src/domain/submission.ts";
import type { AppendInput, ReportInput } from "../../src/engine/contract.ts";
import { refuse } from "../../src/domain/refusal.ts";
import { toTypeId } from "../../src/std/ids.ts";
import { doors, key } from "./recorder.ts";
import { ask } from "./scene.ts";

const agent = "PUT /v1/agents/a";
const account = "PUT /v1/accounts/x%2F1";
const allowance = "POST /v1/allowances";
const change = "PUT /v1/allowances/alw_01h455vb4pex5vsknk084sn02q";
const slots = "POST /v1/slots";
const tokens = { scope: "project", metric: "tokens", limit: 1, window: "day" };
const slot = {
  agent: "a",
  type: "work",
  starts_at: "2091-01-01T08:00:00Z",
  ends_at: "2091-01-01T16:00:00Z",
};
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `n${n}`);
const MOST = Number.MAX_SAFE_INTEGER;

/** request · body · field */
const bad: readonly (readonly [string, unknown, string])[] = [
  [agent, { status: "idle" }, "status"],
  [agent, { description: 7 }, "description"],
  [agent, { description: "x".repeat(2001) }, "description"],
  [agent, { capabilities: "gpu" }, "capabilities"],
  [agent, { capabilities: ["gpu", ""] }, "capabilities.1"],
  [agent, { capabilities: names(201) }, "capabilities"],
  [agent, { models: [] }, "models"],
  [agent, { models: [" opus"] }, "models.0"],
  [agent, { accounts: [] }, "accounts"],
  [agent, { accounts: [null] }, "accounts.0"],
  [agent, { labels: { zone: 7 } }, "labels.zone"],
  [agent, { labels: [] }, "labels"],
  [agent, { labels: Object.fromEntries(names(65).map((name) => [name, "x"])) }, "labels"],
  [agent, { max_concurrent: -1 }, "max_concurrent"],
  [agent, { max_concurrent: 1.5 }, "max_concurrent"],
  [agent, { max_concurrent: 100_001 }, "max_concurrent"],
  [agent, { max_run_duration_s: 0 }, "max_run_duration_s"],
  [agent, `{"max_concurrent": 1e999}`, "max_concurrent"],
  ["PUT /v1/agents/%20a", {}, "name"],
  ["PUT /v1/agents/a%0Ab", {}, "name"],
  [`PUT /v1/agents/${"a".repeat(201)}`, {}, "name"],
  ["POST /v1/agents/a/pause", {}, "reason"],
  ["POST /v1/agents/a/pause", { reason: " \n" }, "reason"],
  ["POST /v1/agents/a/resume", { reason: "" }, "reason"],
  ["GET /v1/agents?status=dead", {}, "status"],
  ["GET /v1/agents?paused=maybe", {}, "paused"],
  ["GET /v1/agents?limit=101", {}, "limit"],
  ["GET /v1/agents?state=idle", {}, "state"],
  ["GET /v1/agents/a/events?order=up", {}, "order"],
  ["GET /v1/agents/a/events?after_seq=-1", {}, "after_seq"],
  ["GET /v1/agents/a/events?limit=501", {}, "limit"],
  [account, { provider: 7 }, "provider"],
  [account, { labels: { a: null } }, "labels.a"],
  [account, { agents: ["a"] }, "agents"],
  ["POST /v1/accounts/x/recover", {}, "reason"],
  ["POST /v1/accounts/x/recover", { reason: "paid", model: "" }, "model"],
  ["GET /v1/accounts?status=closed", {}, "status"],
  [allowance, {}, "scope"],
  [allowance, { ...tokens, scope: "team" }, "scope"],
  [allowance, { ...tokens, metric: "euros" }, "metric"],
  [allowance, { ...tokens, limit: -1 }, "limit"],
  [allowance, { ...tokens, limit: 0.5 }, "limit"],
  [allowance, { ...tokens, limit: "1" }, "limit"],
  [allowance, JSON.stringify(tokens).replace(":1,", `:${MOST + 1},`), "limit"],
  [allowance, JSON.stringify(tokens).replace(":1,", ":1e400,"), "limit"],
  [allowance, { ...tokens, window: "year" }, "window"],
  [allowance, { ...tokens, window: null }, "window"],
  [allowance, { ...tokens, window: "rolling", window_hours: 0 }, "window_hours"],
  [allowance, { ...tokens, window: "rolling", window_hours: 745 }, "window_hours"],
  [allowance, { ...tokens, time_zone: "" }, "time_zone"],
  [allowance, { ...tokens, reset_time: "24:00" }, "reset_time"],
  [allowance, { ...tokens, reset_time: "9:30" }, "reset_time"],
  [allowance, { ...tokens, mode: "strict" }, "mode"],
  [allowance, { ...tokens, default_reserve: -1 }, "default_reserve"],
  [allowance, { ...tokens, name: " " }, "name"],
  [allowance, { ...tokens, spent: 0 }, "spent"],
  [change, { limit: -1 }, "limit"],
  [change, { limit: null }, "limit"],
  [change, { mode: "strict" }, "mode"],
  [change, { window: "day" }, "window"],
  [change, { metric: "tokens" }, "metric"],
  [slots, {}, "agent"],
  [slots, { ...slot, type: "sleep" }, "type"],
  [slots, { ...slot, priority: 100 }, "priority"],
  [slots, { ...slot, priority: "high" }, "priority"],
  [slots, { ...slot, starts_at: "tomorrow" }, "starts_at"],
  [slots, { ...slot, ends_at: "2091-01-01" }, "ends_at"],
  [slots, { ...slot, title: "x".repeat(501) }, "title"],
  [slots, { ...slot, content: [] }, "content"],
  [slots, { ...slot, content: "wake up" }, "content"],
  [slots, { ...slot, run: [] }, "run"],
  [slots, { ...slot, run: { colour: "red" } }, "run.colour"],
  [slots, { ...slot, run: { priority: "urgent" } }, "run.priority"],
  [slots, { ...slot, run: { depends_on: ["yesterday"] } }, "run.depends_on.0"],
  [slots, { ...slot, run: { deadline_at: "2016-12-31T23:59:60Z" } }, "run.deadline_at"],
  [slots, { ...slot, run: { max_attempts: 0 } }, "run.max_attempts"],
  [slots, { ...slot, run: { on_agent_timeout: "all" } }, "run.on_agent_timeout"],
  [slots, `{"content": {"__proto__": 1}}`, "content.__proto__"],
  ["POST /v1/slots/slt_01h455vb4pex5vsknk084sn02q/abort", { reason: " " }, "reason"],
  ["POST /v1/slots/slt_01h455vb4pex5vsknk084sn02q/start", { status: "ongoing" }, "status"],
  ["GET /v1/slots?status=late", {}, "status"],
  ["GET /v1/usage?from=yesterday", {}, "from"],
  ["GET /v1/usage?to=2026-02-30T00:00:00Z", {}, "to"],
  ["GET /v1/usage?from=2016-12-31T23:59:60Z", {}, "from"],
  ["GET /v1/usage?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", {}, "from"],
  ["GET /v1/usage?from=2999-01-01T00:00:00Z", {}, "from"],
  ["GET /v1/usage?model=opus", {}, "model"],
  ["GET /v1/runtimes?state=lost", {}, "state"],
  ["GET /v1/runtimes?label=zone", {}, "label"],
  ["GET /v1/runtimes?label=:a", {}, "label"],
  ["POST /v1/runtimes/w/drain", {}, "reason"],
];

test.each(bad)("%s %j: %s", async (line, body, field) => {
  const { app, calls } = doors();
  const reply = await ask(app, key, line, { body });
  expect([reply.status, reply.body.code]).toEqual([400, "validation_failed"]);
  expect(reply.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  expect(reply.body.detail).toContain(field.split(".")[0]);
  expect(calls).toEqual([]);
});

test("what is too large is 413 and named", async () => {
  const { app, calls } = doors();
  const large: [object, string][] = [
    [{ ...slot, content: { a: "x".repeat(17_000) } }, "content"],
    [{ ...slot, run: { input: "x".repeat(257 * 1024) } }, "run.input"],
    [{ ...slot, run: { metadata: { a: "x".repeat(17_000) } } }, "run.metadata"],
  ];
  for (const [body, field] of large) {
    // Beside it, so that sizes are measured and not only guessed from the body's.
    const reply = await ask(app, key, slots, { body: { ...body, title: "t".repeat(500) } });
    expect([reply.status, reply.body.errors[0].field]).toEqual([413, field]);
  }
  expect(calls).toEqual([]);
});

test.each([
  "GET /v1/allowances/alw_none",
  "GET /v1/allowances/slt_01h455vb4pex5vsknk084sn02q",
  "PUT /v1/allowances/7",
  "POST /v1/allowances/run_01h455vb4pex5vsknk084sn02q/delete",
  "GET /v1/slots/slt_",
  "POST /v1/slots/SLT_01H455VB4PEX5VSKNK084SN02Q/skip",
])("%s: an id that is none is not found", async (line) => {
  const { app, calls } = doors();
  const reply = await ask(app, key, line);
  expect([reply.status, reply.body.code]).toEqual([404, "not_found"]);
  expect(calls).toEqual([]);
});

/** What the engine is asked by a good request; it refuses, so that nothing has to be answered. */
async function asked(verb: string, line: string, body: object = {}): Promise<unknown[]> {
  let given: unknown[] | null = null;
  const { app } = doors({
    [verb]: async (...all) => {
      given = all;
      return refuse("unavailable", "Not today.");
    },
  });
  await ask(app, key, line, { body });
  if (given === null) throw new Error(`the engine was not asked to ${verb}`);
  return given;
}

describe("good input", () => {
  test("the lists of a registration have every name once, in their order", async () => {
    const body = { accounts: ["b", "a", "b"], models: null, capabilities: [], max_concurrent: 0 };
    expect((await asked("registerAgent", agent, body)).slice(1, 3)).toEqual([
      "a",
      { ...body, accounts: ["b", "a"] },
    ]);
  });

  test("an absent field stays absent: null is something else", async () => {
    expect((await asked("registerAgent", agent))[2]).toEqual({});
    expect((await asked("updateAllowance", change, { default_reserve: null }))[2]).toEqual({
      default_reserve: null,
    });
    const recover = "POST /v1/accounts/x%2F1/recover";
    expect((await asked("recoverAccount", recover, { reason: "r" }))[2]).toEqual({ reason: "r" });
    expect((await asked("recoverAccount", recover, { reason: "r", model: null }))[2]).toEqual({
      reason: "r",
      model: null,
    });
  });

  test("names with slashes, percent signs and dots go through the path", async () => {
    for (const name of ["anthropic/max-1", "a%2Fb", "ü 😀?#&", "…", "a/../b"]) {
      const path = encodeURIComponent(name);
      expect((await asked("account", `GET /v1/accounts/${path}`))[1]).toBe(name);
      expect((await asked("agent", `GET /v1/agents/${path}`))[1]).toBe(name);
      const events = await asked("agentEvents", `GET /v1/agents/${path}/events`);
      expect(events[1]).toBe(name);
    }
  });

  test("filters reach the engine in its own words", async () => {
    expect((await asked("agents", "GET /v1/agents?status=idle&paused=false")).slice(1)).toEqual([
      { status: "idle", paused: false },
      { limit: 50, cursor: null },
    ]);
    const runtimes = "GET /v1/runtimes?state=online&agent=a&label=zone:a:1&limit=7&cursor=w";
    expect((await asked("runtimes", runtimes)).slice(1)).toEqual([
      { state: "online", agent: "a", label: ["zone", "a:1"] },
      { limit: 7, cursor: "w" },
    ]);
    expect((await asked("runtimes", "GET /v1/runtimes?label=zone:"))[1]).toEqual({
      label: ["zone", ""],
    });
    expect((await asked("slots", "GET /v1/slots?agent=a&status=ongoing"))[1]).toEqual({
      agent: "a",
      status: "ongoing",
    });
    const events = "GET /v1/agents/a/events?order=desc&limit=2&cursor=11&type=agent.paused";
    expect((await asked("agentEvents", events))[2]).toEqual({
      order: "desc",
      limit: 2,
      beforeSeq: 11,
      type: "agent.paused",
    });
  });

  test("usage is asked for the last 7 days, unless instants are given", async () => {
    const day = 86_400_000;
    const [, open] = await asked("usage", "GET /v1/usage?agent=a");
    const { from, to } = open as { from: number; to: number };
    expect(open).toEqual({ from: to - 7 * day, to, agent: "a" });
    expect(Math.abs(Date.now() - to)).toBeLessThan(60_000);
    const [, until] = await asked("usage", "GET /v1/usage?to=2026-01-31T00:00:00Z&account=x/1");
    const end = Date.UTC(2026, 0, 31);
    expect(until).toEqual({ from: end - 7 * day, to: end, account: "x/1" });
    expect(from).toBeLessThan(to);
  });

  test("a slot keeps its instants and its run as they were sent", async () => {
    const run = { input: 1, agent_timeout_s: 60, on_agent_timeout: "any" };
    const body = { ...slot, content: { room: 7 }, run };
    expect((await asked("createSlot", slots, body))[1]).toEqual(body);
    const skip = "POST /v1/slots/slt_01h455vb4pex5vsknk084sn02q/skip";
    expect((await asked("changeSlot", skip))[2]).toEqual({ verb: "skip", reason: null });
  });
});

describe("submissions", () => {
  const submitted = async (body: object): Promise<number | null> => {
    const [, specs] = await asked("submit", "POST /v1/runs", body);
    const [spec] = specs as NewRun[];
    if (spec === undefined) throw new Error("nothing was submitted");
    return spec.agentTimeoutMs;
  };

  test.each([
    [{}, null],
    [{ agent: "a" }, null],
    [{ agent: "a", agent_timeout_s: 60 }, null],
    [{ agent: "a", agent_timeout_s: 60, on_agent_timeout: "wait" }, null],
    [{ agent: "a", agent_timeout_s: 60, on_agent_timeout: "any" }, 60_000],
    [{ agent: "a", on_agent_timeout: "any" }, 600_000],
    [{ agent: "a", agent_timeout_s: 2_592_000, on_agent_timeout: "any" }, 2_592_000_000],
  ])("%j: others may do it after %j ms", async (body, expected) => {
    expect(await submitted(body)).toBe(expected);
  });
});

const fence = { attempt_id: toTypeId("att", "018f4e42-8d2a-7000-8000-000000000009") };
const runId = toTypeId("run", "018f4e42-8d2a-7000-8000-000000000001");
const writes = { ...fence, fencing_token: 1 };

describe("usage", () => {
  const badUsage: readonly (readonly [unknown, string])[] = [
    [{ input_tokens: -1 }, "input_tokens"],
    [{ output_tokens: 1.5 }, "output_tokens"],
    [{ cost_micros: "7" }, "cost_micros"],
    [{ cost_micros: null }, "cost_micros"],
    [{ steps: MOST + 1 }, "steps"],
    [{ model: "" }, "model"],
    [{ dollars: 1 }, "dollars"],
  ];

  test.each(badUsage)(
    "%j is refused by name, with an event and with an end",
    async (usage, name) => {
      const { app, calls } = doors();
      const events = [{ type: "log.line" }, { type: "log.line", producer_seq: 1, usage }];
      const body = { ...writes, events };
      const one = await ask(app, key, `POST /v1/runs/${runId}/events`, { body });
      expect([one.status, one.body.errors[0].field]).toEqual([400, `events.1.usage.${name}`]);
      const end = await ask(app, key, `POST /v1/runs/${runId}/complete`, {
        body: { ...writes, usage },
      });
      expect([end.status, end.body.errors[0].field]).toEqual([400, `usage.${name}`]);
      expect(calls).toEqual([]);
    },
  );

  test.each([
    ["without a number", { type: "log.line", usage: {} }, 400, "events.0.producer_seq"],
    ["as an event of its own", { type: "usage.recorded", usage: {} }, 400, "events.0.producer_seq"],
    ["that is not there", { type: "usage.recorded", producer_seq: 1 }, 422, "events.0.type"],
    [
      "of a house's event",
      { type: "run.failed", producer_seq: 1, usage: {} },
      422,
      "events.0.type",
    ],
    [
      "infinite",
      `{"type":"x.a","producer_seq":1,"usage":{"steps":1e400}}`,
      400,
      "events.0.usage.steps",
    ],
  ])("%s is refused", async (_name, event, status, field) => {
    const { app, calls } = doors();
    const text = typeof event === "string" ? event : JSON.stringify(event);
    const body = `${JSON.stringify(writes).slice(0, -1)}, "events": [${text}]}`;
    const reply = await ask(app, key, `POST /v1/runs/${runId}/events`, { body });
    expect([reply.status, reply.body.errors[0].field]).toEqual([status, field]);
    expect(calls).toEqual([]);
  });

  test("reaches the engine with its model", async () => {
    const usage = { input_tokens: 0, cost_micros: MOST, model: "opus" };
    const events = [
      { type: "usage.recorded", producer_seq: 1, usage },
      { type: "message.completed", producer_seq: 2, usage: {} },
    ];
    const [, items] = await asked("append", `POST /v1/runs/${runId}/events`, { ...writes, events });
    expect((items as AppendInput[])[0]?.events).toEqual(events);
    const [, reports] = await asked("report", `POST /v1/runs/${runId}/complete`, {
      ...writes,
      usage,
    });
    expect((reports as ReportInput[])[0]?.command).toEqual({
      kind: "complete",
      output: null,
      usage: { inputTokens: 0, costMicros: MOST, model: "opus" },
    });
  });
});
