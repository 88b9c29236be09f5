// One call: what is sent, what is thrown, what is tried again.
// Promises: real sockets against a scripted peer; every status class is mapped.
// Leaves to others: what the resources send (client.test.ts).

import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  BadRequestError,
  ConflictError,
  ConnectionError,
  ForbiddenError,
  isSignalboxError,
  LockedError,
  NotFoundError,
  PayloadTooLargeError,
  RateLimitedError,
  ServerError,
  Signalbox,
  SignalboxError,
  TimeoutError,
  UnauthorizedError,
  UnprocessableError,
} from "../../src/index.ts";
import { json, problem, startPeer } from "../peer/scripted-server.ts";
import type { Peer } from "../peer/scripted-server.ts";

const KEY = "sbx_test_0123456789";
let peer: Peer;

beforeEach(async () => {
  peer = await startPeer();
});
afterEach(async () => {
  await peer.close();
});

const client = (options: { timeoutMs?: number; project?: string } = {}): Signalbox =>
  new Signalbox({ url: peer.url, key: KEY, ...options });

async function thrownBy(call: Promise<unknown>): Promise<SignalboxError> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isSignalboxError(error)) throw new Error(`not a SignalboxError: ${inspect(error)}`);
  return error;
}

test("key and project travel in headers", async () => {
  peer.on("GET /v1/project", (_, response) => json(response, { name: "p" }));
  await client({ project: "support" }).projects.current();
  const [request] = peer.requests;
  expect(request?.headers.authorization).toBe(`Bearer ${KEY}`);
  expect(request?.headers["signalbox-project"]).toBe("support");
});

test("a base URL may have a path", async () => {
  peer.on("GET /box/v1/project", (_, response) => json(response, { name: "p" }));
  const signalbox = new Signalbox({ url: `${peer.url}/box`, key: KEY });
  expect(await signalbox.projects.current()).toEqual({ name: "p" });
});

describe("problem documents become errors by status", () => {
  test.each([
    [400, "validation_failed", BadRequestError],
    [401, "unauthorized", UnauthorizedError],
    [403, "forbidden", ForbiddenError],
    [404, "not_found", NotFoundError],
    [409, "already_terminal", ConflictError],
    [413, "payload_too_large", PayloadTooLargeError],
    [422, "idempotency_mismatch", UnprocessableError],
    [423, "project_stopped", LockedError],
    [429, "rate_limited", RateLimitedError],
    [500, "internal", ServerError],
  ])("%i %s", async (status, code, Class) => {
    peer.on("POST /v1/keys", (_, response) => problem(response, status, code));
    const error = await thrownBy(client().keys.create({ name: "k", roles: ["viewer"] }));
    expect(error).toBeInstanceOf(Class);
    expect(error).toBeInstanceOf(SignalboxError);
    expect(error).toMatchObject({ status, code, requestId: "req_1" });
    expect(isSignalboxError(error, code)).toBe(true);
    expect(isSignalboxError(error, "something_else")).toBe(false);
  });

  test("what a proxy says instead is an error too", async () => {
    peer.on("POST /v1/keys", (_, response) => {
      response.writeHead(502, { "content-type": "text/html" });
      response.end("<h1>Bad gateway</h1>");
    });
    const error = await thrownBy(client().keys.create({ name: "k", roles: ["viewer"] }));
    expect(error).toMatchObject({ status: 502, code: "http_502", retryable: true });
  });

  test("an answer that is not JSON is refused", async () => {
    peer.on("GET /v1/project", (_, response) => response.end("<html>"));
    expect(await thrownBy(client().projects.current())).toMatchObject({ code: "bad_answer" });
  });
});

describe("trying again", () => {
  test("429 and 503 are repeated after Retry-After, then the answer counts", async () => {
    const refusals = [429, 503];
    peer.on("GET /v1/project", (_, response) => {
      const status = refusals.shift();
      if (status === undefined) json(response, { name: "p" });
      else problem(response, status, "overloaded", status === 429 ? { "retry-after": "1" } : {});
    });
    const startedAt = performance.now();
    expect(await client().projects.current()).toEqual({ name: "p" });
    expect(peer.requests).toHaveLength(3);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
  });

  test("a longer Retry-After than 30 s is handed to the caller", async () => {
    peer.on("GET /v1/project", (_, response) =>
      problem(response, 429, "rate_limited", { "retry-after": "31" }),
    );
    const error = await thrownBy(client().projects.current());
    expect(error.retryAfterMs).toBe(31_000);
    expect(peer.requests).toHaveLength(1);
  });

  test("a cut connection is repeated for a GET", async () => {
    let cuts = 2;
    peer.on("GET /v1/project", (_, response) => {
      cuts -= 1;
      if (cuts >= 0) response.destroy();
      else json(response, { name: "p" });
    });
    expect(await client().projects.current()).toEqual({ name: "p" });
    expect(peer.requests).toHaveLength(3);
  });

  test("a POST without a key is sent once", async () => {
    peer.on("POST /v1/keys", (_, response) => response.destroy());
    const error = await thrownBy(client().keys.create({ name: "k", roles: ["viewer"] }));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(peer.requests).toHaveLength(1);
  });

  test("a submission is repeated with the same idempotency key", async () => {
    let cuts = 1;
    peer.on("POST /v1/runs", (_, response) => {
      cuts -= 1;
      if (cuts >= 0) response.destroy();
      else json(response, { id: "run_1", state: "pending" }, 201);
    });
    const run = await client().runs.submit({ input: 1 });
    expect(run).toMatchObject({ id: "run_1", state: "pending", created: true });
    const keys = peer.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(keys[0]).toMatch(/^sdk-[0-9a-f]{32}$/);
    expect(keys).toEqual([keys[0], keys[0]]);
  });

  test("refusals that are final are not repeated", async () => {
    peer.on("GET /v1/runs/run_1", (_, response) => problem(response, 404, "not_found"));
    await thrownBy(client().runs.get("run_1"));
    expect(peer.requests).toHaveLength(1);
  });
});

describe("deadlines and aborts", () => {
  test("no answer in time is a TimeoutError", async () => {
    peer.on("POST /v1/keys", () => {});
    const call = client({ timeoutMs: 50 }).keys.create({ name: "k", roles: ["viewer"] });
    const error = await thrownBy(call);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: "request_timeout", status: 0, retryable: true });
  });

  test("the deadline covers the body too", async () => {
    peer.on("POST /v1/keys", (_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write("{");
    });
    const call = client({ timeoutMs: 100 }).keys.create({ name: "k", roles: ["viewer"] });
    expect(await thrownBy(call)).toBeInstanceOf(TimeoutError);
  });

  test("the caller's abort is thrown as the caller's reason", async () => {
    peer.on("GET /v1/runs/run_1/wait", () => {});
    const controller = new AbortController();
    const waiting = client().runs.wait("run_1", { signal: controller.signal });
    const why = new Error("changed my mind");
    controller.abort(why);
    await expect(waiting).rejects.toBe(why);
  });

  test("nobody listening is a ConnectionError that names the place, not the key", async () => {
    await peer.close();
    const error = await thrownBy(client().keys.create({ name: "k", roles: ["viewer"] }));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toContain(peer.url);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(KEY);
    expect(inspect(client(), { depth: 9, showHidden: true })).not.toContain(KEY);
  });
});

test("options that cannot work are refused at once", () => {
  expect(() => new Signalbox({ url: "nowhere", key: KEY })).toThrow(TypeError);
  expect(() => new Signalbox({ url: "http://127.0.0.1:1", key: "" })).toThrow(TypeError);
});
