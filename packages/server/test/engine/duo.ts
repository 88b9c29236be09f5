// Two engines on one database, for races: what two servers of an installation do at the same
// instant.
// Leaves to others: raw sessions that hold locks (test/store/sessions.ts).

import type pg from "pg";
import { afterAll, beforeAll, expect } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import type { Fence } from "../../src/domain/command.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { expectNoViolations } from "../store/checker.ts";
import { openAs } from "../store/sessions.ts";
import { newRunOf, origin } from "./fixtures.ts";

export type Duo = {
  readonly a: RunningEngine;
  readonly b: RunningEngine;
  /** A session as the owner of the tables: sees who waits, holds locks. */
  readonly owner: pg.Client;
  tick(ms: number): void;
  /** Says that the house was up until now: tests sweep by hand, which is no outage. */
  beat(): Promise<void>;
  /** A new project with worker `w1`; its UUID. */
  project(): Promise<string>;
};

export function useDuo(): Duo {
  let offset = 0;
  let count = 0;
  const open: { database?: FreshDatabase; engines: RunningEngine[]; owner?: pg.Client } = {
    engines: [],
  };
  beforeAll(async () => {
    const database = await freshDatabase();
    open.database = database;
    const options = {
      connection: database.connection,
      version: "0.0.0",
      sweeps: false,
      offsetMs: () => offset,
    };
    open.engines.push(await startEngine(options), await startEngine(options));
    open.owner = await openAs(database.connection, null);
  });
  afterAll(async () => {
    await Promise.all(open.engines.map((engine) => engine.stop()));
    await open.owner?.end();
    try {
      if (open.database !== undefined) await expectNoViolations(open.database.connection);
    } finally {
      await open.database?.drop();
    }
  });
  const duo: Duo = {
    get a() {
      return open.engines[0] as RunningEngine;
    },
    get b() {
      return open.engines[1] as RunningEngine;
    },
    get owner() {
      return open.owner as pg.Client;
    },
    tick(ms) {
      offset += ms;
    },
    async beat() {
      await duo.owner.query(
        "update signalbox.control_heartbeat set at = clock_timestamp() + interval '1 minute'",
      );
    },
    async project() {
      count += 1;
      const id = fromTypeId("prj", ok(await duo.a.createProject(`race-${count}`, origin)).id);
      await duo.a.registerRuntime(id as string, "w1", {}, origin);
      return id as string;
    },
  };
  return duo;
}

/** The answer, which must be no refusal. */
export function ok<T>(answer: T | Refusal | undefined): T {
  if (answer === undefined || isRefusal(answer)) throw new Error(JSON.stringify(answer));
  return answer;
}

/** Submits runs and returns their UUIDs, in order. */
export async function submitAll(
  engine: RunningEngine,
  projectId: string,
  count: number,
  parts: Partial<NewRun> = {},
): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const specs = Array.from({ length: Math.min(500, count - ids.length) }, () => newRunOf(parts));
    const results = await engine.submit(projectId, specs, origin);
    ids.push(...results.map((one) => fromTypeId("run", ok(one).run.id) as string));
  }
  return ids;
}

export type Claimed = { readonly runId: string; readonly fence: Fence };

/** Claims up to `free` runs without waiting. */
export async function claimUpTo(
  engine: RunningEngine,
  projectId: string,
  free: number,
): Promise<Claimed[]> {
  const input = {
    runtime: "w1",
    agents: [],
    queues: null,
    runners: ["default"],
    free,
    leaseMs: 60_000,
    waitMs: 0,
  };
  const { signal } = new AbortController();
  const { claims } = ok(await engine.claim(projectId, input, origin, signal));
  return claims.map((one) => ({
    runId: fromTypeId("run", one.run.id) as string,
    fence: {
      attemptId: fromTypeId("att", one.attempt_id) as string,
      token: one.fencing_token,
    },
  }));
}

/**
 * Waits until a session of this name is seen waiting for a lock; a session of ours, not a timer.
 */
export async function seenWaiting(owner: pg.Client, application: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await isWaiting(owner, application))) {
    expect(performance.now(), `${application} was never seen waiting`).toBeLessThan(end);
  }
}

/** Whether a session of this name waits for a lock now. */
export async function isWaiting(owner: pg.Client, application: string): Promise<boolean> {
  // Inside a transaction the list of sessions is otherwise the one first looked at.
  await owner.query("select pg_stat_clear_snapshot()");
  const { rows } = await owner.query<{ waits: boolean }>(
    `select exists (select from pg_stat_activity s where s.datname = current_database()
       and s.application_name = $1 and s.wait_event_type = 'Lock') as waits`,
    [application],
  );
  return rows[0]?.waits === true;
}
