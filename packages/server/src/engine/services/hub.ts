// The hub: tells waiting parts of this process that something about a run or a project has changed.
// Promises: carries names, never facts: whoever is told looks in the database; a waiter that is not
// told still looks every 2 s (doorbells are hints, F-46).
// Leaves to others: other servers (doorbell.ts), reading (queries).

import type { Clock } from "../../std/clock.ts";

/** Longest time a follower waits without looking. */
export const POLL_MS = 2000;

export class Hub {
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #heeding = new Map<string, Set<() => void>>();
  readonly #watchers: ((name: string) => void)[] = [];
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes everyone who waits for this name. */
  ring(name: string): void {
    for (const heard of this.#heeding.get(name) ?? []) heard();
    for (const watch of this.#watchers) watch(name);
    const waiters = this.#waiters.get(name);
    if (waiters === undefined) return;
    this.#waiters.delete(name);
    for (const wake of waiters) wake();
  }

  /** Hears every name that is rung, for good: for services that live as long as the process. */
  watch(heard: (name: string) => void): void {
    this.#watchers.push(heard);
  }

  /** Whether anyone waits for this name: nothing else needs to be prepared for it. */
  awaited(name: string): boolean {
    return this.#waiters.has(name) || this.#heeding.has(name);
  }

  /** Calls `heard` at every ring of a name until the returned function is called. */
  heed(name: string, heard: () => void): () => void {
    const set = this.#heeding.get(name) ?? new Set();
    set.add(heard);
    this.#heeding.set(name, set);
    return () => {
      set.delete(heard);
      if (set.size === 0 && this.#heeding.get(name) === set) this.#heeding.delete(name);
    };
  }

  /**
   * Starts listening for a name *before* the caller looks, so that nothing is missed in between.
   * `wait` resolves at the next ring, after `ms`, or when the signal aborts.
   */
  listen(name: string): { wait(ms: number, signal: AbortSignal): Promise<void>; stop(): void } {
    let rung = false;
    let wake = (): void => {
      rung = true;
    };
    const entry = (): void => wake();
    this.#enter(name, entry);
    // Whoever listens no more has no timer and no signal left that would wake it.
    const stop = (): void => {
      this.#leave(name, entry);
      wake();
    };
    const wait = (ms: number, signal: AbortSignal): Promise<void> => {
      if (rung || signal.aborted || this.#closed) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          cancel();
          signal.removeEventListener("abort", done);
          resolve();
        };
        const cancel = this.#clock.setDeadline(ms, done);
        signal.addEventListener("abort", done, { once: true });
        wake = done;
      });
    };
    return { wait, stop };
  }

  #enter(name: string, entry: () => void): void {
    const set = this.#waiters.get(name) ?? new Set();
    set.add(entry);
    this.#waiters.set(name, set);
  }

  #leave(name: string, entry: () => void): void {
    const set = this.#waiters.get(name);
    set?.delete(entry);
    if (set?.size === 0) this.#waiters.delete(name);
  }

  /** Wakes everyone for good: the process is shutting down. */
  close(): void {
    this.#closed = true;
    for (const name of this.#waiters.keys()) this.ring(name);
  }
}

/** The project whose feed has gone on, when a name says that; else null. */
export function projectRung(name: string): string | null {
  return name.startsWith("project/") ? name.slice("project/".length) : null;
}

export const names = {
  run: (runId: string) => `run/${runId}`,
  project: (projectId: string) => `project/${projectId}`,
  work: (projectId: string) => `work/${projectId}`,
};

/** Whether the name says that there may be work. */
export function isWork(name: string): boolean {
  return name.startsWith("work/");
}
