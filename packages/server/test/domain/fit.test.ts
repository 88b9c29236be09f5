// Whether a run fits an agent now: each reason of the agent with its cause and sentence, which
// account it draws on, and what it sets aside.
import { describe, expect, test } from "vitest";
import type { AgentFacts, AllowanceUse, BlockCode, Candidate } from "../../src/domain/admission.ts";
import type { Fit } from "../../src/domain/fit.ts";
import { fitOf } from "../../src/domain/fit.ts";
import type { LaneKey } from "../../src/domain/submission.ts";
import { allowance, spoken } from "./allowance/subjects.ts";
import { agentOf, candidateOf, codesOf, offerOf, useOf, who, nothing } from "./candidates.ts";
import {
  ACCOUNT,
  closed,
  halfOpen,
  HOUR,
  MINUTE,
  open,
  probing,
  START,
} from "./exhaustion/rows.ts";

type Granted = Extract<Fit, { blocked: null }>;

const run = candidateOf("r");
const lane = (where: Partial<LaneKey>): Candidate => candidateOf("r", {}, where);

function asked(candidate: Candidate, facts: AgentFacts, uses: readonly AllowanceUse[] = []): Fit {
  return fitOf(
    candidate,
    { name: facts.name, facts, offer: offerOf(1) },
    { ...nothing, allowances: uses },
  );
}
function granted(...given: Parameters<typeof asked>): Granted {
  const fit = asked(...given);
  if (fit.blocked !== null) throw new Error(JSON.stringify(fit.blocked));
  return fit;
}
function blocked(...given: Parameters<typeof asked>): [BlockCode, string, number | undefined][] {
  return (asked(...given).blocked ?? []).map(({ code, message, until }) => [code, message, until]);
}

describe("what of an agent stands in the way", () => {
  const slot = (type: string) => ({ slot: { type, endsAt: START + HOUR } });

  test.each<[BlockCode, Partial<AgentFacts>, Candidate, string, number | undefined]>([
    ["agent_paused", { paused: who }, run, 'Agent "ada" was paused by ada: cleaning', undefined],
    ["in_slot", slot("work"), run, 'Agent "ada" is occupied by a slot (work).', START + HOUR],
    [
      "in_slot",
      slot("entertainment"),
      candidateOf("r", { priority: 99 }, { agent: "ada" }),
      'Agent "ada" is occupied by a slot (entertainment).',
      START + HOUR,
    ],
    ["in_slot", slot("system"), run, 'Agent "ada" is occupied by a slot (system).', START + HOUR],
    [
      "on_call",
      slot("on_call"),
      candidateOf("r", { priority: 59 }),
      'Agent "ada" is on call: it takes runs of priority 60 or more.',
      START + HOUR,
    ],
    [
      "no_capability",
      { capabilities: ["net"] },
      lane({ requires: ["gpu", "net"] }),
      'No worker has the capabilities "gpu".',
      undefined,
    ],
    [
      "model_not_allowed",
      { models: ["opus"] },
      lane({ model: "haiku" }),
      'Agent "ada": model not in allowlist ("haiku").',
      undefined,
    ],
    [
      "model_not_allowed",
      { models: ["opus"] },
      run,
      'Agent "ada": model not in allowlist (the run names no model).',
      undefined,
    ],
    [
      "model_not_allowed",
      { models: [] },
      lane({ model: "opus" }),
      'Agent "ada": model not in allowlist ("opus").',
      undefined,
    ],
    [
      "concurrency",
      { maxConcurrent: 2, live: 2 },
      run,
      'Agent "ada" holds 2 of at most 2 runs.',
      undefined,
    ],
    ["concurrency", { maxConcurrent: 0 }, run, 'Agent "ada" holds 0 of at most 0 runs.', undefined],
    [
      "no_account",
      {},
      lane({ account: "max-9" }),
      'Agent "ada" does not draw on account "max-9".',
      undefined,
    ],
  ])("%s: %j", (code, facts, candidate, message, until) => {
    expect(blocked(candidate, agentOf("ada", facts))).toEqual([[code, message, until]]);
  });

  test.each<[string, Partial<AgentFacts>, Candidate]>([
    ["on call, a run of priority 60", slot("on_call"), candidateOf("r", { priority: 60 })],
    ["on call, a run that names it", slot("on_call"), lane({ agent: "ada" })],
    ["one place left", { maxConcurrent: 3, live: 2 }, run],
    ["a model of its list", { models: ["opus", "haiku"] }, lane({ model: "haiku" })],
    ["no list, any model", {}, lane({ model: "haiku" })],
    ["a capability of its own", { capabilities: ["gpu"] }, lane({ requires: ["gpu"] })],
  ])("not: %s", (_, facts, candidate) => {
    expect(asked(candidate, agentOf("ada", facts)).blocked).toBeNull();
  });

  test("a capability of the worker is as good as the agent's", () => {
    const offer = { capabilities: new Set(["gpu"]) };
    const facts = agentOf("ada", { capabilities: ["net"] });
    const candidate = lane({ requires: ["gpu", "net"] });
    expect(fitOf(candidate, { name: "ada", facts, offer }, nothing).blocked).toBeNull();
  });

  test("all that stands in the way is named, the account and the allowances last", () => {
    const facts = agentOf("ada", {
      paused: who,
      ...slot("work"),
      models: ["opus"],
      maxConcurrent: 1,
      live: 1,
      accounts: [{ name: ACCOUNT, rows: [closed(HOUR)] }],
    });
    const found = asked(lane({ requires: ["gpu"] }), facts).blocked ?? [];
    expect(codesOf(found)).toEqual([
      "agent_paused",
      "in_slot",
      "no_capability",
      "model_not_allowed",
      "concurrency",
      "exhausted",
    ]);
  });

  test("how long the attempt may take goes along", () => {
    expect(granted(run, agentOf("ada", { maxRunDurationMs: 5000 })).durationCapMs).toBe(5000);
    expect(granted(run, agentOf("ada")).durationCapMs).toBeNull();
  });
});

describe("on which account", () => {
  const drawing = (...accounts: [string, ...ReturnType<typeof closed>[]][]): AgentFacts =>
    agentOf("ada", { accounts: accounts.map(([name, ...rows]) => ({ name, rows })) });
  const named = (name: string, row: ReturnType<typeof closed>) => ({ ...row, account: name });

  test("the first of its own, or the one the run names", () => {
    const ada = drawing(["one"], ["two"]);
    expect(granted(run, ada).account).toBe("one");
    expect(granted(lane({ account: "two" }), ada).account).toBe("two");
  });

  test("an exhausted one is passed over", () => {
    const ada = drawing(["one", named("one", closed(HOUR))], ["two"]);
    expect(granted(run, ada)).toMatchObject({ account: "two", probes: [] });
  });

  test("unless the run names it", () => {
    const ada = drawing([ACCOUNT, closed(HOUR)], ["two"]);
    expect(codesOf(asked(lane({ account: ACCOUNT }), ada).blocked ?? [])).toEqual(["exhausted"]);
  });

  test.each([
    [
      [closed(HOUR)],
      'exhausted until 2027-01-15T09:00:00.000Z: account "anthropic/max-1", quota (limit-reached).',
      START + HOUR,
    ],
    [
      [closed(null)],
      'exhausted until a person recovers it: account "anthropic/max-1", billing (limit-reached).',
      undefined,
    ],
    [
      [closed(HOUR, "opus")],
      'exhausted until 2027-01-15T09:00:00.000Z: account "anthropic/max-1" for model "opus", ' +
        "quota (limit-reached).",
      START + HOUR,
    ],
    [
      [probing()],
      "exhausted until 2027-01-15T09:00:00.000Z; one run tries it now: " +
        'account "anthropic/max-1", quota (limit-reached).',
      START + HOUR,
    ],
  ])("exhausted: %#", (rows, message, until) => {
    const found = blocked(lane({ model: "opus" }), drawing([ACCOUNT, ...rows]));
    expect(found).toEqual([["exhausted", `Agent "ada" is ${message}`, until]]);
  });

  test("when all are exhausted, the one that ends first is told", () => {
    const ada = drawing(
      ["one", named("one", closed(null))],
      ["two", named("two", closed(2 * HOUR))],
      ["three", named("three", closed(HOUR + MINUTE))],
    );
    expect(asked(run, ada).blocked).toMatchObject([
      {
        code: "exhausted",
        until: START + HOUR + MINUTE,
        facts: { account: "three", model: null, reason: "quota", rule: "limit-reached" },
      },
    ]);
  });

  test("a limit of one model concerns runs of that model only", () => {
    const ada = drawing([ACCOUNT, closed(HOUR, "opus")]);
    for (const where of [{}, { model: "haiku" }]) {
      expect(granted(lane(where), ada)).toMatchObject({ account: ACCOUNT, probes: [] });
    }
    expect(asked(lane({ model: "opus" }), ada).blocked).not.toBeNull();
  });

  test("a limit that is over is none", () => {
    const fit = granted(run, drawing([ACCOUNT, open()]));
    expect([fit.account, fit.probes]).toEqual([ACCOUNT, []]);
  });

  test("a half-open one is tried when none is open, and the run tries all that concern it", () => {
    const rows = [halfOpen(), halfOpen("opus"), halfOpen("haiku")];
    const ada = drawing(["one", named("one", closed(HOUR))], [ACCOUNT, ...rows]);
    expect(granted(lane({ model: "opus" }), ada)).toMatchObject({
      account: ACCOUNT,
      probes: rows.slice(0, 2),
    });
    const accounts = [...ada.accounts, { name: "last", rows: [] }];
    expect(granted(run, agentOf("ada", { accounts }))).toMatchObject({
      account: "last",
      probes: [],
    });
  });

  test("one without room in its allowance is passed over, one that is tried comes after it", () => {
    const ada = drawing([ACCOUNT, halfOpen()], ["full"], ["roomy"]);
    const limit = useOf(allowance({ scope: "account", name: "full", metric: "runs", limit: 0 }));
    expect(granted(run, ada, [limit]).account).toBe("roomy");
    const none = useOf(allowance({ scope: "account", name: "roomy", metric: "runs", limit: 0 }));
    expect(granted(run, ada, [limit, none])).toMatchObject({ account: ACCOUNT });
  });

  test("a worker without an agent draws on the account that the run names, or on none", () => {
    const taker = { name: null, facts: null, offer: offerOf(1) };
    expect(fitOf(run, taker, nothing)).toMatchObject({ account: null, durationCapMs: null });
    expect(fitOf(lane({ account: "x" }), taker, nothing)).toMatchObject({ account: "x" });
  });
});

describe("what is set aside", () => {
  const ada = agentOf("ada", { typicalTokens: 7, typicalCost: 9 });
  const estimated = { ...run, estimate: { tokens: 100, costMicros: 50 } };
  const amounts = ({ reserves }: Granted): [string, number][] =>
    reserves.map((one) => [one.allowance.metric, one.amount]);
  const tokens = allowance({ id: "t", metric: "tokens" });
  const cost = allowance({ id: "c", metric: "cost_micros" });
  const count = allowance({ id: "r", metric: "runs" });

  test.each<[string, Candidate, AgentFacts, Partial<typeof tokens>, [string, number][]]>([
    ["what the run says", estimated, ada, { defaultReserve: 3 }, [["tokens", 100]]],
    ["else the default of the allowance", run, ada, { defaultReserve: 3 }, [["tokens", 3]]],
    ["else what is typical of the agent", run, ada, {}, [["tokens", 7]]],
    ["else 1", run, agentOf("ada"), {}, [["tokens", 1]]],
    [
      "nothing, where the run says so",
      { ...run, estimate: { tokens: 0 } },
      ada,
      {},
      [["tokens", 0]],
    ],
  ])("%s", (_, candidate, agent, parts, expected) => {
    expect(amounts(granted(candidate, agent, [useOf({ ...tokens, ...parts })]))).toEqual(expected);
  });

  test("of every allowance that counts it, in the order in which they are asked", () => {
    const uses = [cost, count, tokens].map((one) => useOf(one));
    const live = useOf(allowance({ id: "l", metric: "concurrent_runs", limit: 1 }));
    expect(amounts(granted(estimated, ada, [live, ...uses]))).toEqual([
      ["tokens", 100],
      ["runs", 1],
      ["cost_micros", 50],
    ]);
  });

  test("of those of its agent, its account and its model, and of no others", () => {
    const of = (scope: "agent" | "account" | "model", name: string): AllowanceUse =>
      useOf(allowance({ id: `${scope} ${name}`, scope, name, metric: "runs" }));
    const all = [
      of("agent", "ada"),
      of("agent", "bob"),
      of("account", "max-1"),
      of("account", "max-2"),
      of("model", "opus"),
      of("model", "haiku"),
    ];
    const rich = agentOf("ada", {
      accounts: ["max-1", "max-2"].map((name) => ({ name, rows: [] })),
    });
    const fit = granted(lane({ model: "opus" }), rich, all);
    expect(fit.reserves.map((one) => one.allowance.id)).toEqual([
      "account max-1",
      "agent ada",
      "model opus",
    ]);
  });

  test.each([
    ["agent tokens hard day 00:00 UTC", 'Allowance of agent "one": daily token limit exceeded'],
    ["agent runs hard hour 00:00 UTC", 'Allowance of agent "one": hourly job limit exceeded'],
    ["account concurrent_runs hard", 'Allowance of account "one": concurrent job limit reached'],
    [
      "model tokens kill month 00:00 UTC",
      'Allowance of model "one": global model token budget exceeded',
    ],
    ["project cost_micros hard rolling 5", "Allowance of the project: cost limit exceeded"],
  ])("blocked by %s", (words, says) => {
    const own = spoken(words, { limit: 100 });
    const one = agentOf("one");
    const full = useOf(own, { spent: 90, reserved: 9, live: 100 });
    const isLive = own.metric === "concurrent_runs";
    const needs = { ...lane({ model: "one" }), estimate: { tokens: 2, costMicros: 2 } };
    const found = asked(needs, one, [own.metric === "runs" ? { ...full, reserved: 10 } : full]);
    const used = isLive || own.metric === "runs" ? 100 : 99;
    expect(found.blocked).toMatchObject([
      {
        code: "allowance",
        message: `${says} (used ${used} %).`,
        facts: { allowance: own.id, limit: 100 },
        ...(isLive ? {} : { until: START + HOUR }),
      },
    ]);
  });

  test("is blocked by all without room, asked as: tokens, runs, live, model budget, cost", () => {
    const full = (words: string, id: string): AllowanceUse =>
      useOf(spoken(words, { limit: 0, id, ...(words.startsWith("model") ? { name: "m" } : {}) }));
    const uses = [
      full("project cost_micros hard", "1"),
      full("model tokens hard", "2"),
      full("project concurrent_runs hard", "3"),
      full("project runs hard", "4"),
      full("project tokens hard", "6"),
      full("project tokens hard", "5"),
    ];
    const found = asked(lane({ model: "m" }), ada, uses).blocked ?? [];
    expect(found.map(({ facts }) => facts?.["allowance"])).toEqual(["5", "6", "4", "3", "2", "1"]);
    expect(found.every(({ message }) => message.endsWith("(used 100 %)."))).toBe(true);
  });

  test("what just fits is granted, one more is not; soft ones only count", () => {
    const use = useOf({ ...tokens, limit: 200 }, { spent: 60, reserved: 40 });
    expect(amounts(granted(estimated, ada, [use]))).toEqual([["tokens", 100]]);
    expect(asked(estimated, ada, [{ ...use, spent: 61 }]).blocked).toHaveLength(1);
    const soft = { ...use, spent: 61, allowance: { ...use.allowance, mode: "soft" as const } };
    expect(amounts(granted(estimated, ada, [soft]))).toEqual([["tokens", 100]]);
  });
});

describe("of what its parent has set aside", () => {
  const tokens = allowance({ id: "t", limit: 100 });
  const child = (estimate: number, left: number): Candidate => ({
    ...run,
    estimate: { tokens: estimate },
    parentLeft: new Map([["t", left]]),
  });
  const ada = agentOf("ada");

  test.each([
    [30, 50, 30],
    [50, 50, 50],
    [70, 50, 50],
    [30, 0, 0],
  ])("a child that needs %d of the %d left takes %d", (estimate, left, fromParent) => {
    const fit = granted(child(estimate, left), ada, [useOf(tokens, { reserved: left })]);
    expect(fit.reserves).toEqual([{ allowance: tokens, amount: estimate, fromParent }]);
  });

  test("that part needs no room: it is set aside already; the rest does", () => {
    const full = useOf(tokens, { spent: 50, reserved: 50 });
    expect(asked(child(50, 50), ada, [full]).blocked).toBeNull();
    expect(asked(child(51, 50), ada, [full]).blocked).toHaveLength(1);
    expect(asked(child(51, 50), ada, [{ ...full, spent: 49 }]).blocked).toBeNull();
  });

  test("an allowance that the parent does not draw on is asked as ever", () => {
    const other = { ...child(30, 50), parentLeft: new Map([["another", 50]]) };
    const fit = granted(other, ada, [useOf(tokens)]);
    expect(fit.reserves).toEqual([{ allowance: tokens, amount: 30, fromParent: 0 }]);
  });
});
