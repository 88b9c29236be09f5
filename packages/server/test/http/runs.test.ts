// Runs over HTTP, with the real engine: submit, again, in batches, list, look, wait, cancel.

import { Signalbox } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

const post = (body: unknown, headers: { [name: string]: string } = {}) =>
  ask(scene.app, scene.keys.submitter, "POST /v1/runs", { body, headers });
const get = (url: string) => ask(scene.app, scene.keys.viewer, `GET ${url}`);

describe("submit", () => {
  test("fills in the defaults", async () => {
    const summary = await submitted(scene);
    expect(summary).toMatchObject({
      state: "pending",
      queue: "default",
      runner: "default",
      priority: 40,
      max_attempts: 3,
      tags: [],
      metadata: {},
    });
    const { body } = await get(`/v1/runs/${summary.id}`);
    expect(body).toMatchObject({
      input: null,
      backoff: { base_ms: 5000, factor: 2, cap_ms: 900_000, jitter: 0.2 },
      on_dependency_failure: "wait",
      depends_on: [],
      last_seq: "1",
    });
  });

  test("keeps every field", async () => {
    const first = await submitted(scene);
    const sent = {
      input: { a: [1, "ü", null], b: { c: -0.5 } },
      queue: "q",
      runner: "r",
      priority: "high",
      not_before: "2091-01-01T00:00:00.000Z",
      deadline_at: "2092-01-01T02:00:00.000Z",
      max_duration_s: 60,
      max_attempts: 5,
      backoff: { base_ms: 10, factor: 3, cap_ms: 100, jitter: 0 },
      requires: ["gpu"],
      agent: "reviewer",
      runtime: "box-1",
      model: "m",
      account: "a/b",
      estimate: { tokens: 5, cost_micros: 7 },
      idempotency_key: "every-field",
      concurrency_key: "repo",
      concurrency_limit: 2,
      depends_on: [first.id],
      on_dependency_failure: "fail",
      parent_run: first.id,
      tags: ["x", "y"],
      metadata: { k: [1] },
      conversation_id: "c1",
      thread_id: "t1",
      workspace_id: "w1",
      bot_id: "b1",
      binding_id: "bi1",
      event_id: "e1",
      authorization: { scope: "read" },
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    const { id } = await submitted(scene, sent);
    const { body } = await get(`/v1/runs/${id}`);
    expect(body).toMatchObject({ ...sent, priority: 60 });
  });

  test("takes the trace context of the header, unless the body has one", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const { body } = await post({}, { traceparent });
    expect((await get(`/v1/runs/${body.id}`)).body.traceparent).toBe(traceparent);
    const broken = await post({}, { traceparent: "nonsense" });
    expect((await get(`/v1/runs/${broken.body.id}`)).body.traceparent).toBeNull();
  });

  test("the same key and body is the same run, whatever the order of its fields", async () => {
    const first = await post({ input: { a: 1, b: 2 }, queue: "idem", idempotency_key: "k1" });
    expect([first.status, first.headers["idempotent-replayed"]]).toEqual([201, undefined]);
    const again = await post({ idempotency_key: "k1", queue: "idem", input: { b: 2, a: 1 } });
    expect([again.status, again.headers["idempotent-replayed"]]).toEqual([200, "true"]);
    expect(again.body.id).toBe(first.body.id);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const header = await post(
      { queue: "idem", input: { a: 1, b: 2 }, traceparent },
      { "idempotency-key": "k1" },
    );
    expect([header.status, header.body.id]).toEqual([200, first.body.id]);
  });

  test("another body under the key is refused", async () => {
    await post({ input: 1, idempotency_key: "k2" });
    const other = await post({ input: 2 }, { "idempotency-key": "k2" });
    expect([other.status, other.body.code]).toEqual([422, "idempotency_mismatch"]);
    const two = await post({ idempotency_key: "k3" }, { "idempotency-key": "k4" });
    expect([two.status, two.body.code]).toEqual([422, "idempotency_mismatch"]);
    const bad = await post({}, { "idempotency-key": "x".repeat(256) });
    expect([bad.status, bad.body.errors[0].field]).toEqual([400, "Idempotency-Key"]);
  });

  test("50 at once under one key are one run", async () => {
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => post({ input: "race" }, { "idempotency-key": "race" })),
    );
    expect(new Set(replies.map(({ body }) => body.id)).size).toBe(1);
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(49);
  });

  test("a batch of 1,000 with references has 1,000 results in order", async () => {
    const items = Array.from({ length: 1000 }, (_, n) => ({
      ref: `r${n}`,
      queue: "bulk",
      input: n,
      ...(n === 0 ? {} : { depends_on: [`#r${n - 1}`] }),
    }));
    const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs/batch", {
      body: { items },
    });
    expect(reply.body.results).toHaveLength(1000);
    expect(
      reply.body.results.every((one: { ok: boolean; created: boolean }) => one.ok && one.created),
    ).toBe(true);
    const last = await get(`/v1/runs/${reply.body.results[999].run.id}`);
    expect(last.body).toMatchObject({ input: 999, depends_on: [reply.body.results[998].run.id] });
  });
});

describe("lists", () => {
  test("pages go newest first, without a gap or a repeat", async () => {
    const made: string[] = [];
    for (let n = 0; n < 7; n++) made.unshift((await submitted(scene, { queue: "pages" })).id);
    const seen: string[] = [];
    let cursor = "";
    for (let page = 0; page < 10; page++) {
      const { body } = await get(`/v1/runs?queue=pages&limit=3${cursor}`);
      seen.push(...body.items.map((run: { id: string }) => run.id));
      expect(body.has_more).toBe(body.next_cursor !== null);
      if (!body.has_more) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen).toEqual(made);
  });

  test("filters narrow the list", async () => {
    const one = await submitted(scene, {
      queue: "f1",
      agent: "ann",
      tags: ["red"],
      thread_id: "t",
      runner: "rr",
    });
    const two = await submitted(scene, { queue: "f1", agent: "bob", tags: ["red", "blue"] });
    const ids = async (query: string): Promise<string[]> => {
      const { body, text } = await get(`/v1/runs?queue=f1&${query}`);
      expect(text).toContain("items");
      return body.items.map((run: { id: string }) => run.id);
    };
    expect(await ids("agent=ann")).toEqual([one.id]);
    expect(await ids("tag=red")).toEqual([two.id, one.id]);
    expect(await ids("tag=blue")).toEqual([two.id]);
    expect(await ids("runner=rr")).toEqual([one.id]);
    expect(await ids("thread_id=t")).toEqual([one.id]);
    expect(await ids("thread_id=(none)")).toEqual([two.id]);
    expect(await ids("state=pending&state=running")).toEqual([two.id, one.id]);
    expect(await ids("state=completed,failed")).toEqual([]);
    expect(await ids("created_after=2091-01-01T00:00:00Z")).toEqual([]);
    expect(await ids("created_before=2091-01-01T00:00:00Z")).toEqual([two.id, one.id]);
    expect(await ids(`text=${one.id}`)).toEqual([one.id]);
    expect(await ids("error_code=E-1")).toEqual([]);
  });

  test("an authorization is in the record and never in a list", async () => {
    const { id } = await submitted(scene, { queue: "auth", authorization: { token: "tkn" } });
    expect((await get(`/v1/runs/${id}`)).body.authorization).toEqual({ token: "tkn" });
    expect((await get("/v1/runs?queue=auth")).text).not.toContain("tkn");
  });

  test("children, attempts and events of a run that has none", async () => {
    const { id } = await submitted(scene, { queue: "alone" });
    expect((await get(`/v1/runs/${id}/children`)).body.items).toEqual([]);
    expect((await get(`/v1/runs/${id}/attempts`)).body.items).toEqual([]);
    const child = await submitted(scene, { parent_run: id });
    expect((await get(`/v1/runs/${id}/children`)).body.items[0].id).toBe(child.id);
    const events = (await get(`/v1/runs/${id}/events`)).body;
    expect(events.items.map((one: { type: string }) => one.type)).toEqual(["run.submitted"]);
    expect(events.items[0]).toMatchObject({ seq: "1", actor: expect.stringMatching(/^key:/) });
  });
});

describe("the end", () => {
  test("cancel ends a pending run once, and a waiting client hears it", async () => {
    const { id } = await submitted(scene, { queue: "end" });
    const waiting = get(`/v1/runs/${id}/wait?timeout_ms=30000`);
    const cancelled = await ask(scene.app, scene.keys.submitter, `POST /v1/runs/${id}/cancel`, {
      body: { reason: "superseded" },
    });
    expect(cancelled.body).toMatchObject({ id, state: "cancelled", end_cause: "cancel" });
    expect((await waiting).body).toMatchObject({ state: "cancelled", status_reason: "superseded" });
    const again = await ask(scene.app, scene.keys.submitter, `POST /v1/runs/${id}/cancel`);
    expect([again.status, again.body.code]).toEqual([409, "already_terminal"]);
    const killed = await ask(scene.app, scene.keys.submitter, `POST /v1/runs/${id}/kill`, {
      body: { reason: "twice" },
    });
    expect([killed.status, killed.body.code]).toEqual([409, "already_terminal"]);
  });

  test("a wait that is over answers with the run as it is", async () => {
    const { id } = await submitted(scene, { queue: "end" });
    expect((await get(`/v1/runs/${id}/wait?timeout_ms=0`)).body.state).toBe("pending");
  });

  test("kill ends it with its reason; explain has words for it", async () => {
    const { id } = await submitted(scene, { queue: "end" });
    expect((await get(`/v1/runs/${id}/explain`)).body).toMatchObject({
      run_id: id,
      state: "pending",
    });
    await ask(scene.app, scene.keys.operator, `POST /v1/runs/${id}/kill`, {
      body: { reason: "leak" },
    });
    const { body } = await get(`/v1/runs/${id}`);
    expect(body).toMatchObject({ state: "cancelled", end_cause: "kill", status_reason: "leak" });
  });
});

test("the client of the SDK finds its way through these doors", async () => {
  const url = await scene.app.listen({ host: "127.0.0.1", port: 0 });
  const client = new Signalbox({ url, key: scene.keys.admin });
  const handle = await client.runs.submit({ queue: "sdk", input: { n: 1 } });
  const seen: string[] = [];
  const following = (async () => {
    for await (const event of client.runs.follow(handle.id)) seen.push(event.type);
  })();
  await client.runs.cancel(handle.id, { reason: "enough" });
  await following;
  expect(seen).toEqual(["run.submitted", "run.cancelled"]);
  await expect(client.runs.get("run_nothing")).rejects.toMatchObject({
    status: 404,
    code: "not_found",
  });
  const refused = client.runs.submit({ priority: 200 });
  await expect(refused).rejects.toMatchObject({ status: 400, errors: [{ field: "priority" }] });
});
