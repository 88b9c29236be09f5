// What benches stand on: copies that keep the register's rules, lifecycles that are counted right,
// and a page that says what fell short.

import { describe, expect, test } from "vitest";

import { pageOf } from "../../../../bench/stage/benchmarks.ts";
import { Embedding, newRun } from "../../../../bench/stage/embedding.ts";
import { figuresOf } from "../../../../bench/stage/figures.ts";
import type { FigureKind } from "../../../../bench/stage/figures.ts";
import { Lifecycles, noLatencies, oneLifecycle, pace } from "../../../../bench/stage/lifecycles.ts";
import type { Operator } from "../../../../bench/stage/lifecycles.ts";
import { OneByOne, placeOf, throughEngine, withItems } from "../../../../bench/stage/operators.ts";
import type { Shown } from "../../../../bench/stage/play.ts";
import { speed } from "../../../../bench/stage/speed.ts";
import { Stage } from "../../../../bench/stage/stage.ts";

/** Plays on a stage of its own, which is taken down in any case. */
async function onStage(play: (embedding: Embedding) => Promise<void>): Promise<void> {
  const quiet = { seed: 1, profile: "default", quick: true, program: "", say: () => {} } as const;
  const stage = new Stage(quiet);
  try {
    await play(await Embedding.open(stage));
  } finally {
    await stage.close({ keep: false });
  }
}

test("copies of a run are ahead of it and leave no rule of the register broken", () =>
  onStage(async (embedding) => {
    const project = await embedding.project("copies");
    const [done = "", run = ""] = await embedding.submit(project, newRun(), newRun());
    await embedding.finish(project, await embedding.claim(project, 1));
    await embedding.copy(done, { count: 3 });
    await embedding.copy(run, { count: 4, key: "key-" });
    const rows = await embedding.register.rows<{ id: string; concurrency_key: string | null }>(
      `select id, concurrency_key from signalbox.run
       where project_id = $1 and state = 'pending' order by rank, id`,
      [project],
    );
    const keys = rows.map((row) => row.concurrency_key);
    expect(keys).toEqual(["key-1", "key-2", "key-3", "key-4", null]);
    const claimed = await embedding.claim(project, 5);
    expect(new Set(claimed.map(({ runId }) => runId))).toEqual(new Set(rows.map(({ id }) => id)));
    expect(await embedding.register.violations()).toEqual([]);
  }));

test("a copy without its events is found by the register's rules", () =>
  onStage(async (embedding) => {
    const project = await embedding.project("broken");
    const [run = ""] = await embedding.submit(project, newRun());
    await embedding.copy(run, { count: 1 });
    await embedding.register.rows("delete from signalbox.event where stream_id <> $1", [run]);
    expect(await embedding.register.violations()).not.toEqual([]);
  }));

test("every way to do the operations leaves whole lifecycles behind", () =>
  onStage(async (embedding) => {
    const place = await placeOf(embedding, await embedding.project("ways"));
    const oneByOne = new OneByOne(embedding, 2);
    try {
      for (const operator of [throughEngine(embedding, place), withItems(oneByOne.send, place)]) {
        await oneLifecycle(operator, noLatencies());
      }
    } finally {
      await oneByOne.close();
    }
    const histories = await embedding.register.rows<{ state: string; events: number }>(
      `select r.state, count(*)::integer as events from signalbox.run r
       join signalbox.event e on e.stream_id = r.id group by r.id, r.state order by r.id`,
    );
    expect(histories.slice(1)).toEqual([
      { state: "completed", events: 7 },
      { state: "completed", events: 7 },
    ]);
  }));

describe("counting lifecycles", () => {
  const held = { runId: "r", fence: { attemptId: "a", token: 1 } };
  const at = (order: string[], what: string) => async () => {
    order.push(what);
    return held;
  };
  const operatorOf = (order: string[]): Operator => ({
    submit: at(order, "submit"),
    claim: at(order, "claim"),
    start: at(order, "start"),
    event: at(order, "event"),
    complete: at(order, "complete"),
  });

  test("a lifecycle is seven operations, one after the other", async () => {
    const order: string[] = [];
    const latencies = noLatencies();
    await oneLifecycle(operatorOf(order), latencies);
    expect(order.join(" ")).toBe("submit claim start event event event complete");
    expect(Object.values(latencies).map((all) => all.length)).toEqual([1, 1, 1, 3, 1]);
  });

  test("a refused operation fails the measurement", async () => {
    const refused = { ...operatorOf([]), start: () => Promise.reject(new Error("refused")) };
    const how = { inFlight: 2, warmUpMs: 1, measureMs: 1 };
    await expect(pace(refused, how)).rejects.toThrow("refused");
  });

  test("an excused one ends its lifecycle only, and is counted", async () => {
    let left = 3;
    const operator = operatorOf([]);
    let goneOn = (): void => {};
    const isGoingOn = new Promise<void>((resolve) => (goneOn = resolve));
    const sometimes = {
      ...operator,
      start: async () => {
        left -= 1;
        if (left === -3) goneOn();
        if (left >= 0) throw new Error("late");
        await new Promise((next) => void setImmediate(next));
      },
    };
    const load = new Lifecycles(sometimes, 1, (error) => String(error).includes("late"));
    await isGoingOn;
    await load.stop();
    expect(load.excused).toBe(3);
    expect(load.ended).toBeGreaterThan(0);
  });
});

describe("the page of benchmarks", () => {
  const shownOf = (bench: string, kinds: Record<string, FigureKind>, values: number[]): Shown => {
    const [name = ""] = Object.keys(kinds);
    const figures = figuresOf(
      kinds,
      values.map((value) => ({ [name]: value })),
    );
    return {
      bench,
      row: `what ${bench} shows`,
      asked: "enough",
      passed: figures.every(({ passed }) => passed),
      fault: null,
      command: `npm run bench -- ${bench}`,
      seed: 1,
      commit: "abc",
      date: "2026-11-21T00:00:00.000Z",
      took_s: 1,
      repetitions: values.length,
      machine: {
        cores: 2,
        processor: "a processor",
        memory_gib: 8,
        node: "v20",
        system: "linux x64",
        load_before: 0,
        postgres: { fsync: "on" },
      },
      figures,
      notes: [],
    };
  };
  const order = ["first", "second", "third"];

  test("says median, range and verdict of what holds and of what falls short", () => {
    const page = pageOf(
      [
        shownOf("second", { ratio: speed("×", { least: 5 }) }, [4, 3, 4.5]),
        shownOf("first", { took_ms: speed("ms", { most: 2 }) }, [1, 1, 9]),
      ],
      order,
    );
    expect(page).toContain("| took | median ≤ 2 | 1 ms | 1 to 9 | yes |");
    expect(page).toContain("| ratio | median ≥ 5 | 4 × | 3 to 4.5 | **no** |");
    expect(page.indexOf("## first")).toBeLessThan(page.indexOf("## second"));
    expect(page).toContain("Not measured yet: third.");
    expect(page).toContain("fsync on");
  });

  test("says a fault instead of leaving the bench out", () => {
    const broken = { ...shownOf("first", { x: speed("") }, []), passed: false, fault: "it hung" };
    expect(pageOf([broken], order)).toContain("fault: it hung");
  });
});
