// The directive board: what open directive streams of this server still have to tell their
// workers.
// Promises: names runs only; the directive itself is made from the run's row when it is told, so
// it is never older than the database. Heartbeat answers carry the same, so a lost push costs one
// beat.
// Leaves to others: server-sent events (http), other servers (doorbell).

type Listener = (runId: string) => void;

const PREFIX = "directive/";

/** Name of "look at this run for this runtime" on the doorbell. */
export function directiveName(projectId: string, runtime: string, runId: string): string {
  return PREFIX + JSON.stringify([projectId, runtime, runId]);
}

export class DirectiveBoard {
  readonly #listeners = new Map<string, Set<Listener>>();

  listen(projectId: string, runtime: string, listener: Listener): () => void {
    const name = JSON.stringify([projectId, runtime]);
    const set = this.#listeners.get(name) ?? new Set();
    set.add(listener);
    this.#listeners.set(name, set);
    return () => {
      set.delete(listener);
      if (set.size === 0) this.#listeners.delete(name);
    };
  }

  tell(projectId: string, runtime: string, runId: string): void {
    const set = this.#listeners.get(JSON.stringify([projectId, runtime]));
    if (set === undefined) return;
    for (const listener of set) listener(runId);
  }

  /** Takes a doorbell name; false when it is not a directive. */
  heard(name: string): boolean {
    if (!name.startsWith(PREFIX)) return false;
    const parts: unknown = JSON.parse(name.slice(PREFIX.length));
    if (!Array.isArray(parts)) return true;
    const [projectId, runtime, runId] = parts as unknown[];
    if (typeof projectId !== "string" || typeof runtime !== "string") return true;
    if (typeof runId === "string") this.tell(projectId, runtime, runId);
    return true;
  }
}
