// Keys: bound to agents, rotated with and without an overlap, revoked, followed; and those of the
// owner, of which the last one stays.
import type { Claim } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withClient } from "../setup/database.ts";
import { ask, openScene, submitted } from "./scene.ts";
import type { Reply, Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

const asAdmin = (line: string, body: object = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.admin, line, { body });
const asOwner = (line: string, body: object = {}): Promise<Reply> =>
  ask(scene.app, scene.keys.owner, line, { body });
const opens = async (key: string): Promise<boolean> =>
  (await ask(scene.app, key, "GET /v1/project")).status === 200;
const made = async (body: object): Promise<{ id: string; key: string; prefix: string }> =>
  (await asAdmin("POST /v1/keys", { name: "k", roles: ["viewer"], ...body })).body;
const keyOf = async (id: string): Promise<{ [field: string]: unknown }> =>
  (await asAdmin("GET /v1/keys?limit=100")).body.items.find((one: { id: string }) => one.id === id);
const typesSince = async (feed: number): Promise<string[]> => {
  const page = await ask(scene.app, scene.keys.viewer, `GET /v1/events?after_feed=${feed}`);
  return page.body.items.map((one: { type: string }) => one.type);
};
const newestFeed = async (): Promise<number> => {
  const page = await ask(scene.app, scene.keys.viewer, "GET /v1/events?limit=500");
  return Number(page.body.items.at(-1).feed);
};

describe("rotating", () => {
  test("makes a key alike, and the old one lives on for a day", async () => {
    const old = await made({ name: "build", roles: ["worker"], agents: ["ada"] });
    const before = await newestFeed();
    const reply = await asAdmin(`POST /v1/keys/${old.id}/rotate`);
    expect(reply.status).toBe(201);
    const fresh = reply.body;
    expect(fresh).toMatchObject({ name: "build", roles: ["worker"], agents: ["ada"] });
    expect(fresh.key).not.toBe(old.key);
    expect([await opens(old.key), await opens(fresh.key)]).toEqual([true, true]);
    const kept = await keyOf(old.id);
    expect(kept).toMatchObject({ replaced_by: fresh.id, revoked_at: null });
    const hours = (Date.parse(String(kept["expires_at"])) - Date.now()) / 3_600_000;
    expect(Math.round(hours)).toBe(24);
    expect(await typesSince(before)).toEqual(["key.rotated"]);
    const again = await asAdmin(`POST /v1/keys/${old.id}/rotate`);
    expect([again.status, again.body.code]).toEqual([409, "invalid_transition"]);
  });

  test("with an overlap of 0 ends the old key at once", async () => {
    const old = await made({});
    const { key } = (await asAdmin(`POST /v1/keys/${old.id}/rotate`, { overlap_s: 0 })).body;
    expect([await opens(old.key), await opens(key)]).toEqual([false, true]);
  });

  test("never makes the old key live longer than it would have", async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const old = await made({ expires_at: soon });
    const fresh = (await asAdmin(`POST /v1/keys/${old.id}/rotate`)).body;
    expect((await keyOf(old.id))["expires_at"]).toBe(soon);
    expect(Date.parse(fresh.expires_at)).toBeGreaterThan(Date.parse(soon));
  });

  test("of a dead key is refused", async () => {
    const old = await made({});
    await asAdmin(`POST /v1/keys/${old.id}/revoke`);
    expect((await asAdmin(`POST /v1/keys/${old.id}/rotate`)).status).toBe(409);
  });
});

test("revoking again changes nothing and writes nothing", async () => {
  const one = await made({});
  const first = (await asAdmin(`POST /v1/keys/${one.id}/revoke`)).body;
  const before = await newestFeed();
  expect((await asAdmin(`POST /v1/keys/${one.id}/revoke`)).body).toEqual(first);
  expect(await typesSince(before)).toEqual([]);
});

test("a list holds no secret, and says when a key was last used", async () => {
  const one = await made({ name: "seen" });
  expect((await keyOf(one.id))["last_used_at"]).toBeNull();
  await opens(one.key);
  await scene.engine.parts.uses.settled();
  expect((await keyOf(one.id))["last_used_at"]).not.toBeNull();
  const { text } = await asAdmin("GET /v1/keys?limit=100");
  expect(text).toContain(one.prefix);
  expect(text).not.toContain(one.key.slice(-43));
});

test("a list has them all, however many there are, page by page", async () => {
  await withClient(scene.connection, (client) =>
    client.query(
      `insert into signalbox.api_key (id, prefix, project_id, name, roles, digest, created_at)
       select gen_random_uuid(), 'crowd' || n, $1, 'crowd', '{viewer}', sha256('x'),
         clock_timestamp() from generate_series(1, 1200) n`,
      [scene.projectId],
    ),
  );
  const names: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const from = cursor === "" ? "" : `&cursor=${cursor}`;
    const { body } = await asAdmin(`GET /v1/keys?limit=100${from}`);
    names.push(...body.items.map((one: { name: string }) => one.name));
    cursor = body.next_cursor;
  }
  expect(names.filter((name) => name === "crowd")).toHaveLength(1200);
});

describe("the owner's keys", () => {
  test("are listed, rotated and ended by the owner", async () => {
    const body = { name: "second", roles: ["owner"] };
    const second = (await asOwner("POST /v1/keys", body)).body;
    const listed = (await asOwner("GET /v1/installation/keys")).body.items;
    expect(listed.map((one: { name: string }) => one.name)).toContain("second");
    const url = `/v1/installation/keys/${second.id}`;
    const third = (await asOwner(`POST ${url}/rotate`, { overlap_s: 0 })).body;
    expect([await opens(second.key), await opens(third.key)]).toEqual([false, true]);
    const ended = await asOwner(`POST /v1/installation/keys/${third.id}/revoke`);
    expect(ended.body.revoked_at).not.toBeNull();
    expect(await opens(third.key)).toBe(false);
    const trail = (await asOwner("GET /v1/installation/audit")).body.items;
    expect(trail.map((one: { type: string }) => one.type).slice(0, 3)).toEqual([
      "key.revoked",
      "key.rotated",
      "key.created",
    ]);
  });

  test("the last one that lasts cannot be rotated into one that does not", async () => {
    const all = (await asOwner("GET /v1/installation/keys")).body.items;
    const last = all.find((one: { revoked_at: string | null }) => one.revoked_at === null);
    const url = `POST /v1/installation/keys/${last.id}/rotate`;
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    for (const overlap of [{}, { overlap_s: 0 }]) {
      const reply = await asOwner(url, { expires_at: soon, ...overlap });
      expect([reply.status, reply.body.code]).toEqual([409, "invalid_transition"]);
    }
    const { replaced_by: by } = (await asOwner("GET /v1/installation/keys")).body.items.find(
      (one: { id: string }) => one.id === last.id,
    );
    expect([by, await opens(scene.keys.owner)]).toEqual([null, true]);
  });

  test("the last one that lasts cannot be ended", async () => {
    const all = (await asOwner("GET /v1/installation/keys")).body.items;
    const last = all.find((one: { revoked_at: string | null }) => one.revoked_at === null);
    const reply = await asOwner(`POST /v1/installation/keys/${last.id}/revoke`);
    expect([reply.status, reply.body.code]).toEqual([409, "invalid_transition"]);
    expect(await opens(scene.keys.owner)).toBe(true);
  });

  test("of two that are ended at once, one stays", async () => {
    const body = { name: "twin", roles: ["owner"] };
    const twin = (await asOwner("POST /v1/keys", body)).body;
    const all = (await asOwner("GET /v1/installation/keys")).body.items;
    const good = all.filter((one: { revoked_at: string | null }) => one.revoked_at === null);
    expect(good).toHaveLength(2);
    const { engine } = scene;
    const origin = { actor: "test", requestId: "t", traceparent: null };
    const { fromTypeId } = await import("../../src/std/ids.ts");
    const ids = good.map((one: { id: string }) => fromTypeId("key", one.id) as string);
    const ended = await Promise.all(ids.map((id: string) => engine.revokeKey(null, id, origin)));
    expect(ended.filter((one) => "refused" in one)).toHaveLength(1);
    const left = [await opens(scene.keys.owner), await opens(twin.key)];
    expect(left.filter(Boolean)).toHaveLength(1);
  });
});

describe("a key bound to agents", () => {
  let bound: string;
  let mine: Claim;
  let other: Claim;
  beforeAll(async () => {
    bound = (await made({ roles: ["worker"], agents: ["ada"] })).key;
    const { app, keys } = scene;
    await ask(app, keys.worker, "PUT /v1/runtimes/w1");
    await submitted(scene, { agent: "ada" });
    await submitted(scene, { agent: "bob" });
    const claims = async (key: string, name: string): Promise<Claim> => {
      const body = { runtime: "w1", free: 1, agents: [{ name }], lease_ms: 600_000 };
      return (await ask(app, key, "POST /v1/claims", { body })).body.claims[0];
    };
    mine = await claims(bound, "ada");
    other = await claims(keys.worker, "bob");
  });

  const asBound = (line: string, body: object): Promise<Reply> =>
    ask(scene.app, bound, line, { body });
  const fence = ({ attempt_id, fencing_token }: Claim) => ({ attempt_id, fencing_token });

  test("claims and beats as its agents only", async () => {
    expect(mine.agent).toBe("ada");
    for (const agents of [[{ name: "bob" }], [{ name: "ada" }, { name: "bob" }], []]) {
      const reply = await asBound("POST /v1/claims", { runtime: "w1", free: 1, agents });
      expect([reply.status, reply.body.agents]).toEqual([403, ["ada"]]);
    }
    const beat = { runtime: "w1", agents: ["bob"], leases: [] };
    expect((await asBound("POST /v1/heartbeats", beat)).status).toBe(403);
  });

  test("renews and reports attempts of its agents only", async () => {
    const lease = (claim: Claim) => ({ run_id: claim.run.id, ...fence(claim) });
    const leases = [lease(mine), lease(other)];
    const beat = await asBound("POST /v1/heartbeats", { runtime: "w1", agents: ["ada"], leases });
    const ok = Object.fromEntries(
      beat.body.leases.map((one: { run_id: string; ok: boolean }) => [one.run_id, one.ok]),
    );
    expect(ok).toEqual({ [mine.run.id]: true, [other.run.id]: false });
    const started = leases.map((one) => ({ ...one, kind: "start" }));
    const reports = (await asBound("POST /v1/reports", { items: started })).body.results;
    expect(reports[0].ok).toBe(true);
    expect(reports[1].problem.code).toBe("forbidden");
    const lines = leases.map((one) => ({ ...one, events: [{ type: "log.line" }] }));
    const stored = (await asBound("POST /v1/events", { items: lines })).body.results;
    expect([stored[0].ok, stored[1].problem.code]).toEqual([true, "forbidden"]);
  });

  test.each(["complete", "heartbeat", "release", "events"])(
    "the single-run %s of another agent's run is refused",
    async (verb) => {
      const events = verb === "events" ? { events: [{ type: "log.line" }] } : {};
      const line = `POST /v1/runs/${other.run.id}/${verb}`;
      const reply = await asBound(line, { ...fence(other), ...events });
      expect([reply.status, reply.body.code]).toEqual([403, "forbidden"]);
    },
  );

  test("starts no slot of another agent and speaks of no other's account", async () => {
    const [starts_at, ends_at] = [0, 3_600_000].map((ms) =>
      new Date(Date.now() + ms).toISOString(),
    );
    const slot = { agent: "bob", type: "work", starts_at, ends_at };
    const { id } = (await asAdmin("POST /v1/slots", slot)).body;
    expect((await asBound(`POST /v1/slots/${id}/start`, {})).status).toBe(403);
    const limit = { reason: "quota" };
    expect((await asBound("POST /v1/accounts/bobs/exhausted", limit)).status).toBe(403);
    await asAdmin("PUT /v1/agents/ada");
    await ask(scene.app, scene.keys.admin, "PUT /v1/agents/ada", { body: { accounts: ["adas"] } });
    expect((await asBound("POST /v1/accounts/adas/exhausted", limit)).status).toBe(200);
  });

  test("is not made with a role that undoes it", async () => {
    for (const roles of [["viewer"], ["worker", "admin"]]) {
      const reply = await asAdmin("POST /v1/keys", { name: "k", roles, agents: ["ada"] });
      expect([reply.status, reply.body.errors[0].field]).toEqual([400, "agents"]);
    }
  });
});
