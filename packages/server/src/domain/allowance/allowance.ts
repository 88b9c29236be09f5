// An allowance: what a project, an agent, an account or a model may consume in a window of time.
// Promises: `checkAllowance` refuses what cannot hold, by the name of the field on the wire; what
// passes needs no further look.
// Leaves to others: when its window begins (`period.ts`), whether a run fits into it
// (`reserve.ts`), what is booked (`settle.ts`).

import { limits } from "../limits.ts";
import { zoneOf } from "../limit-notice/zones.ts";
import { type Refusal, refuseField } from "../refusal.ts";
import { MOST } from "./amounts.ts";

/** Whose consumption it limits. */
export const allowanceScopes = ["project", "agent", "account", "model"] as const;
export type AllowanceScope = (typeof allowanceScopes)[number];

/** What it counts. Money is in millionths of a US dollar. */
export const allowanceMetrics = ["tokens", "cost_micros", "runs", "concurrent_runs"] as const;
export type AllowanceMetric = (typeof allowanceMetrics)[number];

/** What follows when it is used up: a note; no further claims; live runs end as well. */
export const allowanceModes = ["soft", "hard", "kill"] as const;
export type AllowanceMode = (typeof allowanceModes)[number];

const calendarKinds = ["hour", "day", "week", "month"] as const;
type CalendarKind = (typeof calendarKinds)[number];

/**
 * A window of the calendar. `resetMinute` is the minute of the local day at which it begins,
 * 0..1439; of a window of an hour its minute of the hour.
 */
export type CalendarWindow = {
  readonly kind: CalendarKind;
  readonly timeZone: string;
  readonly resetMinute: number;
};

/** How long consumption counts: until the next window, or for so many hours. */
export type AllowanceWindow = CalendarWindow | { readonly kind: "rolling"; readonly hours: number };

/** `window` is null exactly for `concurrent_runs`, `name` exactly for the project. */
export type Allowance = {
  readonly id: string;
  readonly scope: AllowanceScope;
  readonly name: string | null;
  readonly metric: AllowanceMetric;
  readonly limit: number;
  readonly mode: AllowanceMode;
  readonly window: AllowanceWindow | null;
  readonly defaultReserve: number | null;
};

const MOST_CONCURRENT = 100_000;
const MOST_HOURS = 31 * 24;
const LAST_MINUTE = 24 * 60 - 1;

/** Whether attempts tell what they consume of it while they run: tokens and money. */
export function isMetered(metric: AllowanceMetric): boolean {
  return metric === "tokens" || metric === "cost_micros";
}

/** Null when the configuration can hold, else a refusal that names the field on the wire. */
export function checkAllowance(allowance: Allowance): Refusal | null {
  for (const check of checks) {
    const refusal = check(allowance);
    if (refusal !== null) return refusal;
  }
  return null;
}

const checks: readonly ((allowance: Allowance) => Refusal | null)[] = [
  ({ scope }) => oneOf("scope", allowanceScopes, scope),
  ({ metric }) => oneOf("metric", allowanceMetrics, metric),
  ({ mode }) => oneOf("mode", allowanceModes, mode),
  checkName,
  ({ metric, limit }) =>
    wholeNumber("limit", limit, 0, metric === "concurrent_runs" ? MOST_CONCURRENT : MOST),
  checkWindow,
  checkMode,
  checkReserve,
];

function checkName({ scope, name }: Allowance): Refusal | null {
  if (scope === "project") {
    return name === null ? null : refuseField("name", "must be absent: it is for the project");
  }
  const long = limits.nameLength;
  if (name !== null && name.length >= 1 && name.length <= long) return null;
  return refuseField("name", `must be the name of the ${scope}, 1 to ${long} characters`);
}

function checkWindow({ metric, window }: Allowance): Refusal | null {
  if (metric === "concurrent_runs") {
    if (window === null) return null;
    return refuseField("window", "must be absent: concurrent runs are counted as they are now");
  }
  const refusal = oneOf("window", [...calendarKinds, "rolling"], window?.kind);
  if (window === null || refusal !== null) return refusal;
  if (window.kind === "rolling") return wholeNumber("window_hours", window.hours, 1, MOST_HOURS);
  if (!isZone(window.timeZone)) {
    return refuseField("time_zone", "must be a zone by its IANA name, such as Europe/Berlin");
  }
  return isWhole(window.resetMinute, 0, LAST_MINUTE)
    ? null
    : refuseField("reset_time", "must be a time of day from 00:00 to 23:59");
}

function checkMode({ metric, mode }: Allowance): Refusal | null {
  return mode !== "kill" || isMetered(metric)
    ? null
    : refuseField("mode", "kill is for tokens and cost_micros: runs tell of no other use");
}

function checkReserve({ metric, defaultReserve }: Allowance): Refusal | null {
  if (defaultReserve === null) return null;
  return isMetered(metric)
    ? wholeNumber("default_reserve", defaultReserve, 0, MOST)
    : refuseField("default_reserve", "is for tokens and cost_micros only");
}

/**
 * Abbreviations are no names: `zoneOf` takes CET for one hour ahead all year, the IANA database for
 * a zone with summer time, and ICU takes AST for Alaska. Only what has one reading is taken.
 */
function isZone(name: string): boolean {
  if (/^(?:utc|gmt)$/i.test(name)) return true;
  return !/^(?:[+-]|[a-z]{3}$)/i.test(name) && zoneOf(name)?.name === name;
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function wholeNumber(field: string, value: number, least: number, most: number): Refusal | null {
  return isWhole(value, least, most)
    ? null
    : refuseField(field, `must be a whole number from ${least} to ${most}`);
}

function oneOf(field: string, words: readonly string[], value: unknown): Refusal | null {
  return words.some((word) => word === value)
    ? null
    : refuseField(field, `must be one of ${words.join(", ")}`);
}
