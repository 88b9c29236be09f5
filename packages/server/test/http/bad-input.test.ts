// Bad input, line by line: each is refused with a problem document that names the field, nothing is
// stored, and the server goes on.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, openScene, submitted } from "./scene.ts";
import type { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  await scene?.close();
});

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const absent = "run_01h455vb4pex5vsknk084sn02q";
const past = "2001-01-01T00:00:00.000Z";

/** body of POST /v1/runs · status · code · field */
const submissions: readonly (readonly [string, unknown, number, string, string])[] = [
  ["an unknown field", { colour: "red" }, 400, "validation_failed", "colour"],
  [
    "an unknown field further down",
    { backoff: { base: 1 } },
    400,
    "validation_failed",
    "backoff.base",
  ],
  ["an array instead of an object", [], 400, "validation_failed", "body"],
  ["a bare number", "7", 400, "validation_failed", "body"],
  ["nothing at all", "", 400, "validation_failed", "body"],
  ["blanks", " \n ", 400, "validation_failed", "body"],
  ["text that is no JSON", "{input: 1}", 400, "validation_failed", "body"],
  ["a body that stops in the middle", '{"input": [1,', 400, "validation_failed", "body"],
  ["a number as queue", { queue: 7 }, 400, "validation_failed", "queue"],
  ["an empty queue", { queue: "" }, 400, "validation_failed", "queue"],
  ["blanks around a name", { agent: " reviewer" }, 400, "validation_failed", "agent"],
  ["a line break in a name", { runner: "a\nb" }, 400, "validation_failed", "runner"],
  ["an escape sequence in a name", { runtime: "a\u001b[2Jb" }, 400, "validation_failed", "runtime"],
  ["a name of 201 characters", { queue: "q".repeat(201) }, 400, "validation_failed", "queue"],
  ["null for an optional field", { agent: null }, 400, "validation_failed", "agent"],
  ["an unknown priority word", { priority: "urgent" }, 400, "validation_failed", "priority"],
  ["priority 100", { priority: 100 }, 400, "validation_failed", "priority"],
  ["a negative priority", { priority: -1 }, 400, "validation_failed", "priority"],
  ["half a priority", { priority: 40.5 }, 400, "validation_failed", "priority"],
  ["priority as text", { priority: "40" }, 400, "validation_failed", "priority"],
  ["zero attempts", { max_attempts: 0 }, 400, "validation_failed", "max_attempts"],
  ["101 attempts", { max_attempts: 101 }, 400, "validation_failed", "max_attempts"],
  ["2^53 attempts", '{"max_attempts": 9007199254740993}', 400, "validation_failed", "max_attempts"],
  ["an infinite number", '{"max_attempts": 1e400}', 400, "validation_failed", "max_attempts"],
  [
    "an infinite number in the input",
    '{"input": {"n": [-1e400]}}',
    400,
    "validation_failed",
    "input.n.0",
  ],
  ["a negative duration", { max_duration_s: -5 }, 400, "validation_failed", "max_duration_s"],
  [
    "a duration of two months",
    { max_duration_s: 5_000_000 },
    400,
    "validation_failed",
    "max_duration_s",
  ],
  ["negative tokens", { estimate: { tokens: -1 } }, 400, "validation_failed", "estimate.tokens"],
  ["too much jitter", { backoff: { jitter: 1.5 } }, 400, "validation_failed", "backoff.jitter"],
  ["a shrinking backoff", { backoff: { factor: 0.5 } }, 400, "validation_failed", "backoff.factor"],
  ["a deadline in the past", { deadline_at: past }, 400, "validation_failed", "deadline_at"],
  [
    "a deadline before the start",
    { not_before: "2091-01-02T00:00:00Z", deadline_at: "2091-01-01T00:00:00Z" },
    400,
    "validation_failed",
    "deadline_at",
  ],
  ["a date without a time", { not_before: "2026-01-01" }, 400, "validation_failed", "not_before"],
  [
    "a time without a zone",
    { not_before: "2026-01-01T00:00:00" },
    400,
    "validation_failed",
    "not_before",
  ],
  [
    "the 30th of February",
    { not_before: "2026-02-30T00:00:00Z" },
    400,
    "validation_failed",
    "not_before",
  ],
  ["a leap second", { not_before: "2016-12-31T23:59:60Z" }, 400, "validation_failed", "not_before"],
  ["seconds since 1970", { not_before: 1_767_225_600 }, 400, "validation_failed", "not_before"],
  [
    "33 tags",
    { tags: Array.from({ length: 33 }, (_, n) => `t${n}`) },
    400,
    "validation_failed",
    "tags",
  ],
  ["a tag that is no text", { tags: ["ok", 7] }, 400, "validation_failed", "tags.1"],
  [
    "33 capabilities",
    { requires: Array.from({ length: 33 }, (_, n) => `c${n}`) },
    400,
    "validation_failed",
    "requires",
  ],
  [
    "a dependency that is no id",
    { depends_on: ["yesterday"] },
    400,
    "validation_failed",
    "depends_on.0",
  ],
  [
    "a dependency of another kind",
    { depends_on: ["att_01h455vb4pex5vsknk084sn02q"] },
    400,
    "validation_failed",
    "depends_on.0",
  ],
  [
    "a dependency that does not exist",
    { depends_on: [absent] },
    422,
    "unknown_dependency",
    "depends_on",
  ],
  [
    "a reference outside of a batch",
    { depends_on: ["#a"] },
    422,
    "unknown_dependency",
    "depends_on",
  ],
  [
    "101 dependencies",
    { depends_on: Array.from({ length: 101 }, () => absent) },
    400,
    "validation_failed",
    "depends_on",
  ],
  [
    "an unknown policy",
    { on_dependency_failure: "ignore" },
    400,
    "validation_failed",
    "on_dependency_failure",
  ],
  ["a parent that is no id", { parent_run: "me" }, 400, "validation_failed", "parent_run"],
  ["metadata that is a list", { metadata: [] }, 400, "validation_failed", "metadata"],
  [
    "metadata of 17 KiB",
    { metadata: { a: "x".repeat(66_000) } },
    413,
    "payload_too_large",
    "metadata",
  ],
  ["an input of 257 KiB", { input: "x".repeat(257 * 1024) }, 413, "payload_too_large", "input"],
  ["a body of 1 MiB", { input: "x".repeat(1024 * 1024) }, 413, "payload_too_large", "body"],
  [
    "an authorization of 70 KiB",
    { authorization: { a: "x".repeat(70_000) } },
    413,
    "payload_too_large",
    "authorization",
  ],
  ["an input 65 deep", `{"input": ${nested(65)}}`, 400, "validation_failed", "input"],
  [
    "an input 100,000 deep",
    `{"input": {"a": ${nested(100_000)}}}`,
    400,
    "validation_failed",
    "input.a.0.0",
  ],
  ["100,000 open brackets", "[".repeat(100_000), 400, "validation_failed", "0.0.0.0"],
  ["NUL in the input", { input: { a: ["b\u0000"] } }, 400, "validation_failed", "input.a.0"],
  ["NUL in a key", { metadata: { "a\u0000": 1 } }, 400, "validation_failed", "metadata.a␀"],
  ["NUL in a name", { queue: "a\u0000b" }, 400, "validation_failed", "queue"],
  ["half a surrogate pair", { input: "\ud800" }, 400, "validation_failed", "input"],
  [
    "half a surrogate pair in a key",
    { metadata: { "\udc00": 1 } },
    400,
    "validation_failed",
    "metadata.\ufffd",
  ],
  ["half a surrogate pair in a tag", { tags: ["\udfff"] }, 400, "validation_failed", "tags.0"],
  ["__proto__ at the top", '{"__proto__": {"queue": "x"}}', 400, "validation_failed", "__proto__"],
  [
    "__proto__ in the input",
    '{"input": [{"__proto__": {"admin": true}}]}',
    400,
    "validation_failed",
    "input.0.__proto__",
  ],
  [
    "__proto__ in escapes",
    '{"input": {"\\u005f_proto__": 1}}',
    400,
    "validation_failed",
    "input.__proto__",
  ],
  [
    "constructor in the metadata",
    { metadata: { a: { constructor: {} } } },
    400,
    "validation_failed",
    "metadata.a.constructor",
  ],
  [
    "prototype in the authorization",
    { authorization: { prototype: 1 } },
    400,
    "validation_failed",
    "authorization.prototype",
  ],
  [
    "a timeout without an agent",
    { agent_timeout_s: 60 },
    400,
    "validation_failed",
    "agent_timeout_s",
  ],
  [
    "a policy without an agent",
    { on_agent_timeout: "any" },
    400,
    "validation_failed",
    "on_agent_timeout",
  ],
  [
    "a timeout of nothing",
    { agent: "a", agent_timeout_s: 0 },
    400,
    "validation_failed",
    "agent_timeout_s",
  ],
  [
    "half a second",
    { agent: "a", agent_timeout_s: 0.5 },
    400,
    "validation_failed",
    "agent_timeout_s",
  ],
  [
    "a timeout of 31 days",
    { agent: "a", agent_timeout_s: 2_678_400 },
    400,
    "validation_failed",
    "agent_timeout_s",
  ],
  [
    "an unknown policy of agents",
    { agent: "a", on_agent_timeout: "all" },
    400,
    "validation_failed",
    "on_agent_timeout",
  ],
  ["a broken traceparent", { traceparent: "00-zz" }, 400, "validation_failed", "traceparent"],
  [
    "a key of 256 characters",
    { idempotency_key: "k".repeat(256) },
    400,
    "validation_failed",
    "idempotency_key",
  ],
  ["an empty key", { idempotency_key: "" }, 400, "validation_failed", "idempotency_key"],
];

describe("POST /v1/runs", () => {
  test.each(submissions)("refuses %s", async (_name, body, status, code, field) => {
    const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs", { body });
    expect({ status: reply.status, code: reply.body.code }).toEqual({ status, code });
    const fields = reply.body.errors.map((error: { field: string }) => error.field);
    expect(fields).toContain(field);
    expect(reply.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(reply.body).toMatchObject({
      status,
      retryable: false,
      type: `urn:signalbox:problem:${code}`,
    });
    expect(reply.body.detail.length).toBeGreaterThan(10);
    expect(reply.body.request_id).toBe(reply.headers["x-request-id"]);
  });

  test("nothing of it was stored, and the server is alive", async () => {
    const { body } = await ask(scene.app, scene.keys.viewer, "GET /v1/runs");
    expect(body.items).toEqual([]);
    expect({}).not.toHaveProperty("admin"); // no prototype was touched
    await submitted(scene, { queue: "alive" });
  });

  test("names every wrong field at once", async () => {
    const body = { a: 1, b: 2, priority: "x", tags: [1], backoff: { jitter: 9, x: 1 }, queue: "" };
    const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs", { body });
    const fields = reply.body.errors.map((error: { field: string }) => error.field).toSorted();
    expect(fields).toEqual([
      "a",
      "b",
      "backoff.jitter",
      "backoff.x",
      "priority",
      "queue",
      "tags.0",
    ]);
  });

  test("a thousand wrong fields give twenty errors", async () => {
    const body = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`f${n}`, n]));
    const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs", { body });
    expect(reply.body.errors).toHaveLength(20);
  });

  test.each([
    ["the largest input", { input: "x".repeat(256 * 1024 - 2) }],
    ["the deepest input", `{"input": ${nested(64)}}`],
    [
      "64 levels of input and every other depth",
      { input: JSON.parse(nested(64)), metadata: { a: {} } },
    ],
    ["-0", '{"input": -0}'],
    ["2^53 + 1", '{"input": 9007199254740993}'],
    ["the same field twice: the last counts", '{"queue": 7, "queue": "twice"}'],
    ["a pair of surrogates", { input: "😀" }],
    ["a name of 200 characters of two units", { queue: "😀".repeat(200) }],
    ["a byte order mark", '\ufeff{"queue": "bom"}'],
  ])("takes %s", async (_name, body) => {
    const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs", { body });
    expect(reply.text).toContain('"state":"pending"');
    expect(reply.status).toBe(201);
  });
});

describe("batches", () => {
  test("one wrong item fails alone, and the fields are the item's", async () => {
    const items = [
      { ref: "a" },
      { depends_on: ["#a"] },
      { priority: "urgent", x: 1 },
      { ref: "a" },
      { depends_on: ["#nobody"] },
      { ref: "p", depends_on: ["#q"] },
      { ref: "q", depends_on: ["#p"] },
      7,
      { deadline_at: past },
    ];
    const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs/batch", {
      body: { items },
    });
    expect(reply.status).toBe(200);
    const lines = reply.body.results.map(
      (one: { ok: boolean; problem?: { code: string; errors: { field: string }[] } }) =>
        one.problem === undefined
          ? "ok"
          : `${one.problem.code} ${one.problem.errors
              .map(({ field }) => field)
              .toSorted()
              .join(",")}`,
    );
    expect(lines).toEqual([
      "ok",
      "ok",
      "validation_failed priority,x",
      "validation_failed ref",
      "unknown_dependency depends_on",
      "dependency_cycle depends_on",
      "dependency_cycle depends_on",
      "validation_failed body",
      "validation_failed deadline_at",
    ]);
  });

  test.each([
    ["no items", { items: [] }, "items"],
    ["1,001 items", { items: Array.from({ length: 1001 }, () => ({})) }, "items"],
    ["items of another name", { runs: [{}] }, "runs"],
    ["items that are no list", { items: {} }, "items"],
    ["__proto__ in an item", '{"items": [{"input": {"__proto__": 1}}]}', "items.0.input.__proto__"],
  ])("refuses %s as a whole", async (_name, body, field) => {
    const reply = await ask(scene.app, scene.keys.submitter, "POST /v1/runs/batch", { body });
    expect(reply.status).toBe(400);
    expect(reply.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });
});
