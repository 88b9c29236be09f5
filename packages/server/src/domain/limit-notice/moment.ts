// A time that a text names, before and after it is laid on the calendar.
// Promises: exact arithmetic on instants; a clock time is its next occurrence after `base` in its
// zone; a date without a year is the next such date, unless the last one was a moment ago; what
// does not exist (30 February) or lies more than 366 days from `base` is null.
// Leaves to others: finding times in text (notation.ts), clamping (the caller).

import { type Civil, civilOf, instantIn, utc, type Zone, zoneOf } from "./zones.ts";

/** A wall clock of which parts are named. `zone` is the text's own word for its zone. */
export type NamedCivil = {
  readonly kind: "civil";
  readonly year?: number;
  readonly month?: number;
  readonly day?: number;
  readonly weekday?: number;
  /** 0 today, 1 tomorrow. */
  readonly inDays?: number;
  readonly hour?: number;
  readonly minute?: number;
  readonly second?: number;
  readonly zone?: string;
};

/** A time as a text names it. */
export type Moment =
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "instant"; readonly at: number }
  | NamedCivil;

/** Where times are laid: now, and the zones that count when a text names none, likeliest first. */
export type Calendar = {
  readonly base: number | null;
  readonly zones: readonly Zone[];
  /** A rolling window that the text names: its end lies within so many ms. */
  readonly withinMs?: number;
};

const DAY = 86_400_000;
const FARTHEST = 366 * DAY;
const STALE = 2 * DAY;

/**
 * The instant a moment means, in milliseconds; null when it means none.
 *
 * @example
 * resolve({ kind: "wait", ms: 5000 }, { base: 1000, zones: [utc] }); // 6000
 */
export function resolve(moment: Moment, calendar: Calendar): number | null {
  const at = placed(moment, calendar);
  if (at === null || !Number.isFinite(at)) return null;
  if (calendar.base === null) return Math.abs(at) < 8e15 ? Math.round(at) : null;
  return Math.abs(at - calendar.base) <= FARTHEST ? Math.round(at) : null;
}

function placed(moment: Moment, calendar: Calendar): number | null {
  const { base } = calendar;
  if (moment.kind === "instant") return moment.at;
  if (moment.kind === "wait") return base === null ? null : base + moment.ms;
  const own = moment.zone === undefined ? null : zoneOf(moment.zone);
  const zones = own === null ? calendar.zones : [own];
  const first = civilAt(moment, zones[0] ?? utc, base);
  // A bare date and clock may belong to several zones: the end of a window cannot lie behind it.
  if (first === null || base === null || zones.length === 1) return first;
  const latest = base + (calendar.withinMs ?? FARTHEST) + 60_000;
  const fits = (at: number | null): boolean => at !== null && at >= base - 60_000 && at <= latest;
  if (fits(first)) return first;
  return zones.map((zone) => civilAt(moment, zone, base)).find(fits) ?? first;
}

function civilAt(moment: NamedCivil, zone: Zone, base: number | null): number | null {
  const { hour = 0, minute = 0, second = 0, year, month, day } = moment;
  if (year !== undefined) {
    return instantIn({ year, month: month ?? 1, day: day ?? 1, hour, minute, second }, zone);
  }
  if (base === null) return null;
  const today = civilOf(base, zone);
  const clock = { hour, minute, second };
  if (month !== undefined) {
    return nearestDate({ month, day: day ?? 1, ...clock }, zone, base);
  }
  if (day !== undefined) return nextDayOfMonth({ ...today, ...clock, day }, zone, base);
  const onDay = (n: number): number | null => instantIn(dayAfter({ ...today, ...clock }, n), zone);
  if (moment.inDays !== undefined) return onDay(moment.inDays);
  if (moment.weekday !== undefined) {
    const ahead = (moment.weekday - today.weekday + 7) % 7;
    const next = onDay(ahead);
    return next !== null && next < base && ahead === 0 ? onDay(7) : next;
  }
  for (let n = -1; n < 3; n++) {
    const at = onDay(n);
    if (at !== null && at > base) return at;
  }
  return null;
}

function dayAfter(civil: Civil, days: number): Civil {
  const there = new Date(Date.UTC(civil.year, civil.month - 1, civil.day + days));
  return {
    ...civil,
    year: there.getUTCFullYear(),
    month: there.getUTCMonth() + 1,
    day: there.getUTCDate(),
  };
}

/** The next such date; the last one if that was within two days, for then the notice is stale. */
function nearestDate(date: Omit<Civil, "year">, zone: Zone, base: number): number | null {
  const { year } = civilOf(base, zone);
  const years = [year - 1, year, year + 1].map((one) => instantIn({ ...date, year: one }, zone));
  const known = years.filter((at) => at !== null);
  return known.find((at) => at >= base - STALE) ?? null;
}

function nextDayOfMonth(civil: Civil, zone: Zone, base: number): number | null {
  for (let n = 0; n < 4; n++) {
    const first = new Date(Date.UTC(civil.year, civil.month - 1 + n, 1));
    const [year, month] = [first.getUTCFullYear(), first.getUTCMonth() + 1];
    const at = instantIn({ ...civil, year, month }, zone);
    if (at !== null && at > base) return at;
  }
  return null;
}
