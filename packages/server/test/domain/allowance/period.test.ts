// Periods: windows of the calendar in any zone, rolling windows, and what of both counts when.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AllowanceWindow, CalendarWindow } from "../../../src/domain/allowance/allowance.ts";
import { periodOf } from "../../../src/domain/allowance/period.ts";
import { beginnings, readings } from "./clocks.ts";
import { rows, windowOf } from "./subjects.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `2026-03-29 01:30` UTC as an instant. */
const instant = (text = ""): number => Date.parse(`${text.replace(" ", "T")}Z`);
const shown = (at: number): string => new Date(at).toISOString().slice(0, 16).replace("T", " ");

const calendarPeriods = rows(`
  window                         | at               | starts           | hours | because
  hour 00:00 UTC                 | 2026-05-05 12:34 | 2026-05-05 12:00 | 1     | plain
  hour 00:45 UTC                 | 2026-05-05 12:44 | 2026-05-05 11:45 | 1     | it begins at :45
  hour 23:45 UTC                 | 2026-05-05 12:45 | 2026-05-05 12:45 | 1     | only minutes count
  hour 00:00 Asia/Kathmandu      | 2026-05-05 12:34 | 2026-05-05 12:15 | 1     | 5:45 ahead
  day 00:00 UTC                  | 2026-05-05 00:00 | 2026-05-05 00:00 | 24    | it just began
  day 06:00 UTC                  | 2026-05-05 05:59 | 2026-05-04 06:00 | 24    | not 6:00 yet
  day 00:00 America/New_York     | 2026-01-15 04:59 | 2026-01-14 05:00 | 24    | 5 h behind
  day 00:00 Asia/Kolkata         | 2026-01-15 18:30 | 2026-01-15 18:30 | 24    | 5:30 ahead
  week 00:00 UTC                 | 2026-05-10 23:59 | 2026-05-04 00:00 | 168   | until Monday
  week 09:00 Europe/Berlin       | 2026-05-11 06:59 | 2026-05-04 07:00 | 168   | not 9:00 there yet
  week 00:00 UTC                 | 2026-01-01 00:00 | 2025-12-29 00:00 | 168   | of two years
  month 00:00 UTC                | 2028-02-29 12:00 | 2028-02-01 00:00 | 696   | a leap year
  month 00:00 UTC                | 2026-12-31 23:59 | 2026-12-01 00:00 | 744   | a year ends
  month 12:00 UTC                | 2026-03-01 11:59 | 2026-02-01 12:00 | 672   | not noon yet
  month 00:00 Asia/Tokyo         | 2026-02-28 15:00 | 2026-02-28 15:00 | 744   | March there
  day 00:00 Europe/Berlin        | 2026-03-29 12:00 | 2026-03-28 23:00 | 23    | 0:00 to 0:00
  day 00:00 Europe/Berlin        | 2026-10-25 12:00 | 2026-10-24 22:00 | 25    | 0:00 to 0:00
  day 02:30 Europe/Berlin        | 2026-03-29 01:00 | 2026-03-29 01:00 | 23.5  | 2:30 is skipped
  day 02:30 Europe/Berlin        | 2026-03-29 00:59 | 2026-03-28 01:30 | 23.5  | the one before it
  day 02:30 Europe/Berlin        | 2026-10-25 00:30 | 2026-10-25 00:30 | 25    | 2:30 comes twice
  day 02:30 Europe/Berlin        | 2026-10-25 01:15 | 2026-10-25 00:30 | 25    | still that one
  hour 00:00 Europe/Berlin       | 2026-10-25 01:10 | 2026-10-25 00:00 | 2     | 2:00 comes twice
  hour 00:00 Europe/Berlin       | 2026-03-29 01:10 | 2026-03-29 01:00 | 1     | 2:00 is skipped
  hour 00:30 Europe/Berlin       | 2026-03-29 01:10 | 2026-03-29 01:00 | 0.5   | 2:30 is skipped
  day 00:00 America/Sao_Paulo    | 2018-11-04 03:00 | 2018-11-04 03:00 | 23    | 0:00 is skipped
  day 02:00 Australia/Lord_Howe  | 2026-10-03 15:30 | 2026-10-03 15:30 | 23.5  | 2:00 is skipped
  day 01:45 Australia/Lord_Howe  | 2026-04-04 15:10 | 2026-04-04 14:45 | 24.5  | 1:45 comes twice
  hour 00:00 Australia/Lord_Howe | 2026-04-04 15:10 | 2026-04-04 14:00 | 1.5   | 1:30 comes twice
  day 00:00 Pacific/Apia         | 2011-12-30 09:59 | 2011-12-29 10:00 | 24    | the 29th
  day 00:00 Pacific/Apia         | 2011-12-30 10:00 | 2011-12-30 10:00 | 24    | no 30th there
  day 12:00 Pacific/Apia         | 2011-12-30 10:00 | 2011-12-30 10:00 | 12    | noon is skipped
  week 00:00 Pacific/Apia        | 2012-01-01 00:00 | 2011-12-26 10:00 | 144   | 6 days
`);

describe("a period of the calendar", () => {
  test.each(calendarPeriods)(
    "$window at $at: $hours h from $starts, for $because",
    ({ window, at, starts, hours }) => {
      const { startsAt, endsAt } = periodOf(windowOf(window ?? "") as AllowanceWindow, instant(at));
      expect([shown(startsAt), (endsAt - startsAt) / HOUR]).toEqual([starts, Number(hours)]);
    },
  );

  test("does not end with the minute that clocks show but with the instant", () => {
    const window = windowOf("day 00:00 Europe/Berlin") as AllowanceWindow;
    const end = instant("2026-05-05 22:00");
    expect(periodOf(window, end - 1).endsAt).toBe(end);
    expect(periodOf(window, end).startsAt).toBe(end);
  });
});

// Around changes of clocks, of all kinds that there were since 1973, and where there are none.
const changes = rows(`
  zone                   | around           | what
  Europe/Berlin          | 2026-03-29 01:00 | an hour is skipped
  Europe/Berlin          | 2026-10-25 01:00 | an hour comes twice
  America/New_York       | 2026-03-08 07:00 | an hour is skipped
  America/New_York       | 2026-11-01 06:00 | an hour comes twice
  America/St_Johns       | 2010-11-07 02:31 | an hour comes twice, at a minute past midnight
  America/Sao_Paulo      | 2018-11-04 03:00 | midnight is skipped
  Africa/Cairo           | 2026-04-23 22:00 | midnight is skipped
  Asia/Kolkata           | 2026-02-28 18:30 | nothing, half an hour ahead
  Asia/Kathmandu         | 2028-02-29 00:00 | nothing, on a leap day
  Pacific/Chatham        | 2026-04-04 14:00 | an hour comes twice, 12:45 ahead
  Australia/Lord_Howe    | 2026-10-03 15:30 | half an hour is skipped
  Australia/Lord_Howe    | 2026-04-04 15:00 | half an hour comes twice
  Antarctica/Troll       | 2026-03-29 01:00 | two hours are skipped
  Asia/Pyongyang         | 2018-05-04 15:00 | half an hour is skipped for good
  America/Caracas        | 2007-12-09 07:00 | half an hour comes twice, for good
  Pacific/Apia           | 2011-12-30 10:00 | a day is skipped
  Pacific/Kiritimati     | 1994-12-31 10:00 | a day is skipped, at the end of a year
  Pacific/Kwajalein      | 1993-08-21 12:00 | a day is skipped
  Africa/Casablanca      | 2026-02-15 02:00 | an hour comes twice, for a month
  UTC                    | 2026-12-31 23:00 | nothing, at the end of a year
`);

const kind = fc.constantFrom("hour", "day", "week", "month");
const resetMinute = fc.oneof(fc.constantFrom(0, 60, 90, 120, 150, 1439), fc.nat(1439));
const calendarWindow = (zone: fc.Arbitrary<string>): fc.Arbitrary<CalendarWindow> =>
  fc.record({ kind, timeZone: zone, resetMinute });

describe("periods are what clocks say that are read every minute", () => {
  test.each(changes)("$zone, where $what", ({ zone = "", around }) => {
    const [from, to] = [instant(around) - 2 * DAY, instant(around) + 2 * DAY];
    const read = readings(zone, from - DAY, to);
    fc.assert(
      fc.property(calendarWindow(fc.constant(zone)), (one) => {
        const found: number[] = [];
        for (let at = periodOf(one, from).endsAt; at <= to; at = periodOf(one, at).endsAt) {
          found.push(at);
        }
        expect(found.map(shown)).toEqual(beginnings(one, read, from).map(shown));
      }),
      { numRuns: 50 },
    );
  });
});

describe("periods tile the time", () => {
  const others = ["America/Los_Angeles", "Asia/Tehran", "Europe/Dublin", "Asia/Gaza"];
  const zones = [...new Set([...changes.map(({ zone = "" }) => zone), ...others])];
  const somewhen = fc.integer({
    min: instant("1973-01-01 00:00"),
    max: instant("2100-01-01 00:00"),
  });
  const aroundChange = fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -3 * DAY, max: 3 * DAY }))
    .map(([{ around }, by]) => instant(around) + by);
  const at = fc.oneof(somewhen, aroundChange);
  const rolling = fc.record({
    kind: fc.constant("rolling" as const),
    hours: fc.integer({ min: 1, max: 744 }),
  });
  const calendar = calendarWindow(fc.constantFrom(...zones));

  test("an instant is in one of the calendar, whose neighbours begin and end with it", () => {
    fc.assert(
      fc.property(calendar, at, (window, when) => {
        const fresh = (instant: number) => periodOf({ ...window }, instant);
        const period = fresh(when);
        expect(period.startsAt).toBeLessThanOrEqual(when);
        expect(period.endsAt).toBeGreaterThan(when);
        expect(fresh(period.startsAt)).toEqual(period);
        expect(fresh(period.endsAt - 1)).toEqual(period);
        expect(fresh(period.endsAt).startsAt).toBe(period.endsAt);
        expect(fresh(period.startsAt - 1).endsAt).toBe(period.startsAt);
      }),
      { numRuns: 1000 },
    );
  });

  test("a window that is asked again and again answers as one that is asked once", () => {
    fc.assert(
      fc.property(fc.oneof(calendar, rolling), fc.array(at), (window, instants) => {
        for (const when of instants.flatMap((one) => [one, one + 1, one])) {
          expect(periodOf(window, when)).toEqual(periodOf({ ...window }, when));
        }
      }),
    );
  });

  test("the buckets of a rolling window are sixtieths of it, side by side", () => {
    fc.assert(
      fc.property(rolling, at, (window, when) => {
        const { startsAt, endsAt } = periodOf(window, when);
        const next = startsAt + window.hours * MINUTE;
        expect(startsAt).toBeLessThanOrEqual(when);
        expect(next).toBeGreaterThan(when);
        expect(endsAt).toBe(next + window.hours * HOUR);
        expect(periodOf(window, next - 1).startsAt).toBe(startsAt);
        expect(periodOf(window, next).startsAt).toBe(next);
      }),
    );
  });

  test("a charge counts at once, for the whole window, and a sixtieth longer at most", () => {
    fc.assert(
      fc.property(rolling, at, fc.nat(800 * HOUR), (window, when, later) => {
        const { startsAt, endsAt } = periodOf(window, when);
        const counts = startsAt <= when + later && when + later < endsAt;
        const length = window.hours * HOUR;
        if (later < length) expect(counts).toBe(true);
        if (later >= length + length / 60) expect(counts).toBe(false);
      }),
    );
  });
});
