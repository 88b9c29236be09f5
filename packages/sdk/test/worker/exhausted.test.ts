// A limit of the provider that a handler met: reported as such, never as a failure.
// Promises: what is thrown goes through the whole worker; reports are those the peer received.
// Leaves to others: reading the provider's answer (limit-report.test.ts).

import { expect, test } from "vitest";

import { Exhausted } from "../../src/worker/index.ts";
import type { Handler } from "../../src/worker/index.ts";
import { until } from "../peer/scripted-server.ts";
import { setStage } from "../peer/stage.ts";
import { attemptOf } from "../peer/worker-peer.ts";

const stage = setStage();

const response = (): Response =>
  new Response("never read", { status: 429, headers: { "Retry-After": "30" } });

test("a thrown response is the report: status and headers, fenced, without a body", async () => {
  const given = response();
  await stage.start((attempt) => {
    expect(attempt.account).toBe("acme/max-1");
    throw attempt.exhausted(given);
  });
  stage.box.give(null);
  expect(await stage.reported("exhausted")).toEqual({
    ...attemptOf(1),
    fencing_token: 1,
    kind: "exhausted",
    status: 429,
    headers: { "content-type": "text/plain;charset=UTF-8", "retry-after": "30" },
  });
  expect(given.bodyUsed).toBe(false);
  await until(() => stage.worker.live === 0);
  expect(stage.box.journal).toEqual(["online", "start 1", "exhausted 1"]);
});

test("what the worker knows itself goes along, with process facts and checkpoint", async () => {
  await stage.start((attempt) => {
    attempt.process({ pid: 7, exit_code: 1 });
    void attempt.saveCheckpoint({ page: 3 });
    throw attempt.exhausted({
      reason: "quota",
      recoveryAt: new Date("2026-11-21T12:00:00Z"),
      provider: "acme",
      scope: "model",
      model: "m-1",
    });
  });
  stage.box.give(null);
  const report = await stage.reported("exhausted");
  expect(report).toMatchObject({
    reason: "quota",
    recovery_at: "2026-11-21T12:00:00.000Z",
    provider: "acme",
    scope: "model",
    model: "m-1",
    process: { pid: 7, exit_code: 1 },
  });
  const beats = stage.box.beats().flatMap(({ leases }) => leases.map((lease) => lease.checkpoint));
  expect([...beats, (report as { checkpoint?: unknown }).checkpoint]).toContainEqual({ page: 3 });
});

test("an error that is passed on stays the same error, and says what it is", async () => {
  let seen: unknown;
  await stage.start((attempt) => {
    const error = attempt.exhausted({ status: 429, message: "try again in 20 s", reason: "quota" });
    seen = attempt.exhausted(error);
    expect(seen).toBe(error);
    throw seen;
  });
  stage.box.give(null);
  await stage.reported("exhausted");
  expect(seen).toBeInstanceOf(Exhausted);
  expect(seen).toMatchObject({
    code: "exhausted",
    message: "a limit of the provider was met (quota, HTTP 429): try again in 20 s",
  });
});

const ends: { how: string; end: () => void }[] = [
  { how: "is drained", end: () => void stage.worker.stop({ drainMs: 0 }) },
  {
    how: "was asked to cancel",
    end: () =>
      stage.box.direct({ kind: "cancel", ...attemptOf(1), reason: null, grace_ms: 30_000 }),
  },
];

test.each(ends)("the account rests also when the attempt $how", async ({ end }) => {
  const handler: Handler<never> = async (attempt) => {
    await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
    throw attempt.exhausted(response());
  };
  await stage.start(handler);
  stage.box.give(null);
  await stage.journal("start 1");
  end();
  expect(await stage.reported("exhausted")).toMatchObject({ status: 429 });
});

test("a report the server does not take is made again, bare", async () => {
  await stage.start((attempt) => {
    void attempt.saveCheckpoint({ page: 3 });
    throw attempt.exhausted({ reason: "overloaded", message: "busy" });
  });
  stage.box.refuse.set("exhausted", [400, "validation_failed"]);
  stage.box.give(null);
  await until(() => stage.reportsOf("exhausted").length === 2);
  expect(stage.reportsOf("exhausted")[1]).toEqual({
    ...attemptOf(1),
    fencing_token: 1,
    kind: "exhausted",
    reason: "overloaded",
  });
  expect(stage.reportsOf("fail")).toEqual([]);
});

test("one that the server refuses as too late is not repeated", async () => {
  await stage.start((attempt) => {
    throw attempt.exhausted(response());
  });
  stage.box.refuse.set("exhausted", [409, "stale_fencing_token"]);
  stage.box.give(null);
  await stage.reported("exhausted");
  await until(() => stage.worker.live === 0);
  expect(stage.reportsOf("exhausted")).toHaveLength(1);
  expect(stage.errors).toEqual([]);
});
