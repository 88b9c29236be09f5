// How a worker comes and goes: registering, draining, giving back.
// Promises: the order stop claiming → drain → release → stop heartbeat → offline is read from the
// peer's journal.
// Leaves to others: signals (drain-process.test.ts).

import { describe, expect, test } from "vitest";

import { Worker } from "../../src/worker/index.ts";
import type { AttemptAborted, WorkerOptions } from "../../src/worker/index.ts";
import { problem, until } from "../peer/scripted-server.ts";
import { setStage } from "../peer/stage.ts";
import { attemptOf } from "../peer/worker-peer.ts";

const stage = setStage();

describe("coming and going", () => {
  test("drain: claims stop, the live run finishes, heartbeats go on, then offline", async () => {
    let finish = (): void => {};
    await stage.start(() => new Promise<string>((resolve) => (finish = () => resolve("in time"))));
    stage.box.give(null);
    await stage.journal("start 1");
    const stopped = stage.worker.stop();
    await stage.journal("draining");
    const claims = stage.box.claims().length;
    const beats = stage.box.beats().length;
    await until(() => stage.box.beats().length >= beats + 3);
    expect(stage.box.beats().at(-1)?.leases).toHaveLength(1);
    finish();
    await stopped;
    expect(stage.box.journal).toEqual(["online", "start 1", "draining", "complete 1", "offline"]);
    expect(stage.box.claims()).toHaveLength(claims);
  });

  test("what does not finish in time is given back with its checkpoint", async () => {
    let kind: unknown;
    await stage.start(async (attempt) => {
      await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
      kind = (attempt.signal.reason as AttemptAborted).kind;
      void attempt.saveCheckpoint({ at: 7 });
      attempt.signal.throwIfAborted();
    });
    stage.box.give(null);
    await stage.journal("start 1");
    await stage.worker.stop({ drainMs: 0 });
    expect(kind).toBe("shutdown");
    expect(stage.box.journal).toEqual(["online", "start 1", "draining", "release 1", "offline"]);
    expect(stage.reportsOf("release")[0]).toMatchObject({ cause: "shutdown" });
  });

  test("a handler that ignores the abort is given back all the same", async () => {
    await stage.start(() => new Promise(() => {}));
    stage.box.give(null);
    await stage.journal("start 1");
    await stage.worker.stop({ drainMs: 0 });
    expect(stage.box.journal.at(-2)).toBe("release 1");
  });

  test("runs that are handed out while it stops are given back unstarted", async () => {
    await stage.start(() => null);
    await until(() => stage.box.claims().length === 1);
    stage.box.peer.on("PUT /v1/runtimes/*", (request, response) => {
      const { state } = request.body as { state: string };
      if (state === "draining") stage.box.give("too late");
      response.end("{}");
    });
    await stage.worker.stop();
    expect(stage.box.journal).toEqual(["online", "release 1"]);
    expect(stage.reportsOf("release")[0]).toMatchObject({ ...attemptOf(1), cause: "shutdown" });
  });

  test("a server that forgot the runtime gets it again", async () => {
    await stage.start(() => null);
    let unknown = true;
    stage.box.peer.on("POST /v1/claims", (_, response) => {
      if (unknown) problem(response, 404, "runtime_unknown");
      unknown = false;
    });
    await until(() => stage.box.journal.filter((line) => line === "online").length >= 2);
    await until(() => stage.box.claims().length >= 2);
  });

  test("start rejects when the key is refused, and may be tried again", async () => {
    const worker = stage.make().handle(() => null);
    let refusals = 1;
    stage.box.peer.on("PUT /v1/runtimes/*", (_, response) => {
      refusals -= 1;
      if (refusals >= 0) problem(response, 401, "unauthorized");
      else response.end("{}");
    });
    await expect(worker.start()).rejects.toMatchObject({ code: "unauthorized" });
    await worker.start();
    await expect(worker.start()).rejects.toThrow("starts only once");
  });

  test("options that cannot work are refused when the worker is made", () => {
    const make = (options: WorkerOptions) => () => new Worker(stage.signalbox(), options);
    expect(make({ concurrency: 0 })).toThrow(RangeError);
    expect(make({ leaseMs: 999 })).toThrow(RangeError);
    expect(make({ leaseMs: 8_000, heartbeatMs: 5_000 })).toThrow(RangeError);
    const worker = make({ leaseMs: 10_000, heartbeatMs: 5_000 })();
    expect(worker.runtime).toMatch(/^.+:\d+:[0-9a-f]{6}$/);
  });
});
