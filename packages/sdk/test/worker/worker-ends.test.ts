// What a worker does when it is told to end, loses touch, or says something in the middle.
// Promises: directives come by the real directive stream.
// Leaves to others: the keeper's own rules (keeper.test.ts, kept-leases.test.ts).

import { describe, expect, test } from "vitest";

import { AttemptAborted } from "../../src/worker/index.ts";
import type { Handler } from "../../src/worker/index.ts";
import { until } from "../peer/scripted-server.ts";
import { setStage } from "../peer/stage.ts";
import { attemptOf } from "../peer/worker-peer.ts";

const stage = setStage();

describe("being told to end", () => {
  const untilAborted: Handler<never> = async (attempt) => {
    await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
    const { reason } = attempt.signal;
    if (!(reason instanceof AttemptAborted)) throw new Error("not an AttemptAborted");
    return `ended by ${reason.kind}`;
  };

  test("cancel: the handler's outcome is still reported", async () => {
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.direct({ kind: "cancel", ...attemptOf(1), reason: "superseded", grace_ms: 30_000 });
    expect(await stage.reported("complete")).toMatchObject({ output: "ended by cancel" });
  });

  test("deadline: reported like any outcome", async () => {
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.direct({ kind: "deadline", ...attemptOf(1), reason: null });
    expect(await stage.reported("complete")).toMatchObject({ output: "ended by deadline" });
  });

  test("kill: the lease is not renewed any more, and the end is told as terminated", async () => {
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.direct({ kind: "kill", ...attemptOf(1), reason: "leak" });
    expect(await stage.reported("terminated")).toMatchObject({ process: { pid: process.pid } });
    expect(stage.reportsOf("complete")).toEqual([]);
    const beats = stage.box.beats().length;
    await until(() => stage.box.beats().length > beats);
    expect(stage.box.beats().at(-1)?.leases).toEqual([]);
  });

  test("budget: told as such, and the end is told as terminated", async () => {
    let told: unknown;
    await stage.start(async (attempt) => {
      await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
      told = attempt.signal.reason;
      throw told;
    });
    stage.box.give(null);
    await stage.journal("start 1");
    const reason = "daily token limit exceeded";
    stage.box.direct({ kind: "budget", ...attemptOf(1), reason });
    expect(await stage.reported("terminated")).toMatchObject({ process: { pid: process.pid } });
    expect(told).toMatchObject({ kind: "budget", message: expect.stringContaining(reason) });
    expect(stage.box.journal).toEqual(["online", "start 1", "terminated 1"]);
  });

  test.each(["stop", "fenced"] as const)("%s: nothing is reported", async (kind) => {
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.direct({ kind, ...attemptOf(1), reason: null });
    await until(() => stage.worker.live === 0);
    expect(stage.box.journal).toEqual(["online", "start 1"]);
  });

  test("lost by heartbeat: nothing is reported", async () => {
    await stage.start(untilAborted);
    stage.box.give(null);
    await stage.journal("start 1");
    stage.box.lost.add("att_1");
    await until(() => stage.worker.live === 0);
    expect(stage.box.journal).toEqual(["online", "start 1"]);
  });

  test("silence pauses, an answer continues", async () => {
    const states: string[] = [];
    let finish = (): void => {};
    await stage.start(
      async (attempt) => {
        attempt.onPause((state) => states.push(`${state} ${attempt.paused}`));
        await new Promise<void>((resolve) => (finish = resolve));
      },
      { leaseMs: 3_000 },
    );
    stage.box.give(null);
    await stage.journal("start 1");
    await stage.box.peer.close();
    await until(() => states.length === 1);
    await stage.box.peer.listen();
    await until(() => states.length === 2);
    expect(states).toEqual(["paused true", "continued false"]);
    finish();
    await stage.reported("complete");
  });
});

describe("in the middle", () => {
  test("tool waits are reported after the events before them", async () => {
    await stage.start(async (attempt) => {
      void attempt.log("before");
      await attempt.awaitTool("browser");
      await attempt.resume();
    });
    stage.box.give(null);
    await stage.reported("complete");
    const expected = ["events 1: log.line#1", "await_tool 1", "resume 1", "complete 1"];
    expect(stage.box.journal.slice(2)).toEqual(expected);
    expect(stage.reportsOf("await_tool")[0]).toMatchObject({ tool: "browser" });
  });

  test("a checkpoint is stored when its promise resolves", async () => {
    let seen: unknown;
    await stage.start(async (attempt) => {
      await attempt.saveCheckpoint({ step: 2 });
      seen = stage.box.beats().flatMap(({ leases }) => leases.map(({ checkpoint }) => checkpoint));
      return attempt.checkpoint;
    });
    stage.box.give(null);
    expect(await stage.reported("complete")).toMatchObject({ output: { step: 2 } });
    expect(seen).toContainEqual({ step: 2 });
  });

  test("a checkpoint that is not stored yet goes along with the failure", async () => {
    await stage.start((attempt) => {
      void attempt.saveCheckpoint({ step: 9 });
      throw new Error("later");
    });
    stage.box.give(null);
    const fail = await stage.reported("fail");
    const sent = stage.box
      .beats()
      .flatMap(({ leases }) => leases.map(({ checkpoint }) => checkpoint));
    expect([...sent, (fail as { checkpoint?: unknown }).checkpoint]).toContainEqual({ step: 9 });
  });

  test("checkpoints and usage that cannot be stored are refused on the spot", async () => {
    await stage.start((attempt) => {
      expect(() => attempt.saveCheckpoint("x".repeat(256 * 1024))).toThrow(RangeError);
      expect(() => attempt.saveCheckpoint(undefined as unknown as null)).toThrow(TypeError);
      expect(() => attempt.usage({ input_tokens: 1.5 })).toThrow(RangeError);
      return attempt.checkpoint;
    });
    stage.box.give(null);
    expect(await stage.reported("complete")).toMatchObject({ output: null });
  });
});
