// Event data at its limit: −1, 0, +1 and far beyond.
// Promises: whatever the data, the result fits and says what was cut.
// Leaves to others: the server's own limits.

import fc from "fast-check";
import { expect, test } from "vitest";

import type { JsonObject } from "../../src/index.ts";
import { EVENT_DATA_BYTES, fitEventData } from "../../src/worker/event-data.ts";

const sizeOf = (data: JsonObject): number => Buffer.byteLength(JSON.stringify(data));
const textOf = (bytes: number): JsonObject => ({ text: "x".repeat(bytes - sizeOf({ text: "" })) });

test("data of exactly 60 KiB passes as it is, one byte more is cut and marked", () => {
  const fits = textOf(EVENT_DATA_BYTES);
  expect(sizeOf(fits)).toBe(EVENT_DATA_BYTES);
  expect(fitEventData(fits)).toBe(fits);
  const cut = fitEventData(textOf(EVENT_DATA_BYTES + 1));
  expect(sizeOf(cut)).toBe(EVENT_DATA_BYTES);
  expect(cut["truncated"]).toEqual({ text: EVENT_DATA_BYTES - 8 });
});

test("the largest fields are cut first, the others stay whole", () => {
  const list = Array(50_000).fill(1);
  const data = { small: "s", list, text: "y".repeat(30_000) };
  const cut = fitEventData(data);
  expect(cut).toMatchObject({ small: "s", list: null, text: data.text });
  expect(cut["truncated"]).toEqual({ list: 100_001 });
});

test("a surrogate pair is not cut in two", () => {
  for (let shift = 0; shift < 4; shift += 1) {
    const cut = fitEventData({ text: "x".repeat(shift) + "😀".repeat(30_000) });
    expect((cut["text"] as string).isWellFormed()).toBe(true);
  }
});

test("any data fits afterwards", () => {
  const data = fc.dictionary(fc.string({ maxLength: 10 }), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(
    fc.property(data, fc.integer({ min: 60, max: 400 }), (value, limit) => {
      expect(sizeOf(fitEventData(value as JsonObject, limit))).toBeLessThanOrEqual(limit);
    }),
  );
});
