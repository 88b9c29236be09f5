// The thin slice: submit → claim → start → events → complete through every floor below HTTP.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { expectNoViolations } from "../store/checker.ts";
import { newRunOf, origin } from "./fixtures.ts";

let database: FreshDatabase;
let engine: RunningEngine;
let projectId: string;

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine({ connection: database.connection, version: "0.0.0" });
  const project = await engine.createProject("slice", origin);
  if (isRefusal(project)) throw new Error(project.detail);
  projectId = fromTypeId("prj", project.id) as string;
  await engine.registerRuntime(projectId, "w1", {}, origin);
});
afterAll(async () => {
  await engine?.stop();
  if (database !== undefined) await expectNoViolations(database.connection);
  await database?.drop();
});

test("a run goes from submit to done and every step is in the register", async () => {
  const [submitted] = await engine.submit(projectId, [newRunOf({ input: { n: 1 } })], origin);
  if (submitted === undefined || isRefusal(submitted)) throw new Error(JSON.stringify(submitted));
  expect(submitted.created).toBe(true);
  const claimed = await engine.claim(
    projectId,
    {
      runtime: "w1",
      agents: [],
      queues: null,
      runners: ["default"],
      free: 5,
      leaseMs: 10_000,
      waitMs: 0,
    },
    origin,
    new AbortController().signal,
  );
  if (isRefusal(claimed)) throw new Error(claimed.detail);
  expect(claimed.claims).toHaveLength(1);
  const claim = claimed.claims[0];
  if (claim === undefined) throw new Error("no claim");
  const runId = fromTypeId("run", claim.run.id) as string;
  const fence = {
    attemptId: fromTypeId("att", claim.attempt_id) as string,
    token: claim.fencing_token,
  };
  const [started] = await engine.report(
    projectId,
    [{ runId, fence, command: { kind: "start" } }],
    origin,
  );
  expect(started).toMatchObject({ state: "running" });
  const [appended] = await engine.append(
    projectId,
    [{ runId, fence, events: [{ type: "log.line", producer_seq: 1, data: { text: "hi" } }] }],
    origin,
  );
  expect(appended).toEqual({ last_seq: "4", stored: 1 });
  const [done] = await engine.report(
    projectId,
    [{ runId, fence, command: { kind: "complete", output: { ok: true } } }],
    origin,
  );
  expect(done).toMatchObject({ state: "completed" });
  const run = await engine.run(projectId, runId);
  expect(run).toMatchObject({ state: "completed", output: { ok: true }, attempts_used: 1 });
  const events = await engine.runEvents(projectId, runId, { order: "asc", limit: 100 });
  expect(events.items.map((event) => `${event.seq} ${event.type}`)).toEqual([
    "1 run.submitted",
    "2 run.claimed",
    "3 run.started",
    "4 log.line",
    "5 run.completed",
  ]);
});
