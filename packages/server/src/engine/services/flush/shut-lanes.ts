// Lanes from which the claims that wait here can take nothing now: their agents are exhausted, out
// of allowance, busy, paused. They are left out of the search, so that they do not hide the others.
// Promises: a lane is left out for a second at most, only for claims of the same workers and
// agents, and not once anything has changed that could open it.
// Leaves to others: why it is shut (`domain/admit.ts`), searching (`store/claims.ts`).

import type { ClaimItem } from "./items.ts";

type Shut = { readonly projectId: string; readonly until: number; readonly seats: Set<string> };

const SHUT_MS = 1000;
const MAX_LANES = 5000;

export class ShutLanes {
  readonly #mono: () => number;
  readonly #lanes = new Map<string, Shut>();

  constructor(mono: () => number) {
    this.#mono = mono;
  }

  /** None of these claims could take from these lanes. */
  found(projectId: string, laneIds: readonly string[], claims: readonly ClaimItem[]): void {
    if (this.#lanes.size > MAX_LANES) this.#lanes.clear();
    const seats = new Set(seatsOf(claims.filter((claim) => claim.projectId === projectId)));
    const until = this.#mono() + SHUT_MS;
    for (const laneId of laneIds) this.#lanes.set(laneId, { projectId, until, seats });
  }

  /** Lanes that these claims need not search. */
  for(claims: readonly ClaimItem[]): string[] {
    if (this.#lanes.size === 0) return [];
    const now = this.#mono();
    const asking = new Map<string, string[]>();
    for (const claim of claims) {
      asking.set(claim.projectId, [...(asking.get(claim.projectId) ?? []), ...seatsOf([claim])]);
    }
    const ids: string[] = [];
    for (const [laneId, { projectId, until, seats }] of this.#lanes) {
      const wanted = asking.get(projectId);
      if (until <= now) this.#lanes.delete(laneId);
      else if (wanted?.every((seat) => seats.has(seat)) === true) ids.push(laneId);
    }
    return ids;
  }

  /** A run has come into a lane: it may be one that can be taken. */
  ready(laneId: string): void {
    this.#lanes.delete(laneId);
  }

  /** Something has changed in a project (in any, when none is named). */
  reopen(projectId?: string): void {
    if (projectId === undefined) this.#lanes.clear();
    for (const [laneId, shut] of this.#lanes) {
      if (shut.projectId === projectId) this.#lanes.delete(laneId);
    }
  }
}

function seatsOf(claims: readonly ClaimItem[]): string[] {
  return claims.flatMap(({ runtime, agents, queues, runners }) => {
    const what = `${runtime}/${queues?.join() ?? "*"}/${runners.join()}`;
    return agents.length === 0 ? [what] : agents.map(({ name }) => `${what}/${name}`);
  });
}
