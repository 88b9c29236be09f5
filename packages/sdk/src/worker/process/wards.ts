// The supervisor's wards: per attempt its lease, its tree, and what has been decided about it.
// Promises: a tree that is frozen does nothing until its lease is confirmed; one that loses its
// lease while frozen is killed without waking up, since another attempt may run already; every
// other end is SIGTERM, grace, SIGKILL, begun once however often it is ordered. Orders that come
// before the tree take effect when it comes.
// Leaves to others: heartbeats and deadlines (`keeper.ts`), the channel (`supervisor-main.ts`).

import { sleep } from "../../retry.ts";
import { removeScratch } from "./scratch.ts";
import type { Graces } from "./supervisor-protocol.ts";
import { ProcessTree, type Tree } from "./tree.ts";

type Ward = {
  lease: boolean;
  tree: ProcessTree | null;
  directory: string | null;
  frozen: boolean;
  /** Grace of the end that was ordered; null = none yet. */
  ending: number | null;
  hurry: AbortController;
};

type OnSurvivors = (attemptId: string, pids: number[]) => void;

const BIRTH_MS = 300;

export class Wards {
  readonly #wards = new Map<string, Ward>();
  readonly #graces: Graces;
  readonly #onSurvivors: OnSurvivors;

  constructor(graces: Graces, onSurvivors: OnSurvivors) {
    this.#graces = graces;
    this.#onSurvivors = onSurvivors;
  }

  /** A lease was added. */
  keep(attemptId: string): void {
    this.#ward(attemptId).lease = true;
  }

  /** The lease is over for the worker. The tree, if there is one, stays a ward until untracked. */
  drop(attemptId: string): void {
    const ward = this.#wards.get(attemptId);
    if (ward === undefined) return;
    ward.lease = false;
    this.#forgetIfDone(attemptId, ward);
  }

  track(attemptId: string, tree: Tree, directory: string | null): void {
    const ward = this.#ward(attemptId);
    ward.tree = new ProcessTree(tree);
    ward.directory = directory;
    if (ward.frozen) ward.tree.freeze();
    if (ward.ending !== null) void this.#kill(attemptId, ward, ward.ending);
  }

  untrack(attemptId: string): void {
    const ward = this.#wards.get(attemptId);
    if (ward === undefined) return;
    ward.tree = null;
    this.#forgetIfDone(attemptId, ward);
  }

  freeze(attemptId: string): void {
    const ward = this.#wards.get(attemptId);
    if (ward === undefined || ward.frozen) return;
    ward.frozen = true;
    ward.tree?.freeze();
  }

  thaw(attemptId: string): void {
    const ward = this.#wards.get(attemptId);
    if (ward === undefined || !ward.frozen) return;
    ward.frozen = false;
    ward.tree?.thaw();
  }

  /** Cancel, deadline, shutdown: the lease still stands. A frozen tree meets SIGTERM on waking. */
  end(attemptId: string, graceMs: number = this.#graces.killMs): void {
    const ward = this.#wards.get(attemptId);
    if (ward === undefined || ward.ending !== null) return;
    ward.ending = graceMs;
    if (ward.tree !== null) void this.#kill(attemptId, ward, graceMs);
  }

  /** Killed, stopped, fenced, expired: the right to run is gone. */
  lose(attemptId: string): void {
    const ward = this.#wards.get(attemptId);
    if (ward === undefined) return;
    if (ward.frozen) ward.hurry.abort();
    this.end(attemptId);
  }

  /** The worker died: ends every tree, also of leases whose tree it could not tell any more. */
  async endAll(): Promise<void> {
    const ends = [...this.#wards].map(async ([attemptId, ward]) => {
      const tree = ward.tree ?? markedTree(attemptId);
      // A frozen tree may have lost its lease meanwhile: it is not woken.
      const graceMs = ward.frozen ? 0 : this.#graces.orphanMs;
      await tree.kill({ graceMs });
      if (ward.tree === null) {
        // Its child may just have been forked, and carries the marker only once it executes.
        await sleep(BIRTH_MS);
        await tree.kill({ graceMs });
      }
      if (ward.directory !== null) await removeScratch(ward.directory);
    });
    await Promise.all(ends);
  }

  async #kill(attemptId: string, ward: Ward, graceMs: number): Promise<void> {
    const { tree, frozen } = ward;
    if (tree === null) return;
    const signal = ward.hurry.signal;
    const { survivors } = await tree.kill({ graceMs, wake: !frozen, hurry: signal });
    if (survivors.length > 0) this.#onSurvivors(attemptId, survivors);
  }

  #ward(attemptId: string): Ward {
    let ward = this.#wards.get(attemptId);
    if (ward === undefined) {
      ward = {
        lease: false,
        tree: null,
        directory: null,
        frozen: false,
        ending: null,
        hurry: new AbortController(),
      };
      this.#wards.set(attemptId, ward);
    }
    return ward;
  }

  #forgetIfDone(attemptId: string, ward: Ward): void {
    if (!ward.lease && ward.tree === null) this.#wards.delete(attemptId);
  }
}

// Only the marker is known. Pid 0 is nobody's, so no group and no leader is looked for.
function markedTree(attemptId: string): ProcessTree {
  return new ProcessTree({ pid: 0, pgid: null, startTime: null, attemptId });
}
