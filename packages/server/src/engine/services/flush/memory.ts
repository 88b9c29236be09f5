// What a server remembers of the runs it has written: so that most locks need not read them again.
// Promises: a run is remembered with the version of its row (the transaction that wrote it) and
// used only while the locked row still has that version, so another server's write, or anybody's,
// is always seen; bounded, the oldest is forgotten first; ended runs are not kept.
// Leaves to others: locking and comparing (store/runs.ts).

import type { Run } from "../../../domain/run.ts";
import { isEnded } from "../../../domain/run.ts";
import type { RememberedRun } from "../../../store/runs.ts";

const MAX_RUNS = 10_000;

export class RunMemory {
  readonly #runs = new Map<string, RememberedRun>();
  readonly #connections = new WeakSet<object>();

  get(id: string): RememberedRun | undefined {
    return this.#runs.get(id);
  }

  /** Forgets everything: the next flush reads what it locks. */
  clear(): void {
    this.#runs.clear();
  }

  /**
   * A flush goes through this connection. Before the first one everything is forgotten: another
   * database may answer there (a standby, a restored backup), in which the same transaction numbers
   * name other writes.
   */
  meet(connection: object): void {
    if (this.#connections.has(connection)) return;
    this.#connections.add(connection);
    this.clear();
  }

  /** Remembers runs as a committed flush left them. `version`: the transaction of that flush. */
  keep(runs: Iterable<Run>, version: string): void {
    for (const run of runs) {
      this.#runs.delete(run.id);
      if (isEnded(run)) continue;
      this.#runs.set(run.id, { version, run: withoutChanges(run) });
    }
    for (const id of this.#runs.keys()) {
      if (this.#runs.size <= MAX_RUNS) break;
      this.#runs.delete(id);
    }
  }
}

/** A checkpoint is part of the decision that changes it only. */
function withoutChanges(run: Run): Run {
  if (run.checkpointChanged === undefined) return run;
  const { checkpointChanged: _, ...rest } = run;
  return rest;
}
