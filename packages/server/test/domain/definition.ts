// Admission by its definition (model §5), one run after the other, to compare with: slow, and
// written without a look at how `admit` counts.
// Promises: every free place is looked at for every run; whether a run fits an agent is asked of
// the same law (`fitOf`).

import { expect } from "vitest";
import type { AdmitFacts, AgentFacts, Candidate, Grant } from "../../src/domain/admission.ts";
import type { AllowanceUse, Offer } from "../../src/domain/admission.ts";
import { isInScope } from "../../src/domain/admission.ts";
import { admit } from "../../src/domain/admit.ts";
import { blocks, misfits } from "../../src/domain/blocks.ts";
import type { Exhaustion } from "../../src/domain/exhaustion/exhaustion.ts";
import type { Fit } from "../../src/domain/fit.ts";
import { fitOf } from "../../src/domain/fit.ts";
import { codesOf } from "./candidates.ts";
import type { Fleet } from "./fleets.ts";

type Place = {
  readonly offer: Offer;
  readonly agent: string | null;
  /** Places of the worker that are free. */
  readonly free: number;
  readonly fit: Extract<Fit, { blocked: null }>;
};

/** What is known and free, as the grants so far have left it. */
class Ledger {
  readonly #agents: Map<string, AgentFacts>;
  readonly #liveByKey: Map<string, number>;
  readonly #accounts: Map<string, readonly Exhaustion[]>;
  #withoutAgent = 0;
  readonly #free = new Map<string, number>();
  readonly #offers: readonly Offer[];
  #uses: readonly AllowanceUse[];
  readonly #facts: AdmitFacts;

  constructor(offers: readonly Offer[], facts: AdmitFacts) {
    this.#offers = offers;
    this.#facts = facts;
    this.#agents = new Map(facts.agents);
    this.#liveByKey = new Map(facts.liveByKey);
    this.#accounts = new Map(facts.accounts);
    this.#uses = facts.allowances;
    for (const { id, free, agents } of offers) {
      this.#free.set(`${id}`, free);
      for (const agent of agents) this.#free.set(`${id}/${agent.name}`, agent.free);
    }
  }

  blocks(candidate: Candidate): string[] {
    return codesOf(blocks(candidate, { ...this.#facts, liveByKey: this.#liveByKey }));
  }

  places(candidate: Candidate): Place[] {
    return this.#offers.flatMap((offer): Place[] => {
      if (misfits(candidate.lane, offer, this.#agents).length > 0) return [];
      const free = this.#free.get(`${offer.id}`) ?? 0;
      const names = offer.agents.map(({ name }) => name);
      return (names.length === 0 ? [null] : names).flatMap((agent): Place[] => {
        const own = agent === null ? free : (this.#free.get(`${offer.id}/${agent}`) ?? 0);
        const named = candidate.lane.agent;
        if (Math.min(free, own) <= 0 || (named !== null && named !== agent)) return [];
        const facts = agent === null ? null : (this.#agents.get(agent) ?? null);
        const limits = { accounts: this.#accounts, allowances: this.#uses };
        const fit = fitOf(candidate, { name: agent, facts, offer }, limits);
        return fit.blocked === null ? [{ offer, agent, free, fit }] : [];
      });
    });
  }

  /** Probes, how much there is to do, the name, places: less comes first, more places do. */
  order({ agent, fit, free }: Place, priority: number): (number | string)[] {
    const nobody = { live: this.#withoutAgent, maxConcurrent: null };
    const { live, maxConcurrent } = this.#agents.get(agent ?? "") ?? nobody;
    const share = maxConcurrent === null ? 1 / (1 + live) : (maxConcurrent - live) / maxConcurrent;
    return [fit.probes.length, priority >= 80 ? live : -share, agent ?? "", -free];
  }

  book({ run, lane }: Candidate, { agent, offer, account, reserves, probes }: Grant): void {
    const minus = (name: string): void => {
      this.#free.set(name, (this.#free.get(name) ?? 0) - 1);
    };
    minus(`${offer.id}`);
    if (agent !== null) minus(`${offer.id}/${agent}`);
    const { concurrencyKey: key } = run;
    if (key !== null) this.#liveByKey.set(key, (this.#liveByKey.get(key) ?? 0) + 1);
    if (agent === null) this.#withoutAgent += 1;
    const probe = { runId: run.id, token: run.fencingToken + 1, since: this.#facts.at };
    const tried = (row: { account: string; model: string | null }): boolean =>
      probes.some((one) => one.account === row.account && one.model === row.model);
    for (const [name, rows] of this.#accounts) {
      this.#accounts.set(
        name,
        rows.map((row) => (tried(row) ? { ...row, probe } : row)),
      );
    }
    for (const facts of this.#agents.values()) {
      const live = facts.live + (facts.name === agent ? 1 : 0);
      const accounts = facts.accounts.map(({ name, rows }) => ({
        name,
        rows: rows.map((row) => (tried(row) ? { ...row, probe } : row)),
      }));
      this.#agents.set(facts.name, { ...facts, live, accounts });
    }
    this.#uses = this.#uses.map((use) => {
      if (!isInScope(use.allowance, { agent, account, model: lane.model })) return use;
      const one = reserves.find(({ allowance }) => allowance.id === use.allowance.id);
      const added = one === undefined ? 0 : one.amount - one.fromParent;
      return { ...use, reserved: use.reserved + added, live: use.live + 1 };
    });
  }
}

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (const [n, one] of a.entries()) {
    const other = b[n] as typeof one;
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** Admits and checks each answer; how many were granted. */
export function checkAdmission({ build, offers, facts }: Fleet): number {
  const { grants, keyTaken } = admit(build(), offers, facts);
  const granted = new Map(grants.map((grant) => [grant.run.id, grant]));
  expect(granted.size).toBe(grants.length);
  const ledger = new Ledger(offers, facts);
  const waiting = new Set<string>();
  const inOrder = build().toSorted(
    (a, b) => a.run.rank - b.run.rank || (a.run.id < b.run.id ? -1 : 1),
  );
  for (const candidate of inOrder) {
    const { run } = candidate;
    const why = ledger.blocks(candidate);
    if (why.includes("concurrency_key")) waiting.add(run.id);
    const places = ledger.places(candidate);
    const grant = granted.get(run.id);
    // Granted exactly when nothing blocks it and somebody has room: nobody is passed over.
    expect({ run: run.id, granted: grant !== undefined }).toEqual({
      run: run.id,
      granted: why.length === 0 && places.length > 0,
    });
    if (grant === undefined) continue;
    checkPlace(ledger, grant, places);
    for (const { allowance, fromParent } of grant.reserves) {
      const left = candidate.parentLeft?.get(allowance.id) ?? 0;
      candidate.parentLeft?.set(allowance.id, left - fromParent);
    }
    ledger.book(candidate, grant);
  }
  expect(grants.map(({ run }) => run.id)).toEqual(
    inOrder.map(({ run }) => run.id).filter((id) => granted.has(id)),
  );
  expect(new Set(keyTaken.map((run) => run.id))).toEqual(waiting);
  return grants.length;
}

/** The grant is one of the places, as the law says it fits there, and no other is better. */
function checkPlace(ledger: Ledger, grant: Grant, places: readonly Place[]): void {
  const { offer, agent, run } = grant;
  const place = places.find((one) => one.offer === offer && one.agent === agent) as Place;
  expect(place?.fit).toEqual({
    blocked: null,
    account: grant.account,
    probes: grant.probes,
    reserves: grant.reserves,
    durationCapMs: grant.durationCapMs,
  });
  const own = ledger.order(place, run.priority);
  for (const other of places) {
    expect(compare(own, ledger.order(other, run.priority))).toBeLessThanOrEqual(0);
  }
}
