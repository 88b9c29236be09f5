// The two lanes of a batcher: flushes side by side that never touch one subject at a time, each
// item once and in order, however flushes fail; and the bound on what may wait.
import fc from "fast-check";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import type { BatcherOptions } from "../../src/engine/services/batcher.ts";
import type { Flushed } from "../../src/engine/services/flush/flush.ts";
import type { Answer, ClaimItem } from "../../src/engine/services/flush/items.ts";
import { openAs } from "../store/sessions.ts";
import type { Claimed } from "./duo.ts";
import { claimUpTo, submitAll } from "./duo.ts";
import { origin } from "./fixtures.ts";
import type { Gated, GatedSession } from "./gated.ts";
import { appendOf, gatedBatcher, submitOf } from "./gated.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const built: Gated[] = [];
/** What the database cannot store; the door cleans it, so only a bug brings it here. */
const POISON = "nul \u0000 in the middle";
let owner: pg.Client;

beforeAll(async () => {
  owner = await openAs(stage.database.connection, null);
});
afterEach(async () => {
  await Promise.all(built.splice(0).map((one) => one.stop()));
});
afterAll(() => owner?.end());

type Scene = Gated & { readonly project: string; readonly claims: readonly Claimed[] };
type Options = Partial<BatcherOptions> & { readonly lanes?: number };

/** A gated batcher, and runs that worker `w1` has claimed. */
async function scene(runs: number, options: Options = {}): Promise<Scene> {
  const project = await stage.project();
  await stage.engine.registerRuntime(project, "w1", {}, origin);
  await submitAll(stage.engine, project, runs);
  const claims: Claimed[] = [];
  while (claims.length < runs) claims.push(...(await claimUpTo(stage.engine, project, 500)));
  const gated = gatedBatcher(stage.engine, stage.database.connection, options);
  built.push(gated);
  return { ...gated, project, claims };
}

const laneOf = (gated: Gated, n: number): GatedSession => gated.lanes[n] as GatedSession;
const claimOf = ({ claims }: Scene, n: number): Claimed => claims[n] as Claimed;
const sizes = (flushes: readonly Flushed[]): number[] => flushes.map((one) => one.outcomes.length);
const runsOf = (flushed: Flushed): string[] => flushed.changes.map((change) => change.after.id);
const word = (answer: Answer | Refusal): string => (isRefusal(answer) ? answer.code : "answered");

/** Numbers of the producer in a run's log, in the order of `seq`. */
async function numbersOf(runId: string): Promise<number[]> {
  const { rows } = await owner.query<{ n: number }>(
    `select e.producer_seq as n from signalbox.event e
     where e.stream_id = $1 and e.producer_seq is not null order by e.seq`,
    [runId],
  );
  return rows.map((row) => row.n);
}

describe("what waits is shared by the lanes", () => {
  test("a few go together in one flush", async () => {
    const one = await scene(31);
    const items = one.claims.map((claim) => appendOf(one.project, claim, [1]));
    await Promise.all(items.map((item) => one.batcher.add(item)));
    expect(sizes(one.flushes)).toEqual([31]);
  });

  test("many are shared by the lanes that are free", async () => {
    const one = await scene(64);
    const items = one.claims.map((claim) => appendOf(one.project, claim, [1]));
    await Promise.all(items.map((item) => one.batcher.add(item)));
    expect(sizes(one.flushes)).toEqual([32, 32]);
  });

  test("with one lane under way the other takes all", async () => {
    const one = await scene(65);
    const [first, ...rest] = one.claims.map((claim) => appendOf(one.project, claim, [1]));
    laneOf(one, 0).shut();
    const arrived = laneOf(one, 0).arrival();
    const answers = [one.batcher.add(first as (typeof rest)[number])];
    await arrived;
    const others = rest.map((item) => one.batcher.add(item));
    await Promise.all(others);
    laneOf(one, 0).open();
    await Promise.all(answers);
    expect(sizes(one.flushes)).toEqual([64, 1]);
  });

  test("items of many rows share flushes too", async () => {
    const one = await scene(40);
    const numbers = Array.from({ length: 25 }, (_, n) => n + 1);
    const items = one.claims.map((claim) => appendOf(one.project, claim, numbers));
    await Promise.all(items.map((item) => one.batcher.add(item)));
    expect(sizes(one.flushes)).toEqual([20, 20]);
  });

  test("no flush takes more rows than it may, unless one item alone has more", async () => {
    const one = await scene(4, { maxRows: 10 });
    const numbers = (count: number) => Array.from({ length: count }, (_, n) => n + 1);
    const counts = [4, 6, 1, 25];
    const items = one.claims.map((claim, n) =>
      appendOf(one.project, claim, numbers(counts[n] as number)),
    );
    await Promise.all(items.map((item) => one.batcher.add(item)));
    const rows = one.flushes.map(({ changes }) =>
      changes.reduce((sum, change) => sum + change.events, 0),
    );
    expect(rows.toSorted((a, b) => a - b)).toEqual([1, 10, 25]);
  });
});

describe("one subject is in one flush at a time", () => {
  test("a second item about a run waits, other runs pass it", async () => {
    const one = await scene(2);
    laneOf(one, 0).shut();
    const arrived = laneOf(one, 0).arrival();
    const first = one.batcher.add(appendOf(one.project, claimOf(one, 0), [1]));
    await arrived;
    const second = one.batcher.add(appendOf(one.project, claimOf(one, 0), [2]));
    await one.batcher.add(appendOf(one.project, claimOf(one, 1), [1]));
    expect(one.flushes.map(runsOf)).toEqual([[claimOf(one, 1).runId]]);
    laneOf(one, 0).open();
    await Promise.all([first, second]);
    expect(one.flushes.map(runsOf).slice(1)).toEqual([
      [claimOf(one, 0).runId],
      [claimOf(one, 0).runId],
    ]);
    expect(await numbersOf(claimOf(one, 0).runId)).toEqual([1, 2]);
  });

  test("claims wait for the claims under way, submissions pass them", async () => {
    const one = await scene(1);
    const claim: ClaimItem = {
      kind: "claim",
      projectId: one.project,
      runtime: "w1",
      agents: [],
      queues: null,
      runners: ["default"],
      free: 1,
      leaseMs: 60_000,
      origin,
    };
    laneOf(one, 0).shut();
    const arrived = laneOf(one, 0).arrival();
    const first = one.batcher.add(claim);
    await arrived;
    const second = one.batcher.add(claim);
    const submission = await submitOf(stage.engine, one.project, [{}]);
    await one.batcher.add(submission);
    expect(sizes(one.flushes)).toEqual([1]);
    laneOf(one, 0).open();
    const grants = (await Promise.all([first, second])).map((answer) =>
      !isRefusal(answer) && answer.kind === "claim" ? answer.grants.length : -1,
    );
    expect(grants).toEqual([1, 0]);
  });

  test("what was left behind goes before what came later, as soon as its run is free", async () => {
    const one = await scene(3, { maxRows: 1 });
    laneOf(one, 0).shut();
    laneOf(one, 1).shut();
    const [a, b, c] = [0, 1, 2].map((n) => claimOf(one, n)) as [Claimed, Claimed, Claimed];
    const arrivals = [laneOf(one, 0).arrival(), laneOf(one, 1).arrival()];
    const add = (claim: Claimed, n: number) => one.batcher.add(appendOf(one.project, claim, [n]));
    const answers = [add(a, 1), add(b, 1)];
    await Promise.all(arrivals);
    answers.push(add(a, 2), add(c, 1), add(c, 2), add(a, 3));
    const next = laneOf(one, 0).arrival();
    laneOf(one, 0).letOne();
    await next;
    laneOf(one, 0).open();
    laneOf(one, 1).open();
    await Promise.all(answers);
    const order = one.flushes.map((flushed) => runsOf(flushed)[0]);
    expect(order.slice(0, 2)).toEqual([a.runId, a.runId]);
    expect(await numbersOf(a.runId)).toEqual([1, 2, 3]);
    expect(await numbersOf(c.runId)).toEqual([1, 2]);
  });

  test("whatever comes whenever, each run's items are stored once and in their order", async () => {
    const one = await scene(4, { maxRows: 8 });
    const next = new Map<string, number>();
    const turns = fc.array(
      fc.array(fc.record({ run: fc.nat(3), events: fc.integer({ min: 1, max: 5 }) }), {
        maxLength: 40,
      }),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(turns, async (all) => {
        const answers: Promise<Answer | Refusal>[] = [];
        for (const items of all) {
          for (const { run, events } of items) {
            const claim = claimOf(one, run);
            const from = next.get(claim.runId) ?? 1;
            next.set(claim.runId, from + events);
            const numbers = Array.from({ length: events }, (_, n) => from + n);
            answers.push(one.batcher.add(appendOf(one.project, claim, numbers)));
          }
          await new Promise<void>((resolve) => void setImmediate(resolve));
        }
        expect((await Promise.all(answers)).filter(isRefusal)).toEqual([]);
        expect(one.batcher.waiting).toBe(0);
      }),
      { numRuns: 25 },
    );
    for (const { runId } of one.claims) {
      const count = (next.get(runId) ?? 1) - 1;
      expect(await numbersOf(runId)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    }
  });
});

describe("flushes that fail", () => {
  test("beside a poisoned item each run's items keep their order", async () => {
    const one = await scene(3, { lanes: 1 });
    const [held, bad, other] = [0, 1, 2].map((n) => claimOf(one, n)) as [Claimed, Claimed, Claimed];
    await owner.query("begin");
    await owner.query("select from signalbox.run r where r.id = $1 for no key update", [
      held.runId,
    ]);
    const lane = laneOf(one, 0);
    lane.shut();
    const arrived = lane.arrival();
    const answers = [
      one.batcher.add(appendOf(one.project, held, [1])),
      one.batcher.add(appendOf(one.project, other, [1])),
      one.batcher.add(appendOf(one.project, held, [2])),
      one.batcher.add(appendOf(one.project, bad, [1], POISON)),
    ];
    await arrived;
    // The whole, then its first half, in which the held run is left for later.
    for (let n = 0; n < 2; n += 1) {
      const next = lane.arrival();
      lane.letOne();
      await next;
    }
    await owner.query("rollback");
    lane.open();
    expect((await Promise.all(answers)).map(word)).toEqual([
      "answered",
      "answered",
      "answered",
      "internal",
    ]);
    expect(await numbersOf(held.runId)).toEqual([1, 2]);
  });

  test("a commit that was not sent runs again; one whose answer was lost does not", async () => {
    const one = await scene(40);
    for (const commit of ["not sent", "answer lost"] as const) {
      for (const lane of one.lanes) lane.commit = commit;
      const from = commit === "not sent" ? 1 : 2;
      const items = one.claims.map((claim) => appendOf(one.project, claim, [from]));
      const answers = await Promise.all(items.map((item) => one.batcher.add(item)));
      expect(answers.filter(isRefusal)).toEqual([]);
    }
    for (const { runId } of one.claims) expect(await numbersOf(runId)).toEqual([1, 2]);
    expect(one.batcher.waiting).toBe(0);
  });

  test("an item is refused once, however long the outcome of its flush stays unknown", async () => {
    let now = 0;
    // Time stands still but for the test; pauses end at once.
    const setDeadline = (_: number, fn: () => void): (() => void) => {
      const soon = setImmediate(fn);
      return () => clearImmediate(soon);
    };
    const clock = { wall: () => now, mono: () => now, setDeadline };
    const one = await scene(2, { lanes: 1, clock, deadlineMs: 1000 });
    const lane = laneOf(one, 0);
    const pass = async (): Promise<void> => {
      const next = lane.arrival();
      lane.letOne();
      await next;
    };
    lane.shut();
    const arrived = lane.arrival();
    const old = one.batcher.add(appendOf(one.project, claimOf(one, 0), [1]));
    await arrived;
    now = 500;
    const young = one.batcher.add(appendOf(one.project, claimOf(one, 1), [1]));
    lane.away = true;
    await pass(); // the old one comes back, and now both are in one flush
    lane.away = false;
    lane.commit = "not sent";
    await pass();
    lane.away = true;
    now = 1200; // the time of the old one is up
    for (let looks = 0; looks < 3; looks += 1) await pass();
    expect(word(await old)).toBe("unavailable");
    expect(one.batcher.waiting).toBe(1);
    lane.away = false;
    lane.open();
    expect(word(await young)).toBe("answered");
    expect(one.batcher.waiting).toBe(0);
    // Its caller was told that it was not taken: it must not be done behind its back.
    expect(await numbersOf(claimOf(one, 0).runId)).toEqual([]);
    expect(await numbersOf(claimOf(one, 1).runId)).toEqual([1]);
  });
});

describe("what may wait is bounded", () => {
  test("beyond the bound an item is refused; any answer gives its place back", async () => {
    const one = await scene(3, { maxWaiting: 10, lanes: 1 });
    const numbers = Array.from({ length: 8 }, (_, n) => n + 1);
    const lane = laneOf(one, 0);
    for (const text of ["line", POISON]) {
      lane.shut();
      const arrived = lane.arrival();
      const first = one.batcher.add(appendOf(one.project, claimOf(one, 0), numbers, text));
      await arrived;
      expect(one.batcher.waiting).toBe(8);
      const full = await one.batcher.add(appendOf(one.project, claimOf(one, 1), [1, 2, 3]));
      expect(word(full)).toBe("overloaded");
      expect(one.batcher.waiting).toBe(8);
      const fits = one.batcher.add(appendOf(one.project, claimOf(one, 1), [1, 2]));
      expect(one.batcher.waiting).toBe(10);
      lane.open();
      await Promise.all([first, fits]);
      expect(one.batcher.waiting).toBe(0);
    }
  });

  test("a batcher that stops answers what it has and takes nothing new", async () => {
    const one = await scene(64);
    const items = one.claims.map((claim) => appendOf(one.project, claim, [1]));
    const answers = items.map((item) => one.batcher.add(item));
    const stopped = one.batcher.stop();
    const late = await one.batcher.add(appendOf(one.project, claimOf(one, 0), [2]));
    expect(word(late)).toBe("unavailable");
    await stopped;
    expect((await Promise.all(answers)).filter(isRefusal)).toEqual([]);
    expect(one.batcher.waiting).toBe(0);
  });
});
