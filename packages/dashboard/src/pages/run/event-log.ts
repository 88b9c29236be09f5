// The events of one run as they come: kept once, handed out as one growing list.
// Promises: in the order of `seq`, without gaps or repeats (the SDK resumes by number); however
// many come at once, a screen is told at most once per frame.
// Leaves to others: what a screen makes of them (`timeline.tsx`, `log-rows.ts`).

import type { Event, Signalbox } from "@signalbox/sdk";
import { useEffect, useState, useSyncExternalStore } from "react";

/** What screens see: the list itself is only ever appended to; `version` tells that it grew. */
export type EventLog = {
  readonly events: readonly Event[];
  readonly version: number;
  /** `reading` until the stream has begun; `ended` after the run's last event. */
  readonly link: "reading" | "live" | "ended" | "broken";
  readonly error: unknown;
};

class Store {
  #events: Event[] = [];
  #seen: EventLog = { events: this.#events, version: 0, link: "reading", error: null };
  #listeners = new Set<() => void>();
  #isTold = false;
  #link: EventLog["link"] = "reading";
  #error: unknown = null;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly seen = (): EventLog => this.#seen;

  /** Follows until `signal`; goes on after what is there, so it can be called again. */
  async follow(client: Signalbox, id: string, signal: AbortSignal): Promise<void> {
    if (this.#link === "ended") return;
    const afterSeq = this.#events.at(-1)?.seq;
    const options = afterSeq === undefined ? { signal } : { signal, afterSeq };
    try {
      for await (const event of client.runs.follow(id, options)) {
        this.#events.push(event);
        this.#link = "live";
        this.#tell();
      }
      this.#link = "ended";
    } catch (error) {
      if (signal.aborted) return;
      this.#link = "broken";
      this.#error = error;
    }
    this.#tell();
  }

  #tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    window.requestAnimationFrame(() => {
      this.#isTold = false;
      const { version } = this.#seen;
      const now = { link: this.#link, error: this.#error, events: this.#events };
      this.#seen = { ...now, version: version + 1 };
      for (const listener of this.#listeners) listener();
    });
  }
}

/** Follows a run while the screen is there and in sight: tabs behind hold no connection. */
export function useEventLog(client: Signalbox, id: string): EventLog {
  const [store, setStore] = useState(() => new Store());
  useEffect(() => {
    const fresh = new Store();
    setStore(fresh);
    let stop: AbortController | null = null;
    const look = (): void => {
      if (document.hidden) {
        stop?.abort();
        stop = null;
      } else if (stop === null) {
        stop = new AbortController();
        void fresh.follow(client, id, stop.signal);
      }
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      stop?.abort();
    };
  }, [client, id]);
  return useSyncExternalStore(store.subscribe, store.seen);
}
