// Who may do what: a table of its own, route by route, checked against the server with a real key
// of every role, with keys of another project, of an attempt and of its child, and with dead keys.

import type { Claim } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { roles } from "../../src/domain/key.ts";
import { routesOf } from "../../src/http/routes/index.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { keyed, table } from "./access-table.ts";
import { ask, must, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

const absent = "run_01h455vb4pex5vsknk084sn02q";
const absentApproval = "apr_01h455vb4pex5vsknk084sn02q";

/** Nothing that is asked for exists, so what is allowed answers 4xx other than 403. */
const addressed = (line: string): string =>
  line
    .replace(":approval_id", absentApproval)
    .replace(":id", absent)
    .replace(":name", "nobody")
    .replace("/wait", "/wait?timeout_ms=0");
/** Refused by every schema: whoever may do it is told about the field, and nothing happens. */
const nonsense = { body: { "no such field": 1 } };

let scene: Scene;
let claim: Claim;
beforeAll(async () => {
  scene = await openScene();
  const { app, keys } = scene;
  await ask(app, keys.worker, "PUT /v1/runtimes/w1");
  await submitted(scene, { input: { secret: 7 } });
  const claims = { runtime: "w1", free: 1, lease_ms: 600_000 };
  claim = (await ask(app, keys.worker, "POST /v1/claims", { body: claims })).body.claims[0];
});
afterAll(async () => {
  await scene?.close();
});

test("the table has every route of the server, and no other", () => {
  const routes = routesOf("0", () => ({})).map(({ method, url }) => `${method} ${url}`);
  expect(Object.keys(table).toSorted()).toEqual(routes.toSorted());
});

describe.each(roles)("%s", (role) => {
  test("may do what the table says, and nothing else", async () => {
    for (const { line, who } of keyed) {
      const reply = await ask(scene.app, scene.keys[role], addressed(line), nonsense);
      const isAllowed = reply.status !== 403 && reply.status !== 401;
      expect(`${line}: ${isAllowed}`).toBe(`${line}: ${who.includes(role)}`);
      if (!isAllowed) expect(reply.body.roles).toEqual(who);
    }
  });
});

describe("dead keys", () => {
  test.each([
    ["unknown", `sbx_aaaaaaaaaaaa_${"x".repeat(43)}`],
    ["malformed", "sbx_nothing"],
    ["of another kind", "sk-ant-api03-abc"],
    ["very long", `sbx_${"x".repeat(5000)}`],
  ])("%s: 401 on every route", async (_name, key) => {
    for (const { line } of keyed) {
      const { status } = await ask(scene.app, key, addressed(line), nonsense);
      expect([401, 429]).toContain(status); // 429 once ten of them have come
    }
  });

  test("a key ends the moment it is revoked", async () => {
    const { app, keys } = scene;
    const body = { name: "short-lived", roles: ["viewer"] };
    const made = (await ask(app, keys.admin, "POST /v1/keys", { body })).body;
    expect((await ask(app, made.key, "GET /v1/project")).status).toBe(200);
    const revoked = await ask(app, keys.admin, `POST /v1/keys/${made.id}/revoke`);
    expect(revoked.body.revoked_at).not.toBeNull();
    expect(revoked.text).not.toContain(made.key);
    expect([401, 429]).toContain((await ask(app, made.key, "GET /v1/project")).status);
  });

  test("a key ends when it expires", async () => {
    const { app, keys } = scene;
    const body = { name: "expired", roles: ["viewer"], expires_at: "2001-01-01T00:00:00Z" };
    const made = (await ask(app, keys.admin, "POST /v1/keys", { body })).body;
    expect([401, 429]).toContain((await ask(app, made.key, "GET /v1/project")).status);
  });
});

describe("projects", () => {
  test("a foreign id is answered exactly like an absent one", async () => {
    const { app, keys, engine } = scene;
    const origin = { actor: "test", requestId: "t", traceparent: null };
    const other = must(await engine.createProject("other", origin));
    const otherId = fromTypeId("prj", other.id) ?? "";
    const made = await engine.createKey(
      otherId,
      { name: "k", roles: ["admin"], expiresAt: null },
      origin,
    );
    const { key } = must(made);
    const lines = keyed.filter(({ line }) => line.includes("/v1/runs/:id"));
    for (const { line } of lines) {
      const foreign = addressed(line).replace(absent, claim.run.id);
      const body = bodyOf(line);
      const [one, none] = [
        await ask(app, key, foreign, { body }),
        await ask(app, key, addressed(line), { body }),
      ];
      const { request_id: _a, ...answer } = one.body;
      const { request_id: _b, ...absentAnswer } = none.body;
      expect([one.status, JSON.stringify(answer).replaceAll(claim.run.id, absent)]).toEqual([
        404,
        JSON.stringify(absentAnswer),
      ]);
    }
    expect((await ask(app, key, "GET /v1/runs")).body.items).toEqual([]);
    const named = await ask(app, keys.admin, "GET /v1/project", {
      headers: { "signalbox-project": "other" },
    });
    expect([named.status, named.body.code]).toEqual([404, "not_found"]);
  });

  /** A good body of each writing route, so that only the id decides. */
  function bodyOf(line: string): object {
    if (line.endsWith("/cancel")) return {};
    if (line.endsWith("/kill")) return { reason: "test" };
    if (line.endsWith("/redrive")) return {};
    if (line.endsWith("/discard")) return { note: "test" };
    const fence = { attempt_id: claim.attempt_id, fencing_token: claim.fencing_token };
    if (line.endsWith("/events")) return { ...fence, events: [{ type: "log.line" }] };
    if (line.endsWith("/approvals")) return { ...fence, title: "Merge?", action: "merge" };
    if (line.endsWith("/executed")) return { ...fence, arguments: {} };
    if (line.endsWith("/fail")) return { ...fence, error: { code: "x", message: "y" } };
    return fence;
  }

  test("an owner's key acts in the project it names, else in `default`", async () => {
    const { app, keys } = scene;
    const at = async (project?: string) => {
      const headers: { [name: string]: string } =
        project === undefined ? {} : { "signalbox-project": project };
      return ask(app, keys.owner, "GET /v1/project", { headers });
    };
    const made = (await ask(app, keys.owner, "POST /v1/projects", { body: { name: "named" } }))
      .body;
    expect((await at()).body.name).toBe("default");
    expect((await at("named")).body.id).toBe(made.id);
    expect((await at(made.id)).body.name).toBe("named");
    expect((await at("nowhere")).status).toBe(404);
    expect((await at("prj_01h455vb4pex5vsknk084sn02q")).status).toBe(404);
    const again = await ask(app, keys.owner, "POST /v1/projects", { body: { name: "named" } });
    expect([again.status, again.body.code]).toEqual([409, "project_exists"]);
  });

  test("an admin makes no owner", async () => {
    const body = { name: "o", roles: ["owner"] };
    expect((await ask(scene.app, scene.keys.admin, "POST /v1/keys", { body })).status).toBe(403);
    const made = await ask(scene.app, scene.keys.owner, "POST /v1/keys", { body });
    expect([made.status, made.body.project_id]).toEqual([201, null]);
  });
});

describe("keys of an attempt", () => {
  const own = (line: string): string =>
    line
      .replace(":approval_id", absentApproval)
      .replace(":id", claim.run.id)
      .replace(":name", "w1");
  const asking = Object.keys(table).filter((line) => line.includes("/runs/:id/approvals"));
  const twins = Object.keys(table).filter(
    (line) => line.startsWith("POST /v1/runs/:id/") && !/cancel|kill|redrive|discard/.test(line),
  );

  test("the attempt's opens the writes of its own run, and its input", async () => {
    const open: string[] = [];
    for (const { line } of keyed) {
      const reply = await ask(scene.app, claim.attempt_key, own(line), nonsense);
      if (reply.status !== 403) open.push(line);
    }
    const reads = ["GET /v1/runs/:id/input", "GET /v1/runs/:id/approvals/:approval_id"];
    expect(open.toSorted()).toEqual([...twins, ...reads].toSorted());
  });

  test("its child's opens log, usage, input and asking, and nothing else", async () => {
    const open: string[] = [];
    for (const { line } of keyed) {
      const reply = await ask(scene.app, claim.child_key, own(line), nonsense);
      if (reply.status !== 403) open.push(line);
    }
    const all = ["GET /v1/runs/:id/input", "POST /v1/runs/:id/events", ...asking];
    expect(open.toSorted()).toEqual(all.toSorted());
    const line = `POST /v1/runs/${claim.run.id}/events`;
    const fence = { attempt_id: claim.attempt_id, fencing_token: claim.fencing_token };
    const types = [
      "message.delta",
      "tool.call.started",
      "state.updated",
      "x.mine",
      "run.completed",
    ];
    for (const type of types) {
      const body = { ...fence, events: [{ type: "log.line" }, { type }] };
      const reply = await ask(scene.app, claim.child_key, line, { body });
      expect([403, 422]).toContain(reply.status);
      expect(reply.body.errors[0].field).toBe("events.1.type");
    }
    const body = {
      ...fence,
      events: [
        { type: "log.line", data: { text: "hi" } },
        { type: "log.line", producer_seq: 1, usage: { steps: 1 } },
        { type: "usage.recorded", producer_seq: 2, usage: { steps: 1 } },
      ],
    };
    expect((await ask(scene.app, claim.child_key, line, { body })).body.stored).toBe(3);
    const input = await ask(scene.app, claim.child_key, `GET /v1/runs/${claim.run.id}/input`);
    expect(input.body.input).toEqual({ secret: 7 });
  });

  test("both know no other run, and no other attempt", async () => {
    const { app } = scene;
    for (const key of [claim.attempt_key, claim.child_key]) {
      const line = `POST /v1/runs/${absent}/events`;
      expect((await ask(app, key, line, nonsense)).status).toBe(404);
      expect((await ask(app, key, `GET /v1/runs/${absent}/input`)).status).toBe(404);
      const body = {
        attempt_id: claim.attempt_id,
        fencing_token: claim.fencing_token + 1,
        events: [{ type: "log.line" }],
      };
      const other = await ask(app, key, `POST /v1/runs/${claim.run.id}/events`, { body });
      expect([other.status, other.body.code]).toEqual([403, "forbidden"]);
    }
  });

  test("both die with the lease", async () => {
    const { app, keys } = scene;
    const fence = { attempt_id: claim.attempt_id, fencing_token: claim.fencing_token };
    const done = await ask(app, claim.attempt_key, `POST /v1/runs/${claim.run.id}/complete`, {
      body: fence,
    });
    expect(done.body.state).toBe("completed");
    for (const key of [claim.attempt_key, claim.child_key]) {
      const line = `GET /v1/runs/${claim.run.id}/input`;
      expect([401, 429]).toContain((await ask(app, key, line)).status);
    }
    expect((await ask(app, keys.viewer, `GET /v1/runs/${claim.run.id}/input`)).status).toBe(200);
  });
});
