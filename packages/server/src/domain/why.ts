// Why a run is not claimed now: everything that blocks it, from the same parts as the claim.
// Promises: pure; empty exactly when `admit` would grant it to one of the offers with a free place.
// Leaves to others: reading the facts, words on screens.

import type { AdmitFacts, Block, Candidate, Offer } from "./admission.ts";
import { blocks, misfits } from "./blocks.ts";
import { fitOf } from "./fit.ts";

const MOST_REASONS = 20;

/** Every reason that holds now: of the run itself, and of all who could do it. */
export function whyNot(candidate: Candidate, offers: readonly Offer[], facts: AdmitFacts): Block[] {
  return [...blocks(candidate, facts), ...nobody(candidate, offers, facts)];
}

/** Reasons of the workers and their agents, when none of them could do it. */
function nobody(candidate: Candidate, offers: readonly Offer[], facts: AdmitFacts): Block[] {
  if (offers.length === 0) return [{ code: "no_agent", message: "No worker is online." }];
  const { lane } = candidate;
  const fitting: Offer[] = [];
  let fewest: Block[] | null = null;
  for (const offer of offers) {
    const found = misfits(lane, offer, facts.agents);
    if (found.length === 0) fitting.push(offer);
    else if (fewest === null || found.length < fewest.length) fewest = found;
  }
  if (fitting.length === 0) return named(candidate, fewest ?? [], facts);
  const reasons = new Map<string, Block>();
  for (const offer of fitting) {
    const names = offer.agents.length === 0 ? [null] : offer.agents.map((agent) => agent.name);
    for (const name of names) {
      if (lane.agent !== null && name !== lane.agent) continue;
      const known = name === null ? null : (facts.agents.get(name) ?? null);
      const fit = fitOf(candidate, { name, facts: known, offer }, facts);
      if (fit.blocked === null) return [];
      for (const block of fit.blocked) {
        if (reasons.size < MOST_REASONS) reasons.set(`${block.code} ${block.message}`, block);
      }
    }
  }
  return [...reasons.values()];
}

/** An agent that was never heard of is most likely a slip of the pen. */
function named({ lane }: Candidate, found: readonly Block[], facts: AdmitFacts): Block[] {
  const { agent } = lane;
  if (agent === null || facts.agents.has(agent)) return [...found];
  const others = found.filter((block) => block.code !== "no_agent");
  const message = `There is no agent named "${agent}".`;
  return [{ code: "no_agent", message, facts: { agent } }, ...others];
}
