// What a worker sends for a run that nobody disturbs: order, capacity, outcomes.
// Promises: the order of arrival is read from the peer's journal.
// Leaves to others: cancels and kills (worker-ends.test.ts), coming and going
// (worker-drain.test.ts).

import { describe, expect, test } from "vitest";

import { AttemptAborted, PermanentError } from "../../src/worker/index.ts";
import type { Handler } from "../../src/worker/index.ts";
import { until } from "../peer/scripted-server.ts";
import { setStage } from "../peer/stage.ts";
import { attemptOf } from "../peer/worker-peer.ts";

const stage = setStage();

describe("a run", () => {
  test("start, then events in order, then the outcome", async () => {
    await stage.start(async (attempt) => {
      void attempt.log("one");
      void attempt.emit("x.mine", { a: 1 });
      await attempt.emit("message.delta", { text: "three" });
      return { done: attempt.input };
    });
    stage.box.give({ pr: 42 });
    expect(await stage.reported("complete")).toMatchObject({
      ...attemptOf(1),
      fencing_token: 1,
      output: { done: { pr: 42 } },
    });
    expect(stage.box.journal).toEqual([
      "online",
      "start 1",
      "events 1: log.line#1 x.mine#2 message.delta#3",
      "complete 1",
    ]);
    expect(stage.reportsOf("start")[0]).toMatchObject({ process: { pid: process.pid } });
  });

  test("many events arrive in order, at most 500 a piece, all before the outcome", async () => {
    await stage.start(async (attempt) => {
      for (let n = 1; n <= 5_000; n += 1) await attempt.emit("x.n", { n });
    });
    stage.box.give(null);
    await stage.reported("complete");
    const pieces = stage.box.journal.filter((line) => line.startsWith("events 1"));
    const seqs = pieces.flatMap((line) =>
      Array.from(line.matchAll(/#(\d+)/g), (m) => Number(m[1])),
    );
    expect(seqs).toEqual(Array.from({ length: 5_000 }, (_, n) => n + 1));
    for (const piece of pieces) expect(piece.match(/#/g)?.length).toBeLessThanOrEqual(500);
    expect(stage.box.journal.at(-1)).toBe("complete 1");
  });

  test("the claim asks for all free capacity, for all agents", async () => {
    let finish = (): void => {};
    await stage.start(() => new Promise<void>((resolve) => (finish = resolve)), {
      agents: ["a", "b"],
      concurrency: 3,
      queues: ["q"],
    });
    await until(() => stage.box.claims().length === 1);
    expect(stage.box.claims()[0]).toEqual({
      runtime: "rt",
      runners: ["default"],
      queues: ["q"],
      agents: [
        { name: "a", free: 3 },
        { name: "b", free: 3 },
      ],
      free: 3,
      lease_ms: 20_000,
      wait_ms: 20_000,
    });
    stage.box.give(1);
    await until(() => stage.box.claims().length === 2);
    expect(stage.box.claims()[1]?.free).toBe(2);
    finish();
  });

  test("no claim while nothing is free; the next as soon as one run has ended", async () => {
    const finish: (() => void)[] = [];
    await stage.start(() => new Promise<void>((resolve) => finish.push(resolve)));
    stage.box.give(1, 2, 3);
    await until(() => finish.length === 2);
    const beats = stage.box.beats().length;
    await until(() => stage.box.beats().length >= beats + 2);
    expect(stage.box.claims()).toHaveLength(1);
    finish[0]?.();
    await until(() => finish.length === 3);
    expect(stage.box.claims()[1]?.free).toBe(1);
    finish[1]?.();
    finish[2]?.();
  });

  test("runners have handlers of their own, and a missing one is refused at start", async () => {
    const worker = stage.make({ runners: ["other"] }).handle("mine", () => null);
    await expect(worker.start()).rejects.toThrow("no handler for other");
  });
});

describe("outcomes", () => {
  const fails: { name: string; handler: Handler<never>; expected: object }[] = [
    {
      name: "any throw can be tried again",
      handler: () => {
        throw new Error("no network");
      },
      expected: { retryable: true, error: { code: "handler_error", message: "no network" } },
    },
    {
      name: "PermanentError cannot",
      handler: () => {
        throw new PermanentError("no such repository", {
          code: "repo_not_found",
          detail: { a: 1 },
        });
      },
      expected: {
        retryable: false,
        error: { code: "repo_not_found", message: "no such repository", detail: { a: 1 } },
      },
    },
    {
      name: "the code of a thrown error is kept",
      handler: () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNRESET" })),
      expected: { retryable: true, error: { code: "ECONNRESET" } },
    },
    {
      name: "output that is not JSON",
      handler: () => 10n,
      expected: { retryable: false, error: { code: "output_not_json" } },
    },
    {
      name: "output over 1 MiB",
      handler: () => "x".repeat(1_048_575),
      expected: { retryable: false, error: { code: "output_too_large" } },
    },
    {
      name: "an event type of the house",
      handler: (attempt) => attempt.emit("run.completed" as "log.line"),
      expected: { retryable: true, error: { code: "handler_error" } },
    },
  ];
  test.each(fails)("fail: $name", async ({ expected, handler }) => {
    await stage.start(handler);
    stage.box.give(null);
    expect(await stage.reported("fail")).toMatchObject(expected);
  });

  test("undefined becomes null", async () => {
    await stage.start(() => undefined);
    stage.box.give(null);
    expect(await stage.reported("complete")).toMatchObject({ output: null });
  });

  test("facts about a process go along with the outcome", async () => {
    await stage.start((attempt) => {
      attempt.process({ pid: 7, host: "h" });
      attempt.process({ exit_code: 1 });
      throw new Error("exit 1");
    });
    stage.box.give(null);
    const process = { pid: 7, host: "h", exit_code: 1 };
    expect(await stage.reported("fail")).toMatchObject({ process });
  });

  test("a handler gives the run back by throwing `shutdown`", async () => {
    await stage.start(() => Promise.reject(new AttemptAborted("shutdown", "out of disk")));
    stage.box.give(null);
    expect(await stage.reported("release")).toMatchObject({ cause: "shutdown" });
  });

  test("an output the server refuses becomes a failure that says so", async () => {
    await stage.start(() => ({ deep: true }));
    stage.box.refuse.set("complete", [400, "validation_failed"]);
    stage.box.give(null);
    expect(await stage.reported("fail")).toMatchObject({
      retryable: false,
      error: { code: "output_refused" },
    });
  });

  test("a refusal as stale is the end of it: no second report, no error", async () => {
    await stage.start(() => null);
    stage.box.refuse.set("complete", [409, "stale_fencing_token"]);
    stage.box.give(null);
    await stage.reported("complete");
    await until(() => stage.worker.live === 0);
    expect(stage.box.journal).toEqual(["online", "start 1", "complete 1"]);
    expect(stage.errors).toEqual([]);
  });

  test("a refused start aborts the attempt as lost; nothing more is sent", async () => {
    let reason: unknown;
    await stage.start(async (attempt) => {
      await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
      reason = attempt.signal.reason;
      await attempt.log("into the void");
    });
    stage.box.refuse.set("start", [409, "stale_fencing_token"]);
    stage.box.give(null);
    await until(() => reason !== undefined && stage.worker.live === 0);
    expect(reason).toMatchObject({ kind: "lost" });
    expect(stage.box.journal).toEqual(["online", "start 1"]);
  });

  test("the outcome survives a server that is away for longer than the lease", async () => {
    let finish = (): void => {};
    await stage.start(
      async (attempt) => {
        await new Promise<void>((resolve) => (finish = resolve));
        void attempt.log("late");
        return "kept";
      },
      { leaseMs: 1_000 },
    );
    stage.box.give(null);
    await stage.journal("start 1");
    await stage.box.peer.close();
    finish();
    const codes = (): unknown[] => stage.errors.map((e) => (e as { code?: string }).code);
    const before = performance.now();
    await until(() => performance.now() - before > 1_200 && codes().includes("connection_failed"));
    await stage.box.peer.listen();
    expect(await stage.reported("complete")).toMatchObject({ output: "kept" });
    expect(stage.box.journal).toEqual(["online", "start 1", "events 1: log.line#1", "complete 1"]);
  });
});
