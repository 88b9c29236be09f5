// Instants: how long ago, with the exact instant on hover; and countdowns.
// Promises: one timer for the whole page, once a second, that rests while the page is hidden; dates
// of the browser's clock only say how far away an instant is, never what happened.
// Leaves to others: the words (`states.ts`).

import { useSyncExternalStore } from "react";
import { agoText, durationText } from "./states.ts";

let now = Date.now();
const listeners = new Set<() => void>();
let timer: number | undefined;

function tick(): void {
  if (document.hidden) return;
  now = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= window.setInterval(tick, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    window.clearInterval(timer);
    timer = undefined;
  };
}

/** The instant this page shows, in milliseconds since 1970; moves once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** `3 min ago`; the exact instant in UTC and here on hover. */
export function When({ at }: { readonly at: string | null }) {
  const now = useNow();
  if (at === null) return <span className="sb-dim">never</span>;
  return (
    <time dateTime={at} title={exact(at)} className="sb-num">
      {agoText(at, now)}
    </time>
  );
}

/** How long until an instant, or that it has passed. */
export function Countdown({ to, over }: { readonly to: string; readonly over: string }) {
  const now = useNow();
  // Whole seconds: tenths would stand still between two looks.
  const left = Math.ceil((Date.parse(to) - now) / 1_000);
  return (
    <time dateTime={to} title={exact(to)} className="sb-num">
      {left <= 0 ? over : left < 60 ? `${left} s` : durationText(left * 1_000)}
    </time>
  );
}

/** How long something took, or has taken so far. */
export function Took({ from, to }: { readonly from: string | null; readonly to: string | null }) {
  const now = useNow();
  if (from === null) return <span className="sb-dim">–</span>;
  const end = to === null ? now : Date.parse(to);
  return <span className="sb-num">{durationText(Math.max(0, end - Date.parse(from)))}</span>;
}

/** Both readings of an instant. */
export function exact(at: string): string {
  return `${at} · ${new Date(at).toLocaleString()}`;
}
