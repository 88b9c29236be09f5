// Slots against the real engine: planned, begun when their time comes, put off, skipped, finished;
// by two servers at once.
import { describe, expect, test } from "vitest";
import type * as wire from "@signalbox/sdk";
import { isRefusal } from "../../src/domain/refusal.ts";
import { newUuid } from "../../src/std/ids.ts";
import { agentsWithSlotsToDecide } from "../../src/store/house/due-slots.ts";
import { AGENT, idOf, MINUTE, useCalendar } from "./calendar.ts";
import { ok, submitAll } from "./duo.ts";
import { origin } from "./fixtures.ts";

const { duo, calendar } = useCalendar();

describe("planning", () => {
  test("a slot is what was asked for, with its defaults", async () => {
    const content = { goal: "tidy up" };
    const slot = await calendar.plan({ title: "Tidy", content, from: MINUTE, to: 2 * MINUTE });
    expect(slot).toMatchObject({
      agent: AGENT,
      type: "work",
      title: "Tidy",
      priority: 40,
      status: "not_started",
      content,
      run: null,
      run_id: null,
      started_at: null,
      ended_at: null,
    });
    expect(slot.id).toMatch(/^slt_/);
    expect(Date.parse(slot.ends_at) - Date.parse(slot.starts_at)).toBeGreaterThan(0);
    expect(await calendar.now(slot)).toEqual(slot);
    expect(await calendar.events(slot)).toEqual(["slot.created"]);
  });

  test("an agent nobody has described is made", async () => {
    await calendar.plan({ agent: "new-one" });
    expect(await calendar.engine.agent(calendar.project, "new-one")).toMatchObject({
      status: "offline",
    });
  });

  test.each<[string, (given: wire.SlotInput) => Partial<wire.SlotInput>, string]>([
    ["no instant", () => ({ starts_at: "soon" }), "starts_at"],
    ["an instant nobody can store", () => ({ ends_at: "+020000-01-01T00:00:00Z" }), "ends_at"],
    ["an end at the beginning", ({ starts_at }) => ({ ends_at: starts_at }), "ends_at"],
    [
      "what is over",
      () => ({ starts_at: "2020-01-01T00:00:00Z", ends_at: "2020-01-02T00:00:00Z" }),
      "ends_at",
    ],
    ["more than 31 days", () => ({ ends_at: "2199-01-01T00:00:00Z" }), "ends_at"],
    ["a priority beyond 99", () => ({ priority: 100 }), "priority"],
    [
      "a run with a strange dependency",
      () => ({ run: { depends_on: ["#other"] } }),
      "run.depends_on",
    ],
    ["a run with a strange parent", () => ({ run: { parent_run: "run_x" } }), "run.parent_run"],
    ["a run with a strange instant", () => ({ run: { not_before: "soon" } }), "run.not_before"],
    [
      "a run that ends before the slot begins",
      ({ starts_at }) => ({ run: { deadline_at: starts_at } }),
      "run.deadline_at",
    ],
  ])("%s is refused, naming the field", async (_, parts, field) => {
    const [starts_at, ends_at] = [await calendar.at(MINUTE), await calendar.at(2 * MINUTE)];
    const given = { agent: AGENT, type: "work", starts_at, ends_at } as const;
    const refusal = await calendar.engine.createSlot(
      calendar.project,
      { ...given, ...parts(given) },
      origin,
    );
    expect(isRefusal(refusal) ? refusal.errors?.[0]?.field : "taken").toBe(field);
    expect(
      (await calendar.engine.slots(calendar.project, {}, { limit: 9, cursor: null })).items,
    ).toEqual([]);
  });

  test("lists are filtered, newest first, page by page", async () => {
    const slots = [
      await calendar.plan(),
      await calendar.plan({ agent: "bob" }),
      await calendar.plan(),
      await calendar.plan(),
    ];
    const [first, other, third, last] = slots.map((slot) => slot.id);
    ok(await calendar.change(slots[0] as wire.Slot, "skip"));
    const page = async (filter: { agent?: string; status?: string }, cursor: string | null) => {
      const found = await calendar.engine.slots(calendar.project, filter, { limit: 2, cursor });
      return [found.items.map((slot) => slot.id), found.next_cursor];
    };
    expect(await page({}, null)).toEqual([[last, third], third]);
    expect(await page({}, third as string)).toEqual([[other, first], null]);
    expect(await page({ agent: "bob" }, null)).toEqual([[other], null]);
    expect(await page({ status: "skipped" }, null)).toEqual([[first], null]);
    expect(await page({}, "nonsense")).toEqual([[], null]);
  });

  test("what is not there, or elsewhere, is absent", async () => {
    const slot = await calendar.plan();
    const elsewhere = await duo.project();
    expect(await calendar.engine.slot(elsewhere, idOf(slot))).toBeNull();
    const start = { verb: "start", reason: null } as const;
    for (const [where, id] of [
      [elsewhere, idOf(slot)],
      [calendar.project, newUuid()],
    ] as const) {
      expect(await calendar.engine.changeSlot(where, id, start, origin)).toMatchObject({
        code: "not_found",
      });
    }
  });
});

describe("when its time comes", () => {
  test("an idle agent begins, is busy and takes no run, until it is over", async () => {
    await calendar.awake();
    const slot = await calendar.plan({ from: 10_000, to: 40_000 });
    await calendar.sweep();
    expect(await calendar.status(slot)).toBe("not_started");
    calendar.tick(10_000);
    await calendar.sweep();
    const begun = await calendar.now(slot);
    expect(begun).toMatchObject({ status: "ongoing", starts_at: slot.starts_at });
    expect(Date.parse(begun.started_at as string)).toBeGreaterThanOrEqual(
      Date.parse(slot.starts_at),
    );
    expect(await calendar.agent()).toMatchObject({
      status: "busy",
      slot: { id: slot.id, type: "work", ends_at: slot.ends_at },
    });
    const [runId] = await submitAll(calendar.engine, calendar.project, 1, { agent: AGENT });
    expect(await calendar.claim()).toEqual([]);
    calendar.tick(30_000);
    await calendar.sweep();
    expect(await calendar.now(slot)).toMatchObject({
      status: "finished",
      reason: "its time is over",
    });
    expect(await calendar.agent()).toMatchObject({ status: "idle", slot: null });
    expect((await calendar.claim()).map((one) => one.runId)).toEqual([runId]);
    expect(await calendar.events(slot)).toEqual([
      "slot.created",
      "slot.started+slot.due",
      "slot.finished",
    ]);
  });

  test("on call an agent takes only what is urgent or its own", async () => {
    await calendar.awake();
    await calendar.plan({ type: "on_call" });
    await calendar.sweep();
    expect((await calendar.agent()).status).toBe("on_call");
    await submitAll(calendar.engine, calendar.project, 1, { priority: 59 });
    const [urgent] = await submitAll(calendar.engine, calendar.project, 1, { priority: 60 });
    const [own] = await submitAll(calendar.engine, calendar.project, 1, {
      agent: AGENT,
      priority: 1,
    });
    const claimed = (await calendar.claim()).map((one) => one.runId);
    expect(new Set(claimed)).toEqual(new Set([urgent, own]));
  });

  test("the highest priority begins, the others are put off until their time is over", async () => {
    await calendar.awake();
    const second = await calendar.plan({ priority: 60, to: 40 * MINUTE });
    const first = await calendar.plan({ priority: 98, to: 40 * MINUTE, type: "system" });
    const late = await calendar.plan({ priority: 10, to: 35 * MINUTE });
    await calendar.sweep();
    expect([await calendar.status(second), await calendar.status(first)]).toEqual([
      "deferred",
      "ongoing",
    ]);
    expect(await calendar.now(late)).toMatchObject({ status: "deferred", priority: 11 });
    calendar.tick(14 * MINUTE);
    await calendar.sweep();
    expect((await calendar.now(late)).priority).toBe(11);
    calendar.tick(MINUTE + 1000);
    await calendar.sweep();
    expect((await calendar.now(late)).priority).toBe(12);
    expect((await calendar.now(second)).priority).toBe(62);
    await calendar.awake();
    ok(await calendar.change(first, "finish"));
    await calendar.sweep();
    expect(await calendar.status(second)).toBe("ongoing");
    calendar.tick(20 * MINUTE);
    await calendar.sweep();
    expect(await calendar.now(late)).toMatchObject({
      status: "skipped",
      reason: "its time is over",
    });
    expect(await calendar.events(late)).toEqual([
      "slot.created",
      "slot.deferred+slot.due",
      "slot.deferred",
      "slot.skipped",
    ]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["is away", async () => {}],
    [
      "is paused",
      async () => {
        await calendar.awake();
        return calendar.engine.pauseAgent(calendar.project, AGENT, "holidays", origin);
      },
    ],
    [
      "has a run",
      async () => {
        await calendar.awake();
        await submitAll(calendar.engine, calendar.project, 1);
        expect(await calendar.claim()).toHaveLength(1);
      },
    ],
  ])("an agent that %s puts it off", async (_, prepare) => {
    await prepare();

    const slot = await calendar.plan();
    await calendar.sweep();
    expect(await calendar.status(slot)).toBe("deferred");
  });

  test("what was missed altogether is skipped", async () => {
    await calendar.awake();
    const slot = await calendar.plan({ to: 10_000 });
    calendar.tick(10_000);
    await calendar.sweep();
    expect(await calendar.events(slot)).toEqual(["slot.created", "slot.skipped+slot.due"]);
  });

  test("only agents whose slots ask for something are looked at", async () => {
    const found = async (): Promise<boolean> => {
      const { parts } = calendar.engine;
      const page = { after: { projectId: calendar.project, name: "" }, limit: 9 };
      const rows = await parts.house.within([], (runner) =>
        agentsWithSlotsToDecide(runner, parts.context.offsetMs(), page),
      );
      return rows.some((row) => row.project_id === calendar.project && row.name === AGENT);
    };
    const slot = await calendar.plan({ from: 10_000 });
    expect(await found()).toBe(false);
    calendar.tick(10_000);
    expect(await found()).toBe(true);
    await calendar.sweep(); // away: put off
    expect(await found()).toBe(false);
    calendar.tick(5 * MINUTE);
    await calendar.awake();
    expect(await found()).toBe(true);
    await calendar.sweep(); // begins
    expect([await calendar.status(slot), await found()]).toEqual(["ongoing", false]);
    calendar.tick(5 * MINUTE);
    expect(await found()).toBe(true);
    await calendar.sweep(); // over
    expect([await calendar.status(slot), await found()]).toEqual(["finished", false]);
    const withRun = await calendar.plan({ run: {} });
    await calendar.awake();
    await calendar.sweep(); // submitted
    expect([await calendar.status(withRun), await found()]).toEqual(["ongoing", false]);
    const one = await calendar.claim();
    await calendar.report(one, { kind: "complete", output: 1 });
    expect(await found()).toBe(true);
    const next = await calendar.plan();
    await calendar.sweep(); // ended with its run, which makes room for the next
    expect([await calendar.status(withRun), await calendar.status(next)]).toEqual([
      "finished",
      "ongoing",
    ]);
    expect(await found()).toBe(false);
  });

  test("two servers that sweep at once begin one slot, once", async () => {
    await calendar.awake();
    const slots = [await calendar.plan(), await calendar.plan(), await calendar.plan({ run: {} })];
    await duo.beat();
    await Promise.all([duo.a.sweepOnce(), duo.b.sweepOnce(), duo.a.sweepOnce()]);
    const statuses = await Promise.all(slots.map((slot) => calendar.status(slot)));
    expect(statuses.toSorted()).toEqual(["deferred", "deferred", "ongoing"]);
    for (const slot of slots) expect(await calendar.events(slot)).toHaveLength(2);
  });
});
