// Second round trip of a flush: everything that was decided, as set-based writes, then the feed and
// the register, the flush row and the commit; sent at once (pipelined).
// Promises: each row is written once however many commands touched it, by the narrowest statement
// that does; the feed counters are the last locks; a wrong row count fails the transaction.
// Leaves to others: what to do when the outcome of the commit is unknown (batcher.ts).

import { isEnded } from "../../../domain/run.ts";
import { sha256Hex } from "../../../std/digest.ts";
import { bumpAccounts, saveExhaustions } from "../../../store/accounts.ts";
import { insertApprovals, updateApprovals } from "../../../store/approvals.ts";
import { insertAttempts, updateAttempts } from "../../../store/attempts.ts";
import type { Runner } from "../../../store/db.ts";
import { appendFlushEvents } from "../../../store/events.ts";
import { commitFlush, recordFlush } from "../../../store/flushes.ts";
import type { RunDetail } from "../../../store/run-queries.ts";
import { readRunDetails } from "../../../store/run-queries.ts";
import type { Results, RunWrite } from "../../../store/run-writes.ts";
import { insertRuns, updateRuns } from "../../../store/run-writes.ts";
import type { Presence } from "../../../store/runtimes.ts";
import { touchPresence, touchRuntimes } from "../../../store/runtimes.ts";
import {
  addTotals,
  chargeWithoutReservation,
  drawFromParents,
  insertRefunds,
  openReservations,
  writeReservations,
} from "../../../store/reservations.ts";
import { insertUsage } from "../../../store/usage.ts";
import { writeLetters } from "./letters.ts";
import { insertRunDependencies, insertRunTags } from "../../../store/specs.ts";
import type { Item, SubmitItem } from "./items.ts";
import type { Entry, FlushState } from "./state.ts";

export type WriteExtra = {
  readonly flushId: string;
  /** Runtimes that were heard from. */
  readonly touched: readonly string[];
  /** Agents that were heard from, with the runtimes that work as them. */
  readonly present: readonly Presence[];
  /** Runs that were claimed: read back whole for their workers, after the writes. */
  readonly granted: readonly string[];
  readonly offsetMs: number;
  readonly onCommitSent: () => void;
};

/**
 * Writes a decided flush and commits it. Returns after the database has acknowledged the commit.
 */
export async function writeFlush(
  runner: Runner,
  state: FlushState,
  items: readonly Item[],
  extra: WriteExtra,
): Promise<{ details: RunDetail[]; version: string }> {
  const writes: Promise<unknown>[] = [];
  writeRuns(runner, state, items, writes);
  writeLetters(runner, state, writes);
  if (state.newAttempts.length > 0) writes.push(insertAttempts(runner, state.newAttempts));
  if (state.attempts.size > 0) writes.push(updateAttempts(runner, [...state.attempts.values()]));
  const { asked, decided } = state.approvals;
  if (asked.length > 0) writes.push(insertApprovals(runner, asked));
  if (decided.length > 0) writes.push(updateApprovals(runner, decided));
  // Allowances first, since claims have locked them from the beginning: one order for all.
  writeScopes(runner, state, writes);
  if (extra.touched.length > 0) writes.push(touchRuntimes(runner, extra.touched, extra.offsetMs));
  if (extra.present.length > 0) writes.push(touchPresence(runner, extra.present, extra.offsetMs));
  const version =
    state.events.length === 0
      ? recordFlush(runner, extra.flushId)
      : appendFlushEvents(runner, state.events, extra.flushId);
  writes.push(version);
  const details =
    extra.granted.length === 0 ? Promise.resolve([]) : readRunDetails(runner, extra.granted);
  writes.push(details);
  extra.onCommitSent();
  writes.push(commitFlush(runner));
  const results = await Promise.allSettled(writes);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return { details: await details, version: await version };
}

/** Usage, reservations and what they add up to, limits of accounts. */
function writeScopes(runner: Runner, state: FlushState, writes: Promise<unknown>[]): void {
  const { meter, accounts } = state;
  const projectOf = (runId: string): string => state.runs.get(runId)?.run.projectId as string;
  const { opened, written } = meter.reservations(projectOf);
  if (meter.usage.length > 0) writes.push(insertUsage(runner, meter.usage));
  if (opened.length > 0) writes.push(openReservations(runner, opened));
  if (written.length > 0) writes.push(writeReservations(runner, written));
  const plainCharges = meter.plainCharges(projectOf);
  if (plainCharges.length > 0) writes.push(chargeWithoutReservation(runner, plainCharges));
  if (meter.draws.length > 0) writes.push(drawFromParents(runner, meter.draws));
  if (meter.refunds.length > 0) writes.push(insertRefunds(runner, meter.refunds));
  const { changed, bumped } = accounts;
  if (changed.length > 0) writes.push(saveExhaustions(runner, changed));
  if (bumped.length > 0) writes.push(bumpAccounts(runner, bumped));
  const { reservedTotals, spentTotals } = meter;
  if (reservedTotals.length + spentTotals.length > 0) {
    writes.push(addTotals(runner, reservedTotals, spentTotals));
  }
}

function writeRuns(
  runner: Runner,
  state: FlushState,
  items: readonly Item[],
  writes: Promise<unknown>[],
): void {
  const born: RunWrite[] = [];
  const changed: RunWrite[] = [];
  for (const entry of state.runs.values()) {
    const { before, run } = entry;
    if (run === before) continue;
    (before === null ? born : changed).push({ before, run, results: resultsOf(entry) });
  }
  if (born.length > 0) {
    writes.push(insertRuns(runner, born));
    writeEdges(runner, state, items, writes);
  }
  if (changed.length > 0) writes.push(updateRuns(runner, changed));
}

function writeEdges(
  runner: Runner,
  state: FlushState,
  items: readonly Item[],
  writes: Promise<unknown>[],
): void {
  const submits = items.filter((item): item is SubmitItem => item.kind === "submit");
  const tags = [];
  const edges = [];
  for (const { projectId, runs } of submits) {
    for (const { id, spec, dependsOn } of runs) {
      if (!state.runs.has(id)) continue;
      for (const tag of new Set(spec.tags)) tags.push({ projectId, tag, runId: id });
      for (const parent of new Set(dependsOn)) {
        edges.push({ projectId, runId: id, dependsOn: parent });
      }
    }
  }
  if (tags.length > 0) writes.push(insertRunTags(runner, tags));
  if (edges.length > 0) writes.push(insertRunDependencies(runner, edges));
}

function resultsOf(entry: Entry): Results {
  const results: Results = {};
  const ending = isEnded(entry.run) ? entry.run.ending : undefined;
  if (ending?.output !== undefined) {
    results.output = ending.output;
    results.outputSha256 = sha256Hex(JSON.stringify(ending.output));
  }
  if (ending?.error !== undefined) {
    const { code, message, detail } = ending.error;
    results.error = { code, message, ...(detail === undefined ? {} : { detail }) };
  }
  if (entry.metadata !== null) results.metadataPatch = entry.metadata;
  return results;
}
