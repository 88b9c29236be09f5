// How the house is, when a person asks: servers, sweeps, database, load, and what is wrong.
// Promises: reads only, in short statements that give up after two seconds; a database that does
// not answer is a finding, not a failure; what all projects do together is told if `all` says so.
// Leaves to others: whether this server is ready (engine.ts), series over time (metrics).

import type * as wire from "@signalbox/sdk";
import { fail } from "../../domain/finding.ts";
import { readSeenSoon } from "../../store/house/checkup.ts";
import type { Seen } from "../../store/house/checkup.ts";
import type { Health } from "../contract.ts";
import type { Parts } from "../parts.ts";
import type { BatcherFigures, Tally } from "./figures.ts";
import { findingsOf } from "./health-findings.ts";

export async function readHouseHealth(
  parts: Parts,
  health: Health,
  all: boolean,
): Promise<wire.HouseHealth> {
  const { version } = health;
  const [seen] = await Promise.all([seenBy(parts), parts.figures.refresh()]);
  const findings =
    seen === null
      ? [fail("database", "the database does not answer in time", "is it up, is it overloaded?")]
      : findingsOf(seen, { who: "this server", version, all });
  return {
    ready: health.ready,
    database: health.database,
    sweep_lag_ms: health.sweepLagMs,
    version,
    started_at: health.startedAt,
    servers: (seen?.servers ?? []).map(({ started_at: at, ...server }) => ({
      ...server,
      started_at: new Date(at).toISOString(),
    })),
    horizon: horizonOf(parts),
    findings,
    load: all ? { batchers: batchersOf(parts), tables: tablesOf(parts) } : null,
  };
}

/** Null: it could not be read. */
async function seenBy({ house, logger }: Parts): Promise<Seen | null> {
  try {
    return await house.within([], readSeenSoon);
  } catch (error) {
    logger.warn({ err: error }, "the health of the house could not be read");
    return null;
  }
}

/** Figures of one kind, by what they are about. */
function figuresOf({ figures }: Parts, kind: string): ReadonlyMap<string, number> {
  const rows = figures.reading?.rows.filter((row) => row.kind === kind) ?? [];
  return new Map(rows.map(({ a, value }) => [a, value]));
}

function horizonOf(parts: Parts): wire.HouseHealth["horizon"] {
  const age = figuresOf(parts, "horizon_s").get("");
  const transactions = figuresOf(parts, "horizon_x").get("");
  if (age === undefined || transactions === undefined) return null;
  return { age_s: Math.round(age), transactions: Math.round(transactions) };
}

function tablesOf(parts: Parts): wire.HouseTable[] {
  const dead = figuresOf(parts, "dead_rows");
  return [...figuresOf(parts, "table_bytes")].map(([name, bytes]) => ({
    name,
    bytes,
    dead_rows: dead.get(name) ?? 0,
  }));
}

const batchersOf = ({ control, work }: Parts): wire.BatcherLoad[] => [
  loadOf("control", control.figures),
  loadOf("work", work.figures),
];

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

function loadOf(name: wire.BatcherLoad["name"], figures: BatcherFigures): wire.BatcherLoad {
  const { flushes, items, largest, waiting } = figures;
  return {
    name,
    flushes,
    items,
    largest,
    waiting,
    refused: sum(figures.refused),
    failed: sum(figures.failed),
    sizes: bucketsOf(figures.sizes),
    answered_ms: bucketsOf(figures.answered),
  };
}

function bucketsOf({ bounds, counts }: Tally): wire.Bucket[] {
  return counts.map((count, place) => ({ up_to: bounds[place] ?? null, count }));
}
