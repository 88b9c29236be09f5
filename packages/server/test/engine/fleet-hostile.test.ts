// Hostile and foolish input about agents, accounts and allowances: numbers at the end of what there
// is, names with every character, reports of anything. Nothing of it may keep an outcome from being
// recorded, mix up two names, or shut a door for good.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type pg from "pg";
import type * as wire from "@signalbox/sdk";
import { fromTypeId } from "../../src/std/ids.ts";
import { openAs } from "../store/sessions.ts";
import type { Held } from "./crew.ts";
import { Crew } from "./crew.ts";
import { ok } from "./duo.ts";
import { single, usageOf } from "./fleet-scene.ts";
import { origin } from "./fixtures.ts";
import { expectBalanced } from "./ledger.ts";
import { word } from "./parked.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const open: { owner?: pg.Client } = {};
const MOST = Number.MAX_SAFE_INTEGER;
const DAY = 24 * 3_600_000;

beforeAll(async () => {
  open.owner = await openAs(stage.database.connection, null);
});
afterAll(() => open.owner?.end());
/** For projects whose numbers are exact. */
const balanced = (c: Crew) => expectBalanced(open.owner as pg.Client, c.projectId);

const tokens = (limit: number) =>
  ({ scope: "agent", name: "x", metric: "tokens", limit, window: "day" }) as const;

async function crew(settings: wire.AgentRegistration = {}): Promise<Crew> {
  const made = await Crew.of(stage);
  await made.worker("w1");
  await made.agent("x", settings);
  return made;
}

/** Ends many attempts; the codes of those that were refused. */
async function completeAll(c: Crew, all: readonly Held[], inputTokens?: number): Promise<string[]> {
  const usage = inputTokens === undefined ? {} : { usage: { inputTokens } };
  const items = all.map((held) => ({
    runId: held.runId,
    fence: c.fence(held),
    command: { kind: "complete", output: null, ...usage } as const,
  }));
  const answers = await stage.engine.report(c.projectId, items, origin);
  return answers.flatMap((answer) => ("refused" in answer ? [answer.code] : []));
}

describe("names", () => {
  const names = [
    "acme/1",
    'a"b',
    "a\\b",
    "a,b",
    "{a}",
    "NULL",
    "null",
    "a'b",
    "ö 😀 ​x",
    "n".repeat(200),
    "%",
    "a b",
  ];

  test("of accounts, agents and models: none is another, whatever its characters", async () => {
    const c = await crew();
    for (const name of names) await c.agent(name, { accounts: [name] });
    for (const name of names) {
      await c.allowance({ scope: "account", name, metric: "runs", limit: 50, window: "day" });
    }
    for (const [at, name] of names.entries()) {
      await c.submit(1, { agent: name, model: names[(at + 1) % names.length] as string });
      const held = single(await c.claim("w1", [name]));
      expect(held.claim).toMatchObject({ agent: name, account: name });
      await c.exhaust(held, { reason: "quota", recovery_in_ms: 60_000, scope: "model" });
      const [limit] = (await stage.engine.account(c.projectId, name))?.exhaustions ?? [];
      expect(limit).toMatchObject({ account: name, model: names[(at + 1) % names.length] });
      expect(await c.claim("w1", names)).toEqual([]);
    }
    await balanced(c);
  });

  test("64 agents at one claim, 64 accounts of one agent: the open one is found", async () => {
    const accounts = Array.from({ length: 64 }, (_, n) => `account-${n}`);
    const c = await crew({ accounts });
    const agents = Array.from({ length: 64 }, (_, n) => `agent-${n}`);
    for (const name of agents) await c.agent(name, { accounts: [accounts[0] as string] });
    for (const account of accounts.slice(0, 63)) {
      const report = { reason: "quota", recovery_in_ms: DAY } as const;
      ok(await stage.engine.reportExhaustion(c.projectId, account, report, origin));
    }
    await c.submit(2);
    expect(await c.claim("w1", agents)).toEqual([]);
    const held = single(await c.claim("w1", [...agents.slice(0, 63), "x"]));
    expect(held.claim).toMatchObject({ agent: "x", account: "account-63" });
  });
});

describe("numbers", () => {
  test("usage of 2^53 - 1 again and again: every end is recorded", async () => {
    const c = await crew();
    const { id } = await c.allowance({ ...tokens(MOST), mode: "soft", default_reserve: 0 });
    const project = { scope: "project", metric: "tokens", limit: 10, window: "rolling" } as const;
    await c.allowance({ ...project, mode: "soft", window_hours: 1, default_reserve: 0 });
    for (let round = 0; round < 3; round += 1) {
      await c.submit(400);
      expect(await completeAll(c, await c.claim("w1", ["x"], 400), MOST)).toEqual([]);
    }
    expect((await c.use(id)).spent).toBeGreaterThanOrEqual(MOST);
    const from = Date.now() - 9 * DAY;
    const [row] = await stage.engine.usage(c.projectId, { from, to: Date.now() + 9 * DAY });
    expect(row?.usage.input_tokens).toBeGreaterThanOrEqual(MOST);
    await c.submit(1);
    expect(await c.claim("w1", ["x"])).toHaveLength(1);
  });

  test("an estimate of 2^53 - 1 again and again: claims go on, nothing stays", async () => {
    const c = await crew();
    const { id } = await c.allowance({ ...tokens(10), mode: "soft" });
    const all: Held[] = [];
    for (let round = 0; round < 3; round += 1) {
      await c.submit(400, { estimate: { tokens: MOST } });
      all.push(...(await c.claim("w1", ["x"], 400)));
    }
    expect(all).toHaveLength(1200);
    for (let at = 0; at < all.length; at += 400) {
      expect(await completeAll(c, all.slice(at, at + 400))).toEqual([]);
    }
    expect(await c.use(id)).toEqual({ spent: 0, reserved: 0 });
  });

  test("more than the limit at once shuts its agent out for a day, not for good", async () => {
    const c = await crew();
    const { id } = await c.allowance(tokens(100));
    await c.submit(3);
    // Others end many attempts at the same time: what is typical of this agent is noted too.
    const busy = await crew();
    await busy.allowance({ ...tokens(MOST), default_reserve: 1 });
    await busy.submit(300);
    await completeAll(busy, await busy.claim("w1", ["x"], 300), 5);
    await c.complete(single(await c.claim("w1", ["x"])), { inputTokens: 150 });
    await stage.engine.parts.after.settled();
    expect(await c.claim("w1", ["x"])).toEqual([]);
    stage.tick(DAY);
    // One at a time: it may consume all there is.
    expect(await c.claim("w1", ["x"], 2)).toHaveLength(1);
    expect(await c.use(id)).toEqual({ spent: 0, reserved: 100 });
  });

  test.each([
    { limit: 0, metric: "tokens", window: "day" },
    { limit: 0, metric: "runs", window: "day" },
    { limit: 0, metric: "cost_micros", window: "day", mode: "kill" },
    { limit: 0, metric: "concurrent_runs" },
  ] as const)("a limit of 0 lets nothing through: $metric", async (input) => {
    const c = await crew();
    await c.allowance({ scope: "agent", name: "x", ...input });
    const [run = ""] = await c.submit(1, { estimate: { tokens: 0, cost_micros: 0 } });
    expect(await c.claim("w1", ["x"])).toEqual([]);
    expect(await c.why(run)).toEqual(["allowance"]);
  });

  test("max_concurrent 0 lets nothing through, and says so", async () => {
    const c = await crew({ max_concurrent: 0 });
    const [run = ""] = await c.submit(1);
    expect(await c.claim("w1", ["x"])).toEqual([]);
    expect(await c.why(run)).toEqual(["concurrency"]);
  });

  test("1,000 allowances of one project: all of them are kept", async () => {
    const c = await crew();
    const project = { scope: "project", metric: "runs", window: "day" } as const;
    const ids = [];
    for (let n = 0; n < 1000; n += 1) {
      ids.push((await c.allowance({ ...project, limit: 1000 - n })).id);
    }
    await c.submit(5);
    expect(await c.claim("w1", ["x"], 5)).toHaveLength(1);
    expect(await c.use(ids[0] as string)).toEqual({ spent: 0, reserved: 1 });
    expect(await c.use(ids[999] as string)).toEqual({ spent: 0, reserved: 1 });
  });

  test("usage of a child far above 2^31, under numbers above 2^31", async () => {
    const c = await crew();
    const { id } = await c.allowance({ ...tokens(MOST), default_reserve: 1 });
    await c.submit(1);
    const held = single(await c.claim("w1", ["x"]));
    const usage = { input_tokens: 5_000_000_000, steps: 3_000_000_000 };
    const events = [{ type: "usage.recorded", producer_seq: 4_000_000_000, usage }];
    const item = { runId: held.runId, fence: c.fence(held), events, child: true };
    for (let times = 0; times < 2; times += 1) {
      const [answer] = await stage.engine.append(c.projectId, [item], origin);
      expect(answer).toMatchObject({ stored: 1 - times });
    }
    expect((await c.use(id)).spent).toBe(5_000_000_000);
    await balanced(c);
  });
});

describe("reports", () => {
  const hostile = [
    "nul \u0000 in the middle",
    "lone \ud800 surrogate \udfff",
    '{"error":{"type":"rate_limit_error","message":"\u0000\ud800","resets_at":"\ud800"}}',
    "x-ratelimit-reset-\u0000\ud800-tokens: 5s, 429 rate limit",
    "429 too many requests, reset after 1e309 seconds, at 275760-09-13T00:00:00Z",
    "‮429‬".repeat(5000),
  ];

  test.each(hostile)(
    "whatever the provider said, the outcome is recorded (%#)",
    async (message) => {
      const c = await crew();
      await c.submit(1);
      const held = single(await c.claim("w1", ["x"]));
      const headers = { [`x-ratelimit-reset\u0000\ud800`]: message, "retry-after": message };
      const report = { status: 429, message, headers, provider: message, recovery_at: message };
      expect((await c.exhaust(held, report)).state).toBe("pending");
      const account = await stage.engine.account(c.projectId, "x");
      expect(account?.exhaustions).toHaveLength(1);
    },
  );

  test.each([1e308, -1e308, Number.NaN, 0, -1, 0.5])(
    "a recovery in %d ms is bounded",
    async (recovery_in_ms) => {
      const c = await crew();
      await c.submit(1);
      const held = single(await c.claim("w1", ["x"]));
      await c.exhaust(held, { reason: "quota", recovery_in_ms });
      const limit = single((await stage.engine.account(c.projectId, "x"))?.exhaustions ?? []);
      expect(["closed", "half_open"]).toContain(limit.state);
      expect(limit.recovery_at).not.toBeNull();
    },
  );

  test("a limit that an account has met holds whoever takes a run that names it", async () => {
    const c = await crew();
    const notice = { reason: "quota", recovery_in_ms: 60_000 } as const;
    ok(await stage.engine.reportExhaustion(c.projectId, "acme/1", notice, origin));
    const [run = ""] = await c.submit(2, { account: "acme/1" });
    const [other] = await c.submit(1, { account: "acme/2" });
    expect((await c.claim("w1", [], 3)).map(({ runId }) => runId)).toEqual([other]);
    expect(await c.why(run)).toContain("exhausted");
    expect((await c.claim("w1", ["never-heard-of"], 3)).map(({ runId }) => runId)).toEqual([]);
    stage.tick(61_000);
    await stage.engine.sweepOnce();
    await c.worker("w1");
    // One tries it, the other waits for what comes of that.
    expect(await c.claim("w1", [], 3)).toHaveLength(1);
  });

  test("an allowance of an account counts runs that name it, whoever takes them", async () => {
    const c = await crew();
    await c.allowance({ scope: "account", name: "acme/1", metric: "concurrent_runs", limit: 2 });
    const [run = ""] = await c.submit(5, { account: "acme/1" });
    const held = await c.claim("w1", [], 5);
    expect(held).toHaveLength(2);
    await c.complete(single(held.slice(0, 1)));
    expect(await c.claim("w1", [], 5)).toHaveLength(1);
    expect(run).not.toBe("");
  });

  test("invented models: beyond 64 limits of models the account rests for all", async () => {
    const c = await crew();
    for (let n = 0; n < 70; n += 1) {
      const report = { reason: "quota", recovery_in_ms: 60_000, scope: "model", model: `m-${n}` };
      const said = report as wire.LimitReport;
      ok(await stage.engine.reportExhaustion(c.projectId, "acme/1", said, origin));
    }
    const account = await stage.engine.account(c.projectId, "acme/1");
    const models = account?.exhaustions.map(({ model }) => model) ?? [];
    expect(models).toHaveLength(65);
    expect(models.filter((model) => model === null)).toHaveLength(1);
  });

  test("a limit that an attempt without an agent met: its run waits until it is over", async () => {
    const c = await crew();
    const [run = ""] = await c.submit(1, { account: "acme/1" });
    const held = single(await c.claim("w1", []));
    await c.exhaust(held, { reason: "quota", recovery_in_ms: 60_000 });
    expect(await c.claim("w1", [])).toEqual([]);
    expect(await c.why(run)).not.toEqual([]);
    stage.tick(61_000);
    await stage.engine.sweepOnce();
    await c.worker("w1");
    expect(await c.claim("w1", [])).toHaveLength(1);
  });
});

test("a probe that has spoken goes on speaking without a word about its account", async () => {
  const c = await crew();
  await c.submit(1);
  const held = single(await c.claim("w1", ["x"]));
  await c.exhaust(held, { reason: "quota", recovery_in_ms: 60_000 });
  ok(await stage.engine.recoverAccount(c.projectId, "x", { reason: "try" }, origin));
  const probe = single(await c.claim("w1", ["x"]));
  const message = (producer_seq: number) => [
    { type: "message.delta", producer_seq, data: { text: "hello" } },
  ];
  await c.append(probe, message(1));
  await stage.engine.parts.after.settled();
  expect((await stage.engine.account(c.projectId, "x"))?.exhaustions).toEqual([]);
  const { items } = stage.engine.parts.work.figures;
  for (const n of [2, 3, 4]) await c.append(probe, message(n));
  await stage.engine.parts.after.settled();
  expect(stage.engine.parts.work.figures.items).toBe(items + 3);
});

describe("usage that comes late", () => {
  const said = (producer_seq: number, input_tokens: number) => ({
    type: "usage.recorded",
    producer_seq,
    usage: { input_tokens },
  });

  test("of an earlier attempt says nothing of the limit that the next one tries", async () => {
    const c = await crew();
    await c.submit(1);
    const held = single(await c.claim("w1", ["x"]));
    await c.exhaust(held, { reason: "quota", recovery_in_ms: 60_000 });
    ok(await stage.engine.recoverAccount(c.projectId, "x", { reason: "try" }, origin));
    const probe = single(await c.claim("w1", ["x"]));
    expect(probe.runId).toBe(held.runId);
    expect(await c.append(held, [said(1, 50)])).toMatchObject({ stored: 1 });
    await stage.engine.parts.after.settled();
    const limit = single((await stage.engine.account(c.projectId, "x"))?.exhaustions ?? []);
    expect(limit).toMatchObject({ state: "half_open", probe_run: probe.claim.run.id });
    await c.append(probe, [said(1, 5)]);
    await stage.engine.parts.after.settled();
    expect((await stage.engine.account(c.projectId, "x"))?.exhaustions).toEqual([]);
    await balanced(c);
  });

  test("under the number of another event is refused as such", async () => {
    const c = await crew();
    await c.submit(1);
    const held = single(await c.claim("w1", ["x"]));
    await c.append(held, [{ type: "log.line", producer_seq: 5, data: { text: "hi" } }]);
    await c.complete(held);
    expect(await c.append(held, [said(5, 50)])).toMatchObject({ code: "producer_seq_mismatch" });
    expect(await c.append(held, [said(6, 50)])).toMatchObject({ stored: 1 });
    const line = { type: "log.line", producer_seq: 6, data: { text: "late" } };
    expect(await c.append(held, [line])).toMatchObject({ code: "producer_seq_mismatch" });
    await balanced(c);
  });

  test("for a run of another project books nothing", async () => {
    const c = await crew();
    const { id } = await c.allowance(tokens(1000));
    const other = await crew();
    await c.submit(1);
    const held = single(await c.claim("w1", ["x"]));
    await c.complete(held);
    const item = { runId: held.runId, fence: c.fence(held), events: [said(1, 50)] };
    const [answer] = await stage.engine.append(other.projectId, [item], origin);
    expect(answer).toMatchObject({ code: "not_found" });
    const { work } = stage.engine.parts;
    const foreign = { ...usageOf(c, held, 2, 50), projectId: other.projectId };
    const own = usageOf(c, held, 3, 4);
    expect((await Promise.all([foreign, own].map((one) => work.add(one)))).map(word)).toEqual([
      "not_found",
      "answered",
    ]);
    expect((await c.use(id)).spent).toBe(4);
    await balanced(c);
  });

  test("of an allowance that has come since is charged to none", async () => {
    const c = await crew();
    await c.submit(1);
    const held = single(await c.claim("w1", ["x"]));
    const { id } = await c.allowance(tokens(1000));
    await c.append(held, [said(1, 50)]);
    await c.complete(held, { inputTokens: 4 });
    expect(await c.use(id)).toEqual({ spent: 0, reserved: 0 });
    const uuid = fromTypeId("alw", id) as string;
    expect(ok((await stage.engine.allowance(c.projectId, uuid)) ?? undefined).reserved).toBe(0);
  });
});
