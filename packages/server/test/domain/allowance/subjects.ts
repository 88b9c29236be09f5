// Allowances for the tests of this folder, and tables written as text.
// Promises: a row of a table is cut at its bars; the first row is its head.

import type {
  Allowance,
  AllowanceMetric,
  AllowanceMode,
  AllowanceScope,
  AllowanceWindow,
} from "../../../src/domain/allowance/allowance.ts";

/** A window in words: `day 06:00 Europe/Berlin`, `hour :30 UTC`, `rolling 5 h`, `-` for none. */
export function windowOf(words: string): AllowanceWindow | null {
  if (words === "-") return null;
  const [kind, time = "", timeZone = ""] = words.split(" ");
  if (kind === "rolling") return { kind, hours: Number(time) };
  const [hour, minute] = time.split(":");
  const resetMinute = Number(hour) * 60 + Number(minute);
  return { kind: kind as "day", timeZone, resetMinute };
}

/** 1000 tokens a day for the project, hard, and what is said otherwise. */
export function allowance(other: Partial<Allowance> = {}): Allowance {
  const scope = other.scope ?? "project";
  return {
    id: "00000000-0000-7000-8000-000000000001",
    scope,
    name: scope === "project" ? null : "one",
    metric: "tokens",
    limit: 1000,
    mode: "hard",
    window: other.metric === "concurrent_runs" ? null : windowOf("day 00:00 UTC"),
    defaultReserve: null,
    ...other,
  };
}

/** `agent tokens hard day 00:00 UTC` as an allowance; the window may be missing. */
export function spoken(words: string, other: Partial<Allowance> = {}): Allowance {
  const [scope, metric, mode, ...rest] = words.split(" ");
  return allowance({
    scope: scope as AllowanceScope,
    metric: metric as AllowanceMetric,
    mode: mode as AllowanceMode,
    ...(rest.length === 0 ? {} : { window: windowOf(rest.join(" ")) }),
    ...other,
  });
}

/** The rows of a table in text, by the names in its head. */
export function rows(text: string): Record<string, string>[] {
  const lines = text.trim().split("\n");
  const [head = [], ...cells] = lines.map((line) => line.split("|").map((cell) => cell.trim()));
  const odd = cells.find((row) => row.length !== head.length);
  if (odd !== undefined) throw new Error(`not a row of this table: ${odd.join(" | ")}`);
  return cells.map((row) => Object.fromEntries(head.map((name, n) => [name, row[n] ?? ""])));
}
