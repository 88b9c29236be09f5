// What is read back: metadata that reports merged, lists in pages, numbers beyond what fits 32
// bits.
import { describe, expect, test } from "vitest";
import { toTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok, submitAll } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";
import { useStage } from "./stage.ts";

const stage = useStage();

async function project(): Promise<string> {
  const id = await stage.project();
  ok(await stage.engine.registerRuntime(id, "w1", {}, origin));
  return id;
}

test("metadata of reports are merged, shallow, and the last word stands", async () => {
  const { engine } = stage;
  const id = await project();
  await submitAll(engine, id, 1, { metadata: { a: 1, b: 1, deep: { x: 1 } } });
  const [claim] = await claimUpTo(engine, id, 1);
  const one = claim as NonNullable<typeof claim>;
  const start = { kind: "start" } as const;
  ok((await engine.report(id, [{ ...one, command: start, metadata: { b: 2, c: 2 } }], origin))[0]);
  const wait = { kind: "await_tool" } as const;
  ok(
    (await engine.report(id, [{ ...one, command: wait, metadata: { deep: { y: 3 } } }], origin))[0],
  );
  const done = { kind: "complete", output: null } as const;
  ok((await engine.report(id, [{ ...one, command: done, metadata: { c: 4 } }], origin))[0]);
  const run = await engine.run(id, one.runId);
  expect(run?.metadata).toEqual({ a: 1, b: 2, c: 4, deep: { y: 3 } });
});

test("what a read has returned, no later read falls behind", async () => {
  const { engine } = stage;
  const id = await project();
  await submitAll(engine, id, 1);
  const [claim] = await claimUpTo(engine, id, 1);
  const { runId, fence } = claim as NonNullable<typeof claim>;
  const writing = new AbortController();
  let [highest, reads] = [0, 0];
  const page = { order: "desc", limit: 1 } as const;
  const read = async (): Promise<void> => {
    while (!writing.signal.aborted) {
      const known = highest;
      const { items } = await engine.runEvents(id, runId, page);
      const seq = Number(items[0]?.seq);
      expect(seq).toBeGreaterThanOrEqual(known);
      highest = Math.max(highest, seq);
      reads += 1;
    }
  };
  const readers = [read(), read(), read()];
  for (let n = 1; n <= 100; n++) {
    const events = [{ type: "log.line", producer_seq: n, data: { n } }];
    ok((await engine.append(id, [{ runId, fence, events }], origin))[0]);
  }
  writing.abort();
  await Promise.all(readers);
  expect(reads).toBeGreaterThan(0);
  expect(Number((await engine.runEvents(id, runId, page)).items[0]?.seq)).toBe(102);
});

describe("lists", () => {
  test.each([1, 2, 7, 100])("in pages of %i give each run once, newest first", async (limit) => {
    const { engine } = stage;
    const id = await project();
    const ids = await submitAll(engine, id, 60);
    const seen: string[] = [];
    for (let cursor: string | null = null; ;) {
      const page = await engine.runs(id, {}, { limit, cursor });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      seen.push(...page.items.map((run) => run.id));
      cursor = page.next_cursor;
      if (!page.has_more) break;
    }
    const newestFirst = ids
      .map((one) => toTypeId("run", one))
      .toSorted()
      .toReversed();
    expect(seen).toEqual(newestFirst);
  });

  test("filter by what a run is and where it belongs", async () => {
    const { engine } = stage;
    const id = await project();
    const specs = [
      newRunOf({ tags: ["x", "y"], queue: "slow", scopes: { thread_id: "t1" } }),
      newRunOf({ tags: ["y"], agent: "ada" }),
      newRunOf({ runner: "review" }),
    ];
    const results = await engine.submit(id, specs, origin);
    const [first, second, third] = results.map((one) => ok(one).run.id);
    const ids = async (filter: Parameters<typeof engine.runs>[1]): Promise<string[]> =>
      (await engine.runs(id, filter, { limit: 10, cursor: null })).items.map((run) => run.id);
    expect(await ids({ tag: "y" })).toEqual([second, first]);
    expect(await ids({ tag: "x" })).toEqual([first]);
    expect(await ids({ queue: "slow" })).toEqual([first]);
    expect(await ids({ agent: "ada" })).toEqual([second]);
    expect(await ids({ runner: "review" })).toEqual([third]);
    expect(await ids({ state: ["completed"] })).toEqual([]);
    expect(await ids({ scopes: { thread_id: "t1" } })).toEqual([first]);
    expect(await ids({ scopes: { thread_id: null } })).toEqual([third, second]);
    expect(await ids({ text: first as string })).toEqual([first]);
  });

  test("events of a run can be read in pieces, from both ends", async () => {
    const { engine } = stage;
    const id = await project();
    await submitAll(engine, id, 1);
    const [claim] = await claimUpTo(engine, id, 1);
    const { runId, fence } = claim as NonNullable<typeof claim>;
    const events = Array.from({ length: 20 }, (_, n) => ({
      type: "log.line",
      producer_seq: n + 1,
      data: { n },
    }));
    ok((await engine.append(id, [{ runId, fence, events }], origin))[0]);
    const seqs = async (page: Parameters<typeof engine.runEvents>[2]): Promise<number[]> =>
      (await engine.runEvents(id, runId, page)).items.map((event) => Number(event.seq));
    expect(await seqs({ order: "asc", limit: 3 })).toEqual([1, 2, 3]);
    expect(await seqs({ order: "asc", limit: 3, afterSeq: 20 })).toEqual([21, 22]);
    expect(await seqs({ order: "desc", limit: 2 })).toEqual([22, 21]);
    expect(await seqs({ order: "asc", limit: 9, afterSeq: 5, beforeSeq: 8 })).toEqual([6, 7]);
    expect(await seqs({ order: "asc", limit: 9, type: "attempt.spawning" })).toEqual([2]);
  });
});
