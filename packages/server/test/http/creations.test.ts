// Idempotency-Key on what is created besides runs: done once, answered alike, kept sealed where the
// answer holds a secret.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routesOf } from "../../src/http/routes/index.ts";
import { withClient } from "../setup/database.ts";
import { ask, openScene } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

let keys = 0;
const aKey = (): string => `key-${++keys}`;
const post = (key: string, url: string, body: object, as = scene.keys.admin): Promise<Reply> =>
  ask(scene.app, as, `POST ${url}`, { body, headers: { "idempotency-key": key } });
const allowance = { scope: "project", metric: "runs", limit: 5, window: "day" };
const count = async (url: string): Promise<number> =>
  (await ask(scene.app, scene.keys.admin, `GET ${url}?limit=100`)).body.items.length;
const stored = <T>(columns: string, key: string): Promise<T> =>
  withClient(scene.connection, async (client) => {
    const text = `select ${columns} from signalbox.idempotency where key = $1`;
    return (await client.query(text, [key])).rows[0] as T;
  });

test("every route that creates keeps its answer, or has a key of its own, or says why not", () => {
  const creating = routesOf("0", () => ({})).filter(({ responses }) => 201 in responses);
  const without = creating.filter(({ keeps }) => keeps === undefined);
  // A run's key is the run's; a login is worth ten minutes; a session is begun by a single use; a
  // run is redriven once, whoever asks again is told of it.
  expect(without.map(({ operationId }) => operationId).toSorted()).toEqual([
    "createLogin",
    "openSession",
    "redriveRun",
    "submitRun",
  ]);
});

test("the same key and body get the same answer, and one thing is made", async () => {
  const key = aKey();
  const before = await count("/v1/allowances");
  const first = await post(key, "/v1/allowances", allowance);
  const second = await post(key, "/v1/allowances", { ...allowance });
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.body).toEqual(first.body);
  expect(second.headers["idempotency-replayed"]).toBe("true");
  expect(await count("/v1/allowances")).toBe(before + 1);
});

test("another body or address under the key is refused", async () => {
  const key = aKey();
  await post(key, "/v1/allowances", allowance);
  const other = await post(key, "/v1/allowances", { ...allowance, limit: 6 });
  expect([other.status, other.body.code]).toEqual([422, "idempotency_mismatch"]);
  const made = async (): Promise<string> =>
    (await post(aKey(), "/v1/keys", { name: "k", roles: ["viewer"] })).body.id;
  const [one, two] = [await made(), await made()];
  const rotation = aKey();
  expect((await post(rotation, `/v1/keys/${one}/rotate`, {})).status).toBe(201);
  expect((await post(rotation, `/v1/keys/${two}/rotate`, {})).status).toBe(422);
});

test("fifty at once make one thing; others get its answer, or are told that it runs", async () => {
  const key = aKey();
  const before = await count("/v1/allowances");
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => post(key, "/v1/allowances", allowance)),
  );
  expect(await count("/v1/allowances")).toBe(before + 1);
  const good = replies.filter(({ status }) => status === 201);
  expect(new Set(good.map(({ text }) => text)).size).toBe(1);
  const others = replies.filter(({ status }) => status !== 201);
  for (const { status, body } of others) {
    expect([status, body.code]).toEqual([409, "idempotency_in_progress"]);
  }
});

test("a refusal gives the key back: nothing happened", async () => {
  const key = aKey();
  const slot = { agent: "ada", type: "work", starts_at: "2030-01-01T08:00:00Z" };
  const wrong = await post(key, "/v1/slots", { ...slot, ends_at: "2029-01-01T08:00:00Z" });
  expect(wrong.status).toBe(400);
  expect(await stored("1", key)).toBeUndefined();
  const right = await post(key, "/v1/slots", { ...slot, ends_at: "2030-01-01T09:00:00Z" });
  expect(right.status).toBe(201);
});

test("a request that came to no answer stays in doubt and is not done again", async () => {
  const key = aKey();
  await post(key, "/v1/allowances", allowance);
  const age = async (past: string): Promise<void> =>
    withClient(scene.connection, async (client) => {
      await client.query(
        `update signalbox.idempotency set status = null, response = null,
           at = clock_timestamp() - $2::interval where key = $1`,
        [key, past],
      );
    });
  await age("10 seconds");
  expect((await post(key, "/v1/allowances", allowance)).body.code).toBe("idempotency_in_progress");
  await age("2 minutes");
  const doubt = await post(key, "/v1/allowances", allowance);
  expect([doubt.status, doubt.body.code]).toEqual([409, "idempotency_in_doubt"]);
  await age("8 days");
  expect((await post(key, "/v1/allowances", allowance)).status).toBe(201);
});

test("a key stands for one request per project and route", async () => {
  const key = aKey();
  expect((await post(key, "/v1/allowances", allowance)).status).toBe(201);
  expect((await post(key, "/v1/keys", { name: "k", roles: ["viewer"] })).status).toBe(201);
  const body = { name: "elsewhere" };
  const project = await post(key, "/v1/projects", body, scene.keys.owner);
  expect(project.status).toBe(201);
  expect((await post(key, "/v1/projects", body, scene.keys.owner)).body).toEqual(project.body);
  const headers = { "idempotency-key": key, "signalbox-project": "elsewhere" };
  const other = await ask(scene.app, scene.keys.owner, "POST /v1/allowances", {
    body: { ...allowance, limit: 7 },
    headers,
  });
  expect(other.status).toBe(201);
});

test("a key that is none is refused by name", async () => {
  const reply = await post("x".repeat(300), "/v1/allowances", allowance);
  expect([reply.status, reply.body.errors[0].field]).toEqual([400, "Idempotency-Key"]);
});

describe("an answer that holds a secret", () => {
  const body = { name: "sealed", roles: ["viewer"] };

  test("is given again to the key that asked, and lies nowhere in clear", async () => {
    const key = aKey();
    const first = await post(key, "/v1/keys", body);
    const again = await post(key, "/v1/keys", body);
    expect(again.body).toEqual(first.body);
    const columns = "response, idempotency::text as whole";
    const row = await stored<{ response: unknown; whole: string }>(columns, key);
    expect(row.response).toBeNull();
    const secret = String(first.body.key).slice(-43);
    expect(row.whole).not.toContain(secret);
    expect(row.whole).not.toContain(Buffer.from(secret).toString("hex"));
  });

  test("is not given to another key, though it may do the same", async () => {
    const key = aKey();
    await post(key, "/v1/keys", body);
    const made = (await post(aKey(), "/v1/keys", { name: "b", roles: ["admin"] })).body.key;
    const other = await post(key, "/v1/keys", body, made);
    expect([other.status, other.body.code]).toEqual([422, "idempotency_mismatch"]);
    expect(other.text).not.toContain("sbx_");
  });
});
