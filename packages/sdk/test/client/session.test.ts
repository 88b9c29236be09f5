// A client that asks by the session of a browser: no key anywhere, and writes with its token.
// Promises: each call is checked by what the peer received.
// Leaves to others: the cookie, which is the browser's (dashboard tests, in a real one).

import { afterEach, beforeEach, expect, test } from "vitest";
import { isSignalboxError, Signalbox } from "../../src/index.ts";
import { json, problem, startPeer } from "../peer/scripted-server.ts";
import type { Peer } from "../peer/scripted-server.ts";

let peer: Peer;
let browser: Signalbox;
/** The token of the session that the peer knows now. */
let good = "one";

beforeEach(async () => {
  good = "one";
  peer = await startPeer();
  browser = new Signalbox({ url: peer.url, session: true });
  peer.on("GET /v1/session", (_, response) => json(response, { csrf_token: good }));
  peer.on("POST /v1/resume", ({ headers }, response) => {
    if (headers["signalbox-csrf"] === good) json(response, {});
    else problem(response, 403, "forbidden_origin");
  });
  peer.on("POST /v1/sessions", (_, response) => json(response, {}));
  peer.on("GET /v1/project", (_, response) => json(response, {}));
});
afterEach(async () => {
  await peer.close();
});

const lines = (): string[] => peer.requests.map(({ method, path }) => `${method} ${path}`);
const resume = (): Promise<unknown> => browser.projects.resume({ reason: "fixed" });

test("reads carry neither key nor token", async () => {
  await browser.projects.current();
  const [{ headers } = { headers: {} }] = peer.requests;
  expect(headers).not.toHaveProperty("authorization");
  expect(headers).not.toHaveProperty("signalbox-csrf");
});

test("the token is asked for at the first write, and once", async () => {
  await Promise.all([resume(), resume()]);
  await resume();
  expect(lines().filter((line) => line === "GET /v1/session")).toHaveLength(1);
  expect(peer.of("POST /v1/resume")).toHaveLength(3);
});

test("another login changes the token: the write is sent again with the new one", async () => {
  await resume();
  good = "two";
  await resume();
  const sent = peer.of("POST /v1/resume").map(({ headers }) => headers["signalbox-csrf"]);
  expect(sent).toEqual(["one", "one", "two"]);
});

test("a page that may not write is told so, after one try", async () => {
  peer.on("POST /v1/resume", (_, response) => problem(response, 403, "forbidden_origin"));
  await expect(resume()).rejects.toSatisfy((error) => isSignalboxError(error, "forbidden_origin"));
  expect(peer.of("POST /v1/resume")).toHaveLength(1);
});

test("a session that has ended is told as such, and asked for anew later", async () => {
  let isOver = true;
  peer.on("GET /v1/session", (_, response) => {
    if (isOver) problem(response, 401, "unauthorized");
    else json(response, { csrf_token: good });
  });
  await expect(resume()).rejects.toSatisfy((error) => isSignalboxError(error, "unauthorized"));
  isOver = false;
  await resume();
});

test("a code opens a session without any proof before", async () => {
  await browser.sessions.open("sbl_1");
  expect(lines()).toEqual(["POST /v1/sessions"]);
});

test("no key is never taken for a session by mistake", () => {
  const nobody = { url: peer.url } as unknown as { url: string; key: string };
  expect(() => new Signalbox(nobody)).toThrow(TypeError);
});

test("what needs a key of its own, such as a worker's heartbeats, says so", () => {
  expect(() => browser.http.connection()).toThrow(/needs a client with a `key`/);
});
