// A rehearsal: a new connection runs once, on nothing, what flushes and first claims will ask of
// it, so that no caller waits while the database reads its catalogue and makes the plans.
// Promises: nothing is written; it ends as every transaction of its connection may, rolled back; a
// rehearsal that fails (somebody builds an index and holds a table) is no reason not to start.
// Leaves to others: opening connections (engine.ts), the real thing (flush.ts).

import { nilUuid } from "../../../std/ids.ts";
import { ensureAccounts } from "../../../store/accounts.ts";
import { ensureAgents } from "../../../store/agents.ts";
import { insertAttempts } from "../../../store/attempts.ts";
import type { Logger } from "../../../std/logger.ts";
import type { Reader } from "../../../store/db.ts";
import { appendEvents, appendFlushEvents } from "../../../store/events.ts";
import { beginFlush, readNow, rollbackFlush } from "../../../store/flushes.ts";
import { readRunDetails } from "../../../store/run-queries.ts";
import { insertRuns, updateRuns } from "../../../store/run-writes.ts";
import { findRuntimes, touchPresence, touchRuntimes } from "../../../store/runtimes.ts";
import { insertSpecs, readLanes } from "../../../store/specs.ts";
import type { FlushContext, FlushSession } from "./flush.ts";
import { runFlush } from "./flush.ts";
import type { ClaimItem } from "./items.ts";

const nobody: ClaimItem = {
  kind: "claim",
  projectId: nilUuid,
  runtime: "nobody",
  agents: [{ name: "nobody", free: 1 }],
  queues: null,
  runners: ["nobody"],
  free: 1,
  leaseMs: 1000,
  origin: { actor: "house", requestId: "rehearsal", traceparent: null },
};

/** `context` is one that no other flush uses. Throws only when there is no connection. */
export async function rehearseFlush(
  session: FlushSession,
  context: FlushContext,
  logger: Logger,
): Promise<void> {
  const runner = await session.runner();
  const offsetMs = context.offsetMs();
  try {
    await runFlush(session, [nobody], { wait: false, context });
    await Promise.all([
      beginFlush(runner, []),
      readLanes(runner, []),
      insertSpecs(runner, []),
      insertRuns(runner, []),
      updateRuns(runner, []),
      insertAttempts(runner, []),
      touchRuntimes(runner, [], offsetMs),
      touchPresence(runner, [], offsetMs),
      appendFlushEvents(runner, [], context.newId()),
      readRunDetails(runner, []),
      rollbackFlush(runner),
    ]);
  } catch (error) {
    session.discard();
    logger.warn({ err: error }, "a session could not rehearse; its first flush will be slower");
  }
}

type Pools = { readonly reader: Reader; readonly writer: Reader; readonly logger: Logger };

/** What goes before the first claim of a runtime and its agents. Throws as `rehearseFlush`. */
export async function rehearseEnrolment(
  { reader, writer, logger }: Pools,
  { newId, offsetMs }: Pick<FlushContext, "newId" | "offsetMs">,
): Promise<void> {
  await writer.within([], async () => {});
  const looked = reader.within([], (runner) => findRuntimes(runner, []));
  const written = writer.within([], (runner) =>
    Promise.all([
      ensureAgents(runner, [], { newId, lastSeq: 1 }),
      readNow(runner, offsetMs()),
      ensureAccounts(runner, [], newId),
      appendEvents(runner, []),
    ]),
  );
  try {
    await Promise.all([looked, written]);
  } catch (error) {
    logger.warn({ err: error }, "enrolment could not be rehearsed; the first will be slower");
  }
}
