// Ids: the vectors of the TypeID specification 0.3, and the promises of our own UUIDv7 source.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { Bug } from "../../src/std/assert.ts";
import { fromTypeId, newUuid, toTypeId, uuidSource } from "../../src/std/ids.ts";

const VALID = [
  ["nil", "", "00000000000000000000000000", "00000000-0000-0000-0000-000000000000"],
  ["one", "", "00000000000000000000000001", "00000000-0000-0000-0000-000000000001"],
  ["ten", "", "0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"],
  ["sixteen", "", "0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"],
  ["thirty-two", "", "00000000000000000000000010", "00000000-0000-0000-0000-000000000020"],
  ["max-valid", "", "7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  [
    "valid-alphabet",
    "prefix",
    "prefix_0123456789abcdefghjkmnpqrs",
    "0110c853-1d09-52d8-d73e-1194e95b5f19",
  ],
  [
    "valid-uuidv7",
    "prefix",
    "prefix_01h455vb4pex5vsknk084sn02q",
    "01890a5d-ac96-774b-bcce-b302099a8057",
  ],
  [
    "prefix-underscore",
    "pre_fix",
    "pre_fix_00000000000000000000000000",
    "00000000-0000-0000-0000-000000000000",
  ],
] as const;

const INVALID_SUFFIX = [
  ["suffix-short", "prefix_1234567890123456789012345"],
  ["suffix-long", "prefix_123456789012345678901234567"],
  ["suffix-spaces", "prefix_1234567890123456789012345 "],
  ["suffix-uppercase", "prefix_0123456789ABCDEFGHJKMNPQRS"],
  ["suffix-hyphens", "prefix_123456789-123456789-123456"],
  ["suffix-wrong-alphabet", "prefix_ooooooiiiiiiuuuuuuulllllll"],
  ["suffix-ambiguous-crockford", "prefix_i23456789ol23456789oi23456"],
  ["suffix-hyphens-crockford", "prefix_123456789-0123456789-0123456"],
  ["suffix-overflow", "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz"],
  ["no separator", "prefix00000000000000000000000000"],
  ["other separator", "prefix-00000000000000000000000000"],
  ["other prefix", "suffix_00000000000000000000000000"],
  ["upper-case prefix", "PREFIX_00000000000000000000000000"],
  ["beyond Latin-1", "prefix_0000000000000000000000000\u{1d7d8}"],
  ["empty", ""],
] as const;

const BAD_PREFIXES = ["PREFIX", "12345", "pre.fix", "préfix", "  prefix", "_run", "run_"];

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("TypeID", () => {
  test.each(VALID)("specification, valid: %s", (_name, prefix, text, uuid) => {
    expect(toTypeId(prefix, uuid)).toBe(text);
    expect(fromTypeId(prefix, text)).toBe(uuid);
  });

  test.each(INVALID_SUFFIX)("specification, invalid: %s", (_name, text) => {
    expect(fromTypeId("prefix", text)).toBeNull();
  });

  test.each([...BAD_PREFIXES, "a".repeat(64)])("specification, invalid prefix: %s", (prefix) => {
    expect(() => toTypeId(prefix, VALID[0][3])).toThrow(Bug);
  });

  test("what is not a UUID is a bug of the caller", () => {
    const broken = ["", "run_00000000000000000000000000", VALID[5][3].replace("f", "g")];
    for (const text of broken) expect(() => toTypeId("run", text)).toThrow(Bug);
  });

  test("every UUID comes back, and text order is number order", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), (a, b) => {
        expect(fromTypeId("run", toTypeId("run", a))).toBe(a);
        expect(toTypeId("run", a) < toTypeId("run", b)).toBe(a < b);
      }),
    );
  });

  test("no other text decodes: what decodes, encodes to itself", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (noise) => {
        const uuid = fromTypeId("run", noise);
        if (uuid !== null) expect(toTypeId("run", uuid)).toBe(noise);
        const tail = fromTypeId("run", `run_${noise.padEnd(26, "0")}`);
        if (tail !== null) expect(toTypeId("run", tail)).toBe(`run_${noise.padEnd(26, "0")}`);
      }),
    );
  });
});

describe("UUIDv7", () => {
  test("has the form of RFC 9562 and the time of the clock", () => {
    const before = Date.now();
    const uuid = newUuid();
    const ms = Number.parseInt(uuid.replaceAll("-", "").slice(0, 12), 16);
    expect(uuid).toMatch(UUID_V7);
    // Ids may run ahead of the clock only after 2^31 ids in one millisecond.
    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(Date.now());
  });

  test("100,000 in a row are distinct and sorted", () => {
    const made = Array.from({ length: 100_000 }, () => newUuid());
    expect(new Set(made).size).toBe(made.length);
    expect(made.toSorted()).toEqual(made);
  });

  test("sorts within one millisecond and when the clock steps back", () => {
    const instants = [5_000, 5_000, 5_000, 4_000, 1, 5_000, 5_001];
    let at = 0;
    const next = uuidSource({ wall: () => instants[at++] as number, fill: (b) => b.fill(0xff) });
    const made = instants.map(() => next());
    expect(made.toSorted()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
    for (const uuid of made) expect(uuid).toMatch(UUID_V7);
  });

  test("writes time, counter and randomness where the RFC puts them", () => {
    let byte = 0;
    const source = uuidSource({
      wall: () => 0x0123456789ab,
      fill: (bytes) => bytes.forEach((_, n) => (bytes[n] = byte++)),
    });
    // Counter seed 00 01 02 03 = 0000 0001 0000 0010 0000 0011; random bits 04 05 06 07 08 09.
    expect(source()).toBe("01234567-89ab-7000-8408-0c0506070809");
    // The next takes ten more bytes of randomness but only counts up: 00010204.
    expect(source()).toBe("01234567-89ab-7000-8408-120f10111213");
  });

  test("asks for fresh randomness when the pool is used up", () => {
    let fills = 0;
    const next = uuidSource({ wall: () => 1, fill: () => void fills++ });
    for (let n = 0; n < 256; n++) next();
    expect(fills).toBe(1);
    next();
    expect(fills).toBe(2);
  });
});
