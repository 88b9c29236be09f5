// The audit trail of a project: who did what, when, to what and why, newest first.
// Promises: it is read from the register, so nothing is done that is not in it; a page never
// repeats or skips an entry (the cursor is the number in the feed).
// Leaves to others: the installation's own trail (`fleet.ts`).

import type * as wire from "@signalbox/sdk";
import { listAudit } from "../../store/audit.ts";
import type { AuditFilter, PageInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { entryOf, rangeOf } from "./audit-views.ts";
import { readInstallationAudit } from "./fleet.ts";
import { page } from "./page.ts";

export async function readAudit(
  parts: Parts,
  projectId: string | null,
  filter: AuditFilter,
  asked: PageInput,
): Promise<wire.Page<wire.AuditEntry>> {
  if (projectId === null) return readInstallationAudit(parts, filter, asked);
  const before = asked.cursor === null ? Number.MAX_SAFE_INTEGER : Number(asked.cursor);
  if (!Number.isSafeInteger(before)) return { items: [], has_more: false, next_cursor: null };
  const { limit } = asked;
  const rows = await parts.reader.within([projectId], (runner) =>
    listAudit(runner, projectId, rangeOf(filter), { before, limit: limit + 1 }),
  );
  return page(rows.map(entryOf), limit, (last) => last.feed ?? "");
}
