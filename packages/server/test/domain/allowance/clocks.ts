// What the clocks of a zone show, read every minute, and where windows begin by that: the plain
// way. Promises: shares nothing with the code under test.
// Leaves to others: changes of clocks inside a minute (no zone had one after 1972).

import type { CalendarWindow } from "../../../src/domain/allowance/allowance.ts";

const MINUTE = 60_000;

/** An instant, and what clocks show then, as the instant at which those of UTC show it. */
export type Reading = { readonly at: number; readonly shown: number };

/** What the clocks of a zone show from one instant to another, every minute. */
export function readings(timeZone: string, from: number, to: number): Reading[] {
  const styles = { dateStyle: "short", timeStyle: "short" } as const;
  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone, ...styles });
  const found: Reading[] = [];
  for (let at = from; at <= to; at += MINUTE) {
    found.push({ at, shown: Date.parse(`${clock.format(at).replace(" ", "T")}:00Z`) });
  }
  return found;
}

/** Whether a window begins when clocks show this minute. */
function beginsAt({ kind, resetMinute }: CalendarWindow, shown: number): boolean {
  const date = new Date(shown);
  if (kind === "hour") return date.getUTCMinutes() === resetMinute % 60;
  if (date.getUTCHours() * 60 + date.getUTCMinutes() !== resetMinute) return false;
  if (kind === "week") return date.getUTCDay() === 1;
  return kind === "day" || date.getUTCDate() === 1;
}

/**
 * The instants after `from` at which a window begins: when clocks first reach, or skip, a minute at
 * which it does.
 */
export function beginnings(
  window: CalendarWindow,
  read: readonly Reading[],
  from: number,
): number[] {
  const found: number[] = [];
  let latest = Number(read[0]?.shown);
  for (const { at, shown } of read) {
    let begun = false;
    for (let minute = latest + MINUTE; minute <= shown; minute += MINUTE) {
      begun ||= beginsAt(window, minute);
    }
    // Times that were shown before are over: clocks that are set back begin no window again.
    latest = Math.max(latest, shown);
    if (begun && at > from) found.push(at);
  }
  return found;
}
