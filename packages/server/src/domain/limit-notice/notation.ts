// Times as machines write them: instants, waits, dates, clocks, read at one place of a text.
// Promises: each pattern is sticky and bounded, so that reading costs the same in any text; the
// first notation that fits is taken; the end of a range of waits counts; a zone may stand before
// or behind its clock.
// Leaves to others: dates and clocks (calendar-notation.ts), where in a text to read (hints.ts).

import { anyOf } from "./alternatives.ts";
import {
  type Before,
  type CivilReading,
  clockRows,
  dateRows,
  type Groups,
  hourSignClock,
  readCalendar,
  withClock,
  withDate,
} from "./calendar-notation.ts";
import type { Moment } from "./moment.ts";
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

type Found = { readonly groups: Groups; readonly text: string; readonly end: number };
type Row = {
  readonly name: string;
  readonly pattern: RegExp;
  /** What was found, or null; `end` if it ends elsewhere than the pattern. */
  readonly read: (found: Found, before: Before) => { moment: Moment; end?: number } | null;
};

const COUNT = String.raw`\d{1,3}(?:,\d{3}){1,3}(?![\d.,]\d)|\d{1,10}(?:[.,]\d{1,12})?`;
const SPOKEN = Object.keys(spokenNumbers)
  .toSorted((a, b) => b.length - a.length)
  .join("|");
const PART_OF_WAIT =
  `(?<count>${COUNT}|(?:${SPOKEN})(?= )) {0,2}-?` +
  String.raw`(?<unit>${UNIT_WORDS})(?![a-z\u0430-\u044f%])`;
const PART = new RegExp(PART_OF_WAIT, "y");
const BETWEEN =
  /(?:(?<=(?:std|min|mins|hrs?|sek|secs?))\.(?= ?\d))?[ ,]{0,2}(?:and |und |et |y |e |и |en |i )?/y;
const AND_A_HALF = / and a half(?![a-z])/y;
const MOST_PARTS = 6;

/** Waits and epochs. What looks like a clock is one only behind a word for a length. */
const waits: readonly Row[] = [
  {
    name: "epoch",
    pattern: /(?<count>\d{10}(?:\d{3})?)(?:\.(?<part>\d{1,9}))?(?!\w)/y,
    read: ({ groups }) => {
      const count = Number(`${groups["count"]}.${groups["part"] ?? "0"}`);
      const at = Math.round(count >= 1e12 ? count : count * 1000);
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
    pattern: anyOf("y", [
      String.raw`(?:(?<d>\d{1,3})(?: days?,? |\.))?(?<h>\d{1,3}):(?<m>\d\d):` +
        String.raw`(?<s>\d\d(?:\.\d{1,9})?)(?![\d:])`,
    ]),
    read: ({ groups }, { connector }) =>
      connector === "in" || connector === "after"
        ? { moment: { kind: "wait", ms: partsMs(groups) } }
        : null,
  },
  {
    name: "range",
    pattern: new RegExp(
      String.raw`\d{1,5}(?:\.\d{1,3})? ?(?:-|\u2013|\u2014|~|to|and|or|bis|und|à|a|至|到) ?` +
        PART_OF_WAIT,
      "y",
    ),
    read: duration,
  },
  { name: "duration", pattern: PART, read: duration },
];
const bareNumber: Row = {
  name: "bare-number",
  pattern: /(?<count>\d{1,9}(?:\.\d{1,12})?)(?![\w%:/-]|\.\d| ?[/%])/y,
  read: ({ groups, text, end }, { bareUnitMs }) => {
    // Before a word it is a number of that: `retry after 3 attempts`.
    if (bareUnitMs === undefined || /^ [a-z]{2}/.test(text.slice(end, end + 3))) return null;
    return { moment: { kind: "wait", ms: Number(groups["count"]) * bareUnitMs } };
  },
};

const numberDates = dateRows.filter(({ name }) => /instant|date/.test(name));
const wordDates = dateRows.filter(({ name }) => !/instant|date/.test(name));

/**
 * The time that stands in a text, in lower case, at a place; null when none does.
 *
 * @example
 * readTime("6m0s later", 0, {})?.moment; // { kind: "wait", ms: 360000 }
 */
export function readTime(text: string, at: number, before: Before): Reading | null {
  const civil = readCalendar(numberDates, text, at, before);
  if (civil !== null) return whole(text, civil);
  if (before.connector === "at") {
    const clock = readCalendar([hourSignClock], text, at, before);
    if (clock !== null) return whole(text, clock);
  }
  const wait = readRows(waits, text, at, before);
  if (wait !== null) return wait;
  const worded =
    readCalendar(wordDates, text, at, before) ?? readCalendar(clockRows, text, at, before);
  if (worded !== null) return whole(text, worded);
  return behindZone(text, at, before) ?? readRows([bareNumber], text, at, before);
}

function readRows(rows: readonly Row[], text: string, at: number, before: Before): Reading | null {
  for (const { name, pattern, read } of rows) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) continue;
    const end = match.index + match[0].length;
    const found = read({ groups: match.groups ?? {}, text, end }, before);
    if (found === null) continue;
    return { moment: found.moment, notation: name, end: found.end ?? end, exact: true };
  }
  return null;
}

/** `北京时间 15:30`, `(UTC) 18:00`. */
function behindZone(text: string, at: number, before: Before): Reading | null {
  const zone = zoneAt(text, at);
  if (zone === null || zone.end === at) return null;
  const from = text[zone.end] === " " ? zone.end + 1 : zone.end;
  const civil =
    readCalendar(numberDates, text, from, before) ??
    readCalendar(wordDates, text, from, before) ??
    readCalendar(clockRows, text, from, before);
  if (civil === null) return null;
  const reading = whole(text, civil);
  if (reading.moment.kind !== "civil" || reading.moment.hour === undefined) return null;
  if (reading.moment.zone !== undefined) return reading;
  const exact = zoneOf(zone.name) !== null;
  return { ...reading, moment: { ...reading.moment, zone: zone.name }, exact };
}

/** A date or clock with what stands behind it: the clock, the zone, the date. */
function whole(text: string, civil: CivilReading): Reading {
  const timed = withClock(text, civil);
  const zone = timed.moment.hour === undefined ? null : zoneAt(text, timed.end);
  const dated = withDate(text, { ...timed, end: zone?.end ?? timed.end });
  const { moment, name: notation, end } = dated;
  if (zone !== null) {
    const exact = zoneOf(zone.name) !== null;
    return { moment: { ...moment, zone: zone.name }, notation, end, exact };
  }
  const late = end === timed.end ? null : zoneAt(text, end);
  if (late === null) return { moment, notation, end, exact: false };
  const exact = zoneOf(late.name) !== null;
  return { moment: { ...moment, zone: late.name }, notation, end: late.end, exact };
}

function partsMs(groups: Groups): number {
  const [d, h, m, s] = ["d", "h", "m", "s"].map((part) => Number(groups[part] ?? 0));
  return Math.round((((d ?? 0) * 24 + (h ?? 0)) * 60 + (m ?? 0)) * 60_000 + (s ?? 0) * 1000);
}

/** All parts add up: `4 days 13 hours 8 minutes`, `5h37m42s`, `an hour and a half`. */
function duration({ groups, text, end }: Found): { moment: Moment; end: number } {
  let ms = partMs(groups);
  let last = end;
  let unit = groups["unit"] ?? "";
  for (let n = 1; n < MOST_PARTS; n++) {
    BETWEEN.lastIndex = last;
    PART.lastIndex = last + (BETWEEN.exec(text)?.[0].length ?? 0);
    const part = PART.exec(text);
    if (part === null) break;
    ms += partMs(part.groups ?? {});
    unit = part.groups?.["unit"] ?? unit;
    last = part.index + part[0].length;
  }
  AND_A_HALF.lastIndex = last;
  if (AND_A_HALF.test(text)) {
    ms += unitMs(unit) / 2;
    last = AND_A_HALF.lastIndex;
  }
  return { moment: { kind: "wait", ms: Math.round(ms) }, end: last };
}

function partMs(groups: Groups): number {
  const count = groups["count"] ?? "";
  const number = /^\d{1,3}(?:,\d{3})+$/.test(count) ? count.replaceAll(",", "") : count;
  const value = spokenNumbers[number] ?? Number(number.replace(",", "."));
  return value * unitMs(groups["unit"] ?? "");
}
