// Kinds of notation for dates and clocks, as a table, and how a date and a clock stand together.
// Promises: each pattern is read at one place only (sticky) and bounded; a date takes the clock
// behind it, a clock the date behind it, in any notation of either; numbers that cannot be a date
// or a clock are none.
// Leaves to others: waits and epochs (notation.ts), zones (zones.ts), what it means (moment.ts).

import { anyOf } from "./alternatives.ts";
import {
  halfNumbers,
  monthNumbers,
  nearDayNumbers,
  weekdayNumbers,
  wordsOf,
} from "./calendar-words.ts";
import type { NamedCivil } from "./moment.ts";

/** What stands before a time. It tells waits from clocks, and whether a bare number counts. */
export type Before = {
  /** `in` and `for` begin a wait; `after` either; `at`, `on` and `until` a point in time. */
  readonly connector?: "in" | "after" | "at";
  /** Milliseconds of a number without a unit; absent: such a number is no time. */
  readonly bareUnitMs?: number;
  /** The word before is of a language in which 1/11 is the first of November. */
  readonly dayFirst?: boolean;
};

/** Named groups of a pattern. */
export type Groups = Readonly<Record<string, string | undefined>>;

/** One notation: its pattern, and where it counts. */
export type CalendarRow = {
  readonly name: string;
  readonly pattern: RegExp;
  readonly counts?: (groups: Groups, before: Before) => boolean;
};

/** No letter behind, of any alphabet that is read. */
const END = String.raw`(?![a-z\u00df-\u00ff\u0430-\u044f\u0451])`;
const MONTH = String.raw`(?<month>${wordsOf(monthNumbers)})${END}\.?`;
const WEEKDAY = String.raw`(?<weekday>${wordsOf(weekdayNumbers)})${END}\.?`;
const DAY = String.raw`(?<day>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.(?= ))?(?![\d:])`;
const YEAR = String.raw`(?<year>20\d\d)`;
const SHORT_YEAR = String.raw`(?:${YEAR}|(?<short>\d\d))(?!\d)`;
const HALVES = wordsOf(halfNumbers);

/** Dates without their clocks. */
export const dateRows: readonly CalendarRow[] = [
  {
    name: "iso-instant",
    pattern: new RegExp(
      String.raw`${YEAR}([-/.])(?<month>\d{1,2})\2(?<day>\d{1,2})(?!\d(?!\d?:))`,
      "y",
    ),
  },
  {
    name: "compact-instant",
    pattern: new RegExp(
      String.raw`${YEAR}(?<month>\d\d)(?<day>\d\d)t(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)?` +
        String.raw`(?=z|[+-]\d\d)`,
      "y",
    ),
  },
  {
    name: "slash-date",
    pattern: new RegExp(
      String.raw`(?<first>\d{1,2})\/(?<last>\d{1,2})(?:\/${SHORT_YEAR})?(?![\d/])`,
      "y",
    ),
    counts: (_, { connector }) => connector === "at",
  },
  {
    name: "dotted-date",
    pattern: new RegExp(
      String.raw`(?<day>\d{1,2})\. ?(?<month>\d{1,2})\. ?(?:${SHORT_YEAR})?(?![\d.])`,
      "y",
    ),
    counts: ({ year }, { connector }) => year !== undefined || connector === "at",
  },
  {
    name: "chinese-date",
    pattern: new RegExp(
      String.raw`(?:${YEAR} ?[年년] ?)?(?<month>\d{1,2}) ?[月월] ?(?<day>\d{1,2}) ?[日号號일]?`,
      "y",
    ),
  },
  {
    name: "month-day",
    pattern: new RegExp(
      String.raw`(?:${WEEKDAY},? )?${MONTH} ?${DAY}(?:,? ?${YEAR}(?!\d(?!\d?:)))?`,
      "y",
    ),
  },
  {
    name: "day-month",
    pattern: new RegExp(
      String.raw`(?:${WEEKDAY},? )?(?:the |le |el |den )?${DAY}[ -](?:of |de )?${MONTH}` +
        String.raw`(?:(?:[ ,-]{1,2}| de )${YEAR}(?!\d))?`,
      "y",
    ),
  },
  {
    name: "weekday",
    pattern: new RegExp(String.raw`${WEEKDAY}(?: ?\([日月火水木金土]\))?`, "y"),
  },
  { name: "near-day", pattern: new RegExp(`(?<near>${wordsOf(nearDayNumbers)})${END}`, "y") },
  {
    name: "day-of-month",
    pattern: anyOf("y", [
      String.raw`(?:the )?(?:(?<day>\d{1,2})(?:st|nd|rd|th)\b(?: (?:day )?of (?:the|each|every|` +
        String.raw`next)(?: next)? month)?|(?<begin>(?:(?:beginning|start|first(?: day)?) of )` +
        String.raw`(?:the |your |each |every )?(?:next )?(?:calendar )?month|next month)\b)`,
    ]),
  },
];

/** An hour alone is no clock: it needs minutes, a half of the day or a word. */
const CLOCK =
  String.raw`(?:(?=\d{1,2}(?::\d\d| ?[ap]\.?m\b| ?uhr\b| o'clock|(?:h| h )\d\d(?!\d| ?[ms])|` +
  String.raw` ?h(?! ?\d|[a-z])))` +
  String.raw`(?<hour>\d{1,2})(?:(?::| ?h ?)(?<minute>\d\d)(?::(?<second>\d\d(?:\.\d{1,9})?))?)?` +
  String.raw`(?: ?uhr\b| o'clock| ?h(?![a-z\d]))?(?: ?(?<half>[ap])\.?m\b\.?)?` +
  String.raw`|(?:12 )?(?<word>midnight|noon|mitternacht|minuit|medianoche|mezzanotte)\b)`;
const ZONE_WORD = String.raw`z\b| ?(?:utc|gmt|[ecmp][sd]?t|ce[s]?t|bst|jst|me[s]?z)\b`;

/** Clocks without their dates. A wait is no clock: `in 5:30` is neither for certain. */
export const clockRows: readonly CalendarRow[] = [
  {
    name: "clock",
    pattern: new RegExp(`${CLOCK}(?![\\d:/%])`, "y"),
    counts: (_, { connector }) => connector !== "in",
  },
  {
    name: "eastern-clock",
    pattern: new RegExp(
      String.raw`(?:(?<before>${HALVES}) ?|(?=\d{1,2} ?(?:[点點]|[时時](?![間间])|시(?!간))))` +
        String.raw`(?<hour>\d{1,2})(?: ?(?:[:点點时時]|시(?!간)) ?)` +
        String.raw`(?:(?<minute>\d\d)(?: ?[分분])?|(?<thirty>半|반)|整)?`,
      "y",
    ),
    counts: (_, { connector }) => connector !== "in",
  },
  {
    name: "clock-without-sign",
    pattern: new RegExp(
      String.raw`(?<hour>[01]\d|2[0-3])(?<minute>[0-5]\d)(?: ?h(?:rs)?)?(?=${ZONE_WORD})`,
      "y",
    ),
    counts: (_, { connector }) => connector === "at",
  },
  {
    name: "clock-with-dot",
    pattern: new RegExp(
      String.raw`(?<hour>[01]?\d|2[0-3])\.(?<minute>[0-5]\d)(?: ?uhr\b|(?: ?(?<half>[ap])\.?m\b)|` +
        String.raw`(?! ?[a-z%\d]|\.\d))`,
      "y",
    ),
    counts: (_, { connector }) => connector === "at",
  },
];

/** A clock whose hour has the sign of a length: `à 9h`. */
export const hourSignClock: CalendarRow = {
  name: "clock",
  pattern: new RegExp(String.raw`(?=\d{1,2} ?h)${CLOCK}(?![\d:/%])`, "y"),
  counts: (_, { connector }) => connector === "at",
};

/** Between a date and its clock. */
const TO_CLOCK = anyOf("y", [
  String.raw` ?t(?=\d)`,
  "[,的の]? ?(?:at |@ ?|- |um |à |a las |às |alle (?:ore )?|om |kl\\.? |o |в |the |from |after )?",
]);
/** Between a clock and its date; a month or a number needs a word or a comma before it. */
const TO_DATE = /,? (?:on |am |le |el |of |den )?/y;

/** A date or a clock of a text. */
export type CivilReading = {
  readonly name: string;
  readonly moment: NamedCivil;
  readonly end: number;
};

/** The first of the rows that fits a place. */
export function readCalendar(
  rows: readonly CalendarRow[],
  text: string,
  at: number,
  before: Before,
): CivilReading | null {
  for (const { name, pattern, counts } of rows) {
    pattern.lastIndex = at;
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined || counts?.(groups, before) === false) continue;
    const moment = civilOfGroups(groups, before);
    if (moment !== null) return { name, moment, end: pattern.lastIndex };
  }
  return null;
}

/** The clock that stands behind a date. */
export function withClock(text: string, reading: CivilReading): CivilReading {
  if (reading.moment.hour !== undefined) return reading;
  TO_CLOCK.lastIndex = reading.end;
  TO_CLOCK.exec(text);
  const from = Math.max(TO_CLOCK.lastIndex, reading.end);
  const clock = readCalendar(clockRows, text, from, { connector: "at" });
  if (clock === null || clock.name === "clock-with-dot") return reading;
  const { inDays } = reading.moment;
  // Midnight ends the day that is named beside it: `tonight at midnight`.
  const isNight = inDays === 0 && /midnight|mitternacht|minuit/.test(text.slice(from, clock.end));
  const moment = { ...reading.moment, ...clock.moment, ...(isNight && { inDays: 1 }) };
  return { name: reading.name, moment, end: clock.end };
}

/** The date that stands behind a clock and its zone, or the year behind both. */
export function withDate(text: string, reading: CivilReading): CivilReading {
  const { moment } = reading;
  if (moment.hour === undefined || moment.year !== undefined) return reading;
  if (moment.month !== undefined) {
    const year = / (20\d\d)(?![\d:-])/y;
    year.lastIndex = reading.end;
    const found = year.exec(text);
    if (found === null) return reading;
    return { ...reading, moment: { ...moment, year: Number(found[1]) }, end: year.lastIndex };
  }
  if (moment.weekday !== undefined || moment.inDays !== undefined) return reading;
  TO_DATE.lastIndex = reading.end;
  const said = TO_DATE.exec(text)?.[0];
  if (said === undefined || moment.day !== undefined) return reading;
  const date = readCalendar(dateRows, text, reading.end + said.length, { connector: "at" });
  if (date === null || (said === " " && date.name !== "near-day")) return reading;
  if (date.moment.hour !== undefined) return reading;
  return { name: date.name, moment: { ...date.moment, ...moment }, end: date.end };
}

/** A date, a clock, or both; null when the numbers are none. */
function civilOfGroups(groups: Groups, before: Before): NamedCivil | null {
  const clock = clockOf(groups);
  const date = dateOf(groups, before);
  const isNextDay = clock.hour === 24 && (clock.minute ?? 0) === 0;
  if (isNextDay && (date.month ?? date.day ?? date.weekday) !== undefined) return null;
  const numbers = { ...date, ...clock, ...(isNextDay && { hour: 0 }) };
  const { month = 1, day = 1, hour = 0, minute = 0 } = numbers;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59) return null;
  return { kind: "civil", ...numbers };
}

function dateOf(groups: Groups, { dayFirst }: Before): Partial<NamedCivil> {
  const { year, short, weekday, near, begin } = groups;
  // Months first, as where such dates are written to users; days first where only that fits.
  const turned = dayFirst === true || Number(groups["first"]) > 12;
  const month = groups["month"] ?? (turned ? groups["last"] : groups["first"]);
  const day = groups["day"] ?? (turned ? groups["first"] : groups["last"]);
  const full = year ?? (short === undefined ? undefined : `20${short}`);
  return {
    ...(full !== undefined && { year: Number(full) }),
    ...(month !== undefined && { month: monthNumbers.get(month) ?? Number(month) }),
    ...(day !== undefined && { day: Number(day) }),
    ...(begin !== undefined && { day: 1 }),
    ...(weekday !== undefined && { weekday: weekdayNumbers.get(weekday) ?? 0 }),
    ...(near !== undefined && { inDays: nearDayNumbers.get(near) ?? 0 }),
  };
}

function clockOf({ hour, minute, second, half, word, before, thirty }: Groups): {
  hour?: number;
  minute?: number;
  second?: number;
} {
  if (word !== undefined) return { hour: word === "noon" ? 12 : 0 };
  if (hour === undefined) return {};
  const number = Number(hour);
  const added = before === undefined ? (half === "p" ? 12 : 0) : (halfNumbers.get(before) ?? 0);
  const hasHalf = half !== undefined || (before !== undefined && number <= 12);
  const minutes = thirty === undefined ? minute : "30";
  return {
    hour: half !== undefined && number > 12 ? 25 : hasHalf ? (number % 12) + added : number,
    ...(minutes !== undefined && { minute: Number(minutes) }),
    ...(second !== undefined && { second: Number(second) }),
  };
}
