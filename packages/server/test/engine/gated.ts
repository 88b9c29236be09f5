// Flush sessions under a test's control: real connections with a gate before each flush, so that a
// test decides which flush goes when, and with commits whose answer is lost on the way.
// Promises: what is behind the gate is the product's own session on a real database.
// Leaves to others: which items there are (duo.ts, fixtures.ts).

import { After } from "../../src/engine/services/after.ts";
import type { BatcherOptions } from "../../src/engine/services/batcher.ts";
import { Batcher } from "../../src/engine/services/batcher.ts";
import { Dispatcher } from "../../src/engine/services/dispatcher.ts";
import type { Flushed, FlushSession } from "../../src/engine/services/flush/flush.ts";
import type { RunItem, SubmitItem } from "../../src/engine/services/flush/items.ts";
import { Hub } from "../../src/engine/services/hub.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import { systemClock } from "../../src/std/clock.ts";
import { newUuid } from "../../src/std/ids.ts";
import type { Runner } from "../../src/store/db.ts";
import { ClientSession } from "../../src/store/session.ts";
import { ensureLanes } from "../../src/store/specs.ts";
import type { Connection } from "../setup/database.ts";
import type { ManualClock } from "../setup/manual-clock.ts";
import { manualClock } from "../setup/manual-clock.ts";
import type { Claimed } from "./duo.ts";
import { newRunOf, origin } from "./fixtures.ts";

/** A connection was lost: as the driver says it. */
function lost(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
}

/** A flush session whose flushes wait at a gate while it is shut. */
export class GatedSession implements FlushSession {
  readonly #session: ClientSession;
  #waiting: (() => void)[] = [];
  #arrivals: (() => void)[] = [];
  #shut = false;
  #seen: { runner: Runner; wrapped: Runner } | null = null;
  /** The database is away: no connection can be made. */
  away = false;
  /** What becomes of the next commit: it is never sent, or done and its answer lost. */
  commit: "answered" | "not sent" | "answer lost" = "answered";

  constructor(connection: Connection) {
    this.#session = new ClientSession(connection, {
      role: "signalbox_app",
      applicationName: "signalbox gated",
      statementTimeoutMs: 10_000,
      lockTimeoutMs: 200,
    });
  }

  async runner(): Promise<Runner> {
    for (const arrive of this.#arrivals.splice(0)) arrive();
    if (this.#shut) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.away) throw lost();
    const runner = await this.#session.runner();
    if (this.#seen?.runner !== runner) this.#seen = { runner, wrapped: this.#wrap(runner) };
    return this.#seen.wrapped;
  }

  #wrap(runner: Runner): Runner {
    return {
      query: async (what, values) => {
        if (what.name !== "commit" || this.commit === "answered") {
          return runner.query(what, values);
        }
        if (this.commit === "answer lost") await runner.query(what, values);
        this.commit = "answered";
        this.discard();
        throw lost();
      },
    };
  }

  /** From now on flushes wait. */
  shut(): void {
    this.#shut = true;
  }

  /** Lets those that wait go, and all that come. */
  open(): void {
    this.#shut = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Lets the one that waits go, and shuts behind it. */
  letOne(): void {
    this.#waiting.shift()?.();
  }

  /** Resolves when the next flush (or look at one) has come to the gate. */
  arrival(): Promise<void> {
    return new Promise((resolve) => this.#arrivals.push(resolve));
  }

  discard(): void {
    this.#session.discard();
  }

  end(): Promise<void> {
    return this.#session.end();
  }
}

export type Gated = {
  readonly batcher: Batcher;
  readonly lanes: readonly GatedSession[];
  /** Claims that wait, by a clock that moves by hand. */
  readonly dispatcher: Dispatcher;
  readonly clock: ManualClock;
  readonly after: After;
  /** What was committed, flush by flush. */
  readonly flushes: Flushed[];
  stop(): Promise<void>;
};

/**
 * A work batcher and a dispatcher of its own, over gated sessions: a server beside the engine,
 * which lends what flushes share.
 */
export function gatedBatcher(
  engine: RunningEngine,
  connection: Connection,
  options: Partial<BatcherOptions> & { readonly lanes?: number } = {},
): Gated {
  const { lanes: count = 2, ...rest } = options;
  const { context, board, reader, logger, statuses, quota } = engine.parts;
  const lanes = Array.from({ length: count }, () => new GatedSession(connection));
  const flushes: Flushed[] = [];
  const clock = manualClock();
  const hub = new Hub(clock);
  const nothing = (): void => {};
  const after: After = new After({
    hub,
    board,
    floors: context.floors,
    statuses,
    quota,
    regulated: (projectId) => context.regulated.has(projectId),
    shut: context.shut,
    reader,
    work: () => batcher,
    logger,
    ring: nothing,
    armSweep: nothing,
  });
  const batcher: Batcher = new Batcher({
    name: "work",
    wait: false,
    sessions: lanes,
    context,
    clock: systemClock,
    logger,
    maxRows: 1000,
    maxWaiting: 50_000,
    deadlineMs: 10_000,
    onCommitted: (flushed) => {
      flushes.push(flushed);
      after.committed(flushed);
    },
    riders: (submissions) => dispatcher.riders(submissions),
    ...rest,
  });
  const dispatcher = new Dispatcher({ work: batcher, hub, clock });
  const stop = async (): Promise<void> => {
    for (const lane of lanes) {
      lane.away = false;
      lane.open();
    }
    hub.close();
    await batcher.stop();
    await after.settled();
    await Promise.all(lanes.map((lane) => lane.end()));
  };
  return { batcher, lanes, dispatcher, clock, after, flushes, stop };
}

/** An append of numbered log lines to a claimed run. */
export function appendOf(
  projectId: string,
  { runId, fence }: Claimed,
  numbers: readonly number[],
  text = "line",
): RunItem {
  const events = numbers.map((producerSeq) => ({
    type: "log.line",
    producerSeq,
    data: { text },
  }));
  const command = { kind: "append", events } as const;
  return { kind: "run", projectId, runId, fence, what: { command }, origin };
}

/** A submission as the command makes it: with ids, its lanes in the database. */
export async function submitOf(
  engine: RunningEngine,
  projectId: string,
  specs: readonly Partial<NewRun>[],
): Promise<SubmitItem> {
  const whole = specs.map((spec) => newRunOf(spec));
  const lanes = await engine.parts.writer.within([projectId], (runner) =>
    ensureLanes(
      runner,
      whole.map((key) => ({ projectId, key })),
      newUuid,
    ),
  );
  const runs = whole.map((spec, n) => ({
    id: newUuid(),
    laneId: lanes[n] as string,
    spec,
    dependsOn: spec.dependsOn,
  }));
  return { kind: "submit", projectId, runs, origin };
}
