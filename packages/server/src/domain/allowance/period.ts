// Periods: where a charge is booked, and from when to when it counts.
// Promises: the periods of a calendar window tile all time without gap or overlap, whatever the
// clocks of its zone do: a beginning that they skip is the next instant there is, one that they
// show twice is the first. What counts at an instant are the periods with startsAt <= at < endsAt.
// Leaves to others: the present (handed in), what is booked (`settle.ts`).

import { assert } from "../../std/assert.ts";
import { type Zone, zoneOf } from "../limit-notice/zones.ts";
import type { AllowanceWindow, CalendarWindow } from "./allowance.ts";

/** Instants in milliseconds since 1970; what is booked counts from the first, before the second. */
export type Period = { readonly startsAt: number; readonly endsAt: number };

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
/** 1970 began on a Thursday. */
const FIRST_MONDAY = 4 * DAY;

/** A rolling window of so many hours is booked by so many minutes, its sixtieth part. */
const BUCKET_PER_HOUR = MINUTE;

/** Nearly every claim asks for the period it was told last; finding one takes some 20 µs. */
const lastOf = new WeakMap<CalendarWindow, Period>();

/**
 * Where a charge at `at` is booked. Of a calendar window: the window itself. Of a rolling one: a
 * bucket of a sixtieth of it, which ends when nothing in it counts any more, so a charge counts
 * for the length of the window and at most a sixtieth longer.
 *
 * @example
 * periodOf({ kind: "day", timeZone: "UTC", resetMinute: 60 }, 0);
 * // { startsAt: -82800000, endsAt: 3600000 }
 */
export function periodOf(window: AllowanceWindow, at: number): Period {
  if (window.kind === "rolling") {
    const startsAt = floorTo(at, window.hours * BUCKET_PER_HOUR);
    return { startsAt, endsAt: startsAt + window.hours * (BUCKET_PER_HOUR + HOUR) };
  }
  const last = lastOf.get(window);
  if (last !== undefined && last.startsAt <= at && at < last.endsAt) return last;
  const period = calendarPeriod(window, at);
  lastOf.set(window, period);
  return period;
}

function calendarPeriod(window: CalendarWindow, at: number): Period {
  const zone = zoneOf(window.timeZone);
  assert(zone !== null, `no time zone ${window.timeZone}`);
  let n = numberAt(window, at + zone.offsetMs(at));
  let endsAt = firstInstant(markOf(window, n + 1), zone);
  // Clocks that were set back show a time before a beginning that they have passed already.
  while (endsAt <= at) {
    n += 1;
    endsAt = firstInstant(markOf(window, n + 1), zone);
  }
  return { startsAt: firstInstant(markOf(window, n), zone), endsAt };
}

// A time that clocks show is written as the instant at which those of UTC show it.

/** What the clocks show when the window begins for the n-th time. */
function markOf(window: CalendarWindow, n: number): number {
  const reset = resetOf(window);
  return window.kind === "month" ? Date.UTC(1970, n, 1) + reset : n * lengths[window.kind] + reset;
}

/** The number of the last beginning at or before what the clocks show. */
function numberAt(window: CalendarWindow, shown: number): number {
  const since = shown - resetOf(window);
  if (window.kind !== "month") return Math.floor(since / lengths[window.kind]);
  const date = new Date(since);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

const lengths = { hour: HOUR, day: DAY, week: WEEK } as const;

function resetOf({ kind, resetMinute }: CalendarWindow): number {
  return resetMinute * MINUTE + (kind === "week" ? FIRST_MONDAY : 0);
}

/** The first instant at which the clocks of the zone show this or a later time. */
function firstInstant(shown: number, zone: Zone): number {
  const before = zone.offsetMs(shown - DAY);
  const after = zone.offsetMs(shown + DAY);
  if (before === after) return shown - before;
  const change = changeOf(zone, shown - DAY, shown + DAY);
  return shown - before < change ? shown - before : Math.max(change, shown - after);
}

/** The instant in between at which the clocks are changed; zones do so at whole seconds. */
function changeOf(zone: Zone, from: number, to: number): number {
  const before = zone.offsetMs(from);
  let [low, high] = [from, to];
  while (high - low > SECOND) {
    const middle = low + floorTo((high - low) / 2, SECOND);
    if (zone.offsetMs(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

function floorTo(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}
