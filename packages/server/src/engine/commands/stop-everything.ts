// stop and resume of everything: every project of the installation, those to come included.
// Promises: one row, set under the lock that claims and renewals of all projects share: from its
// commit nothing starts; every project's stream tells of it, in bounded pieces, also when this
// server dies in between (sweeps go on); a stop is lifted once all were told; a project that has a
// stop of its own stays stopped then.
// Leaves to others: who may (http: the owner), ending what is live (`stop-project.ts`), what is
// left to end when this server dies (sweeps).

import type * as wire from "@signalbox/sdk";
import { nilUuid } from "../../std/ids.ts";
import { appendEvents } from "../../store/events.ts";
import type { EverythingRow, Told } from "../../store/everything.ts";
import {
  beginLift,
  endLift,
  projectIds,
  readEverything,
  stopEverything,
  tellProjects,
  untoldProjects,
} from "../../store/everything.ts";
import { readNow } from "../../store/flushes.ts";
import { EVERYTHING, excludeProject } from "../../store/projects.ts";
import { iso } from "../../store/run-rows.ts";
import type { Parts } from "../parts.ts";
import type { StopCall } from "./stop-project.ts";
import { endLive, letGo } from "./stop-project.ts";

/** Projects of one transaction or one look. */
const PAGE = 500;

export async function setEverything(parts: Parts, call: StopCall): Promise<wire.Everything> {
  const { reason, stop, cancelLive: cancels, origin } = call;
  const { actor: by, requestId } = origin;
  // Whoever was not told of the stop yet hears of it before its end.
  if (!stop) await tellEverything(parts);
  await parts.writer.within([], async (runner) => {
    await excludeProject(runner, EVERYTHING);
    if (stop) await stopEverything(runner, { reason, by, cancels }, requestId);
    else await beginLift(runner, { reason, by }, requestId);
  });
  const ending = stop ? ofAll(parts, (projects) => endLive(parts, projects, call)) : undefined;
  await Promise.all([tellEverything(parts), ending]);
  return readEverythingStop(parts);
}

/** Tells all projects of the last change that were not told yet; then a lifted stop is over. */
export async function tellEverything(parts: Parts): Promise<void> {
  for (;;) {
    const ids = await parts.house.within([], (runner) => untoldProjects(runner, PAGE));
    if (ids.length === 0) break;
    await tellPage(parts, ids);
  }
  const over = await parts.writer.within([], async (runner) => {
    await excludeProject(runner, EVERYTHING);
    return endLift(runner);
  });
  if (over) await ofAll(parts, (projects) => letGo(parts, projects));
}

/** One event on the stream of each: who stopped or resumed it with everything, and why. */
async function tellPage(parts: Parts, ids: readonly string[]): Promise<void> {
  await parts.writer.within(ids, async (runner) => {
    const told = await tellProjects(runner, ids);
    if (told.length === 0) return;
    const at = await readNow(runner, parts.context.offsetMs());
    await appendEvents(
      runner,
      told.map((one) => ({
        stream: "project",
        streamId: one.id,
        projectId: one.id,
        seq: one.last_seq,
        fact: { type: typeOf(one), source: "operator", at, data: dataOf(one) },
        actor: one.by,
        requestId: one.request_id,
        traceparent: null,
      })),
    );
  });
}

const typeOf = ({ stops }: Told) => (stops ? "project.stopped" : "project.resumed");
const dataOf = ({ stops, cancels, reason }: Told) => ({
  reason,
  scope: "everything",
  ...(stops && { cancel_live: cancels }),
});

/** Every project there is, page by page. */
async function ofAll(
  parts: Parts,
  use: (projects: readonly string[]) => Promise<void> | void,
): Promise<void> {
  for (let after = nilUuid; ;) {
    const from = after;
    const ids = await parts.house.within([], (runner) => projectIds(runner, from, PAGE));
    if (ids.length > 0) await use(ids);
    if (ids.length < PAGE) return;
    after = ids.at(-1) as string;
  }
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
