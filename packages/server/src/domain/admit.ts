// The one admission: who gets what. The claim decides by it on locked rows; `explain` asks the same
// parts without locks, so what explain says blocks is what the claim refuses.
// Promises: pure; never grants beyond what an offer, an agent, a key limit, a half-open account or
// an allowance leaves free; grants in rank order; a refusal for one agent tries the next.
// Leaves to others: reading the facts under the right locks (`store/`), words on screens.

import type {
  AdmitFacts,
  Admission,
  AgentFacts,
  AllowanceUse,
  Candidate,
  Grant,
  Offer,
} from "./admission.ts";
import { isInScope } from "./admission.ts";
import { blocks, misfits } from "./blocks.ts";
import type { Exhaustion } from "./exhaustion/exhaustion.ts";
import type { Fit } from "./fit.ts";
import { fitOf } from "./fit.ts";
import type { PendingRun } from "./run.ts";
import type { LaneKey } from "./submission.ts";

/** From this priority on a run goes where the fewest others are (model §5). */
const CRITICAL = 80;

/** Decides who gets what. Candidates and offers are of one project. */
export function admit(
  candidates: readonly Candidate[],
  offers: readonly Offer[],
  facts: AdmitFacts,
): Admission {
  const grants: Grant[] = [];
  const keyTaken: PendingRun[] = [];
  const tally = new Tally(offers, facts);
  const shut = new Map<string, boolean>();
  const ordered = candidates.toSorted(
    (a, b) => a.run.rank - b.run.rank || compare(a.run.id, b.run.id),
  );
  for (const candidate of ordered) {
    const { run, lane } = candidate;
    const why = blocks(candidate, tally.facts);
    if (why.length > 0) {
      if (why.some((block) => block.code === "concurrency_key")) keyTaken.push(run);
      continue;
    }
    const { place, full } = tally.placeFor(candidate, lane);
    if (place === null) {
      if (!full) shut.set(run.laneId, shut.get(run.laneId) ?? true);
      continue;
    }
    shut.set(run.laneId, false);
    grants.push(tally.take(candidate, place));
  }
  const shutLanes = [...shut].filter(([, isShut]) => isShut).map(([laneId]) => laneId);
  return { grants, keyTaken, shutLanes };
}

type Granted = Extract<Fit, { blocked: null }>;
type Seat = { readonly offer: Offer; free: number; readonly agents: Chair[] };
type Chair = { readonly name: string | null; free: number };
type Place = { readonly seat: Seat; readonly chair: Chair; readonly fit: Granted };

/** Nothing is known of the agent and no allowance is set: nothing is in the way. */
const free: Granted = {
  blocked: null,
  account: null,
  probes: [],
  reserves: [],
  durationCapMs: null,
};

/** What is free, as grants take it away. */
class Tally {
  readonly facts: AdmitFacts;
  readonly #liveByKey: Map<string, number>;
  readonly #agents: Map<string, AgentFacts>;
  readonly #accounts: Map<string, readonly Exhaustion[]>;
  readonly #uses: AllowanceUse[];
  /** Grants to those of whom nothing is known, by name (null: without an agent). */
  readonly #given = new Map<string | null, number>();
  readonly #seats: Seat[];
  readonly #fitting = new Map<LaneKey, Seat[]>();

  constructor(offers: readonly Offer[], facts: AdmitFacts) {
    this.#liveByKey = new Map(facts.liveByKey);
    this.#agents = new Map(facts.agents);
    this.#accounts = new Map(facts.accounts);
    this.#uses = [...facts.allowances];
    this.facts = {
      ...facts,
      liveByKey: this.#liveByKey,
      agents: this.#agents,
      accounts: this.#accounts,
      allowances: this.#uses,
    };
    this.#seats = offers.map((offer) => ({
      offer,
      free: offer.free,
      agents:
        offer.agents.length === 0
          ? [{ name: null, free: offer.free }]
          : offer.agents.map(({ name, free }) => ({ name, free })),
    }));
  }

  /** The best place for a run; `full` when one that fits the lane had no seat left. */
  placeFor(candidate: Candidate, lane: LaneKey): { place: Place | null; full: boolean } {
    let best: Place | null = null;
    let full = false;
    const tried = new Map<string | null, Fit>();
    for (const seat of this.#seatsFor(lane)) {
      for (const chair of seat.agents) {
        if (lane.agent !== null && chair.name !== lane.agent) continue;
        if (seat.free <= 0 || chair.free <= 0) {
          full = true;
          continue;
        }
        const fit = this.#fit(candidate, seat, chair, tried);
        if (fit.blocked !== null) continue;
        const place = { seat, chair, fit };
        if (best === null || this.#isBetter(place, best, candidate)) best = place;
      }
    }
    return { place: best, full };
  }

  /** Looked up once per agent, unless workers of one agent differ in what they can do. */
  #fit(candidate: Candidate, seat: Seat, chair: Chair, tried: Map<string | null, Fit>): Fit {
    const plain = candidate.lane.requires.length === 0;
    const known = plain ? tried.get(chair.name) : undefined;
    if (known !== undefined) return known;
    const facts = chair.name === null ? null : (this.#agents.get(chair.name) ?? null);
    if (facts === null && this.#uses.length === 0 && candidate.lane.account === null) return free;
    const fit = fitOf(candidate, { name: chair.name, facts, offer: seat.offer }, this.facts);
    if (plain) tried.set(chair.name, fit);
    return fit;
  }

  /** The seats that fit a lane, looked up once for all its runs. */
  #seatsFor(lane: LaneKey): Seat[] {
    let seats = this.#fitting.get(lane);
    if (seats === undefined) {
      seats = this.#seats.filter((seat) => misfits(lane, seat.offer, this.#agents).length === 0);
      this.#fitting.set(lane, seats);
    }
    return seats;
  }

  /**
   * Routing (model §5): an open account goes before one that is tried; critical runs go where the
   * fewest attempts live, others to the most free share; ties by name; of one agent's workers the
   * one with the most free places. Workers without an agent count together, as one.
   */
  #isBetter(a: Place, b: Place, { run }: Candidate): boolean {
    const probing = a.fit.probes.length - b.fit.probes.length;
    if (probing !== 0) return probing < 0;
    const critical = run.priority >= CRITICAL;
    const load = critical
      ? this.#liveOf(a) - this.#liveOf(b)
      : this.#freeShare(b) - this.#freeShare(a);
    if (load !== 0) return load < 0;
    const named = compare(a.chair.name ?? "", b.chair.name ?? "");
    return named === 0 ? a.seat.free > b.seat.free : named < 0;
  }

  #liveOf({ chair }: Place): number {
    const known = chair.name === null ? undefined : this.#agents.get(chair.name);
    return known?.live ?? this.#given.get(chair.name) ?? 0;
  }

  #freeShare(place: Place): number {
    const most = this.#agents.get(place.chair.name ?? "")?.maxConcurrent ?? null;
    const live = this.#liveOf(place);
    return most === null ? 1 / (1 + live) : (most - live) / most;
  }

  /** Hands the run over and counts it wherever it counts. */
  take(candidate: Candidate, { seat, chair, fit }: Place): Grant {
    const { run, lane, parentLeft } = candidate;
    for (const { allowance, fromParent } of fit.reserves) {
      if (fromParent === 0 || parentLeft === undefined) continue;
      parentLeft.set(allowance.id, (parentLeft.get(allowance.id) ?? 0) - fromParent);
    }
    seat.free -= 1;
    chair.free -= 1;
    const { concurrencyKey: key } = run;
    if (key !== null) this.#liveByKey.set(key, (this.#liveByKey.get(key) ?? 0) + 1);
    this.#count(chair.name, fit, run);
    const of = { agent: chair.name, account: fit.account, model: lane.model };
    const amounts = new Map(fit.reserves.map((one) => [one.allowance.id, one]));
    for (const [index, use] of this.#uses.entries()) {
      if (!isInScope(use.allowance, of)) continue;
      const one = amounts.get(use.allowance.id);
      const added = one === undefined ? 0 : one.amount - one.fromParent;
      this.#uses[index] = { ...use, reserved: use.reserved + added, live: use.live + 1 };
    }
    return {
      run,
      offer: seat.offer,
      agent: chair.name,
      account: fit.account,
      probes: fit.probes,
      reserves: fit.reserves,
      durationCapMs: fit.durationCapMs,
    };
  }

  /** One more live attempt of the agent; a limit it tries is tried by no other. */
  #count(name: string | null, fit: Granted, run: PendingRun): void {
    const facts = name === null ? undefined : this.#agents.get(name);
    if (name === null || facts === undefined)
      this.#given.set(name, (this.#given.get(name) ?? 0) + 1);
    else this.#agents.set(name, { ...facts, live: facts.live + 1 });
    if (fit.probes.length === 0) return;
    const probe = { runId: run.id, token: run.fencingToken + 1, since: this.facts.at };
    const isTried = (row: Exhaustion): boolean =>
      fit.probes.some((one) => one.account === row.account && one.model === row.model);
    const tried = (rows: readonly Exhaustion[]): Exhaustion[] =>
      rows.map((row) => (isTried(row) ? { ...row, probe } : row));
    for (const [other, known] of this.#agents) {
      const accounts = known.accounts.map((one) => ({ name: one.name, rows: tried(one.rows) }));
      this.#agents.set(other, { ...known, accounts });
    }
    for (const [account, rows] of this.#accounts) this.#accounts.set(account, tried(rows));
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
