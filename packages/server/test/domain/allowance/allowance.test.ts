// Which configurations of an allowance can hold, and which field is to blame for the others.
import { describe, expect, test } from "vitest";
import { type Allowance, checkAllowance } from "../../../src/domain/allowance/allowance.ts";
import { allowance, rows, spoken, windowOf } from "./subjects.ts";

const MOST = Number.MAX_SAFE_INTEGER;

describe("can hold", () => {
  test.each(
    rows(`
      words
      project tokens soft
      project cost_micros hard
      project runs soft
      agent tokens kill hour 00:30 Asia/Kathmandu
      agent cost_micros kill week 23:59 Pacific/Apia
      account runs hard month 12:00 America/Argentina/Ushuaia
      model tokens hard rolling 1
      model cost_micros hard rolling 744
      agent concurrent_runs hard
      account concurrent_runs soft
    `),
  )("$words", ({ words }) => {
    expect(checkAllowance(spoken(words ?? ""))).toBeNull();
  });

  test.each([0, 1, MOST])("a limit and a default reserve of %d", (amount) => {
    expect(checkAllowance(allowance({ limit: amount, defaultReserve: amount }))).toBeNull();
  });

  test.each(
    rows(`
      zone
      UTC
      utc
      GMT
      Etc/GMT-7
      Europe/Berlin
      europe/berlin
      America/Argentina/Buenos_Aires
      Japan
      EST5EDT
    `),
  )("zone $zone", ({ zone }) => {
    expect(checkAllowance(allowance({ window: windowOf(`day 00:00 ${zone}`) }))).toBeNull();
  });
});

const rolling = (hours: number): Partial<Allowance> => ({ window: { kind: "rolling", hours } });
const daily = (resetMinute: number, timeZone = "UTC"): Partial<Allowance> => ({
  window: { kind: "day", timeZone, resetMinute },
});
const concurrent = { metric: "concurrent_runs" } as const;

describe("is refused by the name of the field on the wire", () => {
  test.each<[string, string, Partial<Allowance>]>([
    ["scope", "a word nobody knows", { scope: "team" as "agent" }],
    ["metric", "a word nobody knows", { metric: "steps" as "tokens" }],
    ["mode", "a word nobody knows", { mode: "firm" as "hard" }],
    ["mode", "kill of runs", { metric: "runs", mode: "kill" }],
    ["mode", "kill of concurrent runs", { ...concurrent, mode: "kill" }],
    ["name", "given for the project", { scope: "project", name: "one" }],
    ["name", "missing for an agent", { scope: "agent", name: null }],
    ["name", "empty for a model", { scope: "model", name: "" }],
    ["name", "too long", { scope: "account", name: "x".repeat(201) }],
    ["limit", "below 0", { limit: -1 }],
    ["limit", "not whole", { limit: 0.5 }],
    ["limit", "beyond what is exact", { limit: 2 ** 53 }],
    ["limit", "no number", { limit: Number.NaN }],
    ["limit", "more runs at a time than there are", { ...concurrent, limit: 100_001 }],
    ["window", "missing", { window: null }],
    ["window", "a word nobody knows", { window: { ...daily(0).window, kind: "year" } as never }],
    ["window", "given for concurrent runs", { ...concurrent, window: windowOf("day 00:00 UTC") }],
    ["window_hours", "none", rolling(0)],
    ["window_hours", "more than 31 days", rolling(745)],
    ["window_hours", "not whole", rolling(1.5)],
    ["window_hours", "no number", rolling(Number.NaN)],
    ["reset_time", "before the day", daily(-1)],
    ["reset_time", "after the day", daily(1440)],
    ["reset_time", "not whole", daily(0.5)],
    ["default_reserve", "below 0", { defaultReserve: -1 }],
    ["default_reserve", "not whole", { defaultReserve: 1.5 }],
    ["default_reserve", "beyond what is exact", { defaultReserve: 2 ** 53 }],
    ["default_reserve", "of runs", { metric: "runs", defaultReserve: 1 }],
    ["default_reserve", "of concurrent runs", { ...concurrent, defaultReserve: 0 }],
  ])("%s: %s", (field, _, wrong) => {
    const refusal = checkAllowance(allowance(wrong));
    expect(refusal?.code).toBe("validation_failed");
    expect(refusal?.errors?.map((error) => error.field)).toEqual([field]);
    expect(refusal?.detail.startsWith(`${field}: `)).toBe(true);
  });

  // Abbreviations have several readings, offsets no summer time: neither names a zone.
  test.each(["Mars/Olympus", "", "CET", "IST", "AST", "Z", "Pacific", "+02:00", "GMT+2", "a b"])(
    "time_zone: %j",
    (zone) => {
      const refusal = checkAllowance(allowance(daily(0, zone)));
      expect(refusal?.errors?.map((error) => error.field)).toEqual(["time_zone"]);
    },
  );
});
