// Acts on many runs and redrives, from the wire to what the engine takes.
// Promises: an act names its runs or a filter; without a dry run it says how many it expects; a
// wrong id is refused by its place.
// Leaves to others: shapes (`schemas/dead-letters.ts`), counting (engine).

import type { Static } from "../typebox.ts";
import type { BulkWhich, RedriveChanges } from "../../engine/contract.ts";
import { limits, priorityWords } from "../../domain/limits.ts";
import { isRefusal, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuseSize } from "../refusals.ts";
import type { bulkDiscardRequest, redriveRequest } from "../schemas/dead-letters.ts";
import { bytesAbove, isTooDeep } from "./clean.ts";
import type { Looks } from "./clean.ts";
import { toRunFilter } from "./filter.ts";
import { fromWireId } from "./ids.ts";

type Sent = Omit<Static<typeof bulkDiscardRequest>, "note">;

const DEFAULT_LIMIT = 1_000;

/** Which runs the act is about. */
export function toBulkWhich(sent: Sent): BulkWhich | Refusal {
  if (sent.filter === undefined && sent.runs === undefined) {
    return refuseField("filter", "is needed, or runs; an empty filter {} means every run");
  }
  const { fingerprint = null, ...query } = sent.filter ?? {};
  const filter = toRunFilter(query);
  if (isRefusal(filter)) return under("filter", filter);
  const runs: string[] = [];
  for (const [at, text] of (sent.runs ?? []).entries()) {
    const runId = fromWireId("run", text);
    if (runId === null) return refuseField(`runs.${at}`, "is not a run id (run_…)");
    runs.push(runId);
  }
  const { dry_run: dryRun = false, confirm_count: confirmCount } = sent;
  if (!dryRun && confirmCount === undefined) {
    return refuseField("confirm_count", "is needed: what a dry run (dry_run: true) counted");
  }
  return {
    filter,
    runs: sent.runs === undefined ? null : runs,
    fingerprint,
    dryRun,
    confirmCount: confirmCount ?? 0,
    allowGrowth: sent.allow_growth ?? 0,
    limit: sent.limit ?? DEFAULT_LIMIT,
    cursor: sent.cursor ?? null,
  };
}

function under(field: string, refusal: Refusal): Refusal {
  const [error] = refusal.errors ?? [];
  return error === undefined ? refusal : refuseField(`${field}.${error.field}`, error.message);
}

/** What a redrive does differently. */
export function toChanges(
  sent: Static<typeof redriveRequest>,
  looks: Looks,
): RedriveChanges | Refusal {
  const { input, agent, model, priority, max_attempts: maxAttempts } = sent;
  const { from_checkpoint: fromCheckpoint } = sent;
  if (input !== undefined) {
    if (isTooDeep(input, looks)) {
      return refuseField("input", `nests deeper than ${limits.jsonDepth} arrays and objects`);
    }
    if (bytesAbove(input, limits.inputBytes, looks) > 0) {
      return refuseSize("input", limits.inputBytes);
    }
  }
  return {
    ...(fromCheckpoint === true ? { fromCheckpoint } : {}),
    ...(input === undefined ? {} : { input }),
    ...(agent === undefined ? {} : { agent }),
    ...(model === undefined ? {} : { model }),
    ...(priority === undefined
      ? {}
      : { priority: typeof priority === "number" ? priority : priorityWords[priority] }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  };
}
