// Streams whose key or session ends while they are open: they are cut at the next ping, and what
// comes back is refused. Streams of a key that is good go on.
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHttp } from "../../src/http/server.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { ask, openScene } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
let app: FastifyInstance;
let url = "";
beforeAll(async () => {
  scene = await openScene();
  const streams = { pingMs: 20 };
  app = createHttp(scene.engine, { logger: silentLogger, version: "1.2.3", streams });
  url = await app.listen({ host: "127.0.0.1", port: 0 });
  await ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/w1");
});
afterAll(async () => {
  await app?.close();
  await scene?.close();
});

type Headers = { readonly [name: string]: string };
type Open = { readonly pings: (n: number) => Promise<void>; readonly cut: Promise<void> };

/** Opens a stream; `cut` resolves when the server has ended it, whichever way. */
async function open(path: string, headers: Headers): Promise<Open> {
  const sent = { accept: "text/event-stream", ...headers };
  const response = await fetch(`${url}${path}`, { headers: sent });
  expect(response.status).toBe(200);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  let told = (): void => {};
  const read = async (): Promise<void> => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += new TextDecoder().decode(part.value);
      told();
    }
  };
  const count = (): number => text.split(": ping").length - 1;
  const pings = async (n: number): Promise<void> => {
    const least = count() + n;
    while (count() < least) await new Promise<void>((resolve) => (told = resolve));
  };
  return { pings, cut: read().catch(() => {}) };
}

const newKey = async (role: string): Promise<{ id: string; key: string }> => {
  const body = { name: "mortal", roles: [role] };
  return (await ask(scene.app, scene.keys.admin, "POST /v1/keys", { body })).body;
};
const withKey = (key: string): Headers => ({ authorization: `Bearer ${key}` });

async function login(key: string): Promise<{ id: string; headers: Headers }> {
  const { code } = (await ask(scene.app, key, "POST /v1/logins")).body;
  const { host } = new URL(url);
  const options = { body: { code }, headers: { host } };
  const reply = await ask(app, null, "POST /v1/sessions", options);
  const cookie = String(reply.headers["set-cookie"]).split(";")[0] ?? "";
  return { id: reply.body.id, headers: { cookie } };
}

test.each([
  ["the feed", "/v1/events", "viewer"],
  ["directives", "/v1/runtimes/w1/directives", "worker"],
])("%s: cut when the key is revoked, and only then", async (_name, path, role) => {
  const { id, key } = await newKey(role);
  const [stream, other] = await Promise.all([
    open(path, withKey(key)),
    open(path, withKey(scene.keys.admin)),
  ]);
  await stream.pings(3);
  await ask(scene.app, scene.keys.admin, `POST /v1/keys/${id}/revoke`);
  await stream.cut;
  expect((await fetch(`${url}${path}`, { headers: withKey(key) })).status).toBe(401);
  await other.pings(3);
});

test("cut when the session is ended, or the key that it came from", async () => {
  const { id, key } = await newKey("viewer");
  const [one, two] = [await login(key), await login(key)];
  const first = await open("/v1/events", one.headers);
  const second = await open("/v1/events", two.headers);
  await ask(scene.app, scene.keys.admin, `POST /v1/sessions/${one.id}/end`);
  await first.cut;
  await second.pings(3);
  await ask(scene.app, scene.keys.admin, `POST /v1/keys/${id}/revoke`);
  await second.cut;
});

test("a session that only listens is not kept from ending by that", async () => {
  const { headers } = await login(scene.keys.viewer);
  const stream = await open("/v1/events", headers);
  await scene.engine.parts.uses.settled();
  const seen = async (): Promise<unknown> => {
    const { body } = await ask(scene.app, scene.keys.admin, "GET /v1/sessions?limit=100");
    return body.items.at(-1).seen_at;
  };
  const before = await seen();
  await stream.pings(5);
  await scene.engine.parts.uses.settled();
  expect(await seen()).toBe(before);
});
