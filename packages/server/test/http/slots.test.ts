// Slots over HTTP, with the real engine: planned, started, ended, skipped.

import type { Run, Slot } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromTypeId } from "../../src/std/ids.ts";
import { ask, must, openScene } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

const operate = (line: string, body: unknown = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.operator, line, { body });
const work = (line: string, body: unknown = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.worker, line, { body });
const read = (line: string): Promise<Reply> => ask(scene.app, scene.keys.viewer, line);

const HOUR_MS = 3_600_000;
const inHours = (hours: number): string => new Date(Date.now() + hours * HOUR_MS).toISOString();

/** A slot of tomorrow, so that no sweep comes between. */
async function planned(input: object = {}): Promise<Slot> {
  const body = { agent: "a", type: "work", starts_at: inHours(24), ends_at: inHours(26), ...input };
  const reply = await operate("POST /v1/slots", body);
  expect(reply.status, reply.text).toBe(201);
  return reply.body;
}

describe("a slot", () => {
  test("is shown as it was planned", async () => {
    const [starts_at, ends_at] = [inHours(24), inHours(25)];
    const content = { room: 7 };
    const made = await planned({
      type: "on_call",
      title: "night",
      priority: 60,
      starts_at,
      ends_at,
      content,
    });
    expect(made).toMatchObject({
      id: expect.stringMatching(/^slt_/),
      agent: "a",
      type: "on_call",
      title: "night",
      priority: 60,
      status: "not_started",
      starts_at,
      ends_at,
      started_at: null,
      ended_at: null,
      content,
      run: null,
      run_id: null,
    });
    expect((await read(`GET /v1/slots/${made.id}`)).body).toEqual(made);
    expect((await planned()).priority).toBe(40);
  });

  test.each([
    ["ends before it starts", { starts_at: inHours(2), ends_at: inHours(1) }, "ends_at"],
    [
      "has no length",
      { starts_at: "2091-01-01T00:00:00Z", ends_at: "2091-01-01T00:00:00Z" },
      "ends_at",
    ],
    ["is over", { starts_at: inHours(-2), ends_at: inHours(-1) }, "ends_at"],
    ["lasts for years", { starts_at: inHours(1), ends_at: inHours(20_000) }, "ends_at"],
    ["starts at no instant", { starts_at: "2016-12-31T23:59:60Z" }, "starts_at"],
    ["starts before 1970", { starts_at: "0001-01-01T00:00:00Z" }, "starts_at"],
    ["has a run that ends before it", { run: { deadline_at: inHours(1) } }, "run.deadline_at"],
  ])("that %s is refused", async (_name, change, field) => {
    const body = { agent: "a", type: "work", starts_at: inHours(24), ends_at: inHours(26) };
    const reply = await operate("POST /v1/slots", { ...body, ...change });
    expect([reply.status, reply.body.code]).toEqual([400, "validation_failed"]);
    expect(reply.body.errors.map((one: { field: string }) => one.field)).toContain(field);
  });

  test("is started and finished by a worker; repeating either changes nothing", async () => {
    const { id } = await planned({ agent: "starter" });
    for (let n = 0; n < 2; n++) {
      const { body } = await work(`POST /v1/slots/${id}/start`);
      expect(body).toMatchObject({ status: "ongoing", ended_at: null });
      expect(body.started_at).not.toBeNull();
    }
    const agent = (await read("GET /v1/agents/starter")).body;
    expect(agent.slot).toMatchObject({ id, type: "work" });
    const once = (await work(`POST /v1/slots/${id}/finish`, { reason: "done" })).body;
    expect(once).toMatchObject({ status: "finished" });
    expect((await work(`POST /v1/slots/${id}/finish`)).body).toEqual(once);
    expect((await read("GET /v1/agents/starter")).body.slot).toBeNull();
  });

  test("that is over does not start again, nor does one that was skipped", async () => {
    const skipped = await planned();
    const { body } = await operate(`POST /v1/slots/${skipped.id}/skip`, { reason: "holiday" });
    expect(body).toMatchObject({ status: "skipped", reason: "holiday" });
    const aborted = await planned({ agent: "breaker" });
    await work(`POST /v1/slots/${aborted.id}/start`);
    const end = await work(`POST /v1/slots/${aborted.id}/abort`, { reason: "nothing to do" });
    expect(end.body).toMatchObject({ status: "aborted", reason: "nothing to do" });
    for (const { id } of [skipped, aborted]) {
      const again = await work(`POST /v1/slots/${id}/start`);
      expect([again.status, again.body.code]).toEqual([409, "invalid_transition"]);
    }
    const early = await planned();
    const finish = await work(`POST /v1/slots/${early.id}/finish`);
    expect([finish.status, finish.body.code]).toEqual([409, "invalid_transition"]);
  });

  test("with a run submits it when it starts, once, for its agent", async () => {
    const { id } = await planned({ agent: "runner", run: { input: { n: 7 }, tags: ["planned"] } });
    const started = (await work(`POST /v1/slots/${id}/start`)).body;
    expect(started).toMatchObject({ status: "ongoing", run: { input: { n: 7 } } });
    expect(started.run_id).toMatch(/^run_/);
    const run: Run = (await read(`GET /v1/runs/${started.run_id}`)).body;
    expect(run).toMatchObject({ agent: "runner", input: { n: 7 }, state: "pending" });
    expect((await work(`POST /v1/slots/${id}/start`)).body.run_id).toBe(started.run_id);
    expect((await read("GET /v1/runs?tag=planned")).body.items).toHaveLength(1);
    const finish = await work(`POST /v1/slots/${id}/finish`);
    expect([finish.status, finish.body.code]).toEqual([409, "invalid_transition"]);
    await work(`POST /v1/slots/${id}/abort`, { reason: "not today" });
    const ended = (await read(`GET /v1/runs/${started.run_id}`)).body;
    expect(ended.state).toBe("cancelled");
  });
});

test("a list is narrowed and paged without a gap or a repeat", async () => {
  const made: string[] = [];
  for (let n = 0; n < 5; n++) made.push((await planned({ agent: "listed" })).id);
  await operate(`POST /v1/slots/${made[0]}/skip`);
  const seen: string[] = [];
  let cursor = "";
  for (let page = 0; page < 20; page++) {
    const { body } = await read(`GET /v1/slots?agent=listed&limit=2${cursor}`);
    seen.push(...body.items.map(({ id }: Slot) => id));
    if (!body.has_more) break;
    cursor = `&cursor=${body.next_cursor}`;
  }
  expect(seen.toSorted()).toEqual(made.toSorted());
  const skipped = (await read("GET /v1/slots?agent=listed&status=skipped")).body.items;
  expect(skipped.map(({ id }: Slot) => id)).toEqual([made[0]]);
});

test("a slot of another project is not found", async () => {
  const { id } = await planned();
  const origin = { actor: "test", requestId: "t", traceparent: null };
  const other = must(await scene.engine.createProject("other", origin));
  const otherId = fromTypeId("prj", other.id) ?? "";
  const input = { name: "k", roles: ["admin" as const], expiresAt: null };
  const { key } = must(await scene.engine.createKey(otherId, input, origin));
  const verbs = ["start", "finish", "abort", "skip"].map((verb) => `POST /v1/slots/${id}/${verb}`);
  for (const line of [`GET /v1/slots/${id}`, ...verbs]) {
    expect((await ask(scene.app, key, line)).status, line).toBe(404);
  }
  expect((await ask(scene.app, key, "GET /v1/slots")).body.items).toEqual([]);
});
