// The smaller tables of the law: roles, event types, refusals, submissions, ids of events.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventId } from "../../src/domain/event-id.ts";
import { houseEventTypes, isRunnerEventType, runnerEventTypes } from "../../src/domain/event.ts";
import type { Permission, Role } from "../../src/domain/key.ts";
import { may, permissions, rolePermissions, roles } from "../../src/domain/key.ts";
import { limits, priorityWords } from "../../src/domain/limits.ts";
import { attemptStates, attemptTable, statePairs } from "../../src/domain/machine.ts";
import { isRefusal, Refused, refuse, refuseField, refusalCodes } from "../../src/domain/refusal.ts";
import { HELD_DEPENDENCY, HELD_NOT_DUE } from "../../src/domain/run.ts";
import { checkNewRun, laneText } from "../../src/domain/submission.ts";
import { newRunOf } from "../engine/fixtures.ts";
import { pending, START } from "./runs.ts";

describe("roles", () => {
  const table: Record<Role, string> = {
    viewer: "read",
    submitter: "read submit cancel",
    worker: "read work",
    approver: "read approve",
    operator: "read submit cancel operate approve",
    admin: "read submit work cancel operate approve administer",
    owner: "read submit work cancel operate approve administer own",
  };

  test.each(roles)("%s", (role) => {
    const allowed = permissions.filter((permission) => may([role], permission));
    expect(new Set(allowed)).toEqual(new Set(table[role].split(" ")));
    expect(rolePermissions[role]).toHaveLength(allowed.length);
  });

  test("several roles may what any of them may; no role may nothing", () => {
    const held: Role[] = ["viewer", "worker"];
    expect(permissions.filter((one: Permission) => may(held, one))).toEqual(["read", "work"]);
    expect(permissions.filter((one) => may([], one))).toEqual([]);
  });
});

describe("event types", () => {
  test.each([...runnerEventTypes, "x.mine", "x.a.b-c.d_e.1"])("a runner may write %s", (type) => {
    expect(isRunnerEventType(type)).toBe(true);
  });

  test.each([
    ...houseEventTypes,
    "x",
    "x.",
    "x.Mine",
    "X.mine",
    "y.mine",
    "message.deltas",
    "",
    "x.a b",
    `x.${"a".repeat(61)}`,
    "x.a.b.c.d.e.f.g",
  ])("a runner may not write %j", (type) => {
    expect(isRunnerEventType(type)).toBe(false);
  });

  test("no type is both", () => {
    const house: readonly string[] = houseEventTypes;
    expect(runnerEventTypes.filter((type) => house.includes(type))).toEqual([]);
    expect(new Set(house).size).toBe(house.length);
  });
});

describe("the attempt", () => {
  const table = `
    spawning  -> running completed failed killed lost released
    running   -> completed failed killed lost released
    completed ->
    failed    ->
    killed    ->
    lost      ->
    released  ->`;

  test.each(table.trim().split("\n"))("%s", (line) => {
    const [from = "", to = ""] = line.split("->").map((part) => part.trim());
    const state = attemptStates.find((one) => one === from);
    if (state === undefined) throw new Error(`no state ${from}`);
    expect(attemptTable[state].join(" ")).toBe(to);
  });
});

test("the pairs of states an event may name, written from the model by hand", () => {
  const table = `
    (none)           -> pending
    pending          -> claimed failed cancelled timeout
    claimed          -> running pending completed failed cancelled timeout
    running          -> waiting_tool waiting_approval pending completed failed cancelled timeout
    waiting_tool     -> running waiting_approval pending completed failed cancelled timeout
    waiting_approval -> waiting_approval running pending failed cancelled timeout`;
  const expected = table
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [from = "", to = ""] = line.split("->").map((part) => part.trim());
      return to.split(" ").map((one) => `${from === "(none)" ? "null" : from} ${one}`);
    });
  const found = statePairs().map(({ from, to }) => `${from} ${to}`);
  expect(found.toSorted()).toEqual(expected.toSorted());
});

describe("refusals", () => {
  test("codes are words in snake case, each once", () => {
    for (const code of refusalCodes) expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
    expect(new Set(refusalCodes).size).toBe(refusalCodes.length);
  });

  test("a refusal is told from everything else", () => {
    expect(isRefusal(refuse("not_found", "no"))).toBe(true);
    for (const other of [null, undefined, 1, "refused", {}, { refused: "yes" }]) {
      expect(isRefusal(other)).toBe(false);
    }
  });

  test("one of a field names it; thrown, it still says what it was", () => {
    const refusal = refuseField("priority", "is not a priority");
    expect(refusal.errors).toEqual([{ field: "priority", message: "is not a priority" }]);
    expect(new Refused(refusal).message).toBe("validation_failed: priority: is not a priority");
  });
});

describe("submissions", () => {
  test("priority words are the numbers of the model", () => {
    expect(priorityWords).toEqual({ critical: 80, high: 60, medium: 40, low: 20 });
  });

  test("a new run is pending with every counter at 0", () => {
    const run = pending({ priority: 60, backoff: { jitter: 0 }, maxDurationS: 5 });
    expect(run).toMatchObject({
      phase: "pending",
      lease: null,
      fencingToken: 0,
      attemptsUsed: 0,
      held: 0,
      maxDurationMs: 5000,
      backoff: { baseMs: 5000, factor: 2, capMs: 900_000, jitter: 0 },
    });
  });

  test("it is held back while it is not due and while it depends on others", () => {
    expect(pending({ notBefore: START + 1 }).held).toBe(HELD_NOT_DUE);
    expect(pending({ notBefore: START }).held).toBe(0);
    expect(pending({}, 2)).toMatchObject({ held: HELD_DEPENDENCY, openDependencies: 2 });
    expect(pending({ notBefore: START + 1 }, 1).held).toBe(HELD_DEPENDENCY | HELD_NOT_DUE);
  });

  test.each([
    [{ deadlineAt: START - 1 }, "deadline_at"],
    [{ deadlineAt: START }, "deadline_at"],
    [{ deadlineAt: START + 5, notBefore: START + 5 }, "deadline_at"],
    [{ deadlineAt: START + 5, notBefore: START + 4 }, null],
    [{}, null],
  ])("%j is refused by the field %s", (parts, field) => {
    const refusal = checkNewRun(newRunOf(parts), START);
    expect(refusal?.errors?.[0]?.field ?? null).toBe(field);
  });

  test("runs share a lane exactly when the same workers can do them", () => {
    const base = newRunOf();
    const same = newRunOf({ priority: 99, input: 1, tags: ["x"], requires: [] });
    expect(laneText(same)).toBe(laneText(base));
    const [a, b] = [newRunOf({ requires: ["a", "b"] }), newRunOf({ requires: ["b", "a", "a"] })];
    expect(laneText(a)).toBe(laneText(b));
    const others = [
      newRunOf({ queue: "q" }),
      newRunOf({ runner: "q" }),
      newRunOf({ requires: ["q"] }),
      newRunOf({ agent: "q" }),
      newRunOf({ runtime: "q" }),
      newRunOf({ model: "q" }),
      newRunOf({ account: "q" }),
    ];
    expect(new Set([base, ...others].map(laneText)).size).toBe(8);
  });
});

describe("ids of events", () => {
  const run = "0190a000-0000-7000-8000-00000000000a";

  test("are UUIDv7 in shape, and the same for the same event", () => {
    expect(eventId(run, 7)).toBe(eventId(run, 7));
    expect(eventId(run, 7)).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test("differ within a stream, wherever its numbers have got to", () => {
    const seq = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(seq, seq, (a, b) => {
        expect(eventId(run, a) === eventId(run, b)).toBe(a === b);
      }),
    );
    expect(new Set(Array.from({ length: 1000 }, (_, n) => eventId(run, n + 1))).size).toBe(1000);
  });
});

test("every limit is a whole number above 0", () => {
  for (const [name, value] of Object.entries(limits)) {
    expect({ name, right: Number.isInteger(value) && value > 0 }).toEqual({ name, right: true });
  }
});
