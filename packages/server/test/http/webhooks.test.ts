// Webhooks and retention over HTTP: who may point where, what an answer shows, which field is
// wrong.

import type { Delivery } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openReceiver } from "../engine/receiver.ts";
import type { Receiver } from "../engine/receiver.ts";
import { withClient } from "../setup/database.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
let at: Receiver;
beforeAll(async () => {
  scene = await openScene();
  at = await openReceiver();
});
afterAll(async () => {
  await scene?.close();
  await at?.close();
});

const asAdmin = (line: string, body: object = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.admin, line, { body });
const asOwner = (line: string, body: object = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.owner, line, { body });

describe("making and changing", () => {
  test("the secret is in the answer that made it and in no other", async () => {
    const made = await asAdmin("POST /v1/webhooks", { url: "https://example.org/hook" });
    expect(made.status).toBe(201);
    expect(made.body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { secret, ...rest } = made.body;
    const shown = await asAdmin(`GET /v1/webhooks/${made.body.id}`);
    // Its own `webhook.created` may have been passed on between the two answers.
    const { cursor, feed, pending } = shown.body;
    expect(shown.body).toEqual({ ...rest, cursor, feed, pending });
    const rotated = await asAdmin(`POST /v1/webhooks/${made.body.id}/rotate`, { overlap_s: 60 });
    expect(rotated.body.secret).not.toBe(secret);
    expect(rotated.body.previous_secret_until).not.toBeNull();
    const list = await ask(scene.app, scene.keys.viewer, "GET /v1/webhooks");
    expect(list.text).not.toContain("whsec_");
  });

  test.each([
    [{ url: "http://example.org/" }, "url"],
    [{ url: "https://127.0.0.1/" }, "url"],
    [{ url: "https://2130706433/" }, "url"],
    [{ url: "https://user@example.org/" }, "url"],
    [{ url: "" }, "url"],
    [{ url: "https://example.org/", types: ["run.*", "Run Failed"] }, "types[1]"],
    [{ url: "https://example.org/", secret: "mine" }, "secret"],
  ])("%j is refused by name", async (body, field) => {
    const reply = await asAdmin("POST /v1/webhooks", body);
    expect(reply.status).toBe(400);
    expect(reply.body.errors[0].field).toBe(field);
  });

  test("only the owner allows private addresses and chooses among them", async () => {
    const body = { url: at.url, allow_private: true };
    expect((await asAdmin("POST /v1/webhooks", body)).status).toBe(403);
    const made = await asOwner("POST /v1/webhooks", body);
    expect(made.status).toBe(201);
    const line = `PUT /v1/webhooks/${made.body.id}`;
    expect((await asAdmin(line, { url: "http://127.0.0.1:1/" })).status).toBe(403);
    expect((await asAdmin(line, { types: ["run.failed"] })).status).toBe(200);
    const metadata = { url: "http://169.254.169.254/" };
    expect((await asOwner(line, metadata)).status).toBe(400);
    const tamed = { url: "https://example.org/", allow_private: false };
    expect((await asAdmin(line, tamed)).body.allow_private).toBe(false);
    await asAdmin(`POST /v1/webhooks/${made.body.id}/delete`);
    expect((await asAdmin(`GET /v1/webhooks/${made.body.id}`)).status).toBe(404);
  });

  test("a project has at most a hundred", async () => {
    const other = await asOwner("POST /v1/projects", { name: "many" });
    const headers = { "signalbox-project": other.body.id };
    const make = (): Promise<Reply> =>
      ask(scene.app, scene.keys.owner, "POST /v1/webhooks", {
        // None of them wants what is told of the others.
        body: { url: "https://example.org/", types: ["run.failed"] },
        headers,
      });
    for (let n = 0; n < 100; n++) expect((await make()).status).toBe(201);
    expect((await make()).status).toBe(429);
  });
});

test("a test delivery arrives; its evidence is listed, filtered and sent again", async () => {
  const input = { url: at.url, allow_private: true, types: ["run.submitted"] };
  const { id } = (await asOwner("POST /v1/webhooks", input)).body;
  const arrived = new Promise<string>((resolve) => {
    at.answer = ({ event, headers }) => {
      if (event.type === "webhook.test") resolve(String(headers["webhook-id"]));
      return 202;
    };
  });
  const sent = await asAdmin(`POST /v1/webhooks/${id}/test`);
  expect(sent.status).toBe(201);
  expect(await arrived).toBe(sent.body.id);
  await submitted(scene);
  const again = new Promise<string>((resolve) => {
    at.answer = ({ event }) => {
      if (event.type === "webhook.test") resolve(event.type);
      return 202;
    };
  });
  // Both have arrived; each is marked in its own time.
  const line = `GET /v1/webhooks/${id}/deliveries?state=delivered`;
  const delivered = async (): Promise<Delivery[]> => (await asAdmin(line)).body.items;
  const types = async (): Promise<string[]> =>
    (await delivered()).map(({ type }) => type).toSorted();
  const both = ["run.submitted", "webhook.test"];
  await expect.poll(types, { timeout: 30_000 }).toEqual(both);
  const last = (await delivered()).find(({ type }) => type === "webhook.test") as Delivery;
  expect(last).toMatchObject({ status: 202, excerpt: "noted", tries: 1, type: "webhook.test" });
  expect((await asAdmin(`POST /v1/deliveries/${last.id}/redeliver`)).status).toBe(200);
  expect(await again).toBe("webhook.test");
  const none = await asAdmin(`GET /v1/webhooks/${id}/deliveries?state=failed`);
  expect(none.body.items).toEqual([]);
});

test("retention is set by whoever administers, and shown with the project", async () => {
  const line = "PUT /v1/project/retention";
  expect((await asAdmin(line, { retention_days: 30 })).body.retention_days).toBe(30);
  const shown = await ask(scene.app, scene.keys.viewer, "GET /v1/project");
  expect(shown.body).toMatchObject({ retention_days: 30, feed_floor: "0" });
  expect((await asAdmin(line, { retention_days: null })).body.retention_days).toBeNull();
  const wrong = await asAdmin(line, { retention_days: 0 });
  expect(wrong.status).toBe(400);
  expect(wrong.body.errors[0].field).toBe("retention_days");
});

test("the role that serves requests cannot read a secret, whatever it asks", async () => {
  await withClient(scene.connection, async (client) => {
    await client.query("set role signalbox_app");
    const reading = client.query("select secret from signalbox.webhook_secret");
    await expect(reading).rejects.toThrow("permission denied");
  });
});

test("a webhook made twice under one Idempotency-Key is one, and has one secret", async () => {
  const body = { url: "https://example.org/once" };
  const headers = { "idempotency-key": "once" };
  const post = () => ask(scene.app, scene.keys.admin, "POST /v1/webhooks", { body, headers });
  const first = await post();
  expect(first.status).toBe(201);
  expect((await post()).body).toEqual(first.body);
  await withClient(scene.connection, async (client) => {
    const { rows } = await client.query<{ response: unknown }>(
      "select i.response from signalbox.idempotency i where i.key = 'once'",
    );
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain("whsec_");
  });
});
