// Kinds of notation in which machines write a time, as a table: instants, waits, dates, clocks.
// Promises: each pattern is read at one place only (sticky) and bounded, so that reading costs the
// same in any text; the first row that fits is taken; a row says nothing when the numbers in it
// cannot be a time.
// Leaves to others: where in a text to read (hints.ts), what the time means (moment.ts).

import { anyOf } from "./alternatives.ts";
import type { Moment, NamedCivil } from "./moment.ts";
import { spokenNumbers, UNIT_WORDS, unitMs } from "./units.ts";
import { zoneAt, zoneOf } from "./zones.ts";

/** A time read from a text: what, by which row, and where it ends. */
export type Reading = {
  readonly moment: Moment;
  readonly notation: string;
  readonly end: number;
  /** An instant that no zone can change: a wait, an epoch, a date with its zone. */
  readonly exact: boolean;
};

/** What stands before a time. It tells waits from clocks, and whether a bare number counts. */
export type Before = {
  /** `in` and `for` begin a wait; `after` either; `at`, `on` and `until` a point in time. */
  readonly connector?: "in" | "after" | "at";
  /** Milliseconds of a number without a unit; absent: such a number is no time. */
  readonly bareUnitMs?: number;
};

type Groups = Readonly<Record<string, string | undefined>>;
type Found = { readonly groups: Groups; readonly text: string; readonly end: number };
type Row = {
  readonly name: string;
  readonly pattern: RegExp;
  /** What was found, or null; `end` if it ends elsewhere than the pattern. */
  readonly read: (found: Found, before: Before) => { moment: Moment; end?: number } | null;
};

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const WEEKDAYS = "sun mon tue wed thu fri sat".split(" ");

const MONTH =
  "(?<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|" +
  String.raw`sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?`;
const WEEKDAY =
  "(?<weekday>sun(?:day)?|mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|" +
  String.raw`thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?)\b\.?`;
const DAY = String.raw`(?<day>\d{1,2})(?:st|nd|rd|th)?(?![\d:])`;
const YEAR = String.raw`(?<year>20\d\d)`;
/** An hour alone is no clock: it needs minutes or a half of the day. */
const CLOCK =
  String.raw`(?:(?=\d{1,2}(?::\d\d| ?[ap]\.?m\b))(?<hour>\d{1,2})` +
  String.raw`(?::(?<minute>\d\d)(?::(?<second>\d\d(?:\.\d{1,9})?))?)?` +
  String.raw`(?: ?(?<half>[ap])\.?m\b\.?)?` +
  String.raw`|(?:12 )?(?<word>midnight|noon)\b)`;
const AND = "(?:,? ?(?:at |@ ?|- |um )?)";

const COUNT = String.raw`\d{1,3}(?:,\d{3}){1,3}(?![\d.,]\d)|\d{1,10}(?:[.,]\d{1,12})?`;
const PART = new RegExp(
  `(?<count>${COUNT}|(?:${Object.keys(spokenNumbers).join("|")})(?= )) {0,2}-?` +
    String.raw`(?<unit>${UNIT_WORDS})(?![a-z\u0430-\u044f%])`,
  "y",
);
const BETWEEN = /[ ,]{0,2}(?:and |und |et |y |e |и )?/y;
const MOST_PARTS = 6;

const rows: readonly Row[] = [
  {
    name: "iso-instant",
    pattern: new RegExp(
      String.raw`${YEAR}([-/.])(?<month>\d{1,2})\2(?<day>\d{1,2})(?!\d)(?:(?:t|${AND})${CLOCK})?`,
      "y",
    ),
    read: civil,
  },
  {
    name: "slash-date",
    // Months first, as where such dates are written to users; days first where only that fits.
    pattern: new RegExp(
      String.raw`(?<month>\d{1,2})\/(?<day>\d{1,2})(?:\/${YEAR})?(?![\d/])(?:${AND}${CLOCK})?`,
      "y",
    ),
    read: ({ groups }, { connector }) => {
      if (connector !== "at") return null;
      const turned = Number(groups["month"]) > 12;
      const { month, day } = groups;
      return civil({ groups: turned ? { ...groups, month: day, day: month } : groups });
    },
  },
  {
    name: "chinese-date",
    pattern: new RegExp(
      String.raw`(?:${YEAR} ?年 ?)?(?<month>\d{1,2}) ?月 ?(?<day>\d{1,2}) ?[日号]? ?` +
        String.raw`(?:(?<hour>\d{1,2})[:点时時](?<minute>\d\d)?(?::(?<second>\d\d))?)?`,
      "y",
    ),
    read: civil,
  },
  {
    name: "epoch",
    pattern: /(?<count>\d{10}(?:\d{3})?)(?:\.\d{1,9})?(?!\w)/y,
    read: ({ groups }) => {
      const count = Number(groups["count"]);
      const at = count >= 1e12 ? count : count * 1000;
      return at < 1e12 ? null : { moment: { kind: "instant", at } };
    },
  },
  {
    name: "iso-duration",
    pattern: anyOf("y", [
      String.raw`p(?=t?\d)(?:(?<d>\d{1,4})d)?(?:t(?:(?<h>\d{1,5})h)?(?:(?<m>\d{1,7})m)` +
        String.raw`?(?:(?<s>\d{1,9}(?:\.\d{1,9})?)s)?)?(?!\w)`,
    ]),
    read: ({ groups }) => ({ moment: { kind: "wait", ms: partsMs(groups) } }),
  },
  {
    name: "clock-like-duration",
    pattern:
      /(?:(?<d>\d{1,3}) days?,? )?(?<h>\d{1,3}):(?<m>\d\d):(?<s>\d\d(?:\.\d{1,9})?)(?![\d:])/y,
    read: ({ groups }, { connector }) =>
      connector === "in" || connector === "after"
        ? { moment: { kind: "wait", ms: partsMs(groups) } }
        : null,
  },
  { name: "duration", pattern: PART, read: duration },
  {
    name: "month-day",
    pattern: new RegExp(
      String.raw`(?:${WEEKDAY},? )?${MONTH} ?${DAY}(?:,? ?${YEAR}(?!\d(?!\d?:)))?` +
        `(?:${AND}${CLOCK})?`,
      "y",
    ),
    read: civil,
  },
  {
    name: "day-month",
    pattern: new RegExp(
      `(?:${WEEKDAY},? )?(?:the )?${DAY}[ -](?:of )?${MONTH}(?:[ ,-]{1,2}${YEAR}(?!\\d))?` +
        `(?:${AND}${CLOCK})?`,
      "y",
    ),
    read: civil,
  },
  { name: "weekday", pattern: new RegExp(`${WEEKDAY}(?:${AND}${CLOCK})?`, "y"), read: civil },
  {
    name: "near-day",
    pattern: new RegExp(String.raw`(?<near>today|tonight|tomorrow)\b${AND}${CLOCK}`, "y"),
    read: civil,
  },
  {
    name: "day-of-month",
    pattern: anyOf("y", [
      String.raw`(?:the )?(?<day>\d{1,2})(?:st|nd|rd|th)\b(?: (?:day )?of (?:the|each|every|next)` +
        "(?: next)? month)?",
    ]),
    read: civil,
  },
  {
    name: "clock",
    pattern: new RegExp(`${CLOCK}(?![\\d:/%])`, "y"),
    read: (found, before) =>
      // `in 5:30` is neither for certain; `in 5pm` is nothing.
      before.connector === "in" ? null : civil(found),
  },
  {
    name: "bare-number",
    pattern: /(?<count>\d{1,9}(?:\.\d{1,12})?)(?![\w%:/-]|\.\d| ?[/%])/y,
    read: ({ groups, text, end }, { bareUnitMs }) => {
      // Before a word it is a number of that: `retry after 3 attempts`.
      if (bareUnitMs === undefined || /^ [a-z]{2}/.test(text.slice(end, end + 3))) return null;
      return { moment: { kind: "wait", ms: Number(groups["count"]) * bareUnitMs } };
    },
  },
];

/**
 * The time that stands in a text, in lower case, at a place; null when none does.
 *
 * @example
 * readTime("6m0s later", 0, {})?.moment; // { kind: "wait", ms: 360000 }
 */
export function readTime(text: string, at: number, before: Before): Reading | null {
  for (const { name, pattern, read } of rows) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) continue;
    const end = match.index + match[0].length;
    const found = read({ groups: match.groups ?? {}, text, end }, before);
    if (found === null) continue;
    return withZone(text, { moment: found.moment, notation: name, end: found.end ?? end });
  }
  return null;
}

/** Adds the zone that stands behind a date or clock. */
function withZone(text: string, reading: Omit<Reading, "exact">): Reading {
  const { moment } = reading;
  if (moment.kind !== "civil") return { ...reading, exact: true };
  const zone = moment.hour === undefined ? null : zoneAt(text, reading.end);
  if (zone === null) return { ...reading, exact: false };
  const exact = zoneOf(zone.name) !== null;
  return { ...reading, moment: { ...moment, zone: zone.name }, end: zone.end, exact };
}

function partsMs(groups: Groups): number {
  const [d, h, m, s] = ["d", "h", "m", "s"].map((part) => Number(groups[part] ?? 0));
  return Math.round((((d ?? 0) * 24 + (h ?? 0)) * 60 + (m ?? 0)) * 60_000 + (s ?? 0) * 1000);
}

/** All parts add up: `4 days 13 hours 8 minutes`, `5h37m42s`. */
function duration({ groups, text, end }: Found): { moment: Moment; end: number } {
  let ms = partMs(groups);
  let last = end;
  for (let n = 1; n < MOST_PARTS; n++) {
    BETWEEN.lastIndex = last;
    PART.lastIndex = last + (BETWEEN.exec(text)?.[0].length ?? 0);
    const part = PART.exec(text);
    if (part === null) break;
    ms += partMs(part.groups ?? {});
    last = part.index + part[0].length;
  }
  return { moment: { kind: "wait", ms: Math.round(ms) }, end: last };
}

function partMs(groups: Groups): number {
  const count = groups["count"] ?? "";
  const number = /^\d{1,3}(?:,\d{3})+$/.test(count) ? count.replaceAll(",", "") : count;
  const value = spokenNumbers[number] ?? Number(number.replace(",", "."));
  return value * unitMs(groups["unit"] ?? "");
}

/** A date, a clock, or both; null when the numbers are none. */
function civil({ groups }: Pick<Found, "groups">): { moment: NamedCivil } | null {
  const numbers = { ...dateOf(groups), ...clockOf(groups) };
  const { month = 1, day = 1, hour = 0, minute = 0 } = numbers;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59) return null;
  return { moment: { kind: "civil", ...numbers } };
}

function dateOf({ year, month, day, weekday, near }: Groups): Partial<NamedCivil> {
  const named = MONTHS.indexOf((month ?? "").slice(0, 3)) + 1;
  return {
    ...(year !== undefined && { year: Number(year) }),
    ...(month !== undefined && { month: named === 0 ? Number(month) : named }),
    ...(day !== undefined && { day: Number(day) }),
    ...(weekday !== undefined && { weekday: WEEKDAYS.indexOf(weekday.slice(0, 3)) }),
    ...(near !== undefined && { inDays: near === "tomorrow" ? 1 : 0 }),
  };
}

function clockOf({ hour, minute, second, half, word, near }: Groups): Partial<NamedCivil> {
  if (word !== undefined) {
    // Midnight ends the day that is named beside it: `tonight at midnight`.
    const night = near !== undefined && near !== "tomorrow" && word === "midnight";
    return { hour: word === "noon" ? 12 : 0, ...(night && { inDays: 1 }) };
  }
  if (hour === undefined) return {};
  const number = Number(hour);
  const shown = half === undefined ? number : (number % 12) + (half === "p" ? 12 : 0);
  return {
    hour: half !== undefined && number > 12 ? 24 : shown,
    ...(minute !== undefined && { minute: Number(minute) }),
    ...(second !== undefined && { second: Number(second) }),
  };
}
