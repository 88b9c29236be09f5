// Plans of the statements that every operation waits for, as the real roles with the real settings:
// each reaches the rows it was given by their index, whatever the database knows about its tables.
// Structure is asserted, not cost or time; that these checks find something is shown at the end.

import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunCommand } from "../../src/domain/command.ts";
import { claim } from "../../src/engine/commands/claim.ts";
import { heartbeat } from "../../src/engine/commands/heartbeat.ts";
import { append, report } from "../../src/engine/commands/report.ts";
import { cancel } from "../../src/engine/commands/stop-run.ts";
import { submit } from "../../src/engine/commands/submit.ts";
import { flushOptions, sessionOptions } from "../../src/engine/engine.ts";
import type { Parts } from "../../src/engine/parts.ts";
import { Batcher } from "../../src/engine/services/batcher.ts";
import { Dispatcher } from "../../src/engine/services/dispatcher.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { silentLogger } from "../../src/std/logger.ts";
import type { SessionOptions } from "../../src/store/db.ts";
import { dueRuns } from "../../src/store/house/sweeps.ts";
import { listRuns } from "../../src/store/run-queries.ts";
import type { Claimed } from "../engine/duo.ts";
import { ok } from "../engine/duo.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import { useStage } from "../engine/stage.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { addCrowd, crowdProjects } from "./crowd.ts";
import type { Node, Sent } from "./plans.ts";
import { excessOf, Explainer, NotedSession, noting, pathsOf } from "./plans.ts";
import { openAs } from "./sessions.ts";

const byId = ["run by run_pkey (id)"];
const attemptByKey = ["attempt by attempt_pkey (number, run_id)"];

/** The statements of a lifecycle, and how each reaches the tables that grow. */
const hot: Readonly<Record<string, readonly string[]>> = {
  insert_specs: [],
  insert_runs: [],
  insert_attempts: [],
  append_events_of_flush: [],
  claim_candidates: [
    "lane by lane_project_id_key_key (project_id)",
    // Twice: the head of each lane above its floor, then the candidates from there on.
    "run by run_ready (lane_id, rank)",
    "run by run_ready (lane_id, rank)",
  ],
  lock_runs_skipping: byId,
  lock_runs_waiting: byId,
  read_runs: byId,
  parents_of: byId,
  update_run_counters: byId,
  update_run_leases: byId,
  update_run_steps: byId,
  update_run_claims: byId,
  update_run_ends: byId,
  update_runs: byId,
  begin_attempts: attemptByKey,
  update_attempts: attemptByKey,
};

/** Who looks for work looks at all lanes of the project. */
const lookingForWork = "claim_candidates reads lane of whole projects by lane_project_id_key_key";

/** What a database knows about its tables. Nothing else is different between them. */
const databases: readonly [string, (app: pg.Client, owner: pg.Client) => Promise<void>][] = [
  ["empty and never analysed", async () => {}],
  [
    "analysed while empty, then filled",
    async (app, owner) => {
      await owner.query("analyze");
      await addCrowd(app, [1, 20_000], "all ages");
    },
  ],
  [
    "analysed before the first claim, then filled",
    async (app, owner) => {
      await addCrowd(app, [1, 5000], "pending");
      await owner.query("analyze");
      await addCrowd(app, [5001, 25_000], "all ages");
    },
  ],
  [
    "large and analysed: 100,000 runs, 300,000 events",
    async (app, owner) => {
      await addCrowd(app, [1, 100_000], "all ages");
      await owner.query("analyze");
    },
  ],
];

const stage = useStage();
const flushed = new Map<string, Sent>();
const swept = new Map<string, Sent>();
const listed = new Map<string, Sent>();
const opened = new Map<string, FreshDatabase>();

beforeAll(async () => {
  await noteLifecycles();
  for (const [name, prepare] of databases) {
    const database = await freshDatabase();
    opened.set(name, database);
    const owner = await openAs(database.connection, null);
    const app = await openAs(database.connection, "signalbox_app");
    for (const table of ["run", "run_spec", "event", "attempt", "lane"]) {
      await owner.query(`alter table signalbox.${table} set (autovacuum_enabled = false)`);
    }
    await prepare(app, owner);
    await Promise.all([owner.end(), app.end()]);
  }
}, 180_000);
afterAll(async () => {
  for (const database of opened.values()) await database.drop();
});

/** Plays lifecycles of the product on sessions that note what is sent. */
async function noteLifecycles(): Promise<void> {
  const { engine, database } = stage;
  const project = await stage.project();
  await engine.registerRuntime(project, "w1", {}, origin);
  const session = new NotedSession(database.connection, flushOptions("noted"));
  const batcher = (name: "work" | "control"): Batcher =>
    new Batcher({
      name,
      wait: name === "control",
      sessions: [session],
      context: engine.parts.context,
      clock: engine.parts.clock,
      logger: silentLogger,
      maxRows: 1000,
      maxWaiting: 50_000,
      deadlineMs: 10_000,
      onCommitted: (done) => engine.parts.after.committed(done),
    });
  const [work, control] = [batcher("work"), batcher("control")];
  const dispatcher = new Dispatcher({ work, hub: engine.parts.hub, clock: engine.parts.clock });
  await playLifecycles({ ...engine.parts, work, control, dispatcher }, project);
  await Promise.all([work.stop(), control.stop()]);
  await engine.parts.after.settled();
  for (const [name, sent] of session.sent) flushed.set(name, sent);
  await session.end();
}

const RUNS = 100;

async function playLifecycles(parts: Parts, project: string): Promise<void> {
  const submitAll = async (specs: readonly Partial<NewRun>[]): Promise<string[]> => {
    const results = await submit(parts, project, specs.map(newRunOf), origin);
    return results.map((one) => fromTypeId("run", ok(one).run.id) as string);
  };
  const numbers = Array.from({ length: RUNS }, (_, n) => n);
  await submitAll(
    numbers.map((n) => ({ idempotencyKey: `once ${n}`, concurrencyKey: `key ${n}` })),
  );
  const [parent = ""] = await submitAll([{ tags: ["tag"] }]);
  await submitAll([{ dependsOn: [parent] }]);
  const claims = await claimAll(parts, project);
  expect(claims.length).toBeGreaterThan(RUNS);
  const tell = async (command: RunCommand, to = claims): Promise<void> => {
    const items = to.map((one) => ({ ...one, command }));
    for (const answer of await report(parts, project, items, origin)) ok(answer);
  };
  await tell({ kind: "start", process: {} });
  parts.context.memory.clear(); // as after a lost connection: the next flush reads what it locks
  const events = [{ type: "log.line", data: { text: "line" } }];
  const logs = claims.map((one) => ({ ...one, events }));
  for (const answer of await append(parts, project, logs, origin)) ok(answer);
  ok(await heartbeat(parts, project, { runtime: "w1", agents: ["a"], leases: claims }, origin));
  const [last, ...others] = claims as [Claimed, ...Claimed[]];
  await tell({ kind: "complete", output: 1 }, others);
  ok(await cancel(parts, project, last.runId, { reason: null, cascade: false, origin }));
  await parts.house.within([], (runner) =>
    dueRuns(noting(runner, swept), { at: "2026-01-01T00:00:00Z", id: last.runId }, 0, 500),
  );
  await parts.reader.within([project], (runner) =>
    listRuns(noting(runner, listed), crowdProjects[0] as string, everything, newest),
  );
}

async function claimAll(parts: Parts, project: string): Promise<Claimed[]> {
  const agents = [{ name: "a", free: 500 }];
  const free = {
    agents,
    queues: null,
    runners: ["default"],
    free: 500,
    leaseMs: 60_000,
    waitMs: 0,
  };
  const call = { origin, signal: new AbortController().signal };
  const { claims } = ok(await claim(parts, project, { runtime: "w1", ...free }, call));
  return claims.map((one) => ({
    runId: fromTypeId("run", one.run.id) as string,
    fence: { attemptId: fromTypeId("att", one.attempt_id) as string, token: one.fencing_token },
  }));
}

const newest = { before: "ffffffff-ffff-ffff-ffff-ffffffffffff", limit: 101 };
const everything = {
  states: null,
  queue: null,
  runner: null,
  agent: null,
  runtime: null,
  tag: null,
  errorCode: null,
  parentRun: null,
  createdAfter: null,
  createdBefore: null,
  finishedAfter: null,
  finishedBefore: null,
  idFrom: null,
  idTo: null,
  scopes: {},
};

/** The plans of each statement on a session of these options: `[name, plans]`. */
async function explained(
  database: string,
  options: SessionOptions,
  sent: ReadonlyMap<string, Sent>,
): Promise<[string, Node[]][]> {
  const { connection } = opened.get(database) as FreshDatabase;
  const projects = options.role === "signalbox_app" ? crowdProjects.slice(0, 1) : [];
  const explainer = new Explainer(connection, options, projects);
  await explainer.open();
  try {
    const found: [string, Node[]][] = [];
    for (const [name, one] of sent) {
      if (/^(?:begin|commit|rollback)$/.test(name)) continue;
      found.push([name, await explainer.plans(one, EXECUTIONS)]);
    }
    return found;
  } finally {
    await explainer.end();
  }
}

/** Beyond the five after which a plan for all values may be taken. */
const EXECUTIONS = 7;
const house = sessionOptions("signalbox_house", "plans");
const reader = { ...sessionOptions("signalbox_app", "plans"), readOnly: true };
const names = databases.map(([name]) => [name] as const);

test("the lifecycles sent every statement that is hot", () => {
  expect(Object.keys(hot).filter((name) => !flushed.has(name))).toEqual([]);
});

describe.each(names)("a database %s", (database) => {
  test("what is hot goes the one way by index", async () => {
    const found = await explained(database, flushOptions("plans"), flushed);
    const ways = found.flatMap(([name, plans]) =>
      plans.filter(() => name in hot).map((plan) => [name, pathsOf(plan)]),
    );
    expect(ways).toEqual(ways.map(([name]) => [name, hot[name as string]]));
    const excess = found.flatMap(excessIn);
    expect(excess.filter((line) => line !== lookingForWork)).toEqual([]);
  });

  test("the sweep finds what is due by its index, and the plan that stays does too", async () => {
    const [[, plans] = ["", []]] = await explained(database, house, swept);
    expect(pathsOf(plans.at(-1) as Node)).toEqual(["run by run_due (due_at, id)"]);
    // An empty table is read whole until a plan stays; that is nothing.
    if (!database.startsWith("empty")) expect(plans.flatMap(excessOf)).toEqual([]);
  });

  test("the first page of runs goes down the ids until it is full", async () => {
    const [[, plans] = ["", []]] = await explained(database, reader, listed);
    const ways = new Set(plans.flatMap(pathsOf).map((way) => way.replace(/ \(.*/, "")));
    ways.delete("run by run_pkey");
    // By the ids of the project, or by all ids where the project has many of the newest.
    expect(["run_spec by run_spec_list", "run_spec by run_spec_pkey"]).toContain([...ways][0]);
    expect([...ways].slice(1).filter((way) => !way.startsWith("run_tag"))).toEqual([]);
    expect(plans.flatMap(excessOf).filter((line) => line.startsWith("hashes"))).toEqual([]);
  });
});

/** Statement and excess of each of its plans. */
function excessIn([name, plans]: [string, Node[]]): string[] {
  return plans.flatMap((plan) => excessOf(plan).map((excess) => `${name} ${excess}`));
}

function only(sent: ReadonlyMap<string, Sent>, name: string): Map<string, Sent> {
  return new Map([...sent].filter(([own]) => own === name));
}

describe("these checks find something", () => {
  const { settings: _, ...unpinned } = flushOptions("plans");
  test.each([
    ["empty and never analysed", "update_run_steps", "hashes run"],
    ["empty and never analysed", "lock_runs_skipping", "reads all of run"],
    ["analysed while empty, then filled", "begin_attempts", "reads all of attempt"],
  ])("without the pinned settings on a database %s: %s %s", async (database, name, excess) => {
    const found = await explained(database, unpinned, only(flushed, name));
    expect(found.flatMap(excessIn)).toContain(`${name} ${excess}`);
  });
});
