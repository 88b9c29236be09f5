// Admission: who gets what. Examples of the order, of routing, of keys, probes and shut lanes; then
// random fleets: what is granted is what the definition says, and never exceeds any limit.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentFacts, Candidate } from "../../src/domain/admission.ts";
import { isInScope } from "../../src/domain/admission.ts";
import { admit } from "../../src/domain/admit.ts";
import { concerns } from "../../src/domain/exhaustion/exhaustion.ts";
import { rank } from "../../src/domain/rank.ts";
import { allowance } from "./allowance/subjects.ts";
import { agentOf, candidateOf, grantsOf, knowing } from "./candidates.ts";
import { nothing, offerOf, useOf, workerAs } from "./candidates.ts";
import { checkAdmission } from "./definition.ts";
import { ACCOUNT, closed, halfOpen, HOUR } from "./exhaustion/rows.ts";
import { fleets } from "./fleets.ts";
import { START } from "./runs.ts";

const runs = (...ids: string[]): Candidate[] => ids.map((id) => candidateOf(id));

describe("who goes first", () => {
  const at = (id: string, priority: number, ms: number): Candidate =>
    candidateOf(id, { priority, rank: rank(START + ms, priority) });

  test("critical before everything, then rank, then id", () => {
    const old = at("old", 20, -1e12);
    const all = [at("b", 40, 0), old, at("urgent", 80, 5), at("a", 40, 0), at("high", 60, 9)];
    const got = admit(all, [offerOf(1, { free: 9 })], nothing).grants.map(({ run }) => run.id);
    expect(got).toEqual(["urgent", "old", "high", "a", "b"]);
  });
});

describe("where a run goes", () => {
  const critical = candidateOf("r", { priority: 80 });
  const normal = candidateOf("r", { priority: 79 });
  const goes = (run: Candidate, ...agents: AgentFacts[]): string[] =>
    grantsOf(
      admit(
        [run],
        agents.map(({ name }, n) => workerAs(n + 1, [name])),
        knowing(agents),
      ),
    );

  test("workers without agents: the one with the most free places takes the next run", () => {
    const offers = [offerOf(1, { free: 1 }), offerOf(2, { free: 2 })];
    expect(grantsOf(admit(runs("a", "b", "c"), offers, nothing))).toEqual(["a→w2", "b→w1", "c→w2"]);
  });

  test("workers without agents count together, as one agent that has what they were given", () => {
    const ada = agentOf("ada", { live: 1 });
    const offers = [offerOf(1, { free: 1 }), offerOf(2, { free: 9 }), workerAs(3, ["ada"], 9)];
    const got = grantsOf(admit(runs("a", "b", "c", "d"), offers, knowing([ada])));
    expect(got).toEqual(["a→w2", "b→w2", "c→w3/ada", "d→w2"]);
  });

  test("of one agent's workers, the one with the most free places", () => {
    const offers = [workerAs(1, ["ada"], 2), workerAs(2, ["ada"], 3)];
    const facts = knowing([agentOf("ada")]);
    expect(grantsOf(admit(runs("a", "b"), offers, facts))).toEqual(["a→w2/ada", "b→w1/ada"]);
  });

  test("a critical run to the agent with the fewest live attempts, however small it is", () => {
    const ada = agentOf("ada", { live: 2, maxConcurrent: 100 });
    const bob = agentOf("bob", { live: 1, maxConcurrent: 2 });
    expect(goes(critical, ada, bob)).toEqual(["r→w2/bob"]);
  });

  test("any other to the agent with the most free share", () => {
    const ada = agentOf("ada", { live: 2, maxConcurrent: 100 });
    const bob = agentOf("bob", { live: 1, maxConcurrent: 2 });
    expect(goes(normal, ada, bob)).toEqual(["r→w1/ada"]);
  });

  test.each([
    [0, 1],
    [1, 1 / 2],
    [3, 1 / 4],
  ])("an agent without a limit and with %d live counts as %d free", (live, share) => {
    const free = agentOf("free", { live });
    const of = (held: number): AgentFacts => agentOf("half", { live: held, maxConcurrent: 1000 });
    expect(goes(normal, free, of(1000 - 1000 * share + 1))).toEqual(["r→w1/free"]);
    if (share < 1) expect(goes(normal, free, of(999 - 1000 * share))).toEqual(["r→w2/half"]);
  });

  test("ties go by name, wherever the worker stands in the list", () => {
    for (const run of [critical, normal]) {
      expect(goes(run, agentOf("bob"), agentOf("ada"))).toEqual(["r→w2/ada"]);
    }
  });

  test("what an agent was given counts for the next: runs are spread", () => {
    const agents = [agentOf("ada", { maxConcurrent: 2 }), agentOf("bob", { maxConcurrent: 4 })];
    const offers = [workerAs(1, ["ada"], 9), workerAs(2, ["bob"], 9)];
    const got = grantsOf(admit(runs("a", "b", "c", "d", "e", "f", "g"), offers, knowing(agents)));
    expect(got.map((one) => one.slice(-3))).toEqual(["ada", "bob", "bob", "ada", "bob", "bob"]);
  });

  test("an open account goes before one that is tried, whatever is free", () => {
    const tried = { name: ACCOUNT, rows: [halfOpen()] };
    const ada = agentOf("ada", { accounts: [tried] });
    const bob = agentOf("bob", { live: 5 });
    for (const run of [critical, normal]) expect(goes(run, ada, bob)).toEqual(["r→w2/bob"]);
  });

  test("a refusal for one agent tries the next", () => {
    const ada = agentOf("ada", { paused: { reason: "holiday", by: "eve" } });
    expect(goes(normal, ada, agentOf("bob", { live: 9 }))).toEqual(["r→w2/bob"]);
  });

  test("a full agent is not asked again, a free one of the same worker is", () => {
    const agents = [
      { name: "ada", free: 0 },
      { name: "bob", free: 1 },
    ];
    const offer = offerOf(1, { agents, free: 5 });
    expect(grantsOf(admit(runs("a", "b"), [offer], nothing))).toEqual(["a→w1/bob"]);
  });

  test("the free places of a worker bound those of all its agents together", () => {
    const offer = { ...workerAs(1, ["ada", "bob"], 3), free: 4 };
    const facts = knowing([agentOf("ada"), agentOf("bob")]);
    expect(admit(runs("a", "b", "c", "d", "e"), [offer], facts).grants).toHaveLength(4);
  });

  test("of two workers of one agent only the one that can do it is asked", () => {
    const gpu = candidateOf("r", {}, { requires: ["gpu"] });
    const able = { ...workerAs(2, ["ada"]), capabilities: new Set(["gpu"]) };
    const facts = knowing([agentOf("ada")]);
    expect(grantsOf(admit([gpu], [workerAs(1, ["ada"], 9), able], facts))).toEqual(["r→w2/ada"]);
  });
});

test("a concurrency key lets through what is free and names who must wait", () => {
  const all = ["a", "b", "c", "d"].map((id) =>
    candidateOf(id, { concurrencyKey: "k", concurrencyLimit: 3 }),
  );
  const facts = { ...nothing, liveByKey: new Map([["k", 1]]) };
  const admission = admit(all, [offerOf(1, { free: 9 })], facts);
  expect(grantsOf(admission)).toEqual(["a→w1", "b→w1"]);
  expect(admission.keyTaken.map((run) => run.id)).toEqual(["c", "d"]);
});

describe("a half-open account", () => {
  const shared = { name: ACCOUNT, rows: [halfOpen()] };
  const facts = knowing([
    agentOf("ada", { accounts: [shared] }),
    agentOf("bob", { accounts: [shared] }),
  ]);
  const offers = [workerAs(1, ["ada"], 9), workerAs(2, ["bob"], 9)];

  test("is tried by exactly one run, of whichever agent that shares it", () => {
    const { grants, shutLanes } = admit(runs("a", "b", "c"), offers, facts);
    expect(grants.map(({ run, probes }) => [run.id, probes])).toEqual([["a", shared.rows]]);
    expect(shutLanes).toEqual([]);
  });

  test("of one model lets the other models through as they come", () => {
    const opus = { name: ACCOUNT, rows: [halfOpen("opus")] };
    const known = knowing([agentOf("ada", { accounts: [opus] })]);
    const all = ["opus", "opus", "haiku", "haiku"].map((model, n) =>
      candidateOf(`${n}`, {}, { model }),
    );
    const { grants } = admit(all, [workerAs(1, ["ada"], 9)], known);
    expect(grants.map(({ run, probes }) => [run.id, probes.length])).toEqual([
      ["0", 1],
      ["2", 0],
      ["3", 0],
    ]);
  });
});

describe("a lane is told to be shut", () => {
  const one = candidateOf("a", { laneId: "lane" });
  const two = candidateOf("b", { laneId: "lane" });
  const resting = knowing([
    agentOf("ada", { accounts: [{ name: ACCOUNT, rows: [closed(HOUR)] }] }),
  ]);
  const single = useOf(allowance({ metric: "runs", limit: 1 }));

  test("when none of its runs can go anywhere, though places are free", () => {
    expect(admit([one, two], [workerAs(1, ["ada"], 9)], resting).shutLanes).toEqual(["lane"]);
    const other = candidateOf("a", { laneId: "lane" }, { runner: "other" });
    expect(admit([other], [offerOf(1)], nothing).shutLanes).toEqual(["lane"]);
  });

  test.each([
    ["a worker that could do it is full", [one], { ...workerAs(1, ["ada"]), free: 0 }, nothing],
    ["an agent that could do it is full", [one], workerAs(1, ["ada"], 0), resting],
    ["one of its runs was granted", [one, two], offerOf(1, { free: 9 }), [single]],
    ["its runs themselves wait", [candidateOf("a", { deadlineAt: START })], offerOf(1), nothing],
  ])("not when %s", (_, all, offer, known) => {
    const facts = Array.isArray(known) ? { ...nothing, allowances: known } : known;
    expect(admit(all, [offer], facts).shutLanes).toEqual([]);
  });
});

// ---- at random
// --------------------------------------------------------------------------------------

test("grants what the definition says, run by run, and never beyond what is free", () => {
  let granted = 0;
  fc.assert(
    fc.property(fleets, (fleet) => {
      granted += checkAdmission(fleet);
    }),
    { numRuns: 1000 },
  );
  expect(granted).toBeGreaterThan(800);
});

test("the order in which candidates are found does not matter", () => {
  fc.assert(
    fc.property(fleets, ({ build, offers, facts }) => {
      const once = admit(build(), offers, facts);
      const turned = admit(build().toReversed(), offers, facts);
      expect(grantsOf(turned)).toEqual(grantsOf(once));
      expect(new Set(turned.shutLanes)).toEqual(new Set(once.shutLanes));
    }),
    { numRuns: 300 },
  );
});

describe("whatever candidates and offers come", () => {
  test("no agent holds more than it may", () => {
    const seen = { most: 0 };
    fc.assert(
      fc.property(fleets, ({ build, offers, facts }) => {
        const { grants } = admit(build(), offers, facts);
        for (const { name, live, maxConcurrent } of facts.agents.values()) {
          const given = grants.filter((grant) => grant.agent === name).length;
          if (given === 0 || maxConcurrent === null) continue;
          expect(live + given).toBeLessThanOrEqual(maxConcurrent);
          if (live + given === maxConcurrent) seen.most += 1;
        }
      }),
      { numRuns: 1000 },
    );
    expect(seen.most).toBeGreaterThan(40);
  });

  test("no allowance is taken beyond its limit; grants set aside of all that count them", () => {
    const seen = { full: 0 };
    fc.assert(
      fc.property(fleets, ({ build, offers, facts }) => {
        const all = build();
        const { grants } = admit(all, offers, facts);
        for (const { allowance: own, spent, reserved, live } of facts.allowances) {
          const counted = grants.filter(({ agent, account, run }) => {
            const { model } = (all.find((one) => one.run.id === run.id) as Candidate).lane;
            return isInScope(own, { agent, account, model });
          });
          const aside = counted.map(({ reserves }) =>
            reserves.filter((one) => one.allowance.id === own.id),
          );
          const isCounted = own.metric === "concurrent_runs";
          expect(aside.every((found) => found.length === (isCounted ? 0 : 1))).toBe(true);
          if (own.mode === "soft" || counted.length === 0) continue;
          const added = aside.flat().reduce((sum, one) => sum + one.amount - one.fromParent, 0);
          const used = isCounted ? live + counted.length : spent + reserved + added;
          expect(used).toBeLessThanOrEqual(own.limit);
          if (used === own.limit) seen.full += 1;
        }
      }),
      { numRuns: 1000 },
    );
    expect(seen.full).toBeGreaterThan(20);
  });

  test("a half-open limit is tried by one run at most, and a closed or tried one by none", () => {
    const seen = { tried: 0 };
    fc.assert(
      fc.property(fleets, ({ build, offers, facts }) => {
        const all = build();
        const { grants } = admit(all, offers, facts);
        const known = [...facts.agents.values()].flatMap((agent) => agent.accounts);
        const rows = new Set(known.flatMap((account) => account.rows));
        for (const row of rows) {
          const drawing = grants.filter(({ agent, account, run }) => {
            const { lane } = all.find((one) => one.run.id === run.id) as Candidate;
            return agent !== null && account === row.account && concerns(row, lane.model);
          });
          const free = row.state === "half_open" && row.probe === null ? 1 : 0;
          expect(drawing.length).toBeLessThanOrEqual(free);
          for (const { probes } of drawing) expect(probes).toContain(row);
          seen.tried += drawing.length;
        }
      }),
      { numRuns: 1000 },
    );
    expect(seen.tried).toBeGreaterThan(40);
  });

  test("children take no more from their parents than these have set aside", () => {
    const seen = { drawn: 0 };
    fc.assert(
      fc.property(fleets, ({ build, offers, facts }) => {
        const all = build();
        const before = new Map(build().map((one) => [one.run.id, one.parentLeft]));
        const { grants } = admit(all, offers, facts);
        for (const { run, parentLeft } of all) {
          for (const [id, left] of parentLeft ?? []) {
            const had = before.get(run.id)?.get(id) ?? 0;
            const siblings = all.filter((one) => one.parentLeft === parentLeft);
            const drawn = grants
              .filter((grant) => siblings.some((one) => one.run.id === grant.run.id))
              .flatMap(({ reserves }) => reserves.filter((one) => one.allowance.id === id))
              .reduce((sum, one) => sum + one.fromParent, 0);
            expect({ left, drawn }).toEqual({ left: had - drawn, drawn });
            expect(left).toBeGreaterThanOrEqual(0);
            seen.drawn += drawn;
          }
        }
      }),
      { numRuns: 500 },
    );
    expect(seen.drawn).toBeGreaterThan(100);
  });
});
