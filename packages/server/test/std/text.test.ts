// Text and depth: what PostgreSQL refuses is replaced, what is harmless is not even copied.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { assert, Bug, unreachable } from "../../src/std/assert.ts";
import { jsonDepth, toStorable, valueDepth } from "../../src/std/text.ts";

const LONE = "\ud800";

describe("toStorable", () => {
  test.each([
    ["NUL", "a\u0000b\u0000", "a␀b␀"],
    ["lone high surrogate", `x${LONE}y`, "x\ufffdy"],
    ["lone low surrogate", "x\udc00", "x\ufffd"],
    ["surrogates the wrong way round", "\udc00\ud800", "\ufffd\ufffd"],
    ["both", `\u0000${LONE}`, "␀\ufffd"],
  ])("replaces %s", (_name, text, storable) => {
    expect(toStorable(text)).toEqual({ value: storable, sanitized: true });
  });

  test("reaches items, values and keys at any level, and leaves the rest alone", () => {
    const tree = { a: [1, "ok", ["\u0000"]], [`k${LONE}`]: { n: null, b: true, s: "😀" } };
    const { value, sanitized } = toStorable(tree);
    expect(value).toEqual({ a: [1, "ok", ["␀"]], "k\ufffd": { n: null, b: true, s: "😀" } });
    expect(sanitized).toBe(true);
    expect(tree.a[2]).toEqual(["\u0000"]); // the original is untouched
  });

  test("keeps a key named __proto__ a key", () => {
    const hostile: unknown = JSON.parse('{"__proto__": {"admin": true}, "x": "\\u0000"}');
    const { value } = toStorable(hostile);
    expect(JSON.stringify(value)).toBe('{"__proto__":{"admin":true},"x":"␀"}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test("is the identity for everything that can be stored", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const storable = !JSON.stringify(value).includes("\\u0000");
        fc.pre(storable);
        expect(toStorable(value)).toEqual({ value, sanitized: false });
        expect(toStorable(value).value).toBe(value);
      }),
    );
  });

  test("whatever the strings hold, the outcome has neither NUL nor lone surrogates", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "\u0000", LONE, "\udfff", "😀") });
    const tree = fc.jsonValue({ stringUnit: fc.constantFrom("b", "\u0000", LONE, "\udc01") });
    fc.assert(
      fc.property(fc.oneof(text, tree), (value) => {
        const once = toStorable(value);
        const flat = JSON.stringify(once.value); // escapes NUL and lone surrogates as \uXXXX
        expect(flat).not.toMatch(/\\u0000|\\ud[89a-f]/);
        expect(toStorable(once.value)).toEqual({ value: once.value, sanitized: false });
      }),
    );
  });

  test("100,000 levels deep exhaust no stack", () => {
    let deep: unknown = "\u0000";
    for (let n = 0; n < 100_000; n++) deep = [deep];
    let value: unknown = toStorable(deep).value;
    while (Array.isArray(value)) value = value[0];
    expect(value).toBe("␀");
  });
});

describe("depth", () => {
  test.each([
    ["7", 0],
    ['"[[[["', 0],
    ["[]", 1],
    ['{"a": 1, "b": [2]}', 2],
    ["[[], [[]], {}]", 3],
    ['{"a\\"[[": "}\\\\", "b": {}}', 2],
  ])("%s is %d deep", (text, depth) => {
    const value: unknown = JSON.parse(text);
    expect([jsonDepth(text, depth), valueDepth(value, depth)]).toEqual([true, true]);
    expect([jsonDepth(text, depth - 1), valueDepth(value, depth - 1)]).toEqual([
      depth === 0, // nothing is less deep than a plain value
      depth === 0,
    ]);
  });

  test("text and value agree", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(6), (value, max) => {
        expect(jsonDepth(JSON.stringify(value), max)).toBe(valueDepth(value, max));
      }),
    );
  });

  test("a million levels, and a cycle, are refused without recursion", () => {
    expect(jsonDepth("[".repeat(1_000_000), 64)).toBe(false);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(valueDepth(cycle, 64)).toBe(false);
  });
});

describe("assert", () => {
  test("throws Bug with the sentence, and only when it must", () => {
    expect(() => assert([1], "arithmetic")).not.toThrow();
    expect(() => assert(null, "arithmetic")).toThrow(new Bug("arithmetic"));
  });

  test("unreachable names the value", () => {
    expect(() => unreachable("claimed" as never)).toThrow('"claimed"');
  });
});
