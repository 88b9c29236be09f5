// Digests: known answers, and the same text for the same value whatever its order.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { canonicalJson, sha256Hex } from "../../src/std/digest.ts";

describe("sha256Hex", () => {
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ])("of %j", (text, digest) => {
    expect(sha256Hex(text)).toBe(digest);
  });

  test("reads text as UTF-8", () => {
    expect(sha256Hex("ü")).not.toBe(sha256Hex("u"));
    expect(sha256Hex("ü")).toHaveLength(64);
  });
});

/** The same value with the keys of every object in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

describe("canonicalJson", () => {
  test.each([
    [{ b: [1, -0], a: "x" }, '{"a":"x","b":[1,0]}'],
    [{ é: 1, e: 2, E: 3, "😀": 4, "\ufb33": 5 }, '{"E":3,"e":2,"é":1,"😀":4,"\ufb33":5}'],
    [{ a: undefined, b: null }, '{"b":null}'],
    [1e21, "1e+21"],
    ['\u0000"\\', '"\\u0000\\"\\\\"'],
    [[], "[]"],
    [null, "null"],
    [undefined, "null"],
  ])("of %j is %s", (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test("is JSON of the same value, and does not depend on the order of keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(canonicalJson(reversed(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
