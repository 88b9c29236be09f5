// What a worker tells a program that counts: each attempt twice, with how it went.

import { describe, expect, test } from "vitest";

import type { AttemptNews, Handler } from "../../src/worker/index.ts";
import { until } from "../peer/scripted-server.ts";
import { setStage } from "../peer/stage.ts";
import { attemptOf } from "../peer/worker-peer.ts";

const stage = setStage();

/** Starts a worker that does one run; its news once there are two. */
async function newsOf(
  handler: Handler<never>,
  order: () => void | Promise<void> = () => {},
): Promise<AttemptNews[]> {
  const news: AttemptNews[] = [];
  await stage.start(handler, { onAttempt: (one) => news.push(one) });
  stage.box.give({ secret: "canary" });
  await stage.journal("start 1");
  await order();
  await until(() => news.length === 2);
  return news;
}

const untilAborted: Handler<never> = async (attempt) => {
  await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
};

describe("onAttempt", () => {
  test("is told of the claim and of the end, with plain facts and no input or output", async () => {
    const [claimed, ended] = await newsOf(() => ({ secret: "canary" }));
    const { attempt_id: attemptId, run_id: runId } = attemptOf(1);
    const facts = { runId, attemptId, number: 1, agent: "reviewer" };
    expect(claimed).toMatchObject({ ...facts, what: "claimed" });
    expect(ended).toMatchObject({ ...facts, what: "ended", outcome: "completed" });
    expect(ended).toHaveProperty("durationMs");
    expect(JSON.stringify([claimed, ended])).not.toContain("canary");
  });

  test("calls a handler that throws failed", async () => {
    const [, ended] = await newsOf(() => {
      throw new Error("no");
    });
    expect(ended).toMatchObject({ outcome: "failed" });
  });

  test.each([
    ["kill", "killed"],
    ["budget", "killed"],
    ["stop", "stopped"],
    ["fenced", "lost"],
  ] as const)("calls an attempt that was told %s %s", async (kind, outcome) => {
    const [, ended] = await newsOf(untilAborted, () =>
      stage.box.direct({ kind, ...attemptOf(1), reason: null }),
    );
    expect(ended).toMatchObject({ outcome });
  });

  test("that throws disturbs nothing: it is told as an error, and the run goes on", async () => {
    await stage.start(() => "done", {
      onAttempt: () => {
        throw new Error("a broken counter");
      },
    });
    stage.box.give(null);
    expect(await stage.reported("complete")).toMatchObject({ output: "done" });
    await until(() => stage.errors.length === 2);
    expect(stage.errors.map(String)).toEqual([
      "Error: a broken counter",
      "Error: a broken counter",
    ]);
  });
});
