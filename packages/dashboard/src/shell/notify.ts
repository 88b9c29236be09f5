// Whether the system may tell of news while the dashboard is not in sight: a choice of the person,
// kept in this browser.
// Promises: off until somebody switches it on; the browser is asked only then; where it cannot be
// (no secure address, or the browser refuses) says why.
// Leaves to others: what is told (`news.tsx`).

import { useSyncExternalStore } from "react";

const STORE = "signalbox.notify";
const listeners = new Set<() => void>();

/** `unable`: this page has no right to ask, since it did not come over HTTPS or loopback. */
export type Notify = "on" | "off" | "refused" | "unable";

function read(): Notify {
  if (!window.isSecureContext || !("Notification" in window)) return "unable";
  if (Notification.permission === "denied") return "refused";
  const isChosen = window.localStorage.getItem(STORE) === "on";
  return isChosen && Notification.permission === "granted" ? "on" : "off";
}

export const isNotifyChosen = (): boolean => read() === "on";

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useNotify = (): Notify => useSyncExternalStore(subscribe, read);

/** Switches it; asks the browser when it has not been asked before. */
export async function chooseNotify(on: boolean): Promise<void> {
  if (on && Notification.permission === "default") await Notification.requestPermission();
  if (on) window.localStorage.setItem(STORE, "on");
  else window.localStorage.removeItem(STORE);
  for (const listener of listeners) listener();
}
