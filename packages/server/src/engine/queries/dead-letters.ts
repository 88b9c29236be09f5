// Dead letters as people read them: groups of like errors, the letters of a group.
// Promises: a page never repeats or skips a row; a group's cursor is its last instant, so one that
// grows meanwhile comes to the front and is seen there.
// Leaves to others: filters' validation (http), statements (store).

import type * as wire from "@signalbox/sdk";
import type { Refusal } from "../../domain/refusal.ts";
import { refuseField } from "../../domain/refusal.ts";
import { fromTypeId, lastUuid, toTypeId } from "../../std/ids.ts";
import type * as store from "../../store/dead-letter-queries.ts";
import { listLetterGroups, listLetters } from "../../store/dead-letter-queries.ts";
import type { RunView } from "../../store/run-queries.ts";
import { readRunViews } from "../../store/run-queries.ts";
import { iso } from "../../store/run-rows.ts";
import type { LetterFilter, PageInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { page } from "./page.ts";
import { summaryOf } from "./views.ts";

const CURSOR = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00)~([0-9a-f]{16})$/;
const noCursor = "is not one of this list; begin without a cursor";

export async function readGroups(
  parts: Parts,
  projectId: string,
  filter: LetterFilter,
  asked: PageInput,
): Promise<wire.Page<wire.DeadLetterGroup> | Refusal> {
  const { limit, cursor } = asked;
  const [, at, fingerprint] = (cursor === null ? null : CURSOR.exec(cursor)) ?? [];
  if (cursor !== null && at === undefined) return refuseField("cursor", noCursor);
  const after = at === undefined || fingerprint === undefined ? null : { at, fingerprint };
  const rows = await parts.reader.within([projectId], (runner) =>
    listLetterGroups(runner, projectId, filterOf(filter, null), { after, limit: limit + 1 }),
  );
  const exact = new Map(rows.map((row) => [row.fingerprint, row.exact]));
  return page(rows.map(groupOf), limit, (last) => {
    return `${exact.get(last.fingerprint) ?? ""}~${last.fingerprint}`;
  });
}

export async function readLetters(
  parts: Parts,
  projectId: string,
  filter: LetterFilter & { fingerprint: string },
  asked: PageInput,
): Promise<wire.Page<wire.DeadLetter> | Refusal> {
  const { limit, cursor } = asked;
  const before = cursor === null ? lastUuid : fromTypeId("run", cursor);
  if (before === null) return refuseField("cursor", noCursor);
  return parts.reader.within([projectId], async (runner) => {
    const wanted = filterOf(filter, filter.fingerprint);
    const rows = await listLetters(runner, projectId, wanted, { before, limit: limit + 1 });
    const views = await readRunViews(
      runner,
      rows.map((row) => row.run_id),
    );
    const byId = new Map(views.map((view) => [view.id, view]));
    const letters = rows.map((row) => letterOf(row, byId.get(row.run_id) as RunView));
    return page(letters, limit, (last) => last.run.id);
  });
}

function filterOf(filter: LetterFilter, fingerprint: string | null): store.LetterFilter {
  const { status, queue = null, agent = null } = filter;
  return { status, queue, agent, fingerprint };
}

function groupOf(row: store.GroupRow): wire.DeadLetterGroup {
  return {
    fingerprint: row.fingerprint,
    code: row.code,
    pattern: row.pattern,
    count: row.n,
    first_at: iso(row.first_at),
    last_at: iso(row.last_at),
    sample_run: toTypeId("run", row.sample_run),
    sample_message: row.sample_message,
    agents: row.agents,
    queues: row.queues,
  };
}

function letterOf(row: store.LetterView, run: RunView): wire.DeadLetter {
  const status = row.closed_at === null ? "open" : row.became === null ? "discarded" : "redriven";
  return {
    run: summaryOf(run),
    fingerprint: row.fingerprint,
    pattern: row.pattern,
    status,
    at: iso(row.at),
    closed_at: iso(row.closed_at),
    closed_by: row.closed_by,
    note: row.note,
    became: row.became === null ? null : toTypeId("run", row.became),
  };
}
