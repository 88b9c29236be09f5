// The play: submits the dozen, brings the workers on, kills one in the middle of its run.
// Promises: runs are submitted before any worker is there, so that priorities decide; the kill is
// SIGKILL, in mid-run; ends when every run has ended, or after a minute without success.
// Leaves to others: whether it went as it should (verdict.ts).

import type { Event, RunSummary } from "@signalbox/sdk";
import { isSignalboxError } from "@signalbox/sdk";
import type { Screen } from "../screen.ts";
import { safeLine } from "../safe-text.ts";
import { Board, titleOf } from "./board.ts";
import { agents, type Ground, plannedRuns, titles } from "./plan.ts";
import type { Stage } from "./stage.ts";

/** What the verdict needs to know that is not in the register. */
export type Played = {
  runs: readonly string[];
  killedRun: string;
  killed: { runtime: string; pid: number; at: number } | null;
};

const LONGEST_MS = 60_000;
/** The killed worker's lease: long enough for heartbeats, short enough to watch it end. */
const SHORT_LEASE_S = 4;
/** Lines of the long run before its worker is killed: it is in its middle then. */
const LINES_BEFORE_KILL = 3;

/** Plays. `signal` ends it early. */
export async function play(
  stage: Stage,
  ground: Ground,
  { screen, signal }: { screen: Screen; signal: AbortSignal },
): Promise<Played> {
  const { client } = stage;
  const feed = await lastFeed(stage);
  const runs = await submitAll(stage, ground);
  const board = new Board(screen, runs);
  const killedRun = runs.find((run) => titleOf(run) === titles.killed)?.id ?? "";
  const played: Played = { runs: runs.map(({ id }) => id), killedRun, killed: null };
  const workers = Object.values(agents).map((agent) =>
    stage.begin(agent, `${agent.name}-1`, agent === agents.indexer ? SHORT_LEASE_S : undefined),
  );
  for (const worker of workers) {
    worker.process.once("exit", (code, how) => {
      if (how === "SIGKILL" || signal.aborted) return;
      board.say(
        `worker ${worker.name} ended by itself (${how ?? code}): ${safeLine(worker.lastWords)}`,
      );
    });
  }
  const victim = workers.find(({ agent }) => agent === agents.indexer.name);
  const deadline = AbortSignal.timeout(LONGEST_MS);
  const stopping = AbortSignal.any([signal, deadline]);
  let lines = 0;
  try {
    for await (const event of client.events.follow({ afterFeed: feed, signal: stopping })) {
      board.take(event);
      if (isLine(event, killedRun)) lines += 1;
      if (lines === LINES_BEFORE_KILL && played.killed === null && victim !== undefined) {
        played.killed = { runtime: victim.name, pid: victim.process.pid ?? 0, at: Date.now() };
        victim.process.kill("SIGKILL");
        board.say(`killed worker ${victim.name} (SIGKILL) in the middle of its run`);
        stage.begin(agents.indexer, `${agents.indexer.name}-2`);
      }
      if (board.done) break;
    }
  } catch (error) {
    // After a minute the verdict says what is missing.
    if (isSignalboxError(error) || !stopping.aborted) throw error;
  } finally {
    for (const worker of workers) worker.process.removeAllListeners("exit");
    board.close();
  }
  return played;
}

const isLine = (event: Event, run: string): boolean =>
  event.stream_id === run && event.type === "log.line";

/** Where the project's feed stands: only what comes now belongs to this play. */
async function lastFeed({ client }: Stage): Promise<string> {
  let after = "0";
  for (;;) {
    const page = await client.events.list({ after_feed: after, limit: 500 });
    after = page.items.at(-1)?.feed ?? after;
    if (!page.has_more) return after;
  }
}

async function submitAll({ client, scratch }: Stage, ground: Ground): Promise<RunSummary[]> {
  const results = await client.runs.submitMany(plannedRuns(ground, scratch));
  return results.map((result) => {
    if (result.ok) return result.run;
    throw new Error(`a run was refused: ${result.problem.detail}`);
  });
}
