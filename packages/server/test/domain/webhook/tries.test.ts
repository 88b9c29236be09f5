// What follows from a try, as tables; and which events a webhook wants.

import { describe, expect, test } from "vitest";
import { wants, wrongPatterns } from "../../../src/domain/webhook/filter.ts";
import type { AfterTry, TryFacts, TryOutcome } from "../../../src/domain/webhook/tries.ts";
import { afterTry, GIVE_UP_MS } from "../../../src/domain/webhook/tries.ts";

const NOW = 1_000_000_000_000;
const well = { failures: 0, failingSince: null, restUntil: null };
const facts = (parts: Partial<TryFacts> = {}): TryFacts => ({
  tries: 0,
  firstTryAt: null,
  aside: false,
  endpoint: well,
  now: NOW,
  random: 0.5,
  ...parts,
});
const outcome = (status: number | null, more: Partial<TryOutcome> = {}): TryOutcome => ({
  ok: status !== null && status < 300,
  status,
  tookMs: 1,
  error: null,
  excerpt: null,
  retryAfterMs: null,
  ...more,
});
const failing = (parts: Partial<TryFacts> = {}, more: Partial<TryOutcome> = {}): AfterTry =>
  afterTry(outcome(500, more), facts(parts));

describe("a try that failed", () => {
  test.each([
    [0, 1000],
    [1, 4000],
    [2, 16_000],
    [3, 64_000],
    [4, 256_000],
    [5, 900_000],
    [1000, 900_000],
  ])("after %i others is repeated in %i ms", (tries, ms) => {
    expect(failing({ tries }).delivery.nextAt).toBe(NOW + ms);
  });

  test.each([
    [5000, 5000],
    [10, 1000],
    [86_400_000, 3_600_000],
  ])("whose receiver asks for %i ms waits %i", (retryAfterMs, ms) => {
    expect(failing({}, { retryAfterMs }).delivery.nextAt).toBe(NOW + ms);
  });

  test("steps aside at the fifth, and stays there", () => {
    expect(failing({ tries: 3 }).delivery).toMatchObject({ tries: 4, aside: false });
    expect(failing({ tries: 4 }).delivery).toMatchObject({ tries: 5, aside: true });
    expect(failing({ tries: 0, aside: true }).delivery.aside).toBe(true);
  });
});

describe("an endpoint", () => {
  const since = (failures: number, failingSince: number) => ({
    endpoint: { failures, failingSince, restUntil: null },
  });

  test("rests from the fifth failure in a row on, for 30 s at most", () => {
    expect(failing(since(3, NOW)).endpoint.restUntil).toBeNull();
    expect(failing(since(4, NOW)).endpoint.restUntil).toBe(NOW + 1000);
    expect(failing(since(6, NOW)).endpoint.restUntil).toBe(NOW + 4000);
    expect(failing(since(60, NOW)).endpoint.restUntil).toBe(NOW + 30_000);
  });

  test("is well again after one success", () => {
    const after = afterTry(outcome(204), facts(since(9, NOW - 1)));
    expect(after).toEqual({
      delivery: { state: "delivered", tries: 1, aside: false, nextAt: null },
      endpoint: well,
      disable: null,
    });
  });

  test("is disabled after a day of failure, not before, and by 410 at once", () => {
    expect(failing(since(9, NOW - GIVE_UP_MS + 1)).disable).toBeNull();
    expect(failing(since(9, NOW - GIVE_UP_MS)).disable).toMatch(/24 hours/);
    expect(afterTry(outcome(410), facts()).disable).toMatch(/410/);
  });
});

test("a delivery that fails for a day at an endpoint that works is given up", () => {
  const old = { tries: 90, firstTryAt: NOW - GIVE_UP_MS, aside: true };
  expect(failing(old).delivery).toMatchObject({ state: "failed", nextAt: null });
  const endpoint = { failures: 90, failingSince: NOW - GIVE_UP_MS, restUntil: null };
  const both = failing({ ...old, endpoint });
  expect(both.delivery.state).toBe("pending");
  expect(both.disable).not.toBeNull();
});

describe("filters", () => {
  const event = { type: "run.failed", also: ["attempt.failed"], agent: "ada", queue: "mail" };
  const filter = { types: [] as string[], agent: null, queue: null };

  test.each([
    [[], true],
    [["*"], true],
    [["run.*"], true],
    [["run.failed"], true],
    [["attempt.*"], true],
    [["attempt.failed"], true],
    [["run"], false],
    [["ru.*"], false],
    [["run.fail"], false],
    [["run.failed.*"], false],
    [["queue.*", "agent.*"], false],
  ])("%j: %s", (types, wanted) => {
    expect(wants({ ...filter, types }, event)).toBe(wanted);
  });

  test("agent and queue must both fit", () => {
    expect(wants({ ...filter, agent: "ada", queue: "mail" }, event)).toBe(true);
    expect(wants({ ...filter, agent: "bob" }, event)).toBe(false);
    expect(wants({ ...filter, queue: "other" }, event)).toBe(false);
    expect(wants({ ...filter, agent: "ada" }, { ...event, agent: null })).toBe(false);
  });

  test.each(["Run.failed", "run..failed", ".run", "run.", "run.*.x", "", "a".repeat(70)])(
    "%j is no pattern",
    (type) => {
      expect(wrongPatterns(["run.*", type])).toMatchObject({ code: "validation_failed" });
    },
  );

  test("more than 64 patterns are refused", () => {
    expect(wrongPatterns(Array.from({ length: 65 }, () => "*"))).not.toBeNull();
    expect(wrongPatterns(Array.from({ length: 64 }, () => "*"))).toBeNull();
  });
});
