// stop and resume of everything: every project of the installation, those to come included.
// Promises: one row, set and lifted under the lock that claims and renewals of all projects share,
// in one transaction with an event on every project's stream; a project that has a stop of its own
// stays stopped when this one is lifted.
// Leaves to others: who may (http: the owner), ending what is live (`stop-project.ts`), what is
// left to end when this server dies (sweeps).

import type * as wire from "@signalbox/sdk";
import { fromTypeId } from "../../std/ids.ts";
import type { Runner } from "../../store/db.ts";
import { appendEvents } from "../../store/events.ts";
import type { EverythingRow } from "../../store/everything.ts";
import { nextProjectSeqs, readEverything, setEverythingStop } from "../../store/everything.ts";
import { readNow } from "../../store/flushes.ts";
import { EVERYTHING, excludeProject } from "../../store/projects.ts";
import { iso } from "../../store/run-rows.ts";
import type { Parts } from "../parts.ts";
import { listProjects } from "../queries/fleet.ts";
import type { StopCall } from "./stop-project.ts";
import { endLive, letGo } from "./stop-project.ts";

export async function setEverything(parts: Parts, call: StopCall): Promise<wire.Everything> {
  const { reason, stop, cancelLive, origin } = call;
  const all = await listProjects(parts);
  const projects = all.flatMap(({ id }) => fromTypeId("prj", id) ?? []);
  const row = await parts.writer.within(projects, async (runner) => {
    await excludeProject(runner, EVERYTHING);
    const wanted = stop ? { reason, by: origin.actor, cancels: cancelLive } : null;
    const changed = await setEverythingStop(runner, wanted);
    if (changed) await recordOnAll(parts, runner, projects, call);
    return readEverything(runner);
  });
  if (stop) await endLive(parts, projects, call);
  else letGo(parts, projects);
  return everythingOf(row);
}

/** One event on the stream of every project: who stopped or resumed it with everything, and why. */
async function recordOnAll(
  parts: Parts,
  runner: Runner,
  projects: readonly string[],
  { reason, stop, cancelLive, origin }: StopCall,
): Promise<void> {
  if (projects.length === 0) return;
  const at = await readNow(runner, parts.context.offsetMs());
  const type = stop ? "project.stopped" : "project.resumed";
  const data = { reason, scope: "everything", ...(stop && { cancel_live: cancelLive }) };
  const rows = await nextProjectSeqs(runner, projects);
  await appendEvents(
    runner,
    rows.map(({ id, last_seq: seq }) => ({
      stream: "project",
      streamId: id,
      projectId: id,
      seq,
      fact: { type, source: "operator", at, data },
      ...origin,
    })),
  );
}

export async function readEverythingStop(parts: Parts): Promise<wire.Everything> {
  return everythingOf(await parts.reader.within([], readEverything));
}

function everythingOf(row: EverythingRow): wire.Everything {
  return {
    stopped_at: iso(row.stopped_at),
    stop_reason: row.stop_reason,
    stopped_by: row.stopped_by,
  };
}
