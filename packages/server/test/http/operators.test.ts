// Operators over HTTP, with the real engine: queues, the emergency stop, keys, runtimes, the feed.

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

const operate = (line: string, body: unknown = {}) =>
  ask(scene.app, scene.keys.operator, line, { body });
const administer = (line: string, body: unknown = {}) =>
  ask(scene.app, scene.keys.admin, line, { body });

describe("queues", () => {
  test("pause and resume are safe to repeat, and a name may hold anything printable", async () => {
    const name = "mail/ü 😀 100%?#";
    await submitted(scene, { queue: name });
    const path = `/v1/queues/${encodeURIComponent(name)}`;
    for (let n = 0; n < 2; n++) {
      const paused = await operate(`POST ${path}/pause`, { reason: "provider is down" });
      expect(paused.body).toMatchObject({ name, pause_reason: "provider is down", pending: 1 });
      expect(paused.body.paused_by).toMatch(/^key:/);
    }
    for (let n = 0; n < 2; n++) {
      const resumed = await operate(`POST ${path}/resume`);
      expect(resumed.body).toMatchObject({ name, paused_at: null, pause_reason: null });
    }
  });

  test("a list is paged at the door", async () => {
    for (const queue of ["a", "b", "c", "d", "e"]) await submitted(scene, { queue });
    const seen: string[] = [];
    let cursor = "";
    for (let page = 0; page < 10; page++) {
      const { body } = await operate(`GET /v1/queues?limit=2${cursor}`);
      seen.push(...body.items.map((one: { name: string }) => one.name));
      if (!body.has_more) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen).toEqual(expect.arrayContaining(["a", "b", "c", "d", "e"]));
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe("the emergency stop", () => {
  test("stands until a person lifts it", async () => {
    await ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/w1");
    await submitted(scene, { queue: "stopped" });
    const claims = async (): Promise<number> => {
      const body = { runtime: "w1", free: 1, queues: ["stopped"] };
      const reply = await ask(scene.app, scene.keys.worker, "POST /v1/claims", { body });
      return reply.body.claims?.length ?? 0;
    };
    const stopped = await operate("POST /v1/stop", { reason: "agents delete branches" });
    expect(stopped.body).toMatchObject({ stop_reason: "agents delete branches" });
    expect(stopped.body.stopped_at).not.toBeNull();
    expect(await claims()).toBe(0);
    const lifted = await operate("POST /v1/resume", { reason: "fixed" });
    expect(lifted.body).toMatchObject({ stopped_at: null, stop_reason: null });
    expect(await claims()).toBe(1);
  });
});

describe("keys", () => {
  test("a key is shown once", async () => {
    const made = await administer("POST /v1/keys", { name: "ci", roles: ["submitter", "viewer"] });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: "ci",
      roles: ["submitter", "viewer"],
      revoked_at: null,
    });
    expect(made.body.key).toMatch(/^sbx_/);
    const list = await administer("GET /v1/keys?limit=100");
    expect(list.text).toContain(made.body.id);
    expect(list.text).not.toContain(made.body.key);
    expect(list.text).not.toContain('"key":');
  });

  test("a key that is not there is 404", async () => {
    for (const id of ["key_01h455vb4pex5vsknk084sn02q", "nothing"]) {
      expect((await administer(`POST /v1/keys/${id}/revoke`)).status).toBe(404);
    }
  });
});

describe("runtimes", () => {
  test("registering again keeps what is absent and clears what is null", async () => {
    const put = (body: object) =>
      ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/box%2F1", { body });
    const first = await put({
      version: "1",
      capabilities: ["gpu"],
      labels: { zone: "a" },
      pid: 7,
      deadline_s: 30,
    });
    expect(first.body).toMatchObject({ name: "box/1", state: "online", deadline_s: 30 });
    const again = await put({ version: "2", labels: null, state: "draining" });
    expect(again.body).toMatchObject({
      id: first.body.id,
      version: "2",
      capabilities: ["gpu"],
      labels: {},
      pid: 7,
      state: "draining",
    });
    expect((await operate("GET /v1/runtimes/box%2F1")).body).toEqual(again.body);
    expect((await operate("GET /v1/runtimes")).body.items).toContainEqual(again.body);
  });
});

describe("the feed", () => {
  test("has every event of the project once, in order, page by page", async () => {
    const feeds: number[] = [];
    let cursor = "";
    for (let page = 0; page < 100; page++) {
      const { body } = await operate(`GET /v1/events?limit=5${cursor}`);
      feeds.push(...body.items.map((one: { feed: string }) => Number(one.feed)));
      if (!body.has_more) break;
      cursor = page % 2 === 0 ? `&cursor=${body.next_cursor}` : `&after_feed=${feeds.at(-1)}`;
    }
    expect(feeds.length).toBeGreaterThan(10);
    expect(feeds).toEqual(feeds.map((_, n) => n + 1));
    const { body } = await operate("GET /v1/events?type=queue.paused");
    expect(body.items).toMatchObject([
      { type: "queue.paused", source: "operator", stream: "queue" },
    ]);
  });
});
