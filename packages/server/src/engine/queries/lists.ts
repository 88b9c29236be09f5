// Lists and single things as people read them: runs, attempts, events, runtimes.
// Promises: a page never repeats or skips a row (the cursor is the last id or number); limits hold
// whatever is asked for; a foreign id is as absent as an unknown one.
// Leaves to others: filters' validation (http).

import type * as wire from "@signalbox/sdk";
import { runStates } from "../../domain/machine.ts";
import { fromTypeId, lastUuid, toTypeId, uuidFloor } from "../../std/ids.ts";
import type { ListFilter } from "../../store/run-queries.ts";
import { countStates, listRuns } from "../../store/run-lists.ts";
import { listAttempts, readRunDetails } from "../../store/run-queries.ts";
import { iso } from "../../store/run-rows.ts";
import { findRuntimes, listRuntimes } from "../../store/runtimes.ts";
import type { PageInput, RunFilter, RuntimeFilter } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { page } from "./page.ts";
import { attemptOf, detailOf, runtimeOf, summaryOf } from "./views.ts";

export async function readRun(
  parts: Parts,
  projectId: string,
  runId: string,
): Promise<wire.Run | null> {
  const rows = await parts.reader.within([projectId], (runner) => readRunDetails(runner, [runId]));
  const row = rows[0];
  return row === undefined || row.project_id !== projectId ? null : detailOf(row);
}

export async function readRunPage(
  parts: Parts,
  projectId: string,
  filter: RunFilter,
  asked: PageInput,
): Promise<wire.Page<wire.RunSummary>> {
  const before = asked.cursor === null ? lastUuid : fromTypeId("run", asked.cursor);
  if (before === null) return { items: [], has_more: false, next_cursor: null };
  const { limit } = asked;
  const { rows, reached } = await parts.reader.within([projectId], (runner) =>
    listRuns(runner, projectId, listFilterOf(filter), { before, limit: limit + 1 }),
  );
  const found = page(rows.map(summaryOf), limit, (last) => last.id);
  if (found.has_more || reached === null) return found;
  return { ...found, has_more: true, next_cursor: toTypeId("run", reached) };
}

/** Runs of one state are counted up to here: a million is not worth the time of counting it. */
const MOST_COUNTED = 10_000;

export async function readRunCounts(parts: Parts, projectId: string): Promise<wire.RunCounts> {
  const rows = await parts.reader.within([projectId], (runner) =>
    countStates(runner, projectId, MOST_COUNTED),
  );
  const counts = Object.fromEntries(runStates.map((state) => [state, 0]));
  for (const { state, n } of rows) {
    counts[state] = Math.min(MOST_COUNTED, (counts[state] ?? 0) + n);
  }
  return { most: MOST_COUNTED, counts: counts as wire.RunCounts["counts"] };
}

export function listFilterOf(filter: RunFilter): ListFilter {
  const range = idRange(filter.text);
  return {
    states: filter.state ?? null,
    queue: filter.queue ?? null,
    runner: filter.runner ?? null,
    agent: filter.agent ?? null,
    runtime: filter.runtime ?? null,
    tag: filter.tag ?? null,
    errorCode: filter.errorCode ?? null,
    parentRun: filter.parentRun ?? null,
    createdAfter: iso(filter.createdAfter ?? null),
    createdBefore: iso(filter.createdBefore ?? null),
    finishedAfter: iso(filter.finishedAfter ?? null),
    finishedBefore: iso(filter.finishedBefore ?? null),
    idFrom: later(range?.from ?? null, floorOf(filter.createdAfter, -CLOCKS_APART_MS)),
    idTo: earlier(range?.to ?? null, floorOf(filter.createdBefore, CLOCKS_APART_MS)),
    scopes: filter.scopes ?? {},
  };
}

/**
 * Ids are made by servers and carry their time, `created_at` is the database's: further apart than
 * this the two are not. So the ids bound what has to be looked at for a range of creation.
 */
const CLOCKS_APART_MS = 86_400_000;

function floorOf(at: number | undefined, byMs: number): string | null {
  return at === undefined ? null : uuidFloor(Math.max(0, at + byMs));
}

const later = (a: string | null, b: string | null): string | null =>
  a === null || (b !== null && b > a) ? b : a;
const earlier = (a: string | null, b: string | null): string | null =>
  a === null || (b !== null && b < a) ? b : a;

/** All ids that begin with this text; a text that can begin none gives an empty range. */
function idRange(text: string | undefined): { from: string; to: string } | null {
  if (text === undefined || text === "") return null;
  const suffix = text.startsWith("run_") ? text.slice(4) : text;
  const from = fromTypeId("run", `run_${suffix.slice(0, 26).padEnd(26, "0")}`);
  const to = fromTypeId("run", `run_${suffix.slice(0, 26).padEnd(26, "z")}`);
  if (from !== null) return { from, to: to ?? lastUuid };
  return { from: lastUuid, to: lastUuid };
}

export async function readAttempts(
  parts: Parts,
  projectId: string,
  runId: string,
): Promise<wire.Attempt[]> {
  const rows = await parts.reader.within([projectId], (runner) => listAttempts(runner, runId));
  return rows.map(attemptOf);
}

export async function readRuntimePage(
  parts: Parts,
  projectId: string,
  filter: RuntimeFilter,
  asked: PageInput,
): Promise<wire.Page<wire.Runtime>> {
  const after = asked.cursor ?? "";
  const rows = await parts.reader.within([projectId], (runner) =>
    listRuntimes(runner, projectId, filter, { after, limit: asked.limit + 1 }),
  );
  return page(rows.map(runtimeOf), asked.limit, (last) => last.name);
}

export async function readRuntime(
  parts: Parts,
  projectId: string,
  name: string,
): Promise<wire.Runtime | null> {
  const rows = await parts.reader.within([projectId], (runner) =>
    findRuntimes(runner, [{ projectId, name }]),
  );
  return rows[0] === undefined ? null : runtimeOf(rows[0]);
}
