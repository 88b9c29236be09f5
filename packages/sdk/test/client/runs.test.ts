// Runs through the client: routes, waiting, results, pages.
// Promises: each call is checked by what the peer received.
// Leaves to others: what a server does with it (server package).

import { afterEach, beforeEach, expect, test } from "vitest";

import { RunFailed, Signalbox, TimeoutError } from "../../src/index.ts";
import { json, problem, startPeer } from "../peer/scripted-server.ts";
import type { Peer } from "../peer/scripted-server.ts";

let peer: Peer;
let signalbox: Signalbox;

beforeEach(async () => {
  peer = await startPeer();
  signalbox = new Signalbox({ url: peer.url, key: "sbx_test" });
  peer.on("POST /v1/runs", (_, response) => json(response, { id: "run_1", state: "pending" }, 201));
});
afterEach(async () => {
  await peer.close();
});

const WAIT = "GET /v1/runs/run_1/wait";

test("a submission with its own key sends no other", async () => {
  const answer = { id: "run_1", state: "running" };
  peer.on("POST /v1/runs", (_, response) => json(response, answer, 200));
  const run = await signalbox.runs.submit({ input: 1, idempotency_key: "pr-42" });
  expect(run.created).toBe(false);
  expect(peer.requests[0]?.headers["idempotency-key"]).toBeUndefined();
  expect(peer.requests[0]?.body).toEqual({ input: 1, idempotency_key: "pr-42" });
});

test("each item of a batch gets a key unless it has one", async () => {
  peer.on("POST /v1/runs/batch", (_, response) => json(response, { results: [] }));
  await signalbox.runs.submitMany([{ ref: "a" }, { depends_on: ["#a"], idempotency_key: "b" }]);
  expect(peer.requests[0]?.body).toEqual({
    items: [
      { ref: "a", idempotency_key: expect.stringMatching(/^sdk-[0-9a-f]{32}$/) },
      { depends_on: ["#a"], idempotency_key: "b" },
    ],
  });
});

test("result polls until the run has completed, through an outage", async () => {
  const answers = ["running", "cut", "away", "completed"];
  peer.on(WAIT, (_, response) => {
    const answer = answers.shift();
    if (answer === "cut") response.destroy();
    else if (answer === "away") problem(response, 503, "unavailable");
    else json(response, { id: "run_1", state: answer, output: { ok: 1 } });
  });
  const run = await signalbox.runs.submit({});
  expect(await run.result()).toEqual({ ok: 1 });
  expect(run.state).toBe("completed");
  expect(peer.of(WAIT)).toHaveLength(4);
  expect(peer.of(WAIT)[0]?.query.get("timeout_ms")).toBe("25000");
});

test("a run that failed throws RunFailed with the run", async () => {
  const error = { code: "E-RUN-002", message: "max attempts exceeded" };
  peer.on(WAIT, (_, response) => json(response, { id: "run_1", state: "failed", error }));
  const run = await signalbox.runs.submit({});
  const thrown: unknown = await run.result().catch((e: unknown) => e);
  expect(thrown).toBeInstanceOf(RunFailed);
  expect(thrown).toMatchObject({ code: "E-RUN-002", run: { state: "failed" } });
});

test("a wait with a time limit returns the run as it is then, a result throws", async () => {
  peer.on(WAIT, (_, response) => json(response, { id: "run_1", state: "running" }));
  const run = await signalbox.runs.wait("run_1", { timeoutMs: 0 });
  expect(run.state).toBe("running");
  const handle = await signalbox.runs.submit({});
  await expect(handle.result({ timeoutMs: 0 })).rejects.toBeInstanceOf(TimeoutError);
});

test("cancel and kill change the handle's state", async () => {
  peer.on("POST /v1/runs/run_1/*", (request, response) => {
    const state = request.path.endsWith("kill") ? "cancelled" : "running";
    json(response, { id: "run_1", state });
  });
  const run = await signalbox.runs.submit({});
  await run.cancel({ reason: "superseded", cascade: true });
  expect(run.state).toBe("running");
  await run.kill({ reason: "leak" });
  expect(run.state).toBe("cancelled");
  expect(peer.requests.slice(1).map(({ body, path }) => [path, body])).toEqual([
    ["/v1/runs/run_1/cancel", { reason: "superseded", cascade: true }],
    ["/v1/runs/run_1/kill", { reason: "leak" }],
  ]);
});

test("iterate walks all pages with the same filter", async () => {
  peer.on("GET /v1/runs", ({ query }, response) => {
    const cursor = query.get("cursor");
    const items = [{ id: cursor ?? "first" }];
    const next = cursor === null ? "second" : cursor === "second" ? "third" : null;
    json(response, { items, has_more: next !== null, next_cursor: next });
  });
  const ids: string[] = [];
  const filter = { state: ["failed", "timeout"], tag: "nightly" } as const;
  for await (const run of signalbox.runs.iterate(filter)) ids.push(run.id);
  expect(ids).toEqual(["first", "second", "third"]);
  for (const { query } of peer.requests) {
    expect(query.getAll("state")).toEqual(["failed", "timeout"]);
    expect(query.get("tag")).toBe("nightly");
  }
});

test("every other call goes to its route", async () => {
  const calls: [string, (box: Signalbox) => Promise<unknown>][] = [
    ["GET /v1/runs/run_1/explain", (box) => box.runs.explain("run_1")],
    ["GET /v1/runs/run_1/attempts", (box) => box.runs.attempts("run_1")],
    ["GET /v1/runs/run_1/children", (box) => box.runs.children("run_1")],
    ["GET /v1/runs/run_1/events", (box) => box.runs.events("run_1", { order: "desc" })],
    ["GET /v1/runtimes", (box) => box.runtimes.list()],
    ["GET /v1/runtimes/a b:1", (box) => box.runtimes.get("a b:1")],
    ["PUT /v1/runtimes/a b:1", (box) => box.runtimes.register("a b:1", { state: "online" })],
    ["GET /v1/queues", (box) => box.queues.list()],
    ["POST /v1/queues/q/pause", (box) => box.queues.pause("q", { reason: "r" })],
    ["POST /v1/queues/q/resume", (box) => box.queues.resume("q")],
    ["GET /v1/projects", (box) => box.projects.list()],
    ["POST /v1/projects", (box) => box.projects.create({ name: "p" })],
    ["POST /v1/stop", (box) => box.projects.stop({ reason: "r", cancel_live: true })],
    ["POST /v1/resume", (box) => box.projects.resume({ reason: "r" })],
    ["GET /v1/keys", (box) => box.keys.list()],
    ["POST /v1/keys/key_1/revoke", (box) => box.keys.revoke("key_1")],
    ["GET /v1/events", (box) => box.events.list({ after_feed: "7" })],
    ["GET /healthz", (box) => box.health()],
  ];
  for (const [route, call] of calls) {
    peer.on(route, (_, response) => json(response, { items: [] }));
    await call(signalbox);
    const last = peer.requests.at(-1);
    expect(`${last?.method} ${last?.path}`).toBe(route);
  }
});
