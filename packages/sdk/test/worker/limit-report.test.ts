// What is read of a refusal: of a response, of the errors that provider SDKs throw, of plain
// fields, and of whatever else a handler may hold in its hand.
// Promises: errors are shaped as those SDKs shape them; none of the SDKs is needed.
// Leaves to others: what it means (the server's parser), sending it (exhausted.test.ts).

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { cutNotice, limitReportOf } from "../../src/worker/limit-report.ts";

const body = { error: { type: "rate_limit_error", message: "slow down" } };

/** An error with fields of its own, as SDKs make them. */
function errorWith(message: string, fields: object): Error {
  return Object.assign(new Error(message), fields);
}

class RateLimitError extends Error {
  override name = "RateLimitError";
}

describe("a refusal is read from", () => {
  const cases: { what: string; given: unknown; read: object }[] = [
    {
      what: "a Response",
      given: new Response(null, { status: 529, headers: { "Retry-After": "7" } }),
      read: { status: 529, headers: { "retry-after": "7" } },
    },
    {
      what: "fields in any form of headers: a Map",
      given: { status: 429, headers: new Map([["X-Reset", "9"]]), message: "no" },
      read: { status: 429, headers: { "x-reset": "9" }, message: "no" },
    },
    {
      what: "an object of headers: what is no text becomes text, or is left out",
      given: { headers: { a: 1, b: true, c: ["x", 2], d: {}, e: null, F: " f ", g: undefined } },
      read: { headers: { a: "1", b: "true", c: "x, 2", f: "f" } },
    },
    {
      what: "an error with status, Headers and the parsed body",
      given: errorWith('429 {"error":"…"}', {
        status: 429,
        headers: new Headers({ "retry-after": "3" }),
        error: body,
      }),
      read: {
        status: 429,
        headers: { "retry-after": "3" },
        message: `429 {"error":"…"}\n${JSON.stringify(body)}`,
      },
    },
    {
      what: "an error with statusCode, responseHeaders and responseBody",
      given: errorWith("Too Many Requests", {
        statusCode: 429,
        responseHeaders: { "retry-after": "3" },
        responseBody: JSON.stringify(body),
      }),
      read: {
        status: 429,
        headers: { "retry-after": "3" },
        message: `Too Many Requests\n${JSON.stringify(body)}`,
      },
    },
    {
      what: "an error that keeps the response, with its data",
      given: errorWith("Request failed with status code 429", {
        code: "ERR_BAD_REQUEST",
        config: { headers: { authorization: "Bearer s" } },
        response: { status: 429, headers: { "retry-after": "3" }, data: body },
      }),
      read: {
        status: 429,
        headers: { "retry-after": "3" },
        message: `Request failed with status code 429\n${JSON.stringify(body)}`,
      },
    },
    {
      what: "an error with metadata of its call",
      given: errorWith("slow down", { $metadata: { httpStatusCode: 503 } }),
      read: { status: 503, message: "slow down" },
    },
    {
      what: "the cause of an error, and its cause",
      given: new Error("the model call failed", {
        cause: new Error("gave up", {
          cause: Object.assign(new RateLimitError("limit reached"), { status: 429 }),
        }),
      }),
      read: {
        status: 429,
        message: "the model call failed\ngave up\nRateLimitError: limit reached",
      },
    },
    { what: "a text", given: "usage limit reached", read: { message: "usage limit reached" } },
    { what: "a status", given: 429, read: { status: 429 } },
    {
      what: "what the worker knows",
      given: {
        status: null,
        message: null,
        provider: "acme",
        reason: "billing",
        recoveryAt: "2026-11-21T12:00:00+02:00",
        recoveryInMs: 1.4,
        scope: "model",
        model: "m-1",
      },
      read: {
        provider: "acme",
        reason: "billing",
        recovery_at: "2026-11-21T10:00:00.000Z",
        recovery_in_ms: 1,
        scope: "model",
        model: "m-1",
      },
    },
    {
      what: "the names of the wire",
      given: { recovery_at: "2026-11-21T12:00:00Z", recovery_in_ms: 5 },
      read: { recovery_at: "2026-11-21T12:00:00.000Z", recovery_in_ms: 5 },
    },
    {
      what: "nothing that makes no sense",
      given: {
        status: 42,
        headers: "no",
        reason: "none",
        recoveryAt: new Date(Number.NaN),
        recoveryInMs: Number.NaN,
        scope: "planet",
        provider: 7,
        model: " ",
      },
      read: {},
    },
    { what: "null", given: null, read: {} },
    { what: "nothing", given: undefined, read: {} },
  ];
  test.each(cases)("$what", ({ given, read }) => {
    expect(limitReportOf(given)).toEqual(read);
  });
});

test("headers that hold secrets stay here, those about limits do not", () => {
  const kept = {
    "retry-after": "3",
    "x-ratelimit-remaining-tokens": "0",
    "anthropic-ratelimit-tokens-reset": "2026-11-21T12:00:00Z",
  };
  const secret = {
    "set-cookie": "session=1",
    authorization: "Bearer s",
    "x-api-key": "s",
    "x-amz-security-token": "s",
  };
  expect(limitReportOf({ headers: { ...secret, ...kept } }).headers).toEqual(kept);
});

test("of many headers 200 are read, of a long one 1,000 characters", () => {
  const many = Array.from({ length: 300 }, (_, n) => [`h${n}`, "x".repeat(2_000)]);
  const headers = limitReportOf({ headers: many }).headers ?? {};
  expect(Object.keys(headers)).toHaveLength(200);
  expect(headers["h0"]).toHaveLength(1_000);
});

describe("a long text", () => {
  const long = `${"a".repeat(8_192)}${"b".repeat(100_000)}${"c".repeat(57_343)}`;

  test("keeps its first 8 KiB and its last ones, 64 KiB together", () => {
    const { message = "" } = limitReportOf({ message: long });
    expect(message).toBe(`${"a".repeat(8_192)}\n${"c".repeat(57_343)}`);
    expect(Buffer.byteLength(message)).toBe(65_536);
  });

  test("stays as it is up to 64 KiB", () => {
    const text = "x".repeat(65_536);
    expect(limitReportOf(new Error(text)).message).toBe(text);
  });

  test("is cut between characters, by bytes", () => {
    const text = "€😀".repeat(20_000);
    const cut = cutNotice(text);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(65_536);
    expect(Buffer.byteLength(cut)).toBeGreaterThan(65_500);
    expect(cut.isWellFormed()).toBe(true);
    expect(cut).not.toContain("\ufffd");
  });
});

describe("never throws", () => {
  const angry = new Proxy(
    {},
    {
      get() {
        throw new Error("no");
      },
      getPrototypeOf() {
        throw new Error("no");
      },
      has() {
        throw new Error("no");
      },
      ownKeys() {
        throw new Error("no");
      },
    },
  );
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const circular: { [field: string]: unknown } = { message: "round" };
  circular["cause"] = circular;
  circular["error"] = circular;
  function* endless(): Generator<[string, string]> {
    for (let n = 0; ; n += 1) yield [`h${n}`, "x"];
  }

  test.each<[string, unknown, object]>([
    ["a proxy that does", angry, {}],
    ["a proxy that is gone", revoked.proxy, {}],
    [
      "one among the fields",
      { status: 429, headers: angry, cause: revoked.proxy },
      { status: 429 },
    ],
    ["a circle", circular, { message: "round" }],
    ["a body that is no JSON", { message: "m", error: { n: 1n } }, { message: "m" }],
    ["a symbol", Symbol("s"), {}],
    ["a function", () => 1, {}],
  ])("on %s", (_what, given, read) => {
    expect(limitReportOf(given)).toEqual(read);
  });

  test("on headers without end", () => {
    expect(Object.keys(limitReportOf({ headers: endless() }).headers ?? {})).toHaveLength(200);
  });

  test("on anything, and what it reads can be sent and is bounded", () => {
    const fields = fc.record(
      {
        status: fc.anything(),
        headers: fc.anything(),
        message: fc.anything(),
        response: fc.anything(),
        cause: fc.anything(),
        recoveryAt: fc.oneof(fc.date({ noInvalidDate: false }), fc.anything()),
        recoveryInMs: fc.oneof(fc.double(), fc.anything()),
        model: fc.oneof(fc.string(), fc.anything()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.anything({ withBigInt: true }), fields), (given) => {
        const report = limitReportOf(given);
        expect(JSON.parse(JSON.stringify(report))).toEqual(report);
        expect(Buffer.byteLength(report.message ?? "")).toBeLessThanOrEqual(65_536);
        expect(Number.isSafeInteger(report.recovery_in_ms ?? 0)).toBe(true);
      }),
    );
  });
});
