// Where the claims of each lane may begin to look: below a floor there is nothing ready.
// Promises: a run that this server makes ready lowers the floor of its lane before anybody is told;
// what another server does is heard by its doorbell, and each lane is searched from its bottom at
// least once a second, so a lost ring costs a second and never a run.
// Why: entries of runs that were claimed stay in the ready index while any old snapshot is open;
// after 60,000 claims each further claim would walk over all of them.
// Leaves to others: searching (store/claims.ts). There is one claiming flush at a time (batcher).

import type { Run } from "../../../domain/run.ts";
import type { LaneFloor } from "../../../store/claims.ts";

type Floor = { rank: number; searchedAt: number };

/** How long a lane is searched from its floor before it is searched from its bottom again. */
const FROM_BOTTOM_MS = 1000;
const MAX_LANES = 500;

export class Floors {
  readonly #mono: () => number;
  readonly #floors = new Map<string, Floor>();
  /** What became ready while a claiming flush was under way: lane → lowest rank. */
  readonly #meanwhile = new Map<string, number>();
  #forgotten = false;
  #asked = new Set<string>();

  constructor(mono: () => number) {
    this.#mono = mono;
  }

  /** A claiming flush begins: the floors it may use. */
  begin(): LaneFloor[] {
    this.#meanwhile.clear();
    this.#forgotten = false;
    const oldest = this.#mono() - FROM_BOTTOM_MS;
    const given = [...this.#floors]
      .filter(([, floor]) => floor.searchedAt > oldest)
      .map(([laneId, { rank }]) => ({ laneId, rank }));
    this.#asked = new Set(given.map(({ laneId }) => laneId));
    return given;
  }

  /** What it found, lowest ranks first in each lane: nothing below them is ready. */
  found(candidates: readonly Run[]): void {
    if (this.#forgotten) return;
    const lowest = new Map<string, number>();
    for (const { laneId, rank } of candidates) {
      lowest.set(laneId, Math.min(rank, lowest.get(laneId) ?? rank));
    }
    for (const [laneId, rank] of lowest) {
      const floor = Math.min(rank, this.#meanwhile.get(laneId) ?? rank);
      const before = this.#asked.has(laneId) ? this.#floors.get(laneId) : undefined;
      this.#floors.set(laneId, { rank: floor, searchedAt: before?.searchedAt ?? this.#mono() });
    }
    if (this.#floors.size > MAX_LANES) this.#floors.clear();
  }

  /** A run is in the line since a commit of this server. */
  ready({ laneId, rank }: Run): void {
    const floor = this.#floors.get(laneId);
    if (floor !== undefined) floor.rank = Math.min(floor.rank, rank);
    this.#meanwhile.set(laneId, Math.min(rank, this.#meanwhile.get(laneId) ?? rank));
  }

  /** Another server has made work. */
  forget(): void {
    this.#floors.clear();
    this.#forgotten = true;
  }
}
