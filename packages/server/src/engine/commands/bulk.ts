// Acts on many runs: cancel, redrive, discard, by the filter of the list of runs or by name.
// Promises: a dry run counts and changes nothing; the act is refused when more match than the
// caller has confirmed; it goes newest first in sets of 500, at most `limit` per request, and what
// it has dealt with is not found again, so a request that broke off is simply sent again; actor and
// reason stand in the register of every run.
// Leaves to others: validating (http), what each act means (dead-letters.ts, stop-run.ts).

import type * as wire from "@signalbox/sdk";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse, refuseField } from "../../domain/refusal.ts";
import { fromTypeId, lastUuid, toTypeId } from "../../std/ids.ts";
import type { BulkFilter } from "../../store/bulk.ts";
import { countBulk, nextBulk } from "../../store/bulk.ts";
import { readRunViews } from "../../store/run-queries.ts";
import type { BulkInput, BulkWhich, Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { listFilterOf } from "../queries/lists.ts";
import { summaryOf } from "../queries/views.ts";
import { discardAll, redriveAll } from "./dead-letters.ts";
import { cancelAll } from "./stop-run.ts";

const PAGE = 500;
/** More than this is not one act: the filter is to be narrowed. */
const MOST_MATCHED = 100_000;
const SAMPLE = 10;
/** Refusals that are told one by one; all of them are counted. */
const TOLD = 20;

type Call = { readonly which: BulkWhich; readonly act: BulkInput; readonly origin: Origin };
type Done = { readonly became?: string | null } | Refusal;

export async function bulk(
  parts: Parts,
  projectId: string,
  call: Call,
): Promise<wire.BulkResult | Refusal> {
  const { which, act, origin } = call;
  const filter = filterOf(which, act);
  const before = which.cursor === null ? lastUuid : fromTypeId("run", which.cursor);
  if (before === null)
    return refuseField("cursor", "is not one of this act; begin without a cursor");
  const [matched, sample] = await Promise.all([
    parts.reader.within([projectId], (runner) =>
      countBulk(runner, projectId, filter, { before, most: MOST_MATCHED + 1 }),
    ),
    which.dryRun ? sampleOf(parts, projectId, filter, before) : [],
  ]);
  const empty = { done: 0, refused: 0, refusals: [], became: [] };
  if (which.dryRun) {
    const shown = Math.min(matched, MOST_MATCHED);
    return { dry_run: true, matched: shown, sample, ...empty, has_more: false, next_cursor: null };
  }
  const refusal = countRefusal(matched, which);
  if (refusal !== null) return refusal;
  const result = { ...empty, refusals: [], became: [] } as Tally;
  let cursor = before;
  let left = which.limit;
  for (;;) {
    const page = { before: cursor, limit: Math.min(PAGE, left) };
    const ids = await parts.reader.within([projectId], (runner) =>
      nextBulk(runner, projectId, filter, page),
    );
    const done = await doAll(parts, projectId, ids, { act, origin });
    tally(result, ids, done);
    cursor = ids.at(-1) ?? cursor;
    left -= ids.length;
    const isOver = ids.length < page.limit;
    if (!isOver && left > 0) continue;
    const next = isOver ? null : toTypeId("run", cursor);
    const more = { has_more: !isOver, next_cursor: next };
    return { dry_run: false, matched, sample: [], ...result, ...more };
  }
}

function filterOf({ filter, runs, fingerprint }: BulkWhich, act: BulkInput): BulkFilter {
  const target = act.kind === "cancel" ? "live" : "letters";
  return { target, runs, fingerprint, list: listFilterOf(filter) };
}

/** Whoever confirmed a number did not mean a larger one. */
function countRefusal(matched: number, which: BulkWhich): Refusal | null {
  if (matched > MOST_MATCHED) {
    const detail = `More than ${MOST_MATCHED} runs match; narrow the filter.`;
    return refuse("count_changed", detail, { matched, most: MOST_MATCHED });
  }
  const { confirmCount, allowGrowth } = which;
  if (matched <= confirmCount + allowGrowth) return null;
  const detail =
    `${matched} runs match now, ${confirmCount} were confirmed and ${allowGrowth} more allowed; ` +
    "look again with dry_run.";
  return refuse("count_changed", detail, { matched, confirm_count: confirmCount });
}

async function sampleOf(
  parts: Parts,
  projectId: string,
  filter: BulkFilter,
  before: string,
): Promise<wire.RunSummary[]> {
  return parts.reader.within([projectId], async (runner) => {
    const ids = await nextBulk(runner, projectId, filter, { before, limit: SAMPLE });
    const views = ids.length === 0 ? [] : await readRunViews(runner, ids);
    const order = new Map(ids.map((id, index) => [id, index]));
    const at = (id: string): number => order.get(id) ?? 0;
    return views.toSorted((a, b) => at(a.id) - at(b.id)).map(summaryOf);
  });
}

function doAll(
  parts: Parts,
  projectId: string,
  ids: readonly string[],
  { act, origin }: Pick<Call, "act" | "origin">,
): Promise<Done[]> {
  switch (act.kind) {
    case "cancel":
      return cancelAll(parts, projectId, ids, { ...act, origin });
    case "redrive":
      return redriveAll(parts, projectId, ids, { changes: act.changes, origin });
    case "discard":
      return discardAll(parts, projectId, ids, { note: act.note, origin });
  }
}

type Tally = {
  done: number;
  refused: number;
  refusals: wire.BulkRefusal[];
  became: { run_id: string; became: string }[];
};

function tally(result: Tally, ids: readonly string[], done: readonly Done[]): void {
  for (const [index, one] of done.entries()) {
    const run_id = toTypeId("run", ids[index] as string);
    if (isRefusal(one)) {
      result.refused += 1;
      const { code, detail } = one;
      if (result.refusals.length < TOLD) result.refusals.push({ run_id, code, detail });
      continue;
    }
    result.done += 1;
    const { became = null } = one;
    if (became !== null) result.became.push({ run_id, became: toTypeId("run", became) });
  }
}
