// Allowances and consumption as people read them: money in dollars, tokens with separators.
// Promises: what was not reported is shown as `?`, not as 0; names are escaped.
// Leaves to others: fetching (commands/), JSON (`--json` prints the wire shapes as they are).

import type { Allowance, AllowanceMetric, Usage, UsageRow } from "@signalbox/sdk";
import { safeLine } from "./safe-text.ts";
import type { Screen } from "./screen.ts";
import { ago } from "./show-run.ts";

/** 1,234,567 */
const grouped = new Intl.NumberFormat("en-US");

/** Micros as dollars, with as many digits as it takes: $0.0042, $5.00. */
export function dollars(micros: number): string {
  const part = String(micros % 1e6).padStart(6, "0");
  return `$${grouped.format(Math.floor(micros / 1e6))}.${part.replace(/0{1,4}$/, "")}`;
}

function amount(metric: AllowanceMetric, value: number): string {
  return metric === "cost_micros" ? dollars(value) : grouped.format(value);
}

function windowOf(allowance: Allowance): string {
  const { window, window_hours: hours, time_zone: zone, reset_time: reset } = allowance;
  if (window === null) return "now";
  if (window === "rolling") return `${hours} h`;
  const start = reset === "00:00" ? "" : ` from ${reset}`;
  return `${window}${start}${zone === "UTC" ? "" : ` ${safeLine(zone)}`}`;
}

/** Whom or what it is for. */
function whom({ scope, name }: Allowance): string {
  return name === null ? scope : `${scope} ${safeLine(name, 30)}`;
}

function used({ spent, reserved, limit }: Allowance): string {
  if (limit === 0) return "none left";
  return `${Math.floor(((spent + reserved) / limit) * 100)} %`;
}

/** The table of `allowances list`. */
export function showAllowances(screen: Screen, allowances: readonly Allowance[]): void {
  const rows = allowances.map((one) => [
    one.id,
    whom(one),
    one.metric,
    amount(one.metric, one.spent),
    amount(one.metric, one.reserved),
    amount(one.metric, one.limit),
    used(one),
    windowOf(one),
    one.mode,
    one.period_ends_at === null ? "" : ago(one.period_ends_at),
  ]);
  const heads = ["ALLOWANCE", "FOR", "METRIC", "SPENT", "RESERVED", "LIMIT", "USED", "WINDOW"];
  screen.table([...heads, "MODE", "RESETS"], rows);
}

/** An allowance in a line. */
export function allowanceLine(allowance: Allowance): string {
  const { id, metric, limit, mode } = allowance;
  const most = `${amount(metric, limit)} ${metric}`;
  return `${id} ${whom(allowance)}: ${most} (${windowOf(allowance)}, ${mode})`;
}

type Counter = Exclude<keyof Usage, "steps">;
const counters: readonly (readonly [string, Counter])[] = [
  ["INPUT", "input_tokens"],
  ["CACHED", "cache_read_input_tokens"],
  ["OUTPUT", "output_tokens"],
  ["COST", "cost_micros"],
];

function shown(counter: Counter, value: number | undefined): string {
  if (value === undefined) return "?";
  return counter === "cost_micros" ? dollars(value) : grouped.format(value);
}

/** The table of `usage`, with a last line for the sum. */
export function showUsage(screen: Screen, rows: readonly UsageRow[]): void {
  const lines = rows.map(({ day, agent, account, model, attempts, usage }) => [
    safeLine(day),
    safeLine(agent ?? "", 24),
    safeLine(account ?? "", 24),
    safeLine(model ?? "", 24),
    grouped.format(attempts),
    ...counters.map(([, counter]) => shown(counter, usage[counter])),
  ]);
  const attempts = rows.reduce((sum, row) => sum + row.attempts, 0);
  const sums = counters.map(([, counter]) => shown(counter, sumOf(rows, counter)));
  const total = ["total", "", "", "", grouped.format(attempts), ...sums];
  const heads = ["DAY", "AGENT", "ACCOUNT", "MODEL", "ATTEMPTS", ...counters.map(([head]) => head)];
  screen.table(heads, [...lines, total]);
}

/** The sum of what is known; undefined when nothing is. */
function sumOf(rows: readonly UsageRow[], counter: Counter): number | undefined {
  const known = rows.flatMap(({ usage }) => usage[counter] ?? []);
  return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0);
}
