// A server that dies at the worst instant, as far as agents, accounts and allowances go: after the
// commit and before anything that follows it, or with a commit whose outcome nobody knows; and
// clocks, settings and operators that move while attempts are live.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type pg from "pg";
import type { Refusal } from "../../src/domain/refusal.ts";
import type { BatcherOptions } from "../../src/engine/services/batcher.ts";
import type { Answer } from "../../src/engine/services/flush/items.ts";
import { QuotaWatch } from "../../src/engine/services/quota-watch.ts";
import { fromTypeId, toTypeId } from "../../src/std/ids.ts";
import { openAs } from "../store/sessions.ts";
import type { Held } from "./crew.ts";
import { Crew } from "./crew.ts";
import { ok } from "./duo.ts";
import { claimOf, commandOf, single, usageOf } from "./fleet-scene.ts";
import { origin } from "./fixtures.ts";
import type { Gated, GatedSession } from "./gated.ts";
import { gatedBatcher } from "./gated.ts";
import { expectBalanced } from "./ledger.ts";
import { word } from "./parked.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const built: Gated[] = [];
const open: { owner?: pg.Client } = {};

beforeAll(async () => {
  open.owner = await openAs(stage.database.connection, null);
});
afterEach(async () => {
  await Promise.all(built.splice(0).map((one) => one.stop()));
});
afterAll(async () => {
  await expectBalanced(open.owner as pg.Client);
  await open.owner?.end();
});

/** A batcher beside the engine's, with sessions under the test's control. */
function beside(options: Partial<BatcherOptions> = {}): Gated & { lane: GatedSession } {
  const gated = gatedBatcher(stage.engine, stage.database.connection, { lanes: 1, ...options });
  built.push(gated);
  return { ...gated, lane: gated.lanes[0] as GatedSession };
}

/** A server that dies as soon as it has committed: nothing follows. */
const mortal = () => beside({ onCommitted: () => {} });

const tokens = (limit: number) =>
  ({ scope: "agent", name: "x", metric: "tokens", limit, window: "day" }) as const;
const uuidOf = (id: string): string => fromTypeId("alw", id) as string;

async function crew(accounts: string[] = []): Promise<Crew> {
  const made = await Crew.of(stage);
  await made.worker("w1");
  await made.agent("x", accounts.length === 0 ? {} : { accounts });
  return made;
}

/** Numbered usage, as the batcher takes it. */
function appendOf(c: Crew, held: Held, producerSeq: number, inputTokens: number) {
  const usage = { inputTokens };
  const event = { type: "usage.recorded", producerSeq, data: {}, usage };
  return commandOf(c, held, { kind: "append", events: [event] });
}

/** What a claim at a batcher of ours was given. */
function heldOf(answer: Answer | Refusal): Held {
  const done = ok(answer as Answer);
  if (done.kind !== "claim") throw new Error(done.kind);
  const { run, attemptId, account } = single(done.grants);
  const fence = { attempt_id: toTypeId("att", attemptId), fencing_token: run.fencingToken };
  return { runId: run.id, claim: { ...fence, agent: "x", account } as unknown as Held["claim"] };
}

describe("a commit whose outcome is not known", () => {
  test.each(["not sent", "answer lost"] as const)(
    "%s: a claim, its usage, its end and late usage are booked once",
    async (commit) => {
      const c = await crew();
      const { id } = await c.allowance({ ...tokens(1000), default_reserve: 50 });
      await c.submit(2);
      const one = beside();
      one.lane.commit = commit;
      const held = heldOf(await one.batcher.add(claimOf(c.projectId, ["x"])));
      expect(await c.use(id)).toEqual({ spent: 0, reserved: 50 });
      one.lane.commit = commit;
      expect(word(await one.batcher.add(appendOf(c, held, 1, 20)))).toBe("answered");
      expect(await c.use(id)).toEqual({ spent: 20, reserved: 30 });
      one.lane.commit = commit;
      const usage = { inputTokens: 5 };
      const complete = commandOf(c, held, { kind: "complete", output: null, usage });
      expect(word(await one.batcher.add(complete))).toBe("answered");
      expect(await c.use(id)).toEqual({ spent: 25, reserved: 0 });
      one.lane.commit = commit;
      expect(word(await one.batcher.add(usageOf(c, held, 9, 2)))).toBe("answered");
      expect(await c.use(id)).toEqual({ spent: 27, reserved: 0 });
    },
  );

  test.each(["not sent", "answer lost"] as const)(
    "%s: a limit is reported, and tried, once",
    async (commit) => {
      const c = await crew();
      await c.submit(2);
      const held = single(await c.claim("w1", ["x"]));
      const one = beside();
      one.lane.commit = commit;
      await c.exhaust(held, { reason: "quota", recovery_in_ms: 1000 });
      ok(await stage.engine.recoverAccount(c.projectId, "x", { reason: "try" }, origin));
      heldOf(await one.batcher.add(claimOf(c.projectId, ["x"])));
      expect(await c.claim("w1", ["x"], 9)).toEqual([]);
      expect(await c.feed("account.exhausted")).toHaveLength(1);
    },
  );
});

describe("a server that dies after the commit: sweeps do what it left undone", () => {
  test("runs that crossed a budget end, and the crossing is told once", async () => {
    const c = await crew();
    await c.allowance({ ...tokens(100), mode: "kill", default_reserve: 5 });
    await c.submit(1);
    const held = single(await c.claim("w1", ["x"]));
    await mortal().batcher.add(appendOf(c, held, 1, 101));
    await stage.engine.sweepOnce();
    expect(await c.run(held.runId)).toMatchObject({ state: "cancelled", end_cause: "budget" });
    await stage.engine.sweepOnce();
    expect(await c.feed("quota.exceeded")).toHaveLength(1);
  });

  test("80 % and the limit of one that ends no runs are told too, once", async () => {
    const c = await crew();
    await c.allowance({ ...tokens(100), mode: "soft" });
    await c.submit(1);
    const held = single(await c.claim("w1", ["x"]));
    const one = mortal();
    await one.batcher.add(appendOf(c, held, 1, 80));
    await stage.engine.sweepOnce();
    expect(await c.feed("quota.warning")).toHaveLength(1);
    await one.batcher.add(appendOf(c, held, 2, 21));
    await stage.engine.sweepOnce();
    await stage.engine.sweepOnce();
    expect(await c.feed("quota.warning")).toHaveLength(1);
    expect(await c.feed("quota.exceeded")).toHaveLength(1);
  });

  test("a probe that completed opens its account; after a failed one the next tries", async () => {
    const c = await crew();
    await c.submit(3);
    const one = mortal();
    await c.exhaust(single(await c.claim("w1", ["x"])), { reason: "quota", recovery_in_ms: 1000 });
    ok(await stage.engine.recoverAccount(c.projectId, "x", { reason: "try" }, origin));
    const failing = single(await c.claim("w1", ["x"]));
    await one.batcher.add(commandOf(c, failing, { kind: "release", cause: "declined" }));
    expect(await c.claim("w1", ["x"])).toEqual([]);
    await stage.engine.sweepOnce();
    const probe = single(await c.claim("w1", ["x"]));
    await one.batcher.add(commandOf(c, probe, { kind: "complete", output: null }));
    await stage.engine.sweepOnce();
    expect(await c.claim("w1", ["x"], 9)).toHaveLength(2);
    expect(await c.feed("account.recovered")).toHaveLength(1);
  });

  test("the status of the agent follows", async () => {
    const c = await crew();
    await c.submit(1);
    const one = mortal();
    heldOf(await one.batcher.add(claimOf(c.projectId, ["x"])));
    await stage.engine.sweepOnce();
    expect(await c.status("x")).toBe("busy");
  });
});

test("a run that was given back before its budget ended it stays in the line", async () => {
  const c = await crew();
  const { id } = await c.allowance({ ...tokens(100), mode: "kill", default_reserve: 5 });
  const [, second = ""] = await c.submit(2);
  const [held, over] = (await c.claim("w1", ["x"], 2)) as [Held, Held];
  await mortal().batcher.add(appendOf(c, held, 1, 101));
  const control = beside({ name: "control", wait: true });
  control.lane.shut();
  const { writer, logger, context } = stage.engine.parts;
  const { offsetMs } = context;
  const watch = new QuotaWatch({ writer, logger, offsetMs, control: () => control.batcher });
  const arrived = control.lane.arrival();
  watch.look([{ projectId: c.projectId, allowanceId: uuidOf(id) }]);
  await arrived;
  await c.report(over, { kind: "release", cause: "declined" });
  control.lane.open();
  await watch.settled();
  expect(await c.run(held.runId)).toMatchObject({ state: "cancelled", end_cause: "budget" });
  expect((await c.run(second)).state).toBe("pending");
});

describe("what moves while attempts are live", () => {
  test("an allowance that is removed: what was set aside is settled, no limit stays", async () => {
    const c = await crew();
    const { id } = await c.allowance({ ...tokens(100), default_reserve: 60 });
    await c.submit(4);
    const held = single(await c.claim("w1", ["x"], 4));
    ok(await stage.engine.deleteAllowance(c.projectId, uuidOf(id), origin));
    const more = await c.claim("w1", ["x"], 4);
    expect(more).toHaveLength(3);
    await c.complete(held, { inputTokens: 70 });
    for (const one of more) await c.complete(one, { inputTokens: 70 });
  });

  test("the accounts of an agent: a limit rests the account that the attempt drew on", async () => {
    const c = await crew(["old"]);
    await c.submit(3);
    const held = single(await c.claim("w1", ["x"]));
    await c.agent("x", { accounts: ["new"] });
    await c.exhaust(held, { reason: "quota", recovery_in_ms: 60_000 });
    const next = single(await c.claim("w1", ["x"]));
    expect(next.claim.account).toBe("new");
    await c.agent("x", { accounts: ["old"] });
    expect(await c.claim("w1", ["x"])).toEqual([]);
  });

  test("the clock: usage over the end of a day, and a clock that was set back", async () => {
    const c = await crew();
    const { id } = await c.allowance({ ...tokens(1000), default_reserve: 60 });
    await c.submit(2);
    const [held, other] = (await c.claim("w1", ["x"], 2)) as [Held, Held];
    const day = 24 * 3_600_000;
    const said = (producer_seq: number) => [
      { type: "usage.recorded", producer_seq, usage: { input_tokens: 10 } },
    ];
    await c.append(held, said(1));
    stage.tick(day);
    await c.append(held, said(2));
    stage.tick(-day);
    await c.append(other, said(1));
    ok(await stage.engine.kill(c.projectId, held.runId, "enough", origin));
    await c.complete(other, { inputTokens: 1 });
    expect((await c.use(id)).reserved).toBe(0);
  });

  test("a parent that ends while its children draw on it: each part is released once", async () => {
    const c = await crew();
    const { id } = await c.allowance(tokens(200));
    const [parent = ""] = await c.submit(1, { estimate: { tokens: 100 } });
    const held = single(await c.claim("w1", ["x"]));
    await c.submit(3, { estimate: { tokens: 40 }, parentRun: parent });
    const { batcher } = beside();
    // The claim of a child and the end of its parent in one flush.
    const answers = await Promise.all([
      batcher.add(claimOf(c.projectId, ["x"])),
      batcher.add(commandOf(c, held, { kind: "complete", output: null })),
    ]);
    expect(answers.map(word)).toEqual(["answered", "answered"]);
    expect(await c.use(id)).toEqual({ spent: 0, reserved: 40 });
    const children = [heldOf(answers[0]), ...(await c.claim("w1", ["x"], 2))];
    for (const child of children) await c.complete(child, { inputTokens: 50 });
    expect(await c.use(id)).toEqual({ spent: 150, reserved: 0 });
  });
});
