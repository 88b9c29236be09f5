// Limits that workers report: what reaches the engine, in which order, whatever a provider sent.
// The engine here writes down what it is given; what it makes of it is tested below the doors.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LimitReport } from "@signalbox/sdk";
import type { ExhaustedInput, ReportInput } from "../../src/engine/contract.ts";
import { refuse } from "../../src/domain/refusal.ts";
import { toTypeId } from "../../src/std/ids.ts";
import { doors, key } from "./recorder.ts";
import { ask } from "./scene.ts";

const uuid = (n: number): string => `018f4e42-8d2a-7000-8000-00000000000${n}`;
const fence = { attempt_id: toTypeId("att", uuid(9)), fencing_token: 1 };
const of = (n: number) => ({ run_id: toTypeId("run", uuid(n)), ...fence });
const status = (runId: string, state = "pending") => ({
  id: runId,
  state,
  end_cause: null,
  fencing_token: 1,
  attempts_used: 0,
  not_before: null,
});

type Call = { verb: "report" | "exhausted"; runs: string[] };

/** Doors whose engine notes its calls and answers each item with the run's id. */
function noted() {
  const calls: Call[] = [];
  const limits: ExhaustedInput[] = [];
  const { app } = doors({
    report: async (_project, items) => {
      const runs = (items as ReportInput[]).map(({ runId }) => runId);
      calls.push({ verb: "report", runs });
      return runs.map((runId) => status(runId, "running"));
    },
    exhausted: async (_project, item) => {
      const limit = item as ExhaustedInput;
      calls.push({ verb: "exhausted", runs: [limit.runId] });
      limits.push(limit);
      return limit.fence.token === 99
        ? refuse("stale_fencing_token", "Gone.")
        : status(limit.runId);
    },
  });
  return { app, calls, limits };
}

describe("in a batch of reports", () => {
  test("answers stand in the order of the items; runs without a limit go together", async () => {
    const { app, calls } = noted();
    const items = [
      { ...of(1), kind: "start" },
      { ...of(2), kind: "exhausted", status: 429 },
      { ...of(3), kind: "start" },
      { ...of(4), kind: "exhausted", fencing_token: 99 },
      { ...of(5), kind: "dance" },
      { ...of(1), kind: "complete" },
    ];
    const { body } = await ask(app, key, "POST /v1/reports", { body: { items } });
    const said = body.results.map(
      (one: { ok: boolean; run?: { id: string; state: string }; problem?: { code: string } }) =>
        one.ok ? `${one.run?.id.at(-1)} ${one.run?.state}` : one.problem?.code,
    );
    expect(said).toEqual([
      "1 running",
      "2 pending",
      "3 running",
      "stale_fencing_token",
      "validation_failed",
      "1 running",
    ]);
    expect(calls).toHaveLength(3);
    expect(calls).toContainEqual({ verb: "report", runs: [uuid(1), uuid(3), uuid(1)] });
  });

  test("what concerns one run reaches the engine in order", async () => {
    const { app, calls } = noted();
    const items = [
      { ...of(1), kind: "start" },
      { ...of(1), kind: "await_tool" },
      { ...of(1), kind: "exhausted" },
      { ...of(1), kind: "terminated" },
      { ...of(1), kind: "exhausted" },
    ];
    const { body } = await ask(app, key, "POST /v1/reports", { body: { items } });
    expect(body.results.map(({ ok }: { ok: boolean }) => ok)).toEqual(items.map(() => true));
    expect(calls).toEqual([
      { verb: "report", runs: [uuid(1), uuid(1)] },
      { verb: "exhausted", runs: [uuid(1)] },
      { verb: "report", runs: [uuid(1)] },
      { verb: "exhausted", runs: [uuid(1)] },
    ]);
  });
});

test("in any batch each run sees its items in order, and answers stand in theirs", async () => {
  const seen = new Map<string, number[]>();
  const note = (runId: string, at: number | undefined): string => {
    seen.set(runId, [...(seen.get(runId) ?? []), at ?? -1]);
    return runId;
  };
  const { app } = doors({
    report: async (_project, items) =>
      (items as ReportInput[]).map(({ runId, command }) => {
        const at = command.kind === "start" ? command.process?.pid : undefined;
        return status(`${note(runId, at)} ${at}`);
      }),
    exhausted: async (_project, item) => {
      const { runId, process } = item as ExhaustedInput;
      return status(`${note(runId, process?.pid)} ${process?.pid}`);
    },
  });
  const one = fc.record({ run: fc.integer({ min: 1, max: 4 }), limited: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 12 }), async (drawn) => {
      seen.clear();
      const items = drawn.map(({ run, limited }, pid) => ({
        ...of(run),
        kind: limited ? "exhausted" : "start",
        process: { pid },
      }));
      const { body } = await ask(app, key, "POST /v1/reports", { body: { items } });
      const said = body.results.map((result: { run: { id: string } }) => result.run.id);
      expect(said).toEqual(drawn.map(({ run }, at) => `${uuid(run)} ${at}`));
      for (const order of seen.values()) expect(order).toEqual(order.toSorted((a, b) => a - b));
    }),
    { numRuns: 200 },
  );
});

const twin = `POST /v1/runs/${of(1).run_id}/exhausted`;

/** What the engine is given for a report of the single-run twin. */
async function given(report: unknown): Promise<ExhaustedInput> {
  const { app, limits } = noted();
  const text = typeof report === "string" ? report : JSON.stringify(report);
  const body = text.replace("{", `{"attempt_id": "${fence.attempt_id}", "fencing_token": 1,`);
  const reply = await ask(app, key, twin, { body });
  expect(reply.status, reply.text).toBe(200);
  const [limit] = limits;
  if (limit === undefined) throw new Error("the engine was not asked");
  return limit;
}

describe("the single-run twin", () => {
  test("hands on everything a worker knows, with checkpoint and process", async () => {
    const report = {
      status: 429,
      headers: { "retry-after": "30" },
      message: "slow down",
      provider: "anthropic",
      reason: "rate_limit",
      recovery_at: "2026-01-31T09:00:00+01:00",
      recovery_in_ms: 30_000,
      scope: "model",
      model: "opus",
    } satisfies LimitReport;
    const limit = await given({ ...report, checkpoint: { page: 2 }, process: { exit_code: 1 } });
    expect(limit).toEqual({
      runId: uuid(1),
      fence: { attemptId: uuid(9), token: 1 },
      report: { ...report, recovery_at: "2026-01-31T08:00:00.000Z" },
      checkpoint: { page: 2 },
      process: { exitCode: 1 },
    });
  });

  test("a report that says nothing is a report", async () => {
    expect((await given(`{"status": null}`)).report).toEqual({ status: null });
  });

  test("headers: numbers become text, what else is no text is dropped", async () => {
    const headers = { "retry-after": 30, a: "x", b: null, c: ["y"], d: { e: 1 }, f: true };
    expect((await given({ headers })).report).toEqual({
      headers: { "retry-after": "30", a: "x" },
    });
  });

  test.each([[null], [[]], [["retry-after", "30"]], ["retry-after: 30"], [7]])(
    "headers %j are none",
    async (headers) => {
      expect((await given({ headers, message: "m" })).report).toEqual({ message: "m" });
    },
  );

  test("more headers than any provider sends are cut", async () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`h${n}`, "x"]));
    const { headers = {} } = (await given({ headers: many })).report;
    expect(Object.keys(headers)).toHaveLength(200);
  });

  test("a hostile header name touches no prototype", async () => {
    const { headers } = (await given(`{"headers": {"__proto__": {"x": 1}, "constructor": "y"}}`))
      .report;
    expect(headers).toEqual({ constructor_: "y" });
    expect({}).not.toHaveProperty("x");
  });

  test.each([
    ["an object", { error: { type: "overloaded" } }, '{"error":{"type":"overloaded"}}'],
    ["a number", 7, "7"],
    ["NUL and half a surrogate pair", "a\u0000\ud800", "a␀\ufffd"],
  ])("a message that is %s becomes text", async (_name, message, text) => {
    expect((await given({ message })).report).toEqual({ message: text });
  });

  test("a message is cut to 1 MiB, and null is none", async () => {
    const { message = "" } = (await given({ message: `x${"😀".repeat(1024 * 1024)}` })).report;
    expect(message).toHaveLength(1024 * 1024);
    expect(message.isWellFormed()).toBe(true);
    expect((await given({ message: null })).report).toEqual({});
  });

  test.each([
    ["past", "2001-01-01T00:00:00Z", "2001-01-01T00:00:00.000Z"],
    ["before 1970", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
    ["far", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
    ["beyond the last", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.999Z"],
  ])("an instant that is %s is taken", async (_name, sent, taken) => {
    expect((await given({ recovery_at: sent })).report).toEqual({ recovery_at: taken });
  });

  test.each([
    "soon",
    "",
    "2026-02-30T00:00:00Z",
    "2026-01-01",
    "2026-01-01T00:00:00",
    1_767_225_600,
    null,
    {},
  ])("%j is no instant, and counts as absent", async (recovery_at) => {
    expect((await given({ recovery_at })).report).toEqual({});
  });

  test("a checkpoint that is too large is left out, and the limit is reported", async () => {
    const limit = await given({ checkpoint: "c".repeat(300_000), status: 429 });
    expect(limit).not.toHaveProperty("checkpoint");
    expect(limit.report).toEqual({ status: 429 });
  });

  test.each([
    ["reason", "tired"],
    ["scope", "planet"],
    ["status", "429"],
    ["recovery_in_ms", "soon"],
    ["model", " opus"],
    ["model", 7],
    ["provider", 7],
    ["colour", "red"],
  ])("the worker's own words are checked: %s %j", async (field, value) => {
    const { app, calls } = noted();
    const reply = await ask(app, key, twin, { body: { ...fence, [field]: value } });
    expect([reply.status, reply.body.errors[0].field]).toEqual([400, field]);
    expect(calls).toEqual([]);
  });
});

describe("for an account alone", () => {
  test("is cleaned in the same way; the name may hold a slash", async () => {
    const asked: unknown[] = [];
    const { app } = doors({
      reportExhaustion: async (_project, name, report) => {
        asked.push([name, report]);
        return refuse("unavailable", "Not today.");
      },
    });
    const line = "POST /v1/accounts/anthropic%2Fmax-1/exhausted";
    const body = { headers: { "retry-after": 30, x: null }, message: "no\u0000", status: 429 };
    expect((await ask(app, key, line, { body })).status).toBe(503);
    const report = { headers: { "retry-after": "30" }, message: "no␀", status: 429 };
    expect(asked).toEqual([["anthropic/max-1", report]]);
    expect((await ask(app, key, line.replace("%2F", "/"))).status).toBe(404);
  });
});
