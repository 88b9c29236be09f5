// The sweep at the start of a worker: ends what workers that died here have left behind.
// Promises: only processes that carry our markers and whose worker, named by pid, start time and
// pid namespace, is dead. A process of another container is never touched, even where it is
// visible: its mark names a pid that means nothing here.
// Leaves to others: trees whose worker or supervisor lives; they look after their own.

import { environmentOf, isAlive, listProcesses, pidNamespaceOf } from "./proc-table.ts";
import { parseWorkerMark, WORKER_MARKER } from "./environment.ts";
import { sweepScratch } from "./scratch.ts";
import { ATTEMPT_MARKER, ProcessTree } from "./tree.ts";

export type SweepResult = {
  /** Processes that were found and ended. */
  processes: number;
  /** Folders of attempts that were removed. */
  folders: number;
};

/** Ends marked processes whose worker is dead (SIGTERM, grace, SIGKILL), then their folders. */
export async function sweepOrphans(
  options: { graceMs?: number; under?: string } = {},
): Promise<SweepResult> {
  const here = pidNamespaceOf("self");
  let processes = 0;
  const ends: Promise<unknown>[] = [];
  // A worker that is itself such a left-over does not judge: it would end its own family.
  if (here !== null && !isAbandoned(process.pid, here)) {
    for (const row of listProcesses()) {
      if (row.dead || row.pid === process.pid || !isAbandoned(row.pid, here)) continue;
      processes += 1;
      const attemptId = environmentOf(row.pid)?.get(ATTEMPT_MARKER) ?? null;
      const { pid, startTime } = row;
      const pgid = row.pgid === pid ? pid : null;
      const tree = new ProcessTree({ pid, pgid, startTime, attemptId });
      ends.push(tree.kill({ graceMs: options.graceMs ?? 2_000 }));
    }
  }
  await Promise.all(ends);
  return { processes, folders: await sweepScratch(options.under) };
}

function isAbandoned(pid: number, here: string): boolean {
  const mark = parseWorkerMark(environmentOf(pid)?.get(WORKER_MARKER) ?? "");
  if (mark === null || mark.namespace !== here || pidNamespaceOf(pid) !== here) return false;
  return !isAlive(mark);
}
