// The doors before any route: addresses, keys, bodies, headers, problems, and what happens when the
// engine fails. The engine here only records that it was called: it must not be.

import { gzipSync } from "node:zlib";

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { refusalCodes, refuse, Refused } from "../../src/domain/refusal.ts";
import { problemHeaders, problemOf, problems } from "../../src/http/problem.ts";
import { doors, key, keyed, lineOf, recorder, routes } from "./recorder.ts";
import { ask } from "./scene.ts";

describe("a server", () => {
  test("does not start with a route that does not say who may use it", () => {
    const { app } = doors();
    expect(() => app.get("/open", async () => "hello")).toThrow(
      "/open does not say who may use it",
    );
  });

  test("has unique operation ids and addresses", () => {
    expect(new Set(routes.map((one) => one.operationId)).size).toBe(routes.length);
    expect(new Set(routes.map((one) => `${one.method} ${one.url}`)).size).toBe(routes.length);
  });

  test("answers every problem with a request id, new or as it was sent", async () => {
    const { app } = doors();
    const own = await ask(app, null, "GET /nowhere");
    expect(own.body.request_id).toMatch(/^req_[0-9a-z]{26}$/);
    const sent = await ask(app, null, "GET /nowhere", { headers: { "x-request-id": "abc.1_2-3" } });
    expect([sent.body.request_id, sent.headers["x-request-id"]]).toEqual([
      "abc.1_2-3",
      "abc.1_2-3",
    ]);
    for (const bad of ["a b", "x".repeat(101), "a\tb", "<script>"]) {
      const reply = await ask(app, null, "GET /nowhere", { headers: { "x-request-id": bad } });
      expect(reply.body.request_id).toMatch(/^req_/);
    }
  });

  test("sends headers that let a browser do nothing", async () => {
    const { app } = doors({ health: async () => ready });
    for (const line of ["GET /", "GET /healthz", "GET /nowhere", "GET /v1/runs"]) {
      const { headers } = await ask(app, null, line);
      expect(headers).toMatchObject({
        "content-security-policy":
          "default-src 'none';script-src 'self';connect-src 'self';style-src 'self';" +
          "img-src 'self';frame-ancestors 'none';base-uri 'none';form-action 'none';" +
          "require-trusted-types-for 'script'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
      });
      for (const name of Object.keys(headers)) expect(name).not.toMatch(/^access-control|^server$/);
    }
  });

  test("tells which methods an address takes", async () => {
    const { app } = doors();
    const reply = await ask(app, key, "PUT /v1/runs");
    expect([reply.status, reply.body.code]).toEqual([400, "method_not_allowed"]);
    expect(reply.headers["allow"]).toBe("POST, GET");
    expect((await ask(app, key, "POST /v1/run")).body.code).toBe("not_found");
    expect((await ask(app, key, "PROPFIND /v1/runs")).body.code).toBe("method_not_allowed");
    expect((await ask(app, key, "HEAD /v1/runs")).status).toBe(400);
  });
});

const ready = {
  ready: true,
  database: "ok",
  sweepLagMs: 3,
  version: "1.2.3",
  startedAt: "2026-01-01T00:00:00.000Z",
};

describe("without a key", () => {
  test.each(keyed.map((one) => [lineOf(one)]))(
    "%s is 401 and asks the engine nothing",
    async (line) => {
      const { app, calls } = doors();
      const reply = await ask(app, null, line, { body: { hostile: "\u0000" } });
      expect([reply.status, reply.body.code]).toEqual([401, "unauthorized"]);
      expect(reply.headers["www-authenticate"]).toBe('Bearer realm="signalbox"');
      expect(calls).toEqual([]);
    },
  );

  test.each(["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "sbx_recorded_secret", "Bearer a b"])(
    "the header %j is no key",
    async (authorization) => {
      const { app, calls } = doors();
      const reply = await ask(app, null, "GET /v1/runs", { headers: { authorization } });
      expect(reply.status).toBe(401);
      expect(calls).toEqual([]);
    },
  );

  test("the rest is open and tells nothing of any project", async () => {
    const { app } = doors({ health: async () => ready });
    expect((await ask(app, null, "GET /healthz")).body).toEqual({ status: "ok" });
    expect((await ask(app, null, "GET /readyz")).body).toEqual({
      ready: true,
      database: "ok",
      sweep_lag_ms: 3,
      version: "1.2.3",
      started_at: "2026-01-01T00:00:00.000Z",
    });
    const page = await ask(app, null, "GET /");
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page.text).toContain("1.2.3");
    expect(page.text).not.toMatch(/<script|style=|https?:\/\//);
    expect((await ask(app, null, "GET /status.css")).headers["content-type"]).toContain("text/css");
    expect((await ask(app, null, "GET /status.svg")).headers["content-type"]).toBe("image/svg+xml");
  });

  test("a server that is not ready says so, and its page is there", async () => {
    const down = doors({
      health: async () => ({ ...ready, ready: false, database: "unreachable" }),
    });
    expect((await ask(down.app, null, "GET /readyz")).status).toBe(503);
    const broken = doors({ health: () => Promise.reject(new Error("no")) });
    expect((await ask(broken.app, null, "GET /")).text).toContain("Starting");
  });
});

describe("bodies", () => {
  test("a compressed bomb is not unpacked", async () => {
    const { app, calls } = doors();
    const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
    const response = await app.inject({
      method: "POST",
      url: "/v1/runs",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "content-encoding": "gzip",
      },
      payload: bomb,
    });
    expect(response.statusCode).toBe(400);
    expect(calls).toEqual([]);
  });

  test("text that is not UTF-8 is refused", async () => {
    const { app } = doors();
    const response = await app.inject({
      method: "POST",
      url: "/v1/runs",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json; charset=UTF-8",
      },
      payload: Buffer.concat([
        Buffer.from('{"input": "'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}'),
      ]),
    });
    expect(response.json()).toMatchObject({
      status: 400,
      errors: [{ field: "body", message: "is not valid UTF-8" }],
    });
  });

  test.each(
    Object.entries({ small: "POST /v1/stop", run: "POST /v1/runs", batch: "POST /v1/runs/batch" }),
  )("the limit of class %s holds to the byte", async (bodyClass, line) => {
    const { app } = doors({}, { bodyLimits: { [bodyClass]: 1000 } });
    const padded = (bytes: number): string => `{"zz": "${"x".repeat(bytes - 10)}"}`;
    const fits = await ask(app, key, line, { body: padded(1000) });
    expect([fits.status, fits.body.code]).toEqual([400, "validation_failed"]);
    const over = await ask(app, key, line, { body: padded(1001) });
    expect([over.status, over.body.code, over.body.limit_bytes]).toEqual([
      413,
      "payload_too_large",
      1000,
    ]);
    expect(over.body.errors[0].field).toBe("body");
  });

  test("anything at all is answered below 500, quickly", async () => {
    const { app, calls } = doors();
    await app.ready();
    const chunk = fc.oneof(
      fc.json(),
      fc.string({ unit: "binary" }),
      fc.constantFrom('{"input":', "[[[[", '"\\u0000"', "1e999", '{"__proto__":1}', "}", "\u0000"),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...keyed),
        fc.array(chunk, { maxLength: 4 }),
        async (one, parts) => {
          const reply = await ask(app, key, lineOf(one), { body: parts.join("") });
          // The recorder rejects whatever reaches it: then, and only then, a 500 is right.
          const reached = calls.splice(0).length > 0;
          expect(reply.status < 500 || reached).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("problems", () => {
  test.each(refusalCodes)("%s has a status of the closed list and a document", (code) => {
    expect([400, 401, 403, 404, 409, 413, 422, 423, 429, 500, 503]).toContain(
      problems[code].status,
    );
    const refusal = refuse(code, "Say what to do.", { status: 1, code: "x", state: "running" });
    const problem = problemOf(refusal, "req_1");
    expect(problem).toMatchObject({
      ...problems[code],
      code,
      request_id: "req_1",
      state: "running",
    });
  });

  test("429 and 503 say when to come back", () => {
    const told = problemOf(refuse("rate_limited", "Later.", { retry_after_ms: 1500 }), "r");
    expect(problemHeaders(told)["retry-after"]).toBe("2");
    expect(problemHeaders(problemOf(refuse("overloaded", "Later."), "r"))["retry-after"]).toBe("1");
  });

  test("a bug of ours shows no more than its request id, and is logged", async () => {
    const { app, lines } = doors();
    const reply = await ask(app, key, "GET /v1/runs");
    expect([reply.status, reply.body.code, reply.body.retryable]).toEqual([500, "internal", false]);
    expect(reply.text).not.toMatch(/secret text|at .*\.ts|Error/);
    const logged = lines.find(({ message }) => message === "a request could not be served");
    expect(logged?.fields).toMatchObject({ request_id: reply.body.request_id, route: "/v1/runs" });
    expect(JSON.stringify(lines)).not.toContain(key);
  });

  test.each([
    ["a refused connection", Object.assign(new Error("x"), { code: "ECONNREFUSED" })],
    ["a database that shuts down", Object.assign(new Error("x"), { code: "57P01" })],
    ["a lost connection", new Error("Connection terminated unexpectedly")],
  ])("%s is 503 and worth a retry", async (_name, error) => {
    const { app } = doors({ runs: () => Promise.reject(error) });
    const reply = await ask(app, key, "GET /v1/runs");
    expect([reply.status, reply.body.code, reply.body.retryable]).toEqual([
      503,
      "unavailable",
      true,
    ]);
    expect(reply.headers["retry-after"]).toBe("1");
  });

  test("a refusal that is thrown is a refusal", async () => {
    const { app } = doors({
      runs: () => Promise.reject(new Refused(refuse("project_stopped", "Stopped by ops."))),
    });
    expect((await ask(app, key, "GET /v1/runs")).status).toBe(423);
  });

  test("an answer that is not as described is a bug", async () => {
    const { app } = doors({ queues: async () => [{ name: "q", secret: 1 }] });
    expect((await ask(app, key, "GET /v1/queues")).status).toBe(500);
  });
});

describe("wrong keys", () => {
  test("are answered 429 after ten from one address, while a good key is served", async () => {
    const { app } = doors({
      principal: async (given) => (given === key ? recorder().engine.principal(key) : null),
      queues: async () => [],
    });
    const codes: string[] = [];
    for (let n = 0; n < 12; n++)
      codes.push((await ask(app, `sbx_wrong_${n}`, "GET /v1/queues")).body.code);
    expect(codes.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "unauthorized"));
    expect(codes.slice(10)).toEqual(["rate_limited", "rate_limited"]);
    const limited = await ask(app, "sbx_wrong", "GET /v1/queues", {
      headers: { "x-forwarded-for": "203.0.113.9" }, // not trusted: still the same address
    });
    expect(limited.status).toBe(429);
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(30);
    expect((await ask(app, key, "GET /v1/queues")).status).toBe(200);
    // A worker that was frozen holds keys of ended attempts: they are refused, not counted.
    expect((await ask(app, "sba_of_an_ended_attempt", "GET /v1/queues")).status).toBe(401);
    expect((await ask(app, null, "GET /v1/queues")).status).toBe(401); // no key is not a wrong one
  });
});
