// Metrics of the whole installation, the same from each of its servers: what there is now.
// Promises: the names of queues are told for the twenty longest, if plain; allowances by id; all
// others together as `other`. Every word of the law has its series, also at zero.
// Leaves to others: reading (services/health-figures.ts).

import { agentStatuses } from "../../domain/agent-status.ts";
import { approvalRisks } from "../../domain/approval.ts";
import { limitReasons } from "../../domain/exhaustion/exhaustion.ts";
import { toTypeId, uuidTime } from "../../std/ids.ts";
import type { Count, Reading } from "../services/health-figures.ts";
import { addedUp, byWord, OTHER, plainLabel, single } from "./metric.ts";
import type { MetricOf } from "./metric.ts";

type Rows = Reading["rows"];
type FigureRow = Rows[number];

function rowsOf({ rows }: Reading, kind: string): readonly FigureRow[] {
  return rows.filter((row) => row.kind === kind);
}

function sum(rows: Rows): number {
  return rows.reduce((total, { value }) => total + value, 0);
}

/** One value per word, 0 for words without a row. */
function perWord(reading: Reading, kind: string, words: readonly string[]): Record<string, number> {
  const rows = rowsOf(reading, kind);
  const of = (word: string): number => sum(rows.filter(({ a }) => a === word));
  return Object.fromEntries(words.map((word) => [word, of(word)]));
}

const liveStates = ["claimed", "running", "waiting_tool", "waiting_approval"] as const;

function runsByState(reading: Reading) {
  const live = perWord(reading, "live", liveStates);
  const suspended = sum(rowsOf(reading, "suspended"));
  return byWord("state", {
    pending: sum(rowsOf(reading, "pending")),
    ...live,
    waiting_approval: (live["waiting_approval"] ?? 0) + suspended,
  });
}

function readyByQueue(reading: Reading) {
  const named = rowsOf(reading, "queue").map(({ a, value }) => ({
    labels: { queue: plainLabel(a) },
    value,
  }));
  const ready = sum(rowsOf(reading, "pending").filter(({ a }) => a === "ready"));
  const rest = ready - named.reduce((total, { value }) => total + value, 0);
  return addedUp([...named, { labels: { queue: OTHER }, value: rest }]);
}

function oldestAge(reading: Reading) {
  const [oldest] = rowsOf(reading, "oldest");
  if (oldest === undefined) return single(0);
  return single(Math.max(0, reading.at - uuidTime(oldest.a)) / 1000);
}

function allowanceUse(reading: Reading) {
  const named = rowsOf(reading, "allowance").map(({ a, b, c, value }) => ({
    labels: { allowance: toTypeId("alw", a), scope: b, metric: c },
    value,
  }));
  const others = rowsOf(reading, "allowance_other").map(({ value }) => ({
    labels: { allowance: OTHER, scope: OTHER, metric: OTHER },
    value,
  }));
  return [...named, ...others];
}

const runs: readonly MetricOf<Reading>[] = [
  {
    name: "signalbox_runs",
    type: "gauge",
    help: "Runs that have not ended, by state; of each at most 100,000 are counted.",
    labels: ["state"],
    read: runsByState,
  },
  {
    name: "signalbox_runs_ready",
    type: "gauge",
    help: "Pending runs that could be claimed now, of the 20 longest queues; the rest is other.",
    labels: ["queue"],
    read: readyByQueue,
  },
  {
    name: "signalbox_runs_held",
    type: "gauge",
    help:
      "Pending runs held back: by not_before or backoff (later), by a dependency, by a " +
      "concurrency key. A run may count in several.",
    labels: ["by"],
    read: (reading) => byWord("by", perWord(reading, "held", ["later", "dependency", "key"])),
  },
  {
    name: "signalbox_runs_ready_oldest_age_seconds",
    type: "gauge",
    help: "Age, since submit, of the oldest run that could be claimed now; 0 without one.",
    read: oldestAge,
  },
];

const fleet: readonly MetricOf<Reading>[] = [
  {
    name: "signalbox_agents",
    type: "gauge",
    help: "Agents by status.",
    labels: ["status"],
    read: (reading) => byWord("status", perWord(reading, "agents", agentStatuses)),
  },
  {
    name: "signalbox_agents_paused",
    type: "gauge",
    help: "Agents that a person has paused.",
    read: (reading) => single(sum(rowsOf(reading, "agents_paused"))),
  },
  {
    name: "signalbox_runtimes",
    type: "gauge",
    help: "Worker processes by state.",
    labels: ["state"],
    read: (reading) =>
      byWord("state", perWord(reading, "runtimes", ["online", "draining", "stale", "offline"])),
  },
  {
    name: "signalbox_account_limits",
    type: "gauge",
    help: "Limits of accounts that rest (closed) or are being tried (half_open), by reason.",
    labels: ["state", "reason"],
    read: (reading) =>
      ["closed", "half_open"].flatMap((state) =>
        limitReasons.map((reason) => ({
          labels: { state, reason },
          value: sum(rowsOf(reading, "limits").filter(({ a, b }) => a === state && b === reason)),
        })),
      ),
  },
  {
    name: "signalbox_allowance_used_ratio",
    type: "gauge",
    help:
      "Share of an allowance that is spent or set aside, of the 20 fullest; other is the fullest " +
      "of the rest. Limits of concurrent runs are not among them.",
    labels: ["allowance", "scope", "metric"],
    read: allowanceUse,
  },
  {
    name: "signalbox_projects",
    type: "gauge",
    help: "Projects, by whether an emergency stop stands.",
    labels: ["state"],
    read: (reading) => byWord("state", perWord(reading, "projects", ["open", "stopped"])),
  },
  {
    name: "signalbox_servers",
    type: "gauge",
    help: "Servers of this installation that are up.",
    read: (reading) => single(sum(rowsOf(reading, "servers"))),
  },
];

const webhookStates = ["healthy", "failing", "disabled"] as const;

const waiting: readonly MetricOf<Reading>[] = [
  {
    name: "signalbox_approvals_pending",
    type: "gauge",
    help: "Questions that wait for a person, by risk; at most 100,000 are counted.",
    labels: ["risk"],
    read: (reading) => byWord("risk", perWord(reading, "approvals", approvalRisks)),
  },
  {
    name: "signalbox_approvals_oldest_age_seconds",
    type: "gauge",
    help: "Age of the oldest question that waits for a person; 0 without one.",
    read: (reading) => single(sum(rowsOf(reading, "approvals_oldest"))),
  },
  {
    name: "signalbox_webhooks",
    type: "gauge",
    help: "Webhooks by how their endpoint does: failing since its last success, or disabled.",
    labels: ["state"],
    read: (reading) => byWord("state", perWord(reading, "webhooks", webhookStates)),
  },
  {
    name: "signalbox_deliveries_pending",
    type: "gauge",
    help:
      "Events on their way to a webhook, by the state of its endpoint; those of disabled ones " +
      "wait until it is enabled. At most 100,000 are counted.",
    labels: ["state"],
    read: (reading) => byWord("state", perWord(reading, "deliveries", webhookStates)),
  },
  {
    name: "signalbox_deliveries_oldest_age_seconds",
    type: "gauge",
    help: "Age of the oldest of them whose endpoint is not disabled; 0 without one.",
    read: (reading) => single(sum(rowsOf(reading, "deliveries_oldest"))),
  },
];

function perTable(kind: string): MetricOf<Reading>["read"] {
  return (reading) =>
    rowsOf(reading, kind).map(({ a, value }) => ({ labels: { table: a }, value }));
}

const database: readonly MetricOf<Reading>[] = [
  {
    name: "signalbox_database_horizon_age_seconds",
    type: "gauge",
    help: "Age of the oldest open transaction: nothing that died since can be cleaned away.",
    read: (reading) => single(sum(rowsOf(reading, "horizon_s"))),
  },
  {
    name: "signalbox_database_horizon_age_transactions",
    type: "gauge",
    help: "The same in transactions of the database server since then.",
    read: (reading) => single(sum(rowsOf(reading, "horizon_x"))),
  },
  {
    name: "signalbox_table_dead_rows",
    type: "gauge",
    help: "Dead rows of the busiest tables, as PostgreSQL estimates them.",
    labels: ["table"],
    read: perTable("dead_rows"),
  },
  {
    name: "signalbox_table_bytes",
    type: "gauge",
    help: "Size of the busiest tables with their indexes.",
    labels: ["table"],
    read: perTable("table_bytes"),
  },
];

/** Of all servers together; absent while the database does not answer. */
export const houseMetrics: readonly MetricOf<Reading>[] = [
  ...runs,
  ...fleet,
  ...waiting,
  ...database,
];

/** Whether the above are there. */
export const readingMetrics: readonly MetricOf<{ readonly reading: Reading | null }>[] = [
  {
    name: "signalbox_database_figures_up",
    type: "gauge",
    help: "1 when the figures of the installation could be read; they are left out otherwise.",
    read: ({ reading }) => single(reading === null ? 0 : 1),
  },
];

/**
 * A gauge of another part, counted by words: every word has its series; others are left out.
 *
 * @example
 * countGauge({ name: "signalbox_approvals", help: "Approvals by status.", label: "status" }, [
 *   "pending",
 * ]);
 */
export function countGauge(
  gauge: { readonly name: string; readonly help: string; readonly label: string },
  words: readonly string[],
): MetricOf<readonly Count[]> {
  const { label, ...described } = gauge;
  return {
    ...described,
    type: "gauge",
    labels: [label],
    read: (counts) =>
      words.map((word) => ({
        labels: { [label]: word },
        value: counts.reduce((n, one) => (one.label === word ? n + one.value : n), 0),
      })),
  };
}
