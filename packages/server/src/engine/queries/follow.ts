// Following: events of a run as they are committed, from any point; directives; the end of a run.
// Promises: listens before it looks, so nothing is missed in between; reads from the register
// only, so order and completeness are the register's; a lost wake-up costs 2 s at most.
// Leaves to others: the feed of a project (feed.ts), frames on the wire (http/sse).

import type * as wire from "@signalbox/sdk";
import { isEnded } from "../../domain/run.ts";
import { readStream } from "../../store/events.ts";
import { readRuns } from "../../store/runs.ts";
import type { Parts } from "../parts.ts";
import { directiveFor } from "../commands/heartbeat.ts";
import { names, POLL_MS } from "../services/hub.ts";
import { eventOf } from "./views.ts";

const PAGE = 500;
const terminal: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "timeout"]);

export async function* followRun(
  parts: Parts,
  projectId: string,
  runId: string,
  from: { afterSeq: number; signal: AbortSignal },
): AsyncGenerator<wire.Event> {
  let cursor = from.afterSeq;
  while (!from.signal.aborted) {
    const bell = parts.hub.listen(names.run(runId));
    try {
      const { rows, ended } = await readOnward(parts, projectId, runId, cursor);
      for (const row of rows) {
        cursor = row.seq;
        yield eventOf(row);
        if (row.to_state !== null && terminal.has(row.to_state)) return;
      }
      if (rows.length === PAGE) continue;
      if (ended) return;
      await bell.wait(POLL_MS, from.signal);
    } finally {
      bell.stop();
    }
  }
}

/** The next page, and whether the run had ended with nothing left to read. */
async function readOnward(parts: Parts, projectId: string, runId: string, cursor: number) {
  return parts.reader.within([projectId], async (runner) => {
    const page = {
      after: cursor,
      before: Number.MAX_SAFE_INTEGER,
      order: "asc",
      type: null,
      limit: PAGE,
    } as const;
    const [runs, rows] = await Promise.all([
      readRuns(runner, [runId]),
      readStream(runner, runId, page),
    ]);
    const run = runs[0];
    const ended = run === undefined || (isEnded(run) && rows.length === 0);
    return { rows, ended };
  });
}

/** What a runtime's workers must hear, as it happens on any server. */
export async function* followDirectives(
  parts: Parts,
  projectId: string,
  runtime: string,
  signal: AbortSignal,
): AsyncGenerator<wire.Directive> {
  const told: string[] = [];
  let wake = (): void => {};
  const stop = parts.board.listen(projectId, runtime, (runId) => {
    told.push(runId);
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const ids = [...new Set(told.splice(0))];
      if (ids.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (told.length > 0 || signal.aborted) resolve();
        });
        continue;
      }
      const runs = await parts.reader.within([projectId], (runner) => readRuns(runner, ids));
      for (const run of runs) {
        const directive = run.runtime === runtime ? directiveFor(run) : null;
        if (directive !== null) yield directive;
      }
    }
  } finally {
    stop();
    signal.removeEventListener("abort", onAbort);
  }
}

/** Resolves with the run when it has ended, or as it is when the time is up. */
export async function waitForRun(
  parts: Parts,
  read: () => Promise<wire.Run | null>,
  runId: string,
  how: { timeoutMs: number; signal: AbortSignal },
): Promise<wire.Run | null> {
  const end = parts.clock.mono() + how.timeoutMs;
  for (;;) {
    const bell = parts.hub.listen(names.run(runId));
    try {
      const run = await read();
      if (run === null || terminal.has(run.state)) return run;
      const left = end - parts.clock.mono();
      if (left <= 0 || how.signal.aborted) return run;
      await bell.wait(Math.min(left, POLL_MS), how.signal);
    } finally {
      bell.stop();
    }
  }
}
