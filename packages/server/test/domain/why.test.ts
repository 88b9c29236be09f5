// Why a run is not claimed now: what is told when nobody can do it, and that it is told exactly
// when the claim refuses it.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Candidate, Offer } from "../../src/domain/admission.ts";
import { blockCodes } from "../../src/domain/admission.ts";
import { admit } from "../../src/domain/admit.ts";
import { whyNot } from "../../src/domain/why.ts";
import { agentOf, candidateOf, codesOf, knowing } from "./candidates.ts";
import { nothing, offerOf, who, workerAs } from "./candidates.ts";
import { ACCOUNT, closed, HOUR } from "./exhaustion/rows.ts";
import { fleets } from "./fleets.ts";

const run = candidateOf("r");
const said = (...given: Parameters<typeof whyNot>): [string, string][] =>
  whyNot(...given).map(({ code, message }) => [code, message]);

describe("when nobody can do it", () => {
  test("without any worker that is the reason", () => {
    expect(said(run, [], nothing)).toEqual([["no_agent", "No worker is online."]]);
  });

  test("of workers that do not fit, the one that lacks least is told", () => {
    const far = offerOf(1, { runners: new Set(), queues: new Set() });
    const near = offerOf(2, { queues: new Set(["slow"]) });
    for (const offers of [
      [far, near],
      [near, far],
    ]) {
      expect(codesOf(whyNot(run, offers, nothing))).toEqual(["not_served"]);
    }
  });

  test("an agent that was never heard of is called a stranger, once", () => {
    const asked = candidateOf("r", {}, { agent: "adda", runner: "other" });
    const worker = workerAs(1, ["ada"]);
    expect(said(asked, [worker], knowing([agentOf("ada")]))).toEqual([
      ["no_agent", 'There is no agent named "adda".'],
      ["no_runner", 'No worker has runner "other".'],
    ]);
    const known = candidateOf("r", {}, { agent: "bob" });
    expect(said(known, [worker], knowing([agentOf("ada"), agentOf("bob")]))).toEqual([
      ["no_agent", 'No live worker works as agent "bob".'],
    ]);
  });

  test("of the agents that could do it all reasons are told, each once", () => {
    const shared = { name: ACCOUNT, rows: [closed(HOUR)] };
    const facts = knowing([
      agentOf("ada", { accounts: [shared], paused: who }),
      agentOf("bob", { maxConcurrent: 1, live: 1 }),
    ]);
    const offers = [workerAs(1, ["ada"]), workerAs(2, ["ada", "bob"])];
    expect(codesOf(whyNot(run, offers, facts))).toEqual([
      "agent_paused",
      "exhausted",
      "concurrency",
    ]);
  });

  test("a run that names an agent is told of that agent alone", () => {
    const facts = knowing([agentOf("ada", { paused: who }), agentOf("bob")]);
    const asked = candidateOf("r", {}, { agent: "ada" });
    const offers = [workerAs(1, ["ada", "bob"])];
    expect(codesOf(whyNot(asked, offers, facts))).toEqual(["agent_paused"]);
  });

  test("a worker without an agent is told of the account that the run names", () => {
    const asked = candidateOf("r", {}, { account: "x" });
    const facts = { ...nothing, accounts: new Map([["x", [{ ...closed(HOUR), account: "x" }]]]) };
    const [told] = said(asked, [offerOf(1)], facts);
    expect(told).toEqual(["exhausted", expect.stringMatching(/^Account "x" is exhausted until /)]);
  });

  test("what blocks it whoever asks comes first, and is told as well", () => {
    const stopped = { ...nothing, stopped: who };
    expect(codesOf(whyNot(run, [], stopped))).toEqual(["project_stopped", "no_agent"]);
    expect(codesOf(whyNot(run, [offerOf(1)], stopped))).toEqual(["project_stopped"]);
  });

  test("of a thousand agents that cannot, 20 reasons are enough", () => {
    const names = Array.from({ length: 1000 }, (_, n) => `agent ${n}`);
    const facts = knowing(names.map((name) => agentOf(name, { paused: who })));
    expect(whyNot(run, [workerAs(1, names)], facts)).toHaveLength(20);
  });
});

test("as soon as one can do it there is no reason", () => {
  const facts = knowing([agentOf("ada", { paused: who }), agentOf("bob")]);
  expect(whyNot(run, [workerAs(1, ["ada"]), workerAs(2, ["ada", "bob"])], facts)).toEqual([]);
});

/** The same worker with a free place for each of its agents. */
function withPlaces(offer: Offer): Offer {
  const agents = offer.agents.map(({ name }) => ({ name, free: 1 }));
  return { ...offer, free: 1, agents };
}

describe("explain and the claim agree", () => {
  test("there is no reason exactly when a worker with a free place is granted it", () => {
    const seen = { granted: 0, refused: 0, codes: new Set<string>() };
    fc.assert(
      fc.property(fleets, ({ build, offers: busy, facts }) => {
        const offers = busy.map(withPlaces);
        for (const candidate of build()) {
          const why = whyNot(candidate, offers, facts);
          const { grants } = admit([alone(candidate)], offers, facts);
          expect({ why: codesOf(why), granted: grants.length }).toEqual({
            why: grants.length === 1 ? [] : codesOf(why),
            granted: why.length === 0 ? 1 : 0,
          });
          seen[grants.length === 1 ? "granted" : "refused"] += 1;
          for (const { code, message } of why) {
            seen.codes.add(code);
            expect(message).toMatch(/^[A-Z].{10,}/);
          }
        }
      }),
      { numRuns: 1000 },
    );
    expect(seen.granted).toBeGreaterThan(1000);
    expect(seen.refused).toBeGreaterThan(1000);
    // What is left is told by the questions of others: held bits, the line, places.
    const others = ["not_due", "dependency", "no_free_slot", "ahead"];
    expect([...seen.codes, ...others].toSorted()).toEqual([...blockCodes].toSorted());
  });
});

/** Admission takes from what the parent has left: of this candidate alone. */
function alone(candidate: Candidate): Candidate {
  const { parentLeft } = candidate;
  return parentLeft === undefined ? candidate : { ...candidate, parentLeft: new Map(parentLeft) };
}
