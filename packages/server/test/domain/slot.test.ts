// Slots: the table of steps, what may be planned, what follows when they fall due.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { DueDecision, Slot, SlotStatus } from "../../src/domain/slot.ts";
import {
  checkSlot,
  DEFER_EVERY_MS,
  dueDecision,
  LONGEST_SLOT_MS,
  slotCommands,
  slotStatuses,
  slotStep,
} from "../../src/domain/slot.ts";
import { HOUR, MINUTE, START } from "./exhaustion/rows.ts";

describe("the table of steps", () => {
  const table = `
    from         start    finish    abort    skip     defer     pause   resume
    not_started  ongoing  -         -        skipped  deferred  -       -
    deferred     ongoing  -         -        skipped  deferred  -       -
    ongoing      =        finished  aborted  -        -         paused  =
    paused       -        finished  aborted  -        -         =       ongoing
    finished     -        =         -        -        -         -       -
    aborted      -        -         =        -        -         -       -
    skipped      -        -         -        =        -         -       -`;
  const [head = [], ...lines] = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));

  test("has a row for every status and a column for every command", () => {
    expect(head.slice(1)).toEqual(slotCommands);
    expect(lines.map(([status]) => status)).toEqual(slotStatuses);
  });

  test.each(lines.map((line) => [line[0] as SlotStatus, line.slice(1)] as const))(
    "%s",
    (status, expected) => {
      const found = slotCommands.map((command) => {
        const step = slotStep(status, command);
        if (isRefusal(step)) return "-";
        return step.repeated ? "=" : step.to;
      });
      expect(found).toEqual(expected);
    },
  );

  test("a refusal names status, command and what is allowed", () => {
    expect(slotStep("ongoing", "skip")).toMatchObject({
      code: "invalid_transition",
      detail: "A slot that is ongoing cannot skip; allowed now: finish, abort, pause.",
      facts: { status: "ongoing", command: "skip", allowed: ["finish", "abort", "pause"] },
    });
    expect(slotStep("skipped", "start")).toMatchObject({
      detail: "A slot that is skipped cannot start; allowed now: nothing; it is over.",
    });
  });
});

describe("what may be planned", () => {
  const good = { startsAt: START, endsAt: START + HOUR, priority: 40 };

  test.each<[string, Partial<typeof good>, string | null]>([
    ["an hour from now on", {}, null],
    ["what has begun already", { startsAt: START - HOUR }, null],
    ["31 days", { endsAt: START + LONGEST_SLOT_MS }, null],
    ["a millisecond more", { endsAt: START + LONGEST_SLOT_MS + 1 }, "ends_at"],
    ["no length", { endsAt: START }, "ends_at"],
    ["an end before the beginning", { endsAt: START - 1 }, "ends_at"],
    ["what is over", { startsAt: START - HOUR, endsAt: START }, "ends_at"],
    ["an end that is none", { endsAt: Number.NaN }, "ends_at"],
    ["a beginning that is none", { startsAt: Number.NaN }, "starts_at"],
    ["priority 0", { priority: 0 }, null],
    ["priority 99", { priority: 99 }, null],
    ["priority 100", { priority: 100 }, "priority"],
    ["priority -1", { priority: -1 }, "priority"],
    ["half a priority", { priority: 0.5 }, "priority"],
  ])("%s", (_, parts, field) => {
    const refusal = checkSlot({ ...good, ...parts }, START);
    expect(refusal?.errors?.[0]?.field ?? null).toBe(field);
  });
});

const slot = (id: string, parts: Partial<Slot> = {}): Slot => ({
  id,
  type: "work",
  priority: 40,
  status: "not_started",
  startsAt: START - MINUTE,
  endsAt: START + HOUR,
  deferredAt: null,
  hasRun: false,
  ...parts,
});
const idle = { idle: true, ongoing: null };
const occupied = { idle: false, ongoing: null };

/** Who does what, by id. */
function inWords({ starts, defers, skips, finishes }: DueDecision): Record<string, string> {
  const words: Record<string, string> = {};
  const say = (slots: readonly Slot[], word: (one: Slot) => string): void => {
    for (const one of slots) words[one.id] = word(one);
  };
  say(starts === null ? [] : [starts], () => "starts");
  say(defers, ({ priority }) => `deferred to ${priority}`);
  say(skips, () => "skipped");
  say(finishes, () => "finished");
  return words;
}

describe("when slots fall due", () => {
  test.each<[string, Slot[], Parameters<typeof dueDecision>[1], Record<string, string>]>([
    ["an idle agent starts it", [slot("a")], idle, { a: "starts" }],
    ["not before its time", [slot("a", { startsAt: START + 1 })], idle, {}],
    ["at its time", [slot("a", { startsAt: START })], idle, { a: "starts" }],
    [
      "the highest priority starts, the others are put off",
      [slot("a"), slot("b", { priority: 60 }), slot("c", { priority: 50 })],
      idle,
      { a: "deferred to 41", b: "starts", c: "deferred to 51" },
    ],
    [
      "of equal ones the earlier",
      [slot("a"), slot("b", { startsAt: START - HOUR })],
      idle,
      { a: "deferred to 41", b: "starts" },
    ],
    [
      "of equally early ones by id",
      [slot("b"), slot("a")],
      idle,
      {
        a: "starts",
        b: "deferred to 41",
      },
    ],
    [
      "an agent that is not idle puts all off",
      [slot("a"), slot("b")],
      occupied,
      {
        a: "deferred to 41",
        b: "deferred to 41",
      },
    ],
    [
      "an ongoing slot stands in the way",
      [slot("a")],
      { idle: true, ongoing: slot("o", { status: "ongoing" }) },
      { a: "deferred to 41" },
    ],
    [
      "but not when its time is over",
      [slot("a"), slot("o", { status: "ongoing", endsAt: START })],
      { idle: true, ongoing: slot("o", { status: "ongoing", endsAt: START }) },
      { a: "starts", o: "finished" },
    ],
    ["99 is the highest", [slot("a", { priority: 99 })], occupied, { a: "deferred to 99" }],
    [
      "a deferred one starts as soon as the agent is idle",
      [slot("a", { status: "deferred", deferredAt: START - 1 })],
      idle,
      { a: "starts" },
    ],
    [
      "it is not put off again within 15 minutes",
      [slot("a", { status: "deferred", deferredAt: START - DEFER_EVERY_MS + 1 })],
      occupied,
      {},
    ],
    [
      "after 15 minutes it is",
      [slot("a", { status: "deferred", priority: 41, deferredAt: START - DEFER_EVERY_MS })],
      occupied,
      { a: "deferred to 42" },
    ],
    [
      "what was missed altogether is skipped, also by an idle agent",
      [slot("a", { endsAt: START }), slot("b", { status: "deferred", endsAt: START - 1 })],
      idle,
      { a: "skipped", b: "skipped" },
    ],
    [
      "ongoing and paused ones finish when their time is over",
      [
        slot("a", { status: "ongoing", endsAt: START }),
        slot("b", { status: "paused", endsAt: START }),
        slot("c", { status: "ongoing", endsAt: START + 1 }),
      ],
      occupied,
      { a: "finished", b: "finished" },
    ],
    [
      "one with a run outlasts its time",
      [slot("a", { status: "ongoing", endsAt: START - HOUR, hasRun: true })],
      idle,
      {},
    ],
    [
      "what is over stays over",
      (["finished", "aborted", "skipped"] as const).map((status) =>
        slot(status, { status, endsAt: START }),
      ),
      idle,
      {},
    ],
  ])("%s", (_, slots, agent, expected) => {
    expect(inWords(dueDecision(slots, agent, START))).toEqual(expected);
  });

  test("a deferred one says since when", () => {
    const { defers } = dueDecision([slot("a")], occupied, START);
    expect(defers).toEqual([slot("a", { status: "deferred", priority: 41, deferredAt: START })]);
  });
});

test("nothing happens twice to a slot, one starts at most, and none outside its window", () => {
  const aSlot = fc.record({
    type: fc.constantFrom<Slot["type"]>("work", "on_call", "system"),
    priority: fc.integer({ min: 0, max: 99 }),
    status: fc.constantFrom(...slotStatuses),
    startsAt: fc.integer({ min: START - HOUR, max: START + HOUR }),
    endsAt: fc.integer({ min: START - HOUR, max: START + HOUR }),
    deferredAt: fc.option(fc.integer({ min: START - HOUR, max: START })),
    hasRun: fc.boolean(),
  });
  const many = fc
    .array(aSlot, { maxLength: 12 })
    .map((slots) => slots.map((one, n): Slot => ({ ...one, id: `s${n}` })));
  fc.assert(
    fc.property(many, fc.boolean(), (slots, isIdle) => {
      const decision = dueDecision(slots, { idle: isIdle, ongoing: null }, START);
      const { starts, defers, skips, finishes } = decision;
      const touched = [...(starts === null ? [] : [starts]), ...defers, ...skips, ...finishes];
      expect(new Set(touched.map(({ id }) => id)).size).toBe(touched.length);
      for (const { startsAt, endsAt } of [...(starts === null ? [] : [starts]), ...defers]) {
        expect(startsAt <= START && endsAt > START).toBe(true);
      }
      for (const { endsAt } of [...skips, ...finishes]) expect(endsAt).toBeLessThanOrEqual(START);
      const due = slots.filter(
        ({ status, startsAt, endsAt }) =>
          (status === "not_started" || status === "deferred") &&
          startsAt <= START &&
          endsAt > START,
      );
      expect(starts !== null).toBe(isIdle && due.length > 0);
      for (const { priority } of due) {
        if (starts !== null) expect(priority).toBeLessThanOrEqual(starts.priority);
      }
    }),
    { numRuns: 1000 },
  );
});
