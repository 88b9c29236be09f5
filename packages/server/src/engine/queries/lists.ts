// Lists and single things as people read them: runs, attempts, events, runtimes.
// Promises: a page never repeats or skips a row (the cursor is the last id or number); limits hold
// whatever is asked for; a foreign id is as absent as an unknown one.
// Leaves to others: filters' validation (http).

import type * as wire from "@signalbox/sdk";
import { fromTypeId, lastUuid } from "../../std/ids.ts";
import { readStream } from "../../store/events.ts";
import type { ListFilter } from "../../store/run-queries.ts";
import { listAttempts, listRuns, readRunDetails } from "../../store/run-queries.ts";
import { iso } from "../../store/run-rows.ts";
import { findRuntimes, listRuntimes } from "../../store/runtimes.ts";
import type { EventPageInput, PageInput, RunFilter, RuntimeFilter } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { page } from "./page.ts";
import { attemptOf, detailOf, eventOf, runtimeOf, summaryOf } from "./views.ts";

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
  const rows = await parts.reader.within([projectId], (runner) =>
    listRuns(runner, projectId, listFilterOf(filter), { before, limit: limit + 1 }),
  );
  return page(rows.map(summaryOf), limit, (last) => last.id);
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
    idFrom: range?.from ?? null,
    idTo: range?.to ?? null,
    scopes: filter.scopes ?? {},
  };
}

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

export async function readRunEvents(
  parts: Parts,
  projectId: string,
  runId: string,
  asked: EventPageInput,
): Promise<wire.Page<wire.Event>> {
  const rows = await parts.reader.within([projectId], (runner) =>
    readStream(runner, runId, {
      after: asked.afterSeq ?? 0,
      before: asked.beforeSeq ?? Number.MAX_SAFE_INTEGER,
      order: asked.order,
      type: asked.type ?? null,
      limit: asked.limit + 1,
    }),
  );
  return page(rows.map(eventOf), asked.limit, (last) => last.seq);
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
