// What errors have in common: a table of messages that are one failure, and of some that are not.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fingerprintOf, patternOf } from "../../src/domain/fingerprint.ts";

const patterns: Record<string, string> = {
  "timeout after 31 s": "timeout after <n> s",
  "exit code 137, 4.5 s, 10:31:02": "exit code <n>, <n> s, <n>",
  "run run_01h455vb4pex5vsknk084sn02q is gone": "run <id> is gone",
  "no row 0190163d-8694-739b-aea5-966c26f8ad91": "no row <id>",
  "at 0xdeadbeef in deadbeef00112233": "at <hex> in <hex>",
  "cannot open /srv/data/customers/12/file.csv: no such file": "cannot open <path>: no such file",
  "cannot open C:\\temp\\a.txt": "cannot open <path>",
  "cannot open ../up/a.txt": "cannot open <path>",
  'unknown tool "search-9"': "unknown tool <text>",
  "unknown tool 'search'": "unknown tool <text>",
  "don't know what it can't do": "don't know what it can't do",
  "GET https://api.example.com/v1/things?id=7 failed": "GET <url> failed",
  "since 2026-01-31T08:00:00.123Z": "since <time>",
  "request req-7Fh2kQ9xLm31 was refused": "request <id> was refused",
  "\u001b[31mred\u001b[0m\n\n   error": "red error",
  "decade of cafes": "decade of cafes",
};

test.each(Object.entries(patterns))("%j reads %j", (message, pattern) => {
  expect(patternOf(message)).toBe(pattern);
});

describe("a fingerprint", () => {
  const of = (code: string, message: string): string =>
    fingerprintOf({ code, message }).fingerprint;

  test("is the same for what differs in names and numbers only", () => {
    expect(of("timeout", "run 1 took 31 s")).toBe(of("timeout", "run 22 took 7.5 s"));
  });

  test("differs by code and by words", () => {
    const all = [of("a", "no room"), of("b", "no room"), of("a", "no time")];
    expect(new Set(all).size).toBe(3);
  });

  test("of any text is 16 digits, its pattern at most 500 characters and stable", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 5_000, unit: "grapheme" }), (message) => {
        const { fingerprint, pattern } = fingerprintOf({ code: "x", message });
        expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
        expect(pattern.length).toBeLessThanOrEqual(500);
        expect(fingerprintOf({ code: "x", message }).fingerprint).toBe(fingerprint);
      }),
    );
  });
});
