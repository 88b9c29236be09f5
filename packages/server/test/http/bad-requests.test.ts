// Bad requests besides submissions: paths, queries and the bodies of every other route. Each names
// the parameter or field; what does not exist and what is no id at all are answered alike.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, openScene } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

const absent = "run_01h455vb4pex5vsknk084sn02q";

describe("paths and queries", () => {
  test.each([
    ["an unknown parameter", "GET /v1/runs?colour=red", 400, "colour"],
    ["limit 0", "GET /v1/runs?limit=0", 400, "limit"],
    ["limit 501", "GET /v1/runs?limit=501", 400, "limit"],
    ["a limit that is no number", "GET /v1/runs?limit=many", 400, "limit"],
    ["a limit given twice", "GET /v1/runs?limit=1&limit=2", 400, "limit"],
    ["an unknown state", "GET /v1/runs?state=pending,done", 400, "state.1"],
    ["a broken cursor", "GET /v1/runs?cursor=xyz", 400, "cursor"],
    ["a broken instant", "GET /v1/runs?created_after=now", 400, "created_after"],
    ["the year 0", "GET /v1/runs?created_after=0000-01-01T00:00:00Z", 400, "created_after"],
    [
      "the year 10000",
      "GET /v1/runs?created_before=9999-12-31T23:00:00-05:00",
      400,
      "created_before",
    ],
    ["NUL in a cursor", "GET /v1/runtimes?cursor=a%00b", 400, "cursor"],
    ["NUL in the beginning of an id", "GET /v1/runs?text=%00", 400, "text"],
    ["NUL in a filter", "GET /v1/runs?queue=a%00b", 400, "queue"],
    ["a broken cursor of a short list", "GET /v1/queues?cursor=xyz", 400, "cursor"],
    ["limit 101 of a short list", "GET /v1/queues?limit=101", 400, "limit"],
    ["a negative seq", `GET /v1/runs/${absent}/events?after_seq=-1`, 400, "after_seq"],
    [
      "a seq above 15 digits",
      `GET /v1/runs/${absent}/events?after_seq=9999999999999999`,
      400,
      "after_seq",
    ],
    ["a wait of an hour", `GET /v1/runs/${absent}/wait?timeout_ms=3600000`, 400, "timeout_ms"],
    ["a name with NUL in the path", "GET /v1/runtimes/a%00b", 400, "name"],
    ["__proto__ in the query", "GET /v1/runs?__proto__=1", 400, "__proto__"],
  ])("refuses %s", async (_name, line, status, field) => {
    const reply = await ask(scene.app, scene.keys.viewer, line);
    expect(reply.status).toBe(status);
    expect(reply.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });

  test.each([
    ["text that is no id", "GET /v1/runs/latest"],
    ["an id of another kind", "GET /v1/runs/att_01h455vb4pex5vsknk084sn02q"],
    ["an id that nothing has", `GET /v1/runs/${absent}`],
    ["a UUID", "GET /v1/runs/018f4e42-8d2a-7000-8000-000000000000"],
    ["NUL in an id", "GET /v1/runs/run_%00"],
    ["an id in capitals", `GET /v1/runs/${absent.toUpperCase()}`],
    ["events of no run", `GET /v1/runs/${absent}/events`],
    ["attempts of no run", `GET /v1/runs/${absent}/attempts`],
    ["children of no run", `GET /v1/runs/${absent}/children`],
    ["explain of no run", `GET /v1/runs/${absent}/explain`],
    ["waiting for no run", `GET /v1/runs/${absent}/wait?timeout_ms=0`],
    ["the input of no run", `GET /v1/runs/${absent}/input`],
    ["no runtime", "GET /v1/runtimes/nobody"],
    ["directives of no runtime", "GET /v1/runtimes/nobody/directives"],
  ])("answers 404 to %s", async (_name, line) => {
    const reply = await ask(scene.app, scene.keys.admin, line);
    expect([reply.status, reply.body.code]).toEqual([404, "not_found"]);
  });

  test.each([
    ["half an escape", "/v1/runs/%E0%A4%A"],
    ["a name of 3,000 characters", `/v1/runtimes/${"x".repeat(3000)}`],
  ])("answers 400 to an address with %s", async (_name, url) => {
    const reply = await ask(scene.app, scene.keys.viewer, `GET ${url}`);
    expect([reply.status, reply.body.code]).toEqual([400, "validation_failed"]);
    expect(reply.body.errors[0].field).toBe("url");
  });
});

describe("the other bodies", () => {
  test.each([
    ["worker", "PUT /v1/runtimes/w", { state: "stale" }, "state"],
    ["worker", "PUT /v1/runtimes/w", { labels: { a: 1 } }, "labels.a"],
    ["worker", "PUT /v1/runtimes/w", { deadline_s: 0 }, "deadline_s"],
    ["worker", "POST /v1/claims", {}, "runtime"],
    ["worker", "POST /v1/claims", { runtime: "w", free: 501 }, "free"],
    ["worker", "POST /v1/claims", { runtime: "w", free: 1, lease_ms: 10 }, "lease_ms"],
    ["worker", "POST /v1/claims", { runtime: "w", free: 1, wait_ms: 60_000 }, "wait_ms"],
    [
      "worker",
      "POST /v1/heartbeats",
      { runtime: "w", leases: [{ run_id: "r" }] },
      "leases.0.attempt_id",
    ],
    ["worker", "POST /v1/events", { items: [] }, "items"],
    ["worker", "POST /v1/reports", { items: 1 }, "items"],
    ["worker", `POST /v1/runs/${absent}/complete`, { outputs: 1 }, "outputs"],
    ["worker", `POST /v1/runs/${absent}/fail`, { attempt_id: "a", fencing_token: 1 }, "error"],
    ["submitter", `POST /v1/runs/${absent}/cancel`, { reason: "" }, "reason"],
    ["submitter", `POST /v1/runs/${absent}/kill`, {}, "reason"],
    ["operator", "POST /v1/queues/q/pause", { reason: "  " }, "reason"],
    ["operator", "POST /v1/stop", {}, "reason"],
    ["operator", "POST /v1/stop", { reason: "x", cancel_live: "yes" }, "cancel_live"],
    ["admin", "POST /v1/keys", { name: "k", roles: ["god"] }, "roles.0"],
    ["admin", "POST /v1/keys", { name: "k", roles: [] }, "roles"],
    ["owner", "POST /v1/keys", { name: "k", roles: ["owner", "viewer"] }, "roles"],
    ["admin", "POST /v1/keys", { name: "k", roles: ["viewer"], expires_at: "soon" }, "expires_at"],
    ["owner", "POST /v1/projects", { name: "a\u0007" }, "name"],
  ] as const)("%s: %s refuses %j by %s", async (role, line, body, field) => {
    const reply = await ask(scene.app, scene.keys[role], line, { body });
    expect([reply.status, reply.body.code]).toEqual([400, "validation_failed"]);
    expect(reply.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });
});
