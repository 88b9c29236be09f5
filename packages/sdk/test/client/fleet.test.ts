// Agents, accounts, allowances, slots, usage and runtimes through the client.
// Promises: each call is checked by what the peer received.
// Leaves to others: what a server does with it (server package).

import { afterEach, beforeEach, expect, test } from "vitest";

import { Signalbox, SignalboxError } from "../../src/index.ts";
import { json, problem, startPeer } from "../peer/scripted-server.ts";
import type { Peer } from "../peer/scripted-server.ts";

let peer: Peer;
let signalbox: Signalbox;

beforeEach(async () => {
  peer = await startPeer();
  signalbox = new Signalbox({ url: peer.url, key: "sbx_test" });
});
afterEach(async () => {
  await peer.close();
});

const reason = "a drill";
const slot = { agent: "a", type: "work", starts_at: "x", ends_at: "y" } as const;
const allowance = { scope: "project", metric: "tokens", limit: 7, window: "day" } as const;

/** Call, the route it goes to, and the body that is sent. */
const calls: [string, (box: Signalbox) => Promise<unknown>, unknown][] = [
  ["GET /v1/agents", (box) => box.agents.list(), undefined],
  ["GET /v1/agents/a/b c", (box) => box.agents.get("a/b c"), undefined],
  ["PUT /v1/agents/a", (box) => box.agents.register("a", { models: null }), { models: null }],
  ["POST /v1/agents/a/pause", (box) => box.agents.pause("a", { reason }), { reason }],
  ["POST /v1/agents/a/resume", (box) => box.agents.resume("a"), {}],
  ["GET /v1/agents/a/events", (box) => box.agents.events("a", { order: "desc" }), undefined],
  ["GET /v1/accounts", (box) => box.accounts.list(), undefined],
  ["GET /v1/accounts/x/1", (box) => box.accounts.get("x/1"), undefined],
  [
    "PUT /v1/accounts/x/1",
    (box) => box.accounts.register("x/1", { provider: "x" }),
    { provider: "x" },
  ],
  [
    "POST /v1/accounts/x/1/exhausted",
    (box) => box.accounts.exhausted("x/1", { status: 429 }),
    { status: 429 },
  ],
  [
    "POST /v1/accounts/x/1/recover",
    (box) => box.accounts.recover("x/1", { model: null, reason }),
    { model: null, reason },
  ],
  ["GET /v1/allowances", (box) => box.allowances.list(), undefined],
  ["GET /v1/allowances/alw_1", (box) => box.allowances.get("alw_1"), undefined],
  ["POST /v1/allowances", (box) => box.allowances.create(allowance), allowance],
  ["PUT /v1/allowances/alw_1", (box) => box.allowances.update("alw_1", { limit: 0 }), { limit: 0 }],
  ["POST /v1/allowances/alw_1/delete", (box) => box.allowances.delete("alw_1"), {}],
  ["GET /v1/slots", (box) => box.slots.list(), undefined],
  ["GET /v1/slots/slt_1", (box) => box.slots.get("slt_1"), undefined],
  ["POST /v1/slots", (box) => box.slots.create(slot), slot],
  ["POST /v1/slots/slt_1/start", (box) => box.slots.start("slt_1"), {}],
  ["POST /v1/slots/slt_1/finish", (box) => box.slots.finish("slt_1"), {}],
  ["POST /v1/slots/slt_1/abort", (box) => box.slots.abort("slt_1", { reason }), { reason }],
  ["POST /v1/slots/slt_1/skip", (box) => box.slots.skip("slt_1", { reason }), { reason }],
  ["GET /v1/usage", (box) => box.usage.list(), undefined],
  ["POST /v1/runtimes/w/drain", (box) => box.runtimes.drain("w", { reason }), { reason }],
];

test.each(calls)("%s", async (route, call, body) => {
  peer.on(route, (_, response) => json(response, { items: [] }));
  await call(signalbox);
  const [request] = peer.requests;
  expect(`${request?.method} ${request?.path}`).toBe(route);
  expect(request?.body).toEqual(body);
});

test("a name with a slash is one segment of the path", async () => {
  const seen: string[] = [];
  const fetch: typeof globalThis.fetch = async (input) => {
    seen.push(input instanceof URL ? input.href : String(input));
    return Response.json({});
  };
  const box = new Signalbox({ url: "http://peer.invalid", key: "sbx_test", fetch });
  await box.accounts.get("anthropic/max-1");
  expect(seen[0]).toBe("http://peer.invalid/v1/accounts/anthropic%2Fmax-1");
});

test("filters are sent as they are named, and absent ones are not", async () => {
  for (const list of ["agents", "slots", "runtimes", "usage"]) {
    peer.on(`GET /v1/${list}`, (_, response) => json(response, { items: [] }));
  }
  await signalbox.agents.list({ status: "idle", paused: false, limit: 2, cursor: "a b" });
  await signalbox.slots.list({ agent: "a", status: "ongoing" });
  await signalbox.runtimes.list({ state: "online", label: "zone:a:1" });
  await signalbox.usage.list({ from: "2026-01-01T00:00:00Z", account: "x/1" });
  expect(peer.requests.map(({ query }) => Object.fromEntries(query))).toEqual([
    { status: "idle", paused: "false", limit: "2", cursor: "a b" },
    { agent: "a", status: "ongoing" },
    { state: "online", label: "zone:a:1" },
    { from: "2026-01-01T00:00:00Z", account: "x/1" },
  ]);
});

test("iterate walks all pages with the same filter, from the cursor that was given", async () => {
  peer.on("GET /v1/agents", ({ query }, response) => {
    const cursor = query.get("cursor");
    const next = cursor === "one" ? "two" : null;
    json(response, { items: [{ name: cursor }], has_more: next !== null, next_cursor: next });
  });
  const names: string[] = [];
  for await (const { name } of signalbox.agents.iterate({ paused: true, cursor: "one" })) {
    names.push(name);
  }
  expect(names).toEqual(["one", "two"]);
  expect(peer.requests.map(({ query }) => query.get("paused"))).toEqual(["true", "true"]);
});

test("what is safe to repeat is repeated, what is not is sent once", async () => {
  const failing = ["PUT /v1/agents/a", "POST /v1/slots/slt_1/start", "POST /v1/allowances"];
  for (const route of failing) {
    peer.on(route, (_, response) => {
      if (peer.of(route).length === 1) problem(response, 503, "unavailable");
      else json(response, {});
    });
  }
  await signalbox.agents.register("a", {});
  await signalbox.slots.start("slt_1");
  await expect(signalbox.allowances.create(allowance)).rejects.toBeInstanceOf(SignalboxError);
  expect(failing.map((route) => peer.of(route).length)).toEqual([2, 2, 1]);
});
