// What only the owner of the installation sees: all projects, the installation's own trail.
// Promises: the one place of commands and questions that acts as `house`; every list is bounded.
// Leaves to others: letting only an owner key in (http).

import type * as wire from "@signalbox/sdk";
import { fromTypeId, lastUuid, toTypeId } from "../../std/ids.ts";
import type { Runner } from "../../store/db.ts";
import { findAnyProject, listAllProjects, PROJECTS_PAGE } from "../../store/house/control.ts";
import type { InstallationRow } from "../../store/house/installation.ts";
import { appendInstallationEvent, listInstallationEvents } from "../../store/house/installation.ts";
import { iso } from "../../store/run-rows.ts";
import type { AuditFilter, PageInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { rangeOf, reasonOf } from "./audit-views.ts";
import type { ProjectRow } from "../../store/projects.ts";
import { page, wholeOf } from "./page.ts";
import { projectOf } from "./views.ts";

/** A project by its UUID, TypeID-less name included; null when there is none. */
export async function findProject(parts: Parts, idOrName: string): Promise<wire.Project | null> {
  const row = await parts.house.within([], (runner) => findAnyProject(runner, idOrName));
  return row === null ? null : projectOf(row);
}

export async function listProjects(parts: Parts): Promise<wire.Project[]> {
  const rows = await parts.house.within([], (runner) =>
    wholeOf(PROJECTS_PAGE, (last: ProjectRow | null) => listAllProjects(runner, last?.name ?? "")),
  );
  return rows.map(projectOf);
}

/**
 * A short transaction on what belongs to a project, or (null) to the installation alone: owner's
 * keys and their sessions.
 */
export function withinScope<T>(
  parts: Parts,
  projectId: string | null,
  use: (runner: Runner) => Promise<T>,
): Promise<T> {
  return projectId === null ? parts.house.within([], use) : parts.writer.within([projectId], use);
}

/** What happened to what belongs to no project, newest first. */
export async function readInstallationAudit(
  parts: Parts,
  filter: AuditFilter,
  asked: PageInput,
): Promise<wire.Page<wire.AuditEntry>> {
  const before = asked.cursor === null ? lastUuid : fromTypeId("evt", asked.cursor);
  if (before === null) return { items: [], has_more: false, next_cursor: null };
  const { limit } = asked;
  const rows = await parts.house.within([], (runner) =>
    listInstallationEvents(runner, rangeOf(filter), { before, limit: limit + 1 }),
  );
  return page(rows.map(installationEntryOf), limit, (last) => last.id);
}

/** An event of the installation, which is on no stream. */
function installationEntryOf(row: InstallationRow): wire.AuditEntry {
  return {
    id: toTypeId("evt", row.id),
    at: iso(row.at),
    type: row.type,
    actor: row.actor,
    actor_name: row.key_name,
    request_id: row.request_id,
    target: null,
    reason: reasonOf(row.data),
    data: row.data,
    feed: null,
  };
}

/** Records what happened to what belongs to no project. */
export async function recordInstallation(
  runner: Runner,
  event: { id: string; type: string; actor: string; requestId: string; data: object },
): Promise<void> {
  await appendInstallationEvent(runner, event);
}
