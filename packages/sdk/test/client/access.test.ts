// Keys, sessions and the audit trail through the client.
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

const key = { name: "k", roles: ["worker" as const], agents: ["ada"] };
const owner = { installation: true };

/** Call, the route it goes to, and the body that is sent. */
const calls: [string, (box: Signalbox) => Promise<unknown>, unknown][] = [
  ["POST /v1/keys", (box) => box.keys.create({ ...key, idempotencyKey: "i" }), key],
  ["GET /v1/keys", (box) => box.keys.list(), undefined],
  ["GET /v1/installation/keys", (box) => box.keys.list(owner), undefined],
  ["POST /v1/keys/key_1/rotate", (box) => box.keys.rotate("key_1"), {}],
  [
    "POST /v1/installation/keys/key_1/rotate",
    (box) => box.keys.rotate("key_1", { ...owner, overlap_s: 0 }),
    { overlap_s: 0 },
  ],
  ["POST /v1/keys/key_1/revoke", (box) => box.keys.revoke("key_1"), {}],
  ["POST /v1/installation/keys/key_1/revoke", (box) => box.keys.revoke("key_1", owner), {}],
  ["POST /v1/logins", (box) => box.sessions.link(), {}],
  ["GET /v1/sessions", (box) => box.sessions.list(), undefined],
  ["GET /v1/installation/sessions", (box) => box.sessions.list(owner), undefined],
  ["POST /v1/sessions/ses_1/end", (box) => box.sessions.end("ses_1"), {}],
  ["POST /v1/installation/sessions/ses_1/end", (box) => box.sessions.end("ses_1", owner), {}],
  ["POST /v1/sessions", (box) => box.sessions.open("sbl_1"), { code: "sbl_1" }],
  ["GET /v1/session", (box) => box.sessions.own(), undefined],
  ["POST /v1/session/end", (box) => box.sessions.endOwn(), {}],
  ["GET /v1/health", (box) => box.house(), undefined],
  ["GET /v1/audit", (box) => box.audit.list(), undefined],
  ["GET /v1/installation/audit", (box) => box.audit.list(owner), undefined],
];

test.each(calls)("%s", async (route, call, body) => {
  peer.on(route, (_, response) => json(response, { items: [] }));
  await call(signalbox);
  const [request] = peer.requests;
  expect(`${request?.method} ${request?.path}`).toBe(route);
  expect(request?.body).toEqual(body);
});

test("the trail is walked page by page with the same filter", async () => {
  peer.on("GET /v1/audit", ({ query }, response) => {
    const next = query.get("cursor") === null ? "two" : null;
    json(response, { items: [{ id: query.get("cursor") }], has_more: true, next_cursor: next });
  });
  const ids: (string | null)[] = [];
  for await (const { id } of signalbox.audit.iterate({ type: "queue.paused" })) ids.push(id);
  expect(ids).toEqual([null, "two"]);
  expect(peer.requests.map(({ query }) => query.get("type"))).toEqual([
    "queue.paused",
    "queue.paused",
  ]);
});

test("a key is made once, unless an idempotency key makes it safe to ask again", async () => {
  peer.on("POST /v1/keys", (_, response) => {
    if (peer.of("POST /v1/keys").length < 3) problem(response, 503, "unavailable");
    else json(response, {});
  });
  await expect(signalbox.keys.create(key)).rejects.toBeInstanceOf(SignalboxError);
  expect(peer.of("POST /v1/keys")).toHaveLength(1);
  await signalbox.keys.create({ ...key, idempotencyKey: "i" });
  const keys = peer.of("POST /v1/keys").map(({ headers }) => headers["idempotency-key"]);
  expect(keys).toEqual([undefined, "i", "i"]);
});
