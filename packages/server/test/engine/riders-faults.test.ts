// Riders when things go wrong: the caller goes away, the flush fails, the commit's outcome is not
// known, the server stops. No run is lost, none is claimed twice, and nothing is left behind.
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import { startEngine } from "../../src/engine/engine.ts";
import type { Granted, SubmitItem } from "../../src/engine/services/flush/items.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { claimUpTo, ok } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";
import type { GatedSession } from "./gated.ts";
import { submitOf } from "./gated.ts";
import { ask, finish, grantsOf, idsOf, parked, submit, turn, useRiding, word } from "./parked.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const riding = useRiding(stage);
const POISON = "nul \u0000 in the middle";

describe("a caller that goes away", () => {
  test("before the submission takes nothing along", async () => {
    const one = await riding.scene();
    const waiting = await parked(one);
    waiting.gone.abort();
    const [id] = await submit(one, {});
    expect(await idsOf(waiting)).toEqual([]);
    expect(await riding.rowOf(id)).toMatchObject({ state: "pending", token: 0 });
  });

  test("while its claim rides: the run goes back to the line at no cost", async () => {
    const project = await stage.project();
    const { engine } = stage;
    await engine.registerRuntime(project, "w1", {}, origin);
    const gone = new AbortController();
    const options = { ...ask, waitMs: 20_000 };
    const claimed = engine.claim(project, options, origin, gone.signal);
    while (engine.parts.dispatcher.waiting === 0 || engine.parts.work.waiting > 0) await turn();
    await turn();
    const item = await submitOf(engine, project, [{ maxAttempts: 1 }]);
    const submitted = engine.parts.work.add(item);
    // Taken along as soon as the flush begins; the answer comes after a round trip or two.
    while (engine.parts.work.waiting < 2) await turn();
    gone.abort();
    expect(word(await submitted)).toBe("answered");
    expect(ok(await claimed).claims).toEqual([]);
    expect(await riding.rowOf(item.runs[0]?.id)).toEqual({
      state: "pending",
      held: 0,
      token: 1,
      used: 0,
    });
    const [again] = await claimUpTo(engine, project, 1);
    expect(again?.fence.token).toBe(2);
  });

  test("leaves nothing behind, nor does one that was answered or waited in vain", async () => {
    const one = await riding.scene();
    const rode = await parked(one);
    await submit(one, {});
    expect(await idsOf(rode)).toHaveLength(1);
    expect(getEventListeners(rode.gone.signal, "abort")).toEqual([]);
    expect(one.clock.pending()).toBe(0);
    const left = await parked(one);
    left.gone.abort();
    await left.answer;
    const late = await parked(one);
    await one.clock.advance(30_000);
    while (one.dispatcher.waiting > 0) {
      await turn();
      await one.clock.advance(2000);
    }
    expect(await idsOf(late)).toEqual([]);
    for (const { gone } of [rode, left, late]) {
      expect(getEventListeners(gone.signal, "abort")).toEqual([]);
    }
    expect(one.clock.pending()).toBe(0);
    expect(one.dispatcher.waiting).toBe(0);
    const item = await submitOf(stage.engine, one.project, [{}]);
    expect(one.dispatcher.riders([item])).toEqual([]);
    expect(one.batcher.waiting).toBe(0);
  });
});

describe("a flush that fails with riders in it", () => {
  test("because of a poisoned submission: its neighbours are kept and claimed", async () => {
    const one = await riding.scene({ lanes: 1 });
    const waiting = await parked(one);
    const items = await Promise.all(
      [{}, { tags: [POISON] }].map((spec) => submitOf(stage.engine, one.project, [spec])),
    );
    const answers = await Promise.all(items.map((item) => one.batcher.add(item)));
    expect(answers.map(word)).toEqual(["answered", "internal"]);
    expect(await idsOf(waiting)).toEqual([items[0]?.runs[0]?.id]);
    expect(await riding.rowOf(items[1]?.runs[0]?.id)).toBeUndefined();
    expect(one.batcher.waiting).toBe(0);
  });

  test.each(["not sent", "answer lost"] as const)(
    "because its commit was %s: claimed once, and answered with all that belongs to it",
    async (commit) => {
      const one = await riding.scene({ lanes: 1 });
      const waiting = await parked(one);
      one.lane.commit = commit;
      const [id] = await submit(one, {});
      const [grant] = grantsOf(await waiting.answer);
      expect(grant?.run).toMatchObject({ id, fencingToken: 1 });
      expect(await riding.rowOf(id)).toEqual({ state: "claimed", held: 0, token: 1, used: 1 });
      await finish(one, grant as Granted);
      expect(await riding.rowOf(id)).toMatchObject({ state: "completed" });
      expect(one.batcher.waiting).toBe(0);
    },
  );

  test("while the database is away: submission and claim go on when it is back", async () => {
    const one = await riding.scene({ lanes: 1 });
    const waiting = await parked(one);
    const item = await submitOf(stage.engine, one.project, [{}]);
    one.lane.away = true;
    const arrived = one.lane.arrival();
    const submitted = one.batcher.add(item);
    await arrived;
    one.lane.away = false;
    expect(word(await submitted)).toBe("answered");
    expect(await idsOf(waiting)).toEqual([item.runs[0]?.id]);
    expect(one.batcher.waiting).toBe(0);
  });
});

describe("what may wait is bounded with riders in it too", () => {
  test("their places are counted while they ride and given back by any answer", async () => {
    const one = await riding.scene({ lanes: 1, maxWaiting: 20 });
    const waiting = await parked(one, { free: 7 });
    const item = await submitOf(stage.engine, one.project, [{}, {}]);
    one.lane.shut();
    const arrived = one.lane.arrival();
    const submitted = one.batcher.add(item);
    await arrived;
    expect(one.batcher.waiting).toBe(2 + 7);
    const big: SubmitItem = await submitOf(
      stage.engine,
      one.project,
      Array.from({ length: 12 }, () => ({})),
    );
    expect(word(await one.batcher.add(big))).toBe("overloaded");
    one.lane.open();
    await submitted;
    expect(await idsOf(waiting)).toHaveLength(2);
    expect(one.batcher.waiting).toBe(0);
  });
});

describe("another lane", () => {
  test("takes nobody along while claims are under way; nothing is missed", async () => {
    const one = await riding.scene();
    const first = await parked(one, { runners: ["a"] });
    const second = await parked(one, { runners: ["b"] });
    const [lane, beside] = one.lanes as [GatedSession, GatedSession];
    const items = await Promise.all(
      ["a", "b"].map((runner) => submitOf(stage.engine, one.project, [{ runner }])),
    );
    lane.shut();
    const arrived = lane.arrival();
    const submitted = [one.batcher.add(items[0] as SubmitItem)];
    await arrived;
    submitted.push(one.batcher.add(items[1] as SubmitItem));
    await submitted[1];
    expect(one.flushes.at(-1)?.outcomes).toHaveLength(1);
    lane.open();
    beside.open();
    await Promise.all(submitted);
    const taken = [...(await idsOf(first)), ...(await idsOf(second))];
    expect(new Set(taken)).toEqual(new Set(items.map((item) => item.runs[0]?.id)));
  });
});

describe("a server that stops", () => {
  test("answers its waiting claims at once and keeps what was submitted", async () => {
    const project = await stage.project();
    await stage.engine.registerRuntime(project, "w1", {}, origin);
    const engine = await startEngine({
      connection: stage.database.connection,
      version: "0.0.0",
      sweeps: false,
    });
    const { signal } = new AbortController();
    const claims = [1, 2, 3].map(() =>
      engine.claim(project, { ...ask, waitMs: 30_000 }, origin, signal),
    );
    while (engine.parts.dispatcher.waiting < 3 || engine.parts.work.waiting > 0) await turn();
    const submitted = engine.submit(project, [newRunOf()], origin);
    while (engine.parts.work.waiting === 0) await turn();
    await engine.stop();
    const [run] = await submitted;
    const id = fromTypeId("run", ok(run).run.id) as string;
    const words = (await Promise.all(claims)).map((answer) =>
      isRefusal(answer) ? answer.code : `${answer.claims.length} claimed`,
    );
    const claimed = words.filter((one) => one === "1 claimed").length;
    expect(words.filter((one) => one === "unavailable")).toHaveLength(3 - claimed);
    expect(await riding.rowOf(id)).toMatchObject({ state: claimed === 1 ? "claimed" : "pending" });
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(engine.parts.dispatcher.waiting).toBe(0);
  });
});
