// What the campaigns about agents, accounts and allowances stand on: each of their checkers must
// find what it is there to find.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { around, mostAtOnce } from "../../../../bench/campaigns/exhaustion.ts";
import { costOf, scoreOf } from "../../../../bench/campaigns/limit-parser.ts";
import { overtakers } from "../../../../bench/campaigns/low-priority.ts";
import { repeats, toldByRun } from "../../../../bench/campaigns/no-agent.ts";
import { Embedding } from "../../../../bench/stage/embedding.ts";
import { booksOf, mostLiveByAgent, wrongSums } from "../../../../bench/stage/fleet-register.ts";
import { Fleet } from "../../../../bench/stage/fleet.ts";
import { changedTables, footprintOf } from "../../../../bench/stage/footprint.ts";
import { Provider } from "../../../../bench/stage/provider.ts";
import { Stage } from "../../../../bench/stage/stage.ts";

const quiet = { seed: 1, profile: "test", quick: true, program: "", say: () => {} } as const;

describe("calls around a reset", () => {
  const call = (at: number, endedAt: number, status: number) => ({ at, endedAt, status });

  test("refused ones are those before, tries end with the first that succeeds", () => {
    const calls = [
      call(10, 20, 200),
      call(15, 25, 429),
      call(18, 29, 429),
      call(101, 110, 0),
      call(112, 120, 200),
      call(121, 125, 200),
    ];
    const first = { refused: 2, trying: 2, most_at_once: 1, first_success_ms: 20 };
    expect(around(calls, 100)).toEqual(first);
  });

  test("two tries at the same time are found, also when the second begins with the first", () => {
    expect(around([call(101, 110, 0), call(109, 120, 200)], 100).most_at_once).toBe(2);
    expect(mostAtOnce([call(1, 2, 0), call(1, 2, 0)])).toBe(2);
    expect(mostAtOnce([call(1, 2, 0), call(2, 3, 0)])).toBe(1);
    expect(mostAtOnce([])).toBe(0);
  });

  test("without a success there is no instant of one", () => {
    expect(around([call(101, 110, 0)], 100).first_success_ms).toBe(Infinity);
  });
});

test("a set of reasons that is told twice in a row is found, one that comes back is not", () => {
  const told = (stream_id: string, codes: string[], type = "dispatch.no_agent") =>
    ({ stream_id, type, data: { codes } }) as unknown as Parameters<typeof toldByRun>[0][number];
  const [a, b] = [["no_agent"], ["agent_paused"]];
  const good = toldByRun([told("r", a), told("s", a), told("r", b), told("r", a)]);
  expect([...good.values()].map((own) => own.length)).toEqual([3, 1]);
  expect(repeats(good)).toBe(0);
  expect(repeats(toldByRun([told("r", a), told("s", a), told("r", a)]))).toBe(1);
  expect(toldByRun([told("r", a, "run.claimed")]).size).toBe(0);
});

test("the parser's score and cost are read from what their programs say", () => {
  const said = "37 texts of 1 MiB\nslowest: 9.5 ms (x)\ntime(2n)/time(n): 2.06 (y)\n";
  expect(costOf(said)).toEqual({ hostile_texts: 37, slowest_ms: 9.5, twice_the_text: 2.06 });
  expect(costOf("").slowest_ms).toBeNaN();
  const counts = {
    reason: { n: 50, ok: 40 },
    hint: { n: 10, ok: 9 },
    negatives: { n: 4, ok: 3 },
    crashes: 1,
    odd: 0,
  };
  expect(scoreOf(counts)).toMatchObject({ reason_right: 80, time_right: 90, false_alarms: 1 });
});

describe("a provider with a limit", () => {
  test("refuses from the limit to the reset, cuts off, and is good again", async () => {
    const stage = new Stage(quiet);
    try {
      const limit = { allowed: 1, resetMs: 2_000, takeMs: () => 1, cutAfterReset: 1 };
      const provider = await Provider.start(stage, limit);
      const ask = async (): Promise<Response | null> =>
        fetch(provider.url, { method: "POST", body: "{}" }).catch(() => null);
      expect((await ask())?.status).toBe(200);
      const refused = await ask();
      expect(refused?.status).toBe(429);
      expect(Number(refused?.headers.get("retry-after-ms"))).toBeLessThanOrEqual(2_000);
      const statuses: (number | undefined)[] = [];
      while (statuses.at(-1) !== 200) statuses.push((await ask())?.status);
      expect(statuses.filter((status) => status === undefined)).toHaveLength(1);
      expect(statuses.slice(-2)).toEqual([undefined, 200]);
    } finally {
      await stage.close({ keep: false });
    }
  });
});

describe("with a register", () => {
  const stage = new Stage(quiet);
  let embedding: Embedding;
  beforeAll(async () => {
    embedding = await Embedding.open(stage, {}, { sweeps: false });
  });
  afterAll(() => stage.close({ keep: false }));

  test("the most that an agent held is swept along the log, also within one commit", async () => {
    const fleet = await Fleet.of(embedding, "most");
    await fleet.submit(5);
    const [one] = await fleet.claim(["a"], 1);
    const both = await fleet.claim(["b"], 3);
    if (one === undefined) throw new Error("nothing was claimed");
    await fleet.finish(one);
    await fleet.claim(["a"], 1);
    for (const held of both) await fleet.finish(held);
    const most = await mostLiveByAgent(embedding.register, fleet.project);
    expect(Object.fromEntries(most)).toEqual({ a: 1, b: 3 });
  });

  test("books that do not add up, and reservations that are open, are found", async () => {
    const fleet = await Fleet.of(embedding, "books");
    await fleet.agents(["a"]);
    const input = { scope: "agent", name: "a", metric: "tokens", window: "day" } as const;
    const id = await fleet.allowance({ ...input, limit: 100, default_reserve: 10 });
    await fleet.allowance({ scope: "project", metric: "runs", window: "day", limit: 100 });
    await fleet.submit(2);
    const [held] = await fleet.claim(["a"], 1);
    if (held === undefined) throw new Error("nothing was claimed");
    const open = await booksOf(embedding.register, fleet.project);
    expect(open.map(({ reserved, spent, open: count }) => [reserved, spent, count])).toEqual([
      [10, 0, 1],
      [1, 0, 1],
    ]);
    await fleet.finish(held, { inputTokens: 7 });
    const closed = await booksOf(embedding.register, fleet.project);
    expect(closed.map(({ reserved, spent, used }) => [reserved, spent, used])).toEqual([
      [0, 7, 7],
      [0, 1, 1],
    ]);
    expect(wrongSums(closed)).toEqual([]);
    await embedding.register.rows(
      "update signalbox.allowance_period set spent = spent + 1 where allowance_id = $1",
      [id],
    );
    const wrong = wrongSums(await booksOf(embedding.register, fleet.project));
    expect(wrong.map((book) => book.id)).toEqual([id]);
  });

  test("a run that goes before a better one is found", async () => {
    const fleet = await Fleet.of(embedding, "overtaken");
    const [better = ""] = await fleet.submit(1, { priority: "high", queue: "one" });
    const [worse = ""] = await fleet.submit(1, { priority: "low", queue: "two" });
    await fleet.claim([], 1, { queues: ["two"] });
    await fleet.claim([], 1);
    expect(await overtakers(embedding, better)).toBe(1);
    expect(await overtakers(embedding, worse)).toBe(0);
  });

  test("a write is found even when it changed nothing; a read leaves no trace", async () => {
    const fleet = await Fleet.of(embedding, "footprint");
    await fleet.settled();
    const before = await footprintOf(embedding.register);
    expect(before.size).toBeGreaterThan(20);
    expect(await fleet.engine.runs(fleet.project, {}, { limit: 5, cursor: null })).toMatchObject({
      items: [],
    });
    expect(changedTables(before, await footprintOf(embedding.register))).toEqual([]);
    await embedding.register.rows("update signalbox.project set name = name where id = $1", [
      fleet.project,
    ]);
    expect(changedTables(before, await footprintOf(embedding.register))).toEqual(["project"]);
  });
});
