// Plans of the statements that every operation waits for, as the real roles with the real settings:
// each reaches the rows it was given by their index, whatever the database knows about its tables.
// Structure is asserted, not cost or time; that these checks find something is shown at the end.

import { beforeAll, describe, expect, test } from "vitest";
import type { RunCommand } from "../../src/domain/command.ts";
import { claim } from "../../src/engine/commands/claim.ts";
import { heartbeat } from "../../src/engine/commands/heartbeat.ts";
import { append, report } from "../../src/engine/commands/report.ts";
import { cancel } from "../../src/engine/commands/stop-run.ts";
import { submit } from "../../src/engine/commands/submit.ts";
import { flushOptions, sessionOptions } from "../../src/engine/engine.ts";
import type { Parts } from "../../src/engine/parts.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { dueRuns } from "../../src/store/house/sweeps.ts";
import { countStates, listRuns, listSettings } from "../../src/store/run-lists.ts";
import type { Claimed } from "../engine/duo.ts";
import { ok } from "../engine/duo.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import { useStage } from "../engine/stage.ts";
import { everything, listWays } from "./list-ways.ts";
import {
  databaseNames,
  excessIn,
  explained,
  notedFlushes,
  usePlanDatabases,
} from "./plan-stage.ts";
import type { Node, Sent } from "./plans.ts";
import { excessOf, noting, pathsOf } from "./plans.ts";
import { crowdProjects } from "./spread.ts";

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
  count_concurrency_keys: ["run by run_key_live (concurrency_key, project_id)"],
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

/** A row alone goes the same way as many. */
const waysOf = (name: string): readonly string[] | undefined => hot[name.replace(/_alone$/, "")];

/** Who looks for work looks at all lanes of the project. */
const lookingForWork = "claim_candidates reads lane of whole projects by lane_project_id_key_key";

const stage = useStage();
const flushed = new Map<string, Sent>();
const swept = new Map<string, Sent>();
const listed = new Map<string, Sent>();
usePlanDatabases();
beforeAll(async () => {
  const project = await stage.project();
  await stage.engine.registerRuntime(project, "w1", {}, origin);
  await notedFlushes(stage, flushed, (parts) => playLifecycles(parts, project));
});

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
  await playAlone(parts, project);
  await tell({ kind: "release", cause: "shutdown" }, others.splice(0, 2));
  await tell({ kind: "complete", output: 1 }, others);
  ok(await cancel(parts, project, last.runId, { reason: null, cascade: false, origin }));
  await parts.house.within([], (runner) =>
    dueRuns(noting(runner, swept), { at: "2026-01-01T00:00:00Z", id: last.runId }, 0, 500),
  );
  const asked = [{}, ...Object.values(listWays).map(({ filter }) => filter)];
  for (const filter of asked) {
    await parts.reader.within([project], (runner) => {
      const which = { ...everything, ...filter };
      return listRuns(noting(runner, listed), crowdProjects[0] as string, which, newest);
    });
  }
  await parts.reader.within([project], (runner) =>
    countStates(noting(runner, listed), crowdProjects[0] as string, 10_000),
  );
}

/** The same, one run at a time and one thing in a flush. */
async function playAlone(parts: Parts, project: string): Promise<void> {
  const [run] = await submit(parts, project, [newRunOf({})], origin);
  ok(run);
  const [claimed] = await claimAll(parts, project);
  const one = claimed as Claimed;
  const tell = async (command: RunCommand): Promise<void> => {
    for (const answer of await report(parts, project, [{ ...one, command }], origin)) ok(answer);
  };
  await tell({ kind: "start", process: {} });
  const events = [{ type: "log.line", data: { text: "line" } }];
  for (const answer of await append(parts, project, [{ ...one, events }], origin)) ok(answer);
  await tell({ kind: "complete", output: 1 });
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
const house = sessionOptions("signalbox_house", "plans");
const reader = {
  ...sessionOptions("signalbox_app", "plans"),
  readOnly: true,
  settings: listSettings,
};

test("the lifecycles sent every statement that is hot, and those of a row alone", () => {
  expect(Object.keys(hot).filter((name) => !flushed.has(name))).toEqual([]);
  const alone = [...flushed.keys()].filter((name) => name.endsWith("_alone"));
  expect(alone).toEqual(
    expect.arrayContaining([
      "insert_specs_alone",
      "insert_runs_alone",
      "insert_attempts_alone",
      "append_events_of_flush_alone",
      "update_run_steps_alone",
      "update_run_counters_alone",
      "update_run_claims_alone",
      "update_run_ends_alone",
      "begin_attempts_alone",
      "update_attempts_alone",
    ]),
  );
});

describe.each(databaseNames)("a database %s", (database) => {
  test("what is hot goes the one way by index", async () => {
    const found = await explained(database, flushOptions("plans"), flushed);
    const ways = found.flatMap(([name, plans]) =>
      plans.filter(() => waysOf(name) !== undefined).map((plan) => [name, pathsOf(plan)]),
    );
    expect(ways).toEqual(ways.map(([name]) => [name, waysOf(name as string)]));
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
    const [[, plans] = ["", []]] = await explained(
      database,
      reader,
      only(listed, "list_runs_by_id"),
    );
    const [plan] = plans;
    const ways = pathsOf(plan as Node).map((way) => way.replace(/ \(.*/, ""));
    expect(ways[0]).toMatch(/^run_spec by run_spec_(?:list|pkey|queue)$/);
    expect(plans.flatMap(excessOf).filter((line) => /hashes|all of/.test(line))).toEqual([]);
  });

  test("every filter of the list goes by its own index, and so do the counts", async () => {
    const wanted = new Map([...listed].filter(([name]) => name in listWays));
    expect([...wanted.keys()].toSorted()).toEqual(Object.keys(listWays).toSorted());
    const found = await explained(database, reader, wanted);
    const missing = found.flatMap(([name, plans]) =>
      plans.flatMap((plan) => {
        const ways = pathsOf(plan).map((way) => way.replace(/ \(.*/, ""));
        return (listWays[name]?.by ?? []).flatMap((by) => (ways.includes(by) ? [] : [name, by]));
      }),
    );
    // What is known of a table that was empty when it was looked at is wrong until the next look.
    if (!database.startsWith("analysed while empty")) expect(missing).toEqual([]);
    const counted = await explained(database, reader, only(listed, "count_states"));
    const excess = [...found, ...counted].flatMap(excessIn);
    const few = "count_states walks all of run by run_suspended";
    const much = excess.filter((line) => /hashes|all of/.test(line) && line !== few);
    expect(much).toEqual([]);
  });
});

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
