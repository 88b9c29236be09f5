// What blocks a run whoever asks, and what of an offer does not fit it: each reason with its cause
// and its sentence, all that hold together, and nothing else.
import { describe, expect, test } from "vitest";
import type { AdmitFacts, BlockCode, Candidate, Offer } from "../../src/domain/admission.ts";
import { admit } from "../../src/domain/admit.ts";
import { blocks, misfits } from "../../src/domain/blocks.ts";
import { HELD_DEPENDENCY, HELD_KEY, HELD_NOT_DUE } from "../../src/domain/run.ts";
import type { LaneKey } from "../../src/domain/submission.ts";
import { agentOf, candidateOf, codesOf, knowing, lane } from "./candidates.ts";
import { nothing, offerOf, who, workerAs } from "./candidates.ts";
import { START } from "./runs.ts";

const keyed = candidateOf("r", { concurrencyKey: "k", concurrencyLimit: 2 });

describe("what blocks a run, whoever asks", () => {
  test.each<[BlockCode, Candidate, Partial<AdmitFacts>, string]>([
    [
      "project_stopped",
      candidateOf("r"),
      { stopped: who },
      "The project was stopped by ada: cleaning",
    ],
    [
      "deadline_passed",
      candidateOf("r", { deadlineAt: START }),
      {},
      "Its deadline has passed; it ends `timeout`.",
    ],
    [
      "not_due",
      candidateOf("r", { held: HELD_NOT_DUE, notBefore: START + 1 }),
      {},
      "Not due until 2027-01-15T08:00:00.001Z.",
    ],
    [
      "dependency",
      candidateOf("r", { held: HELD_DEPENDENCY, openDependencies: 2 }),
      {},
      "Waits for 2 run(s) it depends on.",
    ],
    [
      "concurrency_key",
      keyed,
      { liveByKey: new Map([["k", 2]]) },
      'Concurrency key "k" is held by another run.',
    ],
    [
      "queue_paused",
      candidateOf("r"),
      { pausedQueues: new Map([["default", who]]) },
      'Queue "default" was paused by ada: cleaning',
    ],
  ])("%s", (code, candidate, facts, message) => {
    const known = { ...nothing, ...facts };
    const found = blocks(candidate, known);
    expect(found.map((block) => [block.code, block.message])).toEqual([[code, message]]);
    expect(admit([candidate], [offerOf(1)], known).grants).toEqual([]);
  });

  test.each<[string, Candidate, Partial<AdmitFacts>]>([
    ["a deadline that lies ahead", candidateOf("r", { deadlineAt: START + 1 }), {}],
    [
      "an instant that has come, though nobody has let it go yet",
      candidateOf("r", { held: HELD_NOT_DUE, notBefore: START }),
      {},
    ],
    ["a key with a free place", keyed, { liveByKey: new Map([["k", 1]]) }],
    [
      "a key that is free again, though it was held back for it",
      candidateOf("r", { concurrencyKey: "k", held: HELD_KEY }),
      {},
    ],
    ["a key of others that is taken", keyed, { liveByKey: new Map([["other", 9]]) }],
    ["another queue that is paused", candidateOf("r"), { pausedQueues: new Map([["slow", who]]) }],
  ])("not: %s", (_, candidate, facts) => {
    expect(blocks(candidate, { ...nothing, ...facts })).toEqual([]);
  });

  test("says until when, where an instant ends it", () => {
    const waiting = candidateOf("r", { held: HELD_NOT_DUE, notBefore: START + 5 });
    expect(blocks(waiting, nothing)).toMatchObject([{ until: START + 5 }]);
    for (const block of blocks(candidateOf("r"), { ...nothing, stopped: who })) {
      expect(block).not.toHaveProperty("until");
    }
  });

  test("names all that hold, the house's first", () => {
    const candidate = candidateOf("r", {
      deadlineAt: START - 1,
      held: HELD_NOT_DUE | HELD_DEPENDENCY,
      notBefore: START + 1,
      openDependencies: 1,
      concurrencyKey: "k",
    });
    const facts = {
      ...nothing,
      stopped: who,
      pausedQueues: new Map([["default", who]]),
      liveByKey: new Map([["k", 1]]),
    };
    expect(codesOf(blocks(candidate, facts))).toEqual([
      "project_stopped",
      "deadline_passed",
      "not_due",
      "dependency",
      "concurrency_key",
      "queue_paused",
    ]);
  });
});

describe("what of an offer does not fit", () => {
  const ada = knowing([agentOf("ada", { capabilities: ["gpu"] })]).agents;

  test.each<[BlockCode, Partial<LaneKey>, Partial<Offer>, string]>([
    ["no_runner", { runner: "claude-code" }, {}, 'No worker has runner "claude-code".'],
    [
      "no_capability",
      { requires: ["gpu", "net", "tpu"] },
      { capabilities: new Set(["net"]) },
      'No worker has the capabilities "gpu", "tpu".',
    ],
    [
      "no_agent",
      { agent: "bob" },
      { agents: [{ name: "ada", free: 1 }] },
      'No live worker works as agent "bob".',
    ],
    ["no_agent", { agent: "ada" }, { agents: [] }, 'No live worker works as agent "ada".'],
    ["no_runtime", { runtime: "w9" }, {}, 'Runtime "w9" is not asking for work.'],
    [
      "not_served",
      { queue: "slow" },
      { queues: new Set(["default"]) },
      'No worker serves queue "slow".',
    ],
  ])("%s", (code, where, parts, message) => {
    const offer = offerOf(1, parts);
    const found = misfits({ ...lane, ...where }, offer, ada);
    expect(found.map((block) => [block.code, block.message])).toEqual([[code, message]]);
    expect(admit([candidateOf("r", {}, where)], [offer], nothing).grants).toEqual([]);
  });

  test("a capability may be the worker's or that of an agent it works as", () => {
    const needs = { ...lane, requires: ["gpu", "net"] };
    const worker = { ...workerAs(1, ["ada", "bob"]), capabilities: new Set(["net"]) };
    expect(misfits(needs, worker, ada)).toEqual([]);
    expect(codesOf(misfits(needs, worker, nothing.agents))).toEqual(["no_capability"]);
    const other = { ...workerAs(2, ["bob"]), capabilities: new Set(["net"]) };
    expect(codesOf(misfits(needs, other, ada))).toEqual(["no_capability"]);
  });

  test("a worker that names no queues serves every queue", () => {
    expect(misfits({ ...lane, queue: "slow" }, offerOf(1), ada)).toEqual([]);
    const named = offerOf(1, { queues: new Set(["slow", "default"]) });
    expect(misfits({ ...lane, queue: "slow" }, named, ada)).toEqual([]);
  });

  test("names all that does not fit", () => {
    const asked = { runner: "x", requires: ["tpu"], agent: "bob", runtime: "w9", queue: "slow" };
    const offer = { ...workerAs(1, ["ada"]), queues: new Set<string>() };
    expect(codesOf(misfits({ ...lane, ...asked }, offer, ada))).toEqual([
      "no_runner",
      "no_capability",
      "no_agent",
      "no_runtime",
      "not_served",
    ]);
  });
});
