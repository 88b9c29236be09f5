// The status of an agent: the first that holds, to the millisecond, with its reason in words.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentSituation, AgentStatus } from "../../src/domain/agent-status.ts";
import { exhaustedUntil, PRESENCE_MS, statusOf } from "../../src/domain/agent-status.ts";
import type { Exhaustion } from "../../src/domain/exhaustion/exhaustion.ts";
import { closed, halfOpen, HOUR, open, probing, START } from "./exhaustion/rows.ts";

const calm: AgentSituation = {
  lastHeartbeatAt: START,
  accounts: [{ name: "a", rows: [] }],
  models: null,
  slot: null,
  live: 0,
};
const onCall = { type: "on_call", hasRun: false, endsAt: START + HOUR } as const;
const atWork = { type: "work", hasRun: false, endsAt: START + HOUR } as const;
const accounts = (...rows: Exhaustion[][]): AgentSituation["accounts"] =>
  rows.map((own, n) => ({ name: `a${n}`, rows: own }));

describe("each status, and what gives way to it", () => {
  const all = { accounts: accounts([closed(HOUR)]), slot: onCall, live: 2 };

  test.each<[AgentStatus, Partial<AgentSituation>, string]>([
    ["offline", { ...all, lastHeartbeatAt: null }, "no worker has been heard of"],
    [
      "offline",
      { ...all, lastHeartbeatAt: START - PRESENCE_MS - 1 },
      "no heartbeat since 2027-01-15T07:57:59.999Z",
    ],
    [
      "exhausted",
      all,
      'exhausted until 2027-01-15T09:00:00.000Z: account "anthropic/max-1", quota (limit-reached)',
    ],
    ["on_call", { slot: onCall, live: 2 }, "on call until 2027-01-15T09:00:00.000Z"],
    ["busy", { slot: atWork, live: 2 }, "2 live runs"],
    ["busy", { live: 1 }, "1 live run"],
    ["busy", { slot: atWork }, "in a slot (work) until 2027-01-15T09:00:00.000Z"],
    ["idle", { slot: { ...atWork, hasRun: true } }, "nothing to do"],
    ["idle", {}, "nothing to do"],
  ])("%s: %j", (status, parts, reason) => {
    expect(statusOf({ ...calm, ...parts }, START)).toEqual({ status, reason });
  });

  test("an on-call slot with a run of its own puts on call all the same", () => {
    expect(statusOf({ ...calm, slot: { ...onCall, hasRun: true } }, START).status).toBe("on_call");
  });

  test.each(["work", "entertainment", "system"] as const)("a slot of %s occupies", (type) => {
    expect(statusOf({ ...calm, slot: { ...atWork, type } }, START).status).toBe("busy");
  });
});

describe("offline begins strictly after 120 s", () => {
  test.each<[number, AgentStatus]>([
    [0, "idle"],
    [119_999, "idle"],
    [120_000, "idle"],
    [120_001, "offline"],
  ])("%i ms after the last heartbeat: %s", (ms, status) => {
    expect(statusOf(calm, START + ms).status).toBe(status);
  });

  test("and gives way to what it was", () => {
    const busy = { ...calm, live: 1, lastHeartbeatAt: START };
    const late = START + PRESENCE_MS + 1;
    expect(statusOf(busy, late).status).toBe("offline");
    expect(statusOf({ ...busy, lastHeartbeatAt: late }, late).status).toBe("busy");
  });
});

describe("exhausted: every account and model it may use is closed", () => {
  const opus = closed(2 * HOUR, "opus");
  const sonnet = closed(HOUR, "sonnet");
  const money = closed(null);

  test.each<[string, Exhaustion[][], string[] | null, number | null | "no"]>([
    ["its only account", [[closed(HOUR)]], null, HOUR],
    ["one of two accounts", [[closed(HOUR)], []], null, "no"],
    ["both: until the first comes back", [[closed(2 * HOUR)], [closed(HOUR)]], null, HOUR],
    ["a model of one that may use any", [[opus]], null, "no"],
    ["its only model", [[opus]], ["opus"], 2 * HOUR],
    ["a model it may not use", [[opus]], ["sonnet"], "no"],
    ["one of its models", [[opus]], ["opus", "sonnet"], "no"],
    ["all its models: until the first comes back", [[opus, sonnet]], ["opus", "sonnet"], HOUR],
    ["all its models, one on another account", [[opus], []], ["opus"], "no"],
    ["the account, for a list of models", [[closed(HOUR)]], ["opus", "sonnet"], HOUR],
    ["account and model: until the last of them", [[closed(HOUR), opus]], ["opus"], 2 * HOUR],
    ["money", [[money]], null, null],
    ["money here, a window there", [[money], [closed(HOUR)]], null, HOUR],
    ["money and a window on one account", [[money, opus]], ["opus"], null],
    ["half open", [[halfOpen()]], null, "no"],
    ["half open and tried by a run", [[probing()]], null, "no"],
    ["open again", [[open()]], null, "no"],
    ["half open, but its model closed", [[halfOpen(), opus]], ["opus"], 2 * HOUR],
    ["no account at all", [], null, "no"],
    ["a list of no models, its account closed", [[closed(HOUR)]], [], HOUR],
    ["a list of no models, a model closed", [[opus]], [], "no"],
  ])("%s", (_, rows, models, expected) => {
    const situation = { ...calm, accounts: accounts(...rows), models };
    const { status } = statusOf(situation, START);
    expect(status).toBe(expected === "no" ? "idle" : "exhausted");
    const until = typeof expected === "number" ? START + expected : null;
    expect(exhaustedUntil(situation)).toBe(until);
  });

  test("where only a person can tell, the reason says so", () => {
    const { reason } = statusOf({ ...calm, accounts: accounts([money]) }, START);
    expect(reason).toContain("until a person recovers it");
  });

  test("the reason names the model", () => {
    const situation = { ...calm, accounts: accounts([opus]), models: ["opus"] };
    expect(statusOf(situation, START).reason).toContain('for model "opus"');
  });
});

test("no instant of recovery without being exhausted", () => {
  const row = fc.constantFrom(
    closed(HOUR),
    closed(2 * HOUR, "opus"),
    closed(null, "sonnet"),
    halfOpen(),
    probing("opus"),
    open(),
  );
  const situation = fc.record({
    lastHeartbeatAt: fc.constant(START),
    accounts: fc
      .array(fc.array(row, { maxLength: 4 }), { maxLength: 3 })
      .map((own) => accounts(...own)),
    models: fc.option(fc.subarray(["opus", "sonnet", "haiku"])),
    slot: fc.option(fc.constantFrom(onCall, atWork)),
    live: fc.nat(2),
  });
  fc.assert(
    fc.property(situation, (given) => {
      const until = exhaustedUntil(given);
      const { status, reason } = statusOf(given, START);
      if (until !== null) expect(status).toBe("exhausted");
      if (status === "exhausted") expect(reason.includes("until a person")).toBe(until === null);
    }),
  );
});
