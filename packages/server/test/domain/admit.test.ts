// Admission: who gets what. Random candidates, claims and facts; what is granted never exceeds what
// is free, goes in rank order, and agrees with `blocks` and `misfits`, which explain uses.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AdmitFacts, Admission, Candidate, Offer } from "../../src/domain/admit.ts";
import { admit, blocks, misfits } from "../../src/domain/admit.ts";
import { rank } from "../../src/domain/rank.ts";
import type { PendingRun } from "../../src/domain/run.ts";
import { HELD_DEPENDENCY, HELD_NOT_DUE } from "../../src/domain/run.ts";
import type { LaneKey } from "../../src/domain/submission.ts";
import { pending, START } from "./runs.ts";

const lane: LaneKey = {
  queue: "default",
  runner: "default",
  requires: [],
  agent: null,
  runtime: null,
  model: null,
  account: null,
};
const candidateOf = (
  id: string,
  parts: Partial<PendingRun> = {},
  where: Partial<LaneKey> = {},
): Candidate => ({ run: { ...pending(), id, ...parts }, lane: { ...lane, ...where } });
const offerOf = (id: number, parts: Partial<Offer> = {}): Offer => ({
  id,
  runtime: `w${id}`,
  agents: [],
  queues: null,
  runners: new Set(["default"]),
  capabilities: new Set(),
  free: 1,
  ...parts,
});
const nothing: AdmitFacts = {
  at: START,
  stopped: null,
  pausedQueues: new Map(),
  liveByKey: new Map(),
};
const who = { reason: "cleaning", by: "ada" };
const grantsOf = ({ grants }: Admission): string[] =>
  grants.map(
    ({ run, offer, agent }) => `${run.id}→w${offer.id}${agent === null ? "" : `/${agent}`}`,
  );

describe("what blocks a run, whoever asks", () => {
  test.each<[string, Candidate, Partial<AdmitFacts>]>([
    ["project_stopped", candidateOf("r"), { stopped: who }],
    ["deadline_passed", candidateOf("r", { deadlineAt: START }), {}],
    ["not_due", candidateOf("r", { held: HELD_NOT_DUE, notBefore: START + 1 }), {}],
    ["dependency", candidateOf("r", { held: HELD_DEPENDENCY, openDependencies: 2 }), {}],
    [
      "concurrency_key",
      candidateOf("r", { concurrencyKey: "k" }),
      { liveByKey: new Map([["k", 1]]) },
    ],
    ["queue_paused", candidateOf("r"), { pausedQueues: new Map([["default", who]]) }],
  ])("%s", (code, candidate, facts) => {
    const known = { ...nothing, ...facts };
    const found = blocks(candidate, known);
    expect(found.map((block) => block.code)).toEqual([code]);
    expect(found[0]?.message).toMatch(/[A-Z].{10,}/);
    expect(admit([candidate], [offerOf(1)], known).grants).toEqual([]);
  });

  test("who stopped and paused it, and why, is in the sentence", () => {
    const facts = { ...nothing, stopped: who, pausedQueues: new Map([["default", who]]) };
    for (const { message } of blocks(candidateOf("r"), facts)) {
      expect(message).toContain("ada");
      expect(message).toContain("cleaning");
    }
  });
});

describe("what does not fit", () => {
  test.each<[string, Partial<LaneKey>, Partial<Offer>]>([
    ["no_runner", { runner: "claude-code" }, {}],
    ["no_capability", { requires: ["gpu", "net"] }, { capabilities: new Set(["net"]) }],
    ["no_agent", { agent: "ada" }, { agents: [{ name: "bob", free: 1 }] }],
    ["no_agent", { agent: "ada" }, { agents: [] }],
    ["no_runtime", { runtime: "w9" }, {}],
    ["not_served", { queue: "slow" }, { queues: new Set(["default"]) }],
  ])("%s", (code, where, parts) => {
    const offer = offerOf(1, parts);
    expect(misfits({ ...lane, ...where }, offer).map((block) => block.code)).toEqual([code]);
    expect(admit([candidateOf("r", {}, where)], [offer], nothing).grants).toEqual([]);
  });

  test("a full agent is not asked again, a free one of the same worker is", () => {
    const agents = [
      { name: "ada", free: 0 },
      { name: "bob", free: 1 },
    ];
    const offer = offerOf(1, { agents, free: 5 });
    expect(grantsOf(admit([candidateOf("a"), candidateOf("b")], [offer], nothing))).toEqual([
      "a→w1/bob",
    ]);
  });
});

describe("who goes first", () => {
  const at = (id: string, priority: number, ms: number): Candidate =>
    candidateOf(id, { priority, rank: rank(START + ms, priority) });

  test("critical before everything, then rank, then id", () => {
    const old = at("old", 20, -1e12);
    const runs = [at("b", 40, 0), old, at("urgent", 80, 5), at("a", 40, 0), at("high", 60, 9)];
    const got = admit(runs, [offerOf(1, { free: 9 })], nothing).grants.map(({ run }) => run.id);
    expect(got).toEqual(["urgent", "old", "high", "a", "b"]);
  });

  test("work is spread: the claim with the most free places takes the next run", () => {
    const runs = ["a", "b", "c"].map((id) => candidateOf(id));
    const offers = [offerOf(1, { free: 1 }), offerOf(2, { free: 2 })];
    expect(grantsOf(admit(runs, offers, nothing))).toEqual(["a→w2", "b→w1", "c→w2"]);
  });
});

test("a concurrency key lets through what is free and names who must wait", () => {
  const runs = ["a", "b", "c", "d"].map((id) =>
    candidateOf(id, { concurrencyKey: "k", concurrencyLimit: 3 }),
  );
  const facts = { ...nothing, liveByKey: new Map([["k", 1]]) };
  const admission = admit(runs, [offerOf(1, { free: 9 })], facts);
  expect(grantsOf(admission)).toEqual(["a→w1", "b→w1"]);
  expect(admission.keyTaken.map((run) => run.id)).toEqual(["c", "d"]);
});

// ---- at random
// --------------------------------------------------------------------------------------

const few = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const someOf = (...values: string[]): fc.Arbitrary<string[]> => fc.subarray(values);

const candidates = fc
  .array(
    fc.record({
      priority: fc.integer({ min: 0, max: 99 }),
      age: fc.integer({ min: 0, max: 1e8 }),
      key: few(null, null, "k1", "k2"),
      limit: few(1, 2, 3),
      deadlineAt: few(null, null, null, START - 1, START + 1),
      queue: few("default", "slow"),
      runner: few("default", "review"),
      requires: someOf("gpu", "net"),
      agent: few(null, null, "ada", "bob"),
      runtime: few(null, null, null, "w1"),
    }),
    { maxLength: 25, size: "max" },
  )
  .map((all) =>
    all.map((one, n): Candidate => {
      const createdAt = START - one.age;
      const { queue, runner, requires, agent, runtime } = one;
      return candidateOf(
        `r${String(n).padStart(2, "0")}`,
        {
          createdAt,
          priority: one.priority,
          rank: rank(createdAt, one.priority),
          deadlineAt: one.deadlineAt,
          concurrencyKey: one.key,
          concurrencyLimit: one.limit,
        },
        { queue, runner, requires, agent, runtime },
      );
    }),
  );

const offers = fc
  .array(
    fc.record({
      free: fc.integer({ min: 0, max: 6 }),
      agents: fc.subarray(["ada", "bob"]),
      agentFree: fc.integer({ min: 0, max: 3 }),
      queues: few(null, ["default"], ["slow"]),
      runners: someOf("default", "review"),
      capabilities: someOf("gpu", "net"),
    }),
    { maxLength: 5 },
  )
  .map((all) =>
    all.map((one, n) =>
      offerOf(n + 1, {
        free: one.free,
        agents: one.agents.map((name) => ({ name, free: one.agentFree })),
        queues: one.queues === null ? null : new Set(one.queues),
        runners: new Set(one.runners),
        capabilities: new Set(one.capabilities),
      }),
    ),
  );

const facts = fc
  .record({
    live: fc.integer({ min: 0, max: 2 }),
    paused: fc.boolean(),
    stopped: few(false, false, true),
  })
  .map(({ live, paused, stopped }): AdmitFacts => ({
    at: START,
    stopped: stopped ? who : null,
    pausedQueues: paused ? new Map([["slow", who]]) : new Map(),
    liveByKey: new Map([["k1", live]]),
  }));

const order = (a: Candidate, b: Candidate): number =>
  a.run.rank - b.run.rank || (a.run.id < b.run.id ? -1 : 1);

/** Free places left, per offer and per agent of it. */
function seatsOf(all: readonly Offer[]) {
  return new Map(
    all.map((offer) => [
      offer.id,
      { free: offer.free, agents: new Map(offer.agents.map(({ name, free }) => [name, free])) },
    ]),
  );
}

/** Walks the candidates in order, as the definition says, and checks each answer on the way. */
function checkAdmission(
  all: readonly Candidate[],
  open: readonly Offer[],
  known: AdmitFacts,
): number {
  const { grants, keyTaken } = admit(all, open, known);
  const granted = new Map(grants.map((grant) => [grant.run.id, grant]));
  expect(granted.size).toBe(grants.length);
  const seats = seatsOf(open);
  const live = new Map(known.liveByKey);
  const waiting = new Set<string>();
  for (const candidate of all.toSorted(order)) {
    const { run } = candidate;
    const why = blocks(candidate, { ...known, liveByKey: live }).map((block) => block.code);
    if (why.includes("concurrency_key")) waiting.add(run.id);
    const fitting = open.filter((offer) => {
      const seat = seats.get(offer.id);
      if (seat === undefined || seat.free <= 0) return false;
      if (misfits(candidate.lane, offer).length > 0) return false;
      const wanted = candidate.lane.agent;
      return (
        seat.agents.size === 0 ||
        [...seat.agents].some(([name, free]) => free > 0 && (wanted === null || name === wanted))
      );
    });
    const grant = granted.get(run.id);
    // Granted exactly when nothing blocks it and somebody has room: nobody is passed over.
    expect({ run: run.id, granted: grant !== undefined }).toEqual({
      run: run.id,
      granted: why.length === 0 && fitting.length > 0,
    });
    if (grant === undefined) continue;
    const seat = seats.get(grant.offer.id);
    expect(fitting).toContain(grant.offer);
    expect(seat?.free).toBe(Math.max(...fitting.map((offer) => seats.get(offer.id)?.free ?? 0)));
    if (seat !== undefined) {
      seat.free -= 1;
      if (grant.agent !== null)
        seat.agents.set(grant.agent, (seat.agents.get(grant.agent) ?? 0) - 1);
      expect(Math.min(seat.free, ...seat.agents.values())).toBeGreaterThanOrEqual(0);
    }
    if (run.concurrencyKey !== null) {
      const now = (live.get(run.concurrencyKey) ?? 0) + 1;
      expect(now).toBeLessThanOrEqual(run.concurrencyLimit);
      live.set(run.concurrencyKey, now);
    }
  }
  expect(new Set(keyTaken.map((run) => run.id))).toEqual(waiting);
  return grants.length;
}

test("grants what the definition says, run by run, and never beyond what is free", () => {
  let granted = 0;
  fc.assert(
    fc.property(candidates, offers, facts, (all, open, known) => {
      granted += checkAdmission(all, open, known);
    }),
    { numRuns: 1000 },
  );
  expect(granted).toBeGreaterThan(100);
});

test("the order in which candidates are found does not matter", () => {
  fc.assert(
    fc.property(candidates, offers, facts, (all, open, known) => {
      const once = admit(all, open, known);
      const turned = admit(all.toReversed(), open, known);
      expect(grantsOf(turned)).toEqual(grantsOf(once));
    }),
    { numRuns: 200 },
  );
});
