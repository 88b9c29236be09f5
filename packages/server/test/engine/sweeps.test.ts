// The sweep as it runs by itself: armed for the next instant, never stuck behind a row it cannot
// have. (Real time; deadlines are generous, nothing is asserted about speed.)
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { expectNoViolations } from "../store/checker.ts";
import { claimUpTo, ok, submitAll } from "./duo.ts";
import { origin } from "./fixtures.ts";

let database: FreshDatabase;
let engine: RunningEngine;
let owner: pg.Client;
let project: string;

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine({ connection: database.connection, version: "0.0.0" });
  owner = new pg.Client(database.connection);
  await owner.connect();
  const created = await engine.createProject("swept", origin);
  if (isRefusal(created)) throw new Error(created.detail);
  project = fromTypeId("prj", created.id) as string;
  ok(await engine.registerRuntime(project, "w1", {}, origin));
});
afterAll(async () => {
  await engine?.stop();
  await owner?.end();
  try {
    if (database !== undefined) await expectNoViolations(database.connection);
  } finally {
    await database?.drop();
  }
});

async function claimFor(leaseMs: number): Promise<string> {
  await submitAll(engine, project, 1, { maxAttempts: 2 });
  const input = { runtime: "w1", agents: [], queues: null, runners: ["default"], free: 1 };
  const { signal } = new AbortController();
  const { claims } = ok(
    await engine.claim(project, { ...input, leaseMs, waitMs: 0 }, origin, signal),
  );
  return fromTypeId("run", claims[0]?.run.id ?? "") as string;
}

/** Only a hang takes as long. */
const LONG_MS = 25_000;

/** Waits until the run is in a state, looking again and again. */
async function untilState(id: string, state: string): Promise<void> {
  const end = performance.now() + LONG_MS;
  for (;;) {
    const run = await engine.run(project, id);
    if (run?.state === state) return;
    expect(performance.now(), `${id} is ${run?.state}, not ${state}`).toBeLessThan(end);
  }
}

test("a lost lease is taken back by itself, and its backoff ends by itself", async () => {
  const id = await claimFor(1000);
  await untilState(id, "pending");
  const end = performance.now() + LONG_MS;
  while ((await claimUpTo(engine, project, 1)).length === 0) {
    expect(performance.now()).toBeLessThan(end);
  }
  ok(await engine.kill(project, id, "done", origin));
});

test("a row that somebody holds does not keep the sweep from others", async () => {
  // Long enough to be locked before it is over, on any machine.
  const held = await claimFor(4000);
  await owner.query("begin");
  await owner.query("select from signalbox.run r where r.id = $1 for no key update", [held]);
  try {
    // It falls due when the sweep has met the held row already.
    const other = await claimFor(5500);
    await untilState(other, "pending");
    expect((await engine.run(project, held))?.state).toBe("claimed");
  } finally {
    await owner.query("rollback");
  }
  await untilState(held, "pending");
});
