// Two servers at the same instant, about agents, accounts and allowances: the order of commit
// decides, nothing is granted twice, nothing is booked twice and nothing is lost. Where one must
// not wait for the other, the lock is held by hand meanwhile.
import { afterEach, describe, expect, test } from "vitest";
import type * as wire from "@signalbox/sdk";
import { isRefusal } from "../../src/domain/refusal.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { Crew, Held } from "./crew.ts";
import { isWaiting, ok, seenWaiting } from "./duo.ts";
import { claimOf, commandOf, single, usageOf, useFleet } from "./fleet-scene.ts";
import { origin } from "./fixtures.ts";
import { turn, word } from "./parked.ts";

const fleet = useFleet();
const tokens = (name: string, limit: number) =>
  ({ scope: "agent", name, metric: "tokens", limit, window: "day" }) as const;
const said = (producer_seq: number, input_tokens: number) => ({
  type: "usage.recorded",
  producer_seq,
  usage: { input_tokens },
});
const quota = { reason: "quota", recovery_in_ms: 1000 } as const;

/** Two servers with agents, one worker. */
async function crews(...agents: string[]): Promise<[Crew, Crew]> {
  const both = await fleet.crews();
  for (const name of agents) await both[0].agent(name);
  return both;
}

afterEach(() => fleet.duo.owner.query("rollback"));

async function lockRow(table: string, id: string): Promise<void> {
  await fleet.duo.owner.query("begin");
  await fleet.duo.owner.query(`select from signalbox.${table} where id = $1 for no key update`, [
    id,
  ]);
}

const release = () => fleet.duo.owner.query("rollback");
const uuidOf = (id: string): string => fromTypeId("alw", id) as string;

describe("grants", () => {
  test("sixteen claimers of two servers: all that is left is granted once", async () => {
    const [a, b] = await crews("x", "y");
    const whole = { scope: "project", metric: "tokens", limit: 100, window: "day" } as const;
    const { id } = await a.allowance(whole);
    await a.submit(40, { estimate: { tokens: 10 } });
    const claimed = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        (n % 2 === 0 ? a : b).claim("w1", [n % 4 < 2 ? "x" : "y"], 3),
      ),
    );
    const more = await a.claim("w1", ["x", "y"], 20);
    expect([...claimed.flat(), ...more]).toHaveLength(10);
    expect(await a.use(id)).toEqual({ spent: 0, reserved: 100 });
  });

  test("a limit that is half open is tried by one run, whoever asks", async () => {
    const [a, b] = await crews();
    for (const name of ["x", "y"]) await a.agent(name, { accounts: ["shared"] });
    await a.submit(30);
    for (let trial = 0; trial < 10; trial += 1) {
      const held = single(await a.claim("w1", ["x"]));
      await a.exhaust(held, quota);
      ok(await a.engine.recoverAccount(a.projectId, "shared", { reason: "try" }, origin));
      const tries = await Promise.all(
        Array.from({ length: 8 }, (_, n) =>
          (n % 2 === 0 ? a : b).claim("w1", [n % 4 < 2 ? "x" : "y"], 2),
        ),
      );
      await a.complete(single(tries.flat()));
      await a.engine.parts.after.settled();
    }
  });

  test("a lower max_concurrent and a limit that was met against claims", async () => {
    const [a, b] = await crews("x");
    await a.submit(100);
    for (let trial = 0; trial < 15; trial += 1) {
      await a.agent("x", { max_concurrent: 9 });
      const first = single(await a.claim("w1", ["x"]));
      const [, , ...claims] = await Promise.all([
        a.exhaust(first, quota),
        b.agent("x", { max_concurrent: 2 }),
        ...Array.from({ length: 4 }, () => b.claim("w1", ["x"])),
      ]);
      // The ledger asks of the whole register that nothing was claimed while the account rested.
      await Promise.all(claims.flat().map((held) => a.complete(held)));
      expect(await b.claim("w1", ["x"])).toEqual([]);
      ok(await b.engine.recoverAccount(a.projectId, "x", { reason: "go on" }, origin));
      await a.complete(single(await b.claim("w1", ["x"])));
      await a.engine.parts.after.settled();
    }
  });

  test("a limit that is lowered holds for every claim that commits after it", async () => {
    const [a, b] = await crews("x");
    for (let trial = 0; trial < 10; trial += 1) {
      const { id } = await a.allowance({ ...tokens("x", 1000), default_reserve: 10 });
      await a.submit(8);
      const change = { limit: 20 };
      const [, , ...claims] = await Promise.all([
        b.claim("w1", ["x"]),
        a.engine.updateAllowance(a.projectId, uuidOf(id), change, origin),
        ...Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? a : b).claim("w1", ["x"])),
      ]);
      const { reserved } = await a.use(id);
      const late = await b.claim("w1", ["x"], 8);
      expect(late.length).toBe(Math.max(0, 2 - reserved / 10));
      expect(claims.flat().length).toBeLessThanOrEqual(7);
      ok(await a.engine.deleteAllowance(a.projectId, uuidOf(id), origin));
      await b.claim("w1", ["x"], 8);
    }
  });
});

describe("settings that are changed while a claim is under way hold for the next one", () => {
  const changes: { [what: string]: (c: Crew) => Promise<unknown> } = {
    "a pause": (c) => c.engine.pauseAgent(c.projectId, "x", "lunch", origin),
    "a limit where there was none": (c) => c.agent("x", { max_concurrent: 1 }),
    "a new allowance": (c) =>
      c.allowance({ scope: "agent", name: "x", metric: "concurrent_runs", limit: 1 }),
    "a slot that begins": async (c) => {
      const now = Date.now();
      const [starts_at, ends_at] = [now, now + 60_000].map((at) => new Date(at).toISOString());
      const input = { agent: "x", type: "work", starts_at, ends_at } as wire.SlotInput;
      const slot = ok(await c.engine.createSlot(c.projectId, input, origin));
      const id = fromTypeId("slt", slot.id) as string;
      ok(await c.engine.changeSlot(c.projectId, id, { verb: "start", reason: null }, origin));
    },
  };

  test.each(Object.keys(changes))("%s: the order of commit decides", async (what) => {
    const [a, b] = await crews("x");
    await b.agent("y");
    await a.submit(3);
    single(await a.claim("w1", ["x"]));
    const { owner } = fleet.duo;
    await owner.query("begin");
    await owner.query("select pg_advisory_xact_lock(hashtextextended($1, 7204))", [a.projectId]);
    // It has read all settings, and waits for the project alone.
    const claimed = a.engine.parts.work.add(claimOf(a.projectId, ["x"]));
    await seenWaiting(owner, "signalbox work");
    const done = new AbortController();
    const changed = (changes[what] as (c: Crew) => Promise<unknown>)(b).finally(() => {
      done.abort();
    });
    while (!done.signal.aborted && !(await isWaiting(owner, "signalbox writer"))) await turn();
    await release();
    await Promise.all([claimed, changed]);
    const told = [...(await a.feed("agent.paused")), ...(await a.feed("allowance.created"))];
    told.push(...(await a.feed("slot.started")));
    const settings = [...told, ...(await a.feed("agent.registered"))];
    const last = Math.max(...settings.map((event) => Number(event.feed)));
    const after = (await a.feed("run.claimed")).filter(({ feed }) => Number(feed) > last);
    expect(after).toEqual([]);
    expect(await b.claim("w1", ["x"])).toEqual([]);
  });
});

describe("usage is booked once", () => {
  test("said late by both servers at once, under one number", async () => {
    const [a, b] = await crews("x");
    const { id } = await a.allowance({ ...tokens("x", 1000), default_reserve: 10 });
    await a.submit(1, { maxAttempts: 1 });
    const held = single(await a.claim("w1", ["x"]));
    await a.complete(held);
    await Promise.all(
      Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? a : b).append(held, [said(1, 7)])),
    );
    expect(await a.use(id)).toEqual({ spent: 7, reserved: 0 });
  });

  test("also when two reports of one number meet in one flush, or in one request", async () => {
    const [a] = await crews("x");
    const { id } = await a.allowance({ ...tokens("x", 1000), default_reserve: 10 });
    await a.submit(1);
    const held = single(await a.claim("w1", ["x"]));
    await a.complete(held);
    const { work } = a.engine.parts;
    const answers = await Promise.all([7, 9].map((n) => work.add(usageOf(a, held, 1, n))));
    expect(answers.map(word)).toEqual(["answered", "answered"]);
    expect(await a.use(id)).toEqual({ spent: 7, reserved: 0 });
    await a.append(held, [said(2, 3), said(2, 3)]);
    expect(await a.use(id)).toEqual({ spent: 10, reserved: 0 });
  });

  test("and not lost when its run is held by another transaction meanwhile", async () => {
    const [a] = await crews("x");
    const { id } = await a.allowance({ ...tokens("x", 1000), default_reserve: 10 });
    const [, other = ""] = await a.submit(2);
    const held = single(await a.claim("w1", ["x"]));
    await a.complete(held);
    await lockRow("run", held.runId);
    const { work } = a.engine.parts;
    const booked = work.add(usageOf(a, held, 1, 7));
    // In the same flush something that commits.
    const note = { kind: "note_blocked", type: "dispatch.quota", codes: [] as string[] } as const;
    const what = { command: note };
    const { projectId } = a;
    const beside = work.add({ kind: "run", projectId, runId: other, what, origin });
    expect(word(await beside)).toBe("answered");
    await release();
    expect(word(await booked)).toBe("answered");
    expect(await a.use(id)).toEqual({ spent: 7, reserved: 0 });
  });

  test("the end against usage on another server, 100 trials: all of it counts", async () => {
    const [a, b] = await crews("x");
    const { id } = await a.allowance({ ...tokens("x", 1_000_000), default_reserve: 5 });
    await a.submit(100);
    const all = await a.claim("w1", ["x"], 100);
    expect(all).toHaveLength(100);
    let accepted = 0;
    const trial = async (held: Held, n: number): Promise<void> => {
      const usage = { inputTokens: 3 };
      const end = { kind: "complete", output: null, usage } as const;
      const answers = await Promise.all([
        (n % 2 === 0 ? a : b).append(held, [said(1, 4)]),
        (n % 2 === 0 ? b : a).report(held, end),
        b.append(held, [said(1, 4)]),
      ]);
      expect(answers.filter(isRefusal)).toEqual([]);
      accepted += 7;
    };
    for (let n = 0; n < 100; n += 10) {
      await Promise.all(all.slice(n, n + 10).map((held, at) => trial(held, n + at)));
    }
    expect(await a.use(id)).toEqual({ spent: accepted, reserved: 0 });
  });
});

describe("locks", () => {
  test("a flush that claims and ends takes its allowances in one order", async () => {
    const [a] = await crews("x", "y");
    const lower = await a.allowance({ ...tokens("y", 1000), default_reserve: 10 });
    const higher = await a.allowance({ ...tokens("x", 1000), default_reserve: 10 });
    await a.submit(2);
    const held = single(await a.claim("w1", ["y"]));
    await lockRow("allowance", uuidOf(lower.id));
    const { work } = a.engine.parts;
    const complete = commandOf(a, held, { kind: "complete", output: null });
    const answers = [work.add(claimOf(a.projectId, ["x"])), work.add(complete)];
    await seenWaiting(fleet.duo.owner, "signalbox work");
    // Who waits for the lower one does not hold the higher.
    await fleet.duo.owner.query(
      "select from signalbox.allowance where id = $1 for no key update nowait",
      [uuidOf(higher.id)],
    );
    await release();
    expect((await Promise.all(answers)).map(word)).toEqual(["answered", "answered"]);
  });

  test("reservations of a run that another transaction holds keep no claim waiting", async () => {
    const [a] = await crews("x");
    await a.allowance({ ...tokens("x", 1000), default_reserve: 10 });
    await a.submit(2);
    const held = single(await a.claim("w1", ["x"]));
    await lockRow("run", held.runId);
    await fleet.duo.owner.query(
      "select from signalbox.reservation where run_id = $1 for no key update",
      [held.runId],
    );
    const { work } = a.engine.parts;
    const complete = work.add(commandOf(a, held, { kind: "complete", output: null }));
    const before = work.figures.failed.halved + work.figures.failed.retried;
    expect(word(await work.add(claimOf(a.projectId, ["x"])))).toBe("answered");
    expect(work.figures.failed.halved + work.figures.failed.retried).toBe(before);
    await release();
    expect(word(await complete)).toBe("answered");
  });

  test("an allowance that an operator's transaction holds keeps nobody else waiting", async () => {
    const [a] = await crews("x");
    const [other] = await crews("x");
    const { id } = await a.allowance({ ...tokens("x", 1000), default_reserve: 10 });
    await a.submit(1);
    await other.submit(1);
    const held = single(await a.claim("w1", ["x"]));
    const free = single(await other.claim("w1", ["x"]));
    await lockRow("allowance", uuidOf(id));
    const { work } = a.engine.parts;
    const usage = { inputTokens: 4 };
    const stuck = work.add(commandOf(a, held, { kind: "complete", output: 1, usage }));
    const passes = work.add(commandOf(other, free, { kind: "complete", output: 2 }));
    expect(word(await passes)).toBe("answered");
    expect((await a.run(held.runId)).state).toBe("claimed");
    await release();
    expect(word(await stuck)).toBe("answered");
    expect(await a.use(id)).toEqual({ spent: 4, reserved: 0 });
  });
});

test("a budget against completion: one of the two, and what was consumed counts once", async () => {
  const [a, b] = await crews("x");
  const { id } = await a.allowance({ ...tokens("x", 100), mode: "kill", default_reserve: 1 });
  await a.submit(20);
  const all = await a.claim("w1", ["x"], 20);
  const [first, ...rest] = all;
  await Promise.all([
    a.append(first as Held, [said(1, 101)]),
    ...rest.map((held) => b.report(held, { kind: "complete", output: null })),
  ]);
  await a.engine.parts.after.settled();
  const states = await Promise.all(all.map(async (held) => (await a.run(held.runId)).state));
  expect(states[0]).toBe("cancelled");
  expect(states.filter((state) => state !== "completed" && state !== "cancelled")).toEqual([]);
  expect(await a.use(id)).toEqual({ spent: 101, reserved: 0 });
});
