// Slots against the real engine: those that have a run and follow it, and those that people and
// workers change by hand; also where a server died halfway.
import { describe, expect, test } from "vitest";
import type * as wire from "@signalbox/sdk";
import { isRefusal } from "../../src/domain/refusal.ts";
import { AGENT, idOf, MINUTE, runOf, useCalendar } from "./calendar.ts";
import { ok } from "./duo.ts";
import { origin } from "./fixtures.ts";

const { duo, calendar } = useCalendar();

describe("a slot with a run", () => {
  async function begun(run: wire.RunSubmission = { input: { pr: 7 } }): Promise<wire.Slot> {
    await calendar.awake();
    const slot = await calendar.plan({ run });
    await calendar.sweep();
    return calendar.now(slot);
  }

  test("submits it for its agent, which stays free to do it", async () => {
    const slot = await begun();
    expect(slot).toMatchObject({ status: "ongoing", run: { input: { pr: 7 } } });
    expect(await calendar.agent()).toMatchObject({ status: "idle", slot: null });
    const run = await calendar.engine.run(calendar.project, runOf(slot));
    expect(run).toMatchObject({
      agent: AGENT,
      input: { pr: 7 },
      idempotency_key: `slot:${slot.id}`,
    });
    expect((await calendar.claim()).map((one) => one.runId)).toEqual([runOf(slot)]);
  });

  test("takes over every field of the template", async () => {
    const slot = await begun({
      agent: "bob",
      on_agent_timeout: "any",
      queue: "night",
      runner: "default",
      priority: "high",
      model: "opus",
      requires: ["gpu"],
      tags: ["nightly"],
      metadata: { by: "calendar" },
      max_attempts: 7,
      max_duration_s: 60,
      backoff: { base_ms: 1, factor: 3, cap_ms: 9, jitter: 0 },
      concurrency_key: "one",
      estimate: { tokens: 5 },
      conversation_id: "c-1",
      idempotency_key: "of its own",
    });
    const run = await calendar.engine.run(calendar.project, runOf(slot));
    expect(run).toMatchObject({
      agent: "bob",
      queue: "night",
      priority: 60,
      model: "opus",
      requires: ["gpu"],
      tags: ["nightly"],
      metadata: { by: "calendar" },
      max_attempts: 7,
      max_duration_s: 60,
      backoff: { base_ms: 1, factor: 3, cap_ms: 9, jitter: 0 },
      concurrency_key: "one",
      estimate: { tokens: 5 },
      conversation_id: "c-1",
      idempotency_key: `slot:${slot.id}`,
    });
  });

  test("finishes when its run completes, also after its time", async () => {
    const slot = await begun();
    const one = await calendar.claim();
    calendar.tick(11 * MINUTE);
    await calendar.sweep();
    expect(await calendar.status(slot)).toBe("ongoing");
    await calendar.report(one, { kind: "complete", output: 1 });
    await calendar.sweep();
    expect(await calendar.now(slot)).toMatchObject({
      status: "finished",
      reason: "its run completed",
    });
  });

  test("is aborted when its run ends otherwise, and says how", async () => {
    const slot = await begun();
    const one = await calendar.claim();
    const error = { code: "boom", message: "It broke." };
    await calendar.report(one, { kind: "fail", error, retryable: false });
    await calendar.sweep();
    const { status, reason } = await calendar.now(slot);
    expect(status).toBe("aborted");
    expect(reason).toContain("its run ended failed");
    expect(await calendar.events(slot)).toEqual([
      "slot.created",
      "slot.started+slot.due",
      "slot.aborted",
    ]);
  });

  test("has one run, though the server died before it was submitted, and after", async () => {
    await calendar.awake();
    const slot = await calendar.plan({ run: {} });
    const begin = `update signalbox.slot s set status = 'ongoing', started_at = clock_timestamp(),
      run_id = null where s.id = $1`;
    await duo.owner.query(begin, [idOf(slot)]);
    await calendar.sweep();
    const first = (await calendar.now(slot)).run_id;
    expect(first).toMatch(/^run_/);
    await duo.owner.query(begin, [idOf(slot)]);
    await calendar.sweep();
    expect((await calendar.now(slot)).run_id).toBe(first);
    const runs = await calendar.engine.runs(calendar.project, {}, { limit: 9, cursor: null });
    expect(runs.items).toHaveLength(1);
  });

  test("is aborted when its run is refused", async () => {
    const slot = await begun({ depends_on: ["run_01h455vb4pex5vsknk084sn02q"] });
    expect(slot.status).toBe("aborted");
    expect(slot.reason).toContain("its run was refused: depends_on");
  });

  test("on call: is on call until its run has ended", async () => {
    await calendar.awake();
    const slot = await calendar.plan({ type: "on_call", run: {} });
    await calendar.sweep();
    expect((await calendar.agent()).status).toBe("on_call");
    const one = await calendar.claim();
    await calendar.report(one, { kind: "complete", output: null });
    await calendar.sweep();
    expect(await calendar.status(slot)).toBe("finished");
    expect((await calendar.agent()).slot).toBeNull();
  });
});

describe("by hand", () => {
  test("begins early, with its window; once, however often it is asked for", async () => {
    const slot = await calendar.plan({ from: MINUTE });
    const begun = ok(await calendar.change(slot, "start", "why wait"));
    expect(begun).toMatchObject({ status: "ongoing", reason: "why wait" });
    expect(begun.starts_at).toBe(begun.started_at);
    expect(Date.parse(begun.starts_at)).toBeLessThan(Date.parse(slot.starts_at));
    expect((await calendar.agent()).slot).toMatchObject({ id: slot.id });
    expect(ok(await calendar.change(slot, "start", "again"))).toEqual(begun);
    const ended = ok(await calendar.change(slot, "finish", "done"));
    expect(ended).toMatchObject({ status: "finished", reason: "done" });
    expect((await calendar.agent()).slot).toBeNull();
    expect(await calendar.events(slot)).toEqual(["slot.created", "slot.started", "slot.finished"]);
  });

  test("submits its run at once", async () => {
    const slot = await calendar.plan({ run: {}, from: MINUTE });
    expect(ok(await calendar.change(slot, "start")).run_id).toMatch(/^run_/);
  });

  test("aborts, and skips what has not begun", async () => {
    const [one, two] = [await calendar.plan(), await calendar.plan()];
    ok(await calendar.change(one, "start"));
    expect(ok(await calendar.change(one, "abort"))).toMatchObject({
      status: "aborted",
      reason: "x",
    });
    expect(ok(await calendar.change(two, "skip"))).toMatchObject({
      status: "skipped",
      reason: "x",
    });
  });

  test("one at a time", async () => {
    const [one, two] = [await calendar.plan(), await calendar.plan()];
    ok(await calendar.change(one, "start"));
    expect(await calendar.change(two, "start")).toMatchObject({
      code: "invalid_transition",
      facts: { ongoing: one.id },
    });
  });

  test("two at once: one begins, the other is told", async () => {
    const slots = [await calendar.plan(), await calendar.plan()];
    const start = { verb: "start", reason: null } as const;
    const answers = await Promise.all([
      duo.a.changeSlot(calendar.project, idOf(slots[0] as wire.Slot), start, origin),
      duo.b.changeSlot(calendar.project, idOf(slots[1] as wire.Slot), start, origin),
    ]);
    const codes = answers.map((one) => (isRefusal(one) ? one.code : one.status));
    expect(codes.toSorted()).toEqual(["invalid_transition", "ongoing"]);
  });

  test("not when its time is over, nor against the table", async () => {
    const slot = await calendar.plan({ to: 10_000 });
    expect(await calendar.change(slot, "finish")).toMatchObject({
      code: "invalid_transition",
      facts: { status: "not_started", command: "finish", allowed: ["start", "skip", "defer"] },
    });
    calendar.tick(10_000);
    expect(await calendar.change(slot, "start")).toMatchObject({ code: "invalid_transition" });
    expect(await calendar.events(slot)).toEqual(["slot.created"]);
  });

  test("what has a run ends with it: finishing is refused, aborting cancels the run", async () => {
    const slot = await calendar.plan({ run: {} });
    const begun = ok(await calendar.change(slot, "start"));
    expect(await calendar.change(slot, "finish")).toMatchObject({
      code: "invalid_transition",
      facts: { run_id: begun.run_id },
    });
    expect(ok(await calendar.change(slot, "abort", "no need")).status).toBe("aborted");
    const run = await calendar.engine.run(calendar.project, runOf(begun));
    expect(run).toMatchObject({ state: "cancelled" });
  });

  test("aborting what its run has finished meanwhile finishes it", async () => {
    await calendar.awake();
    const slot = await calendar.plan({ run: {} });
    ok(await calendar.change(slot, "start"));
    const one = await calendar.claim();
    await calendar.report(one, { kind: "complete", output: 1 });
    expect(ok(await calendar.change(slot, "abort"))).toMatchObject({
      status: "finished",
      reason: "its run completed",
    });
  });
});
