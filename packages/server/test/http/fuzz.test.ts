// Fuzz against the real engine: fields that are right in form and odd in value, in bodies, queries
// and paths. Whatever comes, the answer is below 500, described, and the server goes on.

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { routesOf } from "../../src/http/routes/index.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await ask(scene.app, scene.keys.worker, "PUT /v1/runtimes/w1");
});
afterAll(async () => {
  await scene?.close();
});

const odd = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  1,
  40,
  99,
  1.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  1e308,
  "",
  " ",
  "a",
  "default",
  "high",
  "fail",
  "#a",
  "'; drop table run; --",
  "$1",
  "%s%n",
  "\u202e\u2066",
  "\u0000",
  "\ud800",
  "😀".repeat(150),
  "2091-01-01T00:00:00.000Z",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59-12:00",
  "run_01h455vb4pex5vsknk084sn02q",
  "run_7zzzzzzzzzzzzzzzzzzzzzzzzz",
  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  [],
  ["a", "a"],
  [["a"]],
  {},
  { a: { b: [] } },
  { base_ms: 0, factor: 1, cap_ms: 0, jitter: 0 },
  { tokens: 2 ** 53 - 1 },
);

/** Names of the fields of a body, from the table of routes. */
const fieldsOf = (schema: unknown): string[] =>
  Object.keys((schema as { properties?: object } | undefined)?.properties ?? {});

const routes = routesOf("0", () => ({}));
const withBody = routes.filter(({ body }) => body !== undefined);
const withQuery = routes.filter(({ query, url }) => query !== undefined && !url.endsWith("/wait"));

test("odd submissions", async () => {
  const submit = routes.find(({ operationId }) => operationId === "submitRun");
  const fields = fc.constantFrom(...fieldsOf(submit?.body));
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fields, odd, { maxKeys: 3 }), async (body) => {
      const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs", { body });
      expect(reply.status, reply.text).toBeLessThan(500);
      if (reply.status === 201) {
        const again = await ask(scene.app, scene.keys.viewer, `GET /v1/runs/${reply.body.id}`);
        expect(again.status, again.text).toBe(200);
      }
    }),
    { numRuns: 250 },
  );
});

test("odd bodies of every route", async () => {
  const { id } = await submitted(scene, { queue: "fuzzed" });
  const sent = fc.constantFrom(...withBody).chain((route) =>
    fc.record({
      route: fc.constant(route),
      body: fc.dictionary(fc.constantFrom(...fieldsOf(route.body)), odd, { maxKeys: 4 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(sent, async ({ route, body }) => {
      fc.pre(!["stopProject", "createKey", "createProject"].includes(route.operationId));
      fc.pre(!("wait_ms" in body));
      const line = `${route.method} ${route.url.replace(":id", id).replace(":name", "w1")}`;
      const reply = await ask(scene.app, scene.keys.owner, line, { body });
      expect(reply.status, `${line} ${JSON.stringify(body)} ${reply.text}`).toBeLessThan(500);
    }),
    { numRuns: 300 },
  );
});

test("odd queries and paths", async () => {
  const asked = fc.constantFrom(...withQuery).chain((route) =>
    fc.record({
      route: fc.constant(route),
      id: odd,
      query: fc.dictionary(fc.constantFrom(...fieldsOf(route.query)), odd, { maxKeys: 3 }),
    }),
  );
  const encoded = (value: unknown): string => encodeURIComponent(String(value).toWellFormed());
  await fc.assert(
    fc.asyncProperty(asked, async ({ route, id, query }) => {
      const pairs = Object.entries(query).map(([name, value]) => `${name}=${encoded(value)}`);
      const path = route.url.replace(/:\w+/, encoded(id));
      const line = `GET ${path}?${pairs.join("&")}`;
      const reply = await ask(scene.app, scene.keys.owner, line);
      expect(reply.status, `${line} ${reply.text}`).toBeLessThan(500);
    }),
    { numRuns: 250 },
  );
});

test("and the server is alive", async () => {
  await submitted(scene, { queue: "alive" });
  expect((await ask(scene.app, null, "GET /readyz")).body.ready).toBe(true);
});
