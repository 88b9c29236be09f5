// The audit trail: every deed of a person is in it with who, when, what, to what and why; other
// projects' deeds are not; denied attempts are, counted and bounded.
import { afterAll, beforeAll, expect, test } from "vitest";
import { fromTypeId } from "../../src/std/ids.ts";
import { ask, must, openScene, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

type Deed = { type: string; actor: string; reason: string | null; [field: string]: unknown };
const trail = async (query = ""): Promise<Deed[]> => {
  const reply = await ask(scene.app, scene.keys.operator, `GET /v1/audit?limit=100${query}`);
  return reply.body.items;
};
const does = (key: string, line: string, body: object = {}): Promise<Reply> =>
  ask(scene.app, key, line, { body, headers: { "x-request-id": "req-of-the-test" } });

test("what people do is in it, with who, why, to what, and the id of the request", async () => {
  const { keys } = scene;
  const run = await submitted(scene);
  await does(keys.operator, "POST /v1/queues/q/pause", { reason: "the provider is down" });
  await does(keys.operator, `POST /v1/runs/${run.id}/kill`, { reason: "it deletes branches" });
  await does(keys.operator, "PUT /v1/agents/ada", { max_concurrent: 1 });
  await does(keys.operator, "POST /v1/agents/ada/pause", { reason: "its prompt changes" });
  await does(keys.operator, "PUT /v1/accounts/max-1", { provider: "anthropic" });
  await does(keys.operator, "PUT /v1/accounts/max-1", { provider: "anthropic" });
  await does(keys.admin, "POST /v1/keys", { name: "k", roles: ["viewer"] });
  await does(keys.approver, "POST /v1/logins");
  await does(keys.operator, "POST /v1/stop", { reason: "all of it" });
  await does(keys.operator, "POST /v1/resume", { reason: "done" });
  const deeds = await trail();
  const mine = deeds.filter((one) => one["request_id"] === "req-of-the-test");
  expect(mine.map(({ type, reason, actor_name: by }) => [type, by, reason])).toEqual([
    ["project.resumed", "operator", "done"],
    ["project.stopped", "operator", "all of it"],
    ["login.created", "approver", null],
    ["key.created", "admin", null],
    ["account.registered", "operator", null],
    ["agent.paused", "operator", "its prompt changes"],
    ["agent.registered", "operator", null],
    ["run.cancelled", "operator", "it deletes branches"],
    ["queue.paused", "operator", "the provider is down"],
  ]);
  const account = mine.find(({ type }) => type === "account.registered");
  expect(account).toMatchObject({
    target: { stream: "account" },
    data: { name: "max-1", provider: "anthropic", labels: {} },
  });
  const login = mine.find(({ type }) => type === "login.created");
  expect(JSON.stringify(login)).not.toContain("sbl_");
  expect(login).toMatchObject({ data: { session: expect.stringMatching(/^ses_/) } });
  const killed = mine.find(({ type }) => type === "run.cancelled");
  expect(killed?.["target"]).toEqual({ stream: "run", id: run.id });
});

test("what workers do is not in it", async () => {
  await does(scene.keys.worker, "PUT /v1/runtimes/w1");
  await submitted(scene);
  const types = (await trail()).map(({ type }) => type);
  expect(types).not.toContain("runtime.registered");
  expect(types).not.toContain("run.submitted");
});

test("it is filtered by actor, type and time, and paged without a gap", async () => {
  const [stopped] = await trail("&type=project.stopped");
  const actor = String(stopped?.actor);
  expect((await trail(`&actor=${actor}`)).every((one) => one.actor === actor)).toBe(true);
  expect((await trail("&type=queue.paused")).map(({ type }) => type)).toEqual(["queue.paused"]);
  const at = String(stopped?.["at"]);
  const [later, earlier] = [await trail(`&from=${at}`), await trail(`&to=${at}`)];
  expect(later.map(({ type }) => type)).toContain("project.stopped");
  expect(earlier.map(({ type }) => type)).not.toContain("project.stopped");
  const all = (await trail()).map(({ id }) => id);
  expect(later.length + earlier.length).toBe(all.length);
  const paged: unknown[] = [];
  for (let cursor = ""; ;) {
    const url = `GET /v1/audit?limit=2${cursor}`;
    const { body } = await ask(scene.app, scene.keys.operator, url);
    paged.push(...body.items.map(({ id }: Deed) => id));
    if (!body.has_more) break;
    cursor = `&cursor=${body.next_cursor}`;
  }
  expect(paged).toEqual(all);
});

test("of a run there is what was done to it, and nothing else", async () => {
  const [one, other] = [await submitted(scene), await submitted(scene)];
  for (const { id } of [one, other]) {
    await does(scene.keys.operator, `POST /v1/runs/${id}/cancel`, { reason: `not ${id}` });
  }
  const deeds = await trail(`&run=${one.id}`);
  expect(deeds.map(({ type, reason }) => [type, reason])).toContainEqual([
    "run.cancelled",
    `not ${one.id}`,
  ]);
  expect(deeds.map(({ target }) => target)).toEqual(
    deeds.map(() => ({ stream: "run", id: one.id })),
  );
  const wrong = await ask(scene.app, scene.keys.operator, "GET /v1/audit?run=queue_1");
  expect([wrong.status, wrong.body.errors[0].field]).toEqual([400, "run"]);
});

test("an instant that is none is refused by its name", async () => {
  const reply = await ask(
    scene.app,
    scene.keys.operator,
    "GET /v1/audit?from=2026-02-31T00:00:00Z",
  );
  expect([reply.status, reply.body.errors[0].field]).toEqual([400, "from"]);
});

test("denied attempts are counted, one event however many there are", async () => {
  const { app, keys, engine } = scene;
  for (let n = 0; n < 30; n++) await ask(app, keys.viewer, "GET /v1/keys");
  await ask(app, keys.viewer, "POST /v1/stop", { body: { reason: "x" } });
  await ask(app, keys.viewer, "POST /v1/runs");
  await engine.parts.denials.settled();
  const denied = await trail("&type=access.denied");
  expect(denied.map(({ data, actor_name: by }) => [by, data])).toEqual([
    ["viewer", { operation: "stopProject", permission: "operate", count: 1 }],
    ["viewer", { operation: "listKeys", permission: "administer", count: 1 }],
  ]);
});

test("another project's trail holds nothing of this one", async () => {
  const { engine, app } = scene;
  const origin = { actor: "test", requestId: "t", traceparent: null };
  const other = must(await engine.createProject("other", origin));
  const id = fromTypeId("prj", other.id) ?? "";
  const input = { name: "o", roles: ["operator" as const], expiresAt: null };
  const { key } = await engine.createKey(id, input, origin);
  const { body } = await ask(app, key, "GET /v1/audit");
  expect(body.items.map(({ type }: Deed) => type)).toEqual(["key.created", "project.created"]);
});

test("the owner's keys and sessions have a trail of their own, unseen by projects", async () => {
  const { app, keys } = scene;
  const body = { name: "spare", roles: ["owner"] };
  const made = (await ask(app, keys.owner, "POST /v1/keys", { body })).body;
  const login = await ask(app, keys.owner, "POST /v1/logins");
  await ask(app, null, "POST /v1/sessions", { body: { code: login.body.code } });
  const { items } = (await ask(app, keys.owner, "GET /v1/installation/audit")).body;
  const [opened, linked, created] = items as { type: string; data: { session?: string } }[];
  const types = [opened, linked, created].map((one) => one?.type);
  expect(types).toEqual(["session.opened", "login.created", "key.created"]);
  expect(linked?.data.session).toBe(opened?.data.session);
  expect(created).toMatchObject({ actor_name: "owner", target: null, data: { name: "spare" } });
  expect(JSON.stringify(await trail())).not.toContain(made.prefix);
});
