// A worker over HTTP, with the real engine: the batches, the twins that curl uses, stale tokens,
// and everything an agent may emit without hiding its outcome.

import type { Claim } from "@signalbox/sdk";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, openScene, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/w1", {
    body: { runners: ["default"] },
  });
});
afterAll(async () => {
  await scene?.close();
});

let queues = 0;
/** A run of its own queue, claimed by `w1`. */
async function claimed(submission: object = {}): Promise<Claim> {
  const queue = `q${(queues += 1)}`;
  await submitted(scene, { ...submission, queue });
  const body = { runtime: "w1", free: 1, queues: [queue], lease_ms: 600_000 };
  const reply = await ask(scene.app, scene.keys.worker, "POST /v1/claims", { body });
  expect(reply.body.claims).toHaveLength(1);
  return reply.body.claims[0];
}

const fenceOf = ({ attempt_id, fencing_token }: Claim) => ({ attempt_id, fencing_token });
const namesOf = (claim: Claim) => ({ run_id: claim.run.id, ...fenceOf(claim) });
const work = (line: string, body: unknown): Promise<Reply> =>
  ask(scene.app, scene.keys.worker, line, { body });
const own = (claim: Claim, verb: string, body: object = {}): Promise<Reply> =>
  ask(scene.app, claim.attempt_key, `POST /v1/runs/${claim.run.id}/${verb}`, {
    body: { ...fenceOf(claim), ...body },
  });
const runOf = async ({ run }: Claim) =>
  (await ask(scene.app, scene.keys.viewer, `GET /v1/runs/${run.id}`)).body;
const eventsOf = async ({ run }: Claim, query = "") =>
  (await ask(scene.app, scene.keys.viewer, `GET /v1/runs/${run.id}/events?${query}`)).body;

describe("with curl", () => {
  test("a run goes from claim to completion with its attempt's key alone", async () => {
    const claim = await claimed({ input: { n: 1 } });
    expect((await own(claim, "start", { process: { pid: 7, host: "box" } })).body.state).toBe(
      "running",
    );
    const events = [{ type: "log.line", producer_seq: 1, data: { text: "hi" } }];
    expect((await own(claim, "events", { events })).body).toEqual({ last_seq: "4", stored: 1 });
    const beat = await own(claim, "heartbeat", { checkpoint: { page: 2 } });
    expect(beat.body).toMatchObject({
      leases: [{ run_id: claim.run.id, ok: true }],
      directives: [],
    });
    expect((await own(claim, "await_tool", { tool: "browser" })).body.state).toBe("waiting_tool");
    expect((await own(claim, "resume")).body.state).toBe("running");
    const usage = { input_tokens: 3, cost_micros: 5 };
    const done = await own(claim, "complete", {
      output: { ok: true },
      usage,
      metadata: { pr: 42 },
    });
    expect(done.body).toMatchObject({ id: claim.run.id, state: "completed" });
    expect(await runOf(claim)).toMatchObject({
      output: { ok: true },
      checkpoint: { page: 2 },
      usage,
      metadata: { pr: 42 },
    });
    const attempts = await ask(
      scene.app,
      scene.keys.viewer,
      `GET /v1/runs/${claim.run.id}/attempts`,
    );
    expect(attempts.body.items).toMatchObject([
      { state: "completed", pid: 7, host: "box", number: 1 },
    ]);
    const { items } = await eventsOf(claim);
    expect(items.map((one: { seq: string; type: string }) => `${one.seq} ${one.type}`)).toEqual([
      "1 run.submitted",
      "2 run.claimed",
      "3 run.started",
      "4 log.line",
      "5 run.waiting_tool",
      "6 run.resumed",
      "7 run.completed",
    ]);
    expect(items[3]).toMatchObject({
      source: "runner",
      producer_seq: 1,
      actor: `attempt:${items[3].actor.slice(8)}`,
    });
  });

  test("a failure goes back to the line or ends the run", async () => {
    const claim = await claimed();
    const error = { code: "E-TOOL-1", message: "no network", detail: { host: "a" } };
    const retried = await own(claim, "fail", { error });
    expect(retried.body).toMatchObject({ state: "pending", attempts_used: 1 });
    expect(retried.body.not_before).not.toBeNull();
    const other = await claimed();
    expect((await own(other, "fail", { error, retryable: false })).body.state).toBe("failed");
    expect((await runOf(other)).error).toEqual(error);
  });

  test("a run that is given back costs nothing", async () => {
    const claim = await claimed();
    const back = await own(claim, "release", { cause: "shutdown", checkpoint: { at: 3 } });
    expect(back.body).toMatchObject({ state: "pending", attempts_used: 0 });
    expect((await runOf(claim)).checkpoint).toEqual({ at: 3 });
  });

  test("a heartbeat tells of a cancel", async () => {
    const claim = await claimed();
    await ask(scene.app, scene.keys.submitter, `POST /v1/runs/${claim.run.id}/cancel`, {
      body: { reason: "enough" },
    });
    const { body } = await own(claim, "heartbeat");
    expect(body.directives).toMatchObject([{ kind: "cancel", run_id: claim.run.id }]);
    expect((await own(claim, "complete", { output: 1 })).body.state).toBe("cancelled");
  });
});

describe("in batches", () => {
  test("reports are answered item by item", async () => {
    const [one, two] = [await claimed(), await claimed()];
    const items = [
      { ...namesOf(one), kind: "start" },
      { ...namesOf(one), kind: "complete", output: 1 },
      { ...namesOf(two), kind: "dance" },
      { ...namesOf(two), kind: "start", outputs: 1 },
      { ...namesOf(two), run_id: "run_none", kind: "start" },
      { ...namesOf(two), fencing_token: 99, kind: "start" },
      { ...namesOf(two), kind: "resume" },
      null,
      { ...namesOf(two), kind: "release" },
    ];
    const { body } = await work("POST /v1/reports", { items });
    const lines = body.results.map(
      (result: { ok: boolean; run?: { state: string }; problem?: { code: string } }) =>
        result.ok ? result.run?.state : result.problem?.code,
    );
    expect(lines).toEqual([
      "running",
      "completed",
      "validation_failed",
      "validation_failed",
      "not_found",
      "stale_fencing_token",
      "invalid_transition",
      "validation_failed",
      "pending",
    ]);
    expect(body.results[2].problem.errors).toEqual([
      { field: "kind", message: expect.stringContaining("complete") },
    ]);
    expect(body.results[3].problem.errors).toEqual([
      { field: "outputs", message: "unknown field" },
    ]);
    expect(body.results[5].problem).toMatchObject({ status: 409, newest: 1, retryable: false });
  });

  test("events are answered item by item", async () => {
    const claim = await claimed();
    const many = (count: number) => Array.from({ length: count }, () => ({ type: "log.line" }));
    const items = [
      {
        ...namesOf(claim),
        events: [{ type: "message.delta", data: { text: "a" } }, { type: "x.mine" }],
      },
      { ...namesOf(claim), events: [{ type: "log.line" }, { type: "run.completed" }] },
      { ...namesOf(claim), events: [] },
      { ...namesOf(claim), events: [{ type: "log.line", data: { text: "x".repeat(61_440) } }] },
    ];
    const { body } = await work("POST /v1/events", { items });
    expect(body.results[0]).toEqual({ ok: true, last_seq: "4", stored: 2 });
    const refused = body.results
      .slice(1)
      .map((one: { problem: { code: string; errors: { field: string }[] } }) => [
        one.problem.code,
        one.problem.errors[0]?.field,
      ]);
    expect(refused).toEqual([
      ["reserved_event_type", "events.1.type"],
      ["validation_failed", "events"],
      ["payload_too_large", "events.0.data"],
    ]);
    const crowd = {
      items: [
        { ...namesOf(claim), events: many(300) },
        { ...namesOf(claim), events: many(201) },
      ],
    };
    const over = await work("POST /v1/events", crowd);
    expect([over.status, over.body.code]).toEqual([413, "too_many_events"]);
  });

  test("a heartbeat renews all leases and names those that are lost", async () => {
    const [one, two] = [await claimed(), await claimed()];
    await own(two, "complete", {});
    const leases = [
      { ...namesOf(one), checkpoint: 1 },
      namesOf(two),
      { ...namesOf(one), run_id: "run_none" },
    ];
    const { body } = await work("POST /v1/heartbeats", { runtime: "w1", leases });
    const by = Object.fromEntries(
      body.leases.map((lease: { run_id: string }) => [lease.run_id, lease]),
    );
    expect(by[one.run.id]).toMatchObject({ ok: true, lease_ms: 600_000 });
    expect(by[two.run.id]).toMatchObject({ ok: false });
    expect(by["run_none"]).toMatchObject({ ok: false, code: "not_found" });
    const huge = { ...namesOf(one), checkpoint: "x".repeat(262_145) };
    const refused = await work("POST /v1/heartbeats", {
      runtime: "w1",
      leases: [namesOf(one), huge],
    });
    expect([refused.status, refused.body.errors[0].field]).toEqual([413, "leases.1.checkpoint"]);
  });

  test("a runtime that is unknown or drains claims nothing", async () => {
    const unknown = await work("POST /v1/claims", { runtime: "nobody", free: 1 });
    expect([unknown.status, unknown.body.code]).toEqual([409, "runtime_unknown"]);
    await work("PUT /v1/runtimes/drained", { state: "draining" });
    const draining = await work("POST /v1/claims", { runtime: "drained", free: 1 });
    expect([draining.status, draining.body.code]).toEqual([409, "runtime_draining"]);
  });

  test("a claim that finds nothing waits, and a submission ends the wait", async () => {
    const queue = "long-poll";
    const waiting = work("POST /v1/claims", {
      runtime: "w1",
      free: 1,
      queues: [queue],
      wait_ms: 30_000,
    });
    await submitted(scene, { queue });
    expect((await waiting).body.claims).toHaveLength(1);
    const none = await work("POST /v1/claims", { runtime: "w1", free: 1, queues: [queue] });
    expect(none.body).toEqual({ claims: [] });
  });
});

describe("a stale token", () => {
  test("is refused by every write with 409 and changes nothing", async () => {
    const old = await claimed();
    await own(old, "release");
    const body = { runtime: "w1", free: 1, queues: [old.run.queue], lease_ms: 600_000 };
    const [fresh] = (await work("POST /v1/claims", body)).body.claims as Claim[];
    expect(fresh?.fencing_token).toBe(2);
    const error = { code: "x", message: "y" };
    const bodies = {
      start: {},
      complete: { output: "stale" },
      fail: { error },
      await_tool: {},
      resume: {},
      heartbeat: { checkpoint: "stale" },
      events: { events: [{ type: "log.line" }] },
    };
    for (const [verb, extra] of Object.entries(bodies)) {
      const line = `POST /v1/runs/${old.run.id}/${verb}`;
      const reply = await work(line, { ...fenceOf(old), ...extra });
      expect([verb, reply.status, reply.body.code]).toEqual([verb, 409, "stale_fencing_token"]);
    }
    expect(await runOf(old)).toMatchObject({ state: "claimed", output: null, fencing_token: 2 });
  });
});

describe("what agents emit", () => {
  test("NUL, lone surrogates and hostile keys are replaced and flagged", async () => {
    const claim = await claimed();
    const data = String.raw`{"text": "a\u0000b\ud800", "__proto__": {"x": 1}, "n": [1e400],
      "constructor": 2}`;
    const { attempt_id, fencing_token } = claim;
    const raw = `{"attempt_id": "${attempt_id}", "fencing_token": ${fencing_token},`;
    const line = (verb: string): string => `POST /v1/runs/${claim.run.id}/${verb}`;
    const told = await work(
      line("events"),
      `${raw} "events": [{"type": "log.line", "data": ${data}}]}`,
    );
    expect(told.body.stored).toBe(1);
    const clean = { text: "a␀b\ufffd", __proto___: { x: 1 }, n: [null], constructor_: 2 };
    const { items } = await eventsOf(claim, "type=log.line");
    expect(items[0].data).toEqual({ ...clean, sanitized: true });
    const done = await work(line("complete"), `${raw} "output": ${data}}`);
    expect(done.body.state).toBe("completed");
    expect(await runOf(claim)).toMatchObject({ output: clean, metadata: { sanitized: true } });
    expect({}).not.toHaveProperty("x");
  });

  test("what needs no cleaning is kept as it is, without a flag", async () => {
    const claim = await claimed();
    const data = { text: "\u001b[31m constructor 😀 \ud83d\ude00", deep: [[[1]]] };
    await own(claim, "events", { events: [{ type: "log.line", data }] });
    await own(claim, "complete", { output: data });
    expect((await eventsOf(claim, "type=log.line")).items[0].data).toEqual(data);
    expect(await runOf(claim)).toMatchObject({ output: data, metadata: {} });
  });

  test("an output that is too large or too deep leaves a note, and the run ends", async () => {
    const large = await claimed();
    const output = "x".repeat(1024 * 1024 + 1);
    expect((await own(large, "complete", { output })).body.state).toBe("completed");
    expect((await runOf(large)).output).toEqual({ truncated: { output: output.length + 2 } });
    const most = await claimed();
    const fits = "x".repeat(1024 * 1024 - 2);
    await own(most, "complete", { output: fits });
    expect((await runOf(most)).output).toBe(fits);
    const deep = await claimed();
    const nested = JSON.parse("[".repeat(65) + "]".repeat(65)) as unknown;
    expect((await own(deep, "complete", { output: nested })).body.state).toBe("completed");
    expect((await runOf(deep)).output).toEqual({ truncated: { output: "too deep" } });
  });

  test("a failure with a large detail and checkpoint is a failure", async () => {
    const claim = await claimed();
    await own(claim, "heartbeat", { checkpoint: "small" });
    const error = { code: "E", message: "m", detail: "d".repeat(300_000) };
    const failed = await own(claim, "fail", {
      error,
      checkpoint: "c".repeat(300_000),
      retryable: false,
    });
    expect(failed.body.state).toBe("failed");
    const { error: kept, checkpoint } = await runOf(claim);
    expect(kept).toEqual({ code: "E", message: "m", detail: { truncated: { detail: 300_002 } } });
    expect(checkpoint).toBe("small");
  });

  test("whatever text comes, the outcome is recorded", async () => {
    const unit = fc.constantFrom(
      "a",
      "\u0000",
      "\ud800",
      "\udfff",
      "\\",
      '"',
      "😀",
      "\u2028",
      "\u001b",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.jsonValue({ stringUnit: unit }),
        fc.string({ unit }),
        async (output, text) => {
          const claim = await claimed();
          const events = [{ type: "log.line", data: { text } }];
          expect((await own(claim, "events", { events })).body.stored).toBe(1);
          expect((await own(claim, "complete", { output })).body.state).toBe("completed");
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("events", () => {
  test("pages go forward and backward by seq, and narrow by type", async () => {
    const claim = await claimed();
    const events = Array.from({ length: 10 }, (_, n) => ({ type: "log.line", data: { n } }));
    await own(claim, "events", { events });
    const seqs = async (query: string) => {
      const { items, next_cursor } = await eventsOf(claim, query);
      return [items.map((one: { seq: string }) => Number(one.seq)), next_cursor];
    };
    expect(await seqs("limit=3")).toEqual([[1, 2, 3], "3"]);
    expect(await seqs("limit=3&cursor=3")).toEqual([[4, 5, 6], "6"]);
    expect(await seqs("after_seq=10")).toEqual([[11, 12], null]);
    expect(await seqs("order=desc&limit=2")).toEqual([[12, 11], "11"]);
    expect(await seqs("order=desc&limit=2&cursor=11")).toEqual([[10, 9], "9"]);
    expect(await seqs("before_seq=3")).toEqual([[1, 2], null]);
    expect(await seqs("type=run.claimed")).toEqual([[2], null]);
  });

  test("the same producer_seq is stored once; other content under it is refused", async () => {
    const claim = await claimed();
    const events = [{ type: "log.line", producer_seq: 1, data: { text: "once" } }];
    await own(claim, "events", { events });
    expect((await own(claim, "events", { events })).body).toEqual({ last_seq: "3", stored: 0 });
    const other = [{ type: "log.line", producer_seq: 1, data: { text: "other" } }];
    const refused = await own(claim, "events", { events: other });
    expect([refused.status, refused.body.code]).toEqual([422, "producer_seq_mismatch"]);
  });
});
