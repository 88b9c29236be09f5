// Writes of runs: whatever the law decides, alone or among others, the row afterwards is what was
// decided; and what is frequent is written by few columns. (Histories are random, rows are real.)
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RunCommand } from "../../src/domain/command.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Json, Run } from "../../src/domain/run.ts";
import { HELD_DEPENDENCY, isEnded } from "../../src/domain/run.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import { newRun } from "../../src/domain/submission.ts";
import { FlushState } from "../../src/engine/services/flush/state.ts";
import { sha256Hex } from "../../src/std/digest.ts";
import type { Runner } from "../../src/store/db.ts";
import { runnerOf } from "../../src/store/db.ts";
import type { Results, RunWrite } from "../../src/store/run-writes.ts";
import { insertRuns, updateRuns } from "../../src/store/run-writes.ts";
import { readRuns } from "../../src/store/runs.ts";
import { commands, START } from "../domain/runs.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { nameProjects, openAs } from "./sessions.ts";

let database: FreshDatabase;
let app: pg.Client;
let runner: Runner;
/** Names of the statements that were sent, of a row alone or of many. */
let sent: string[] = [];
const project = randomUUID();

beforeAll(async () => {
  database = await freshDatabase();
  const owner = await openAs(database.connection, null);
  await owner.query(
    "insert into signalbox.project (id, name, created_at) values ($1, 'p', now())",
    [project],
  );
  await owner.end();
  app = await openAs(database.connection, "signalbox_app");
  const plain = runnerOf(app);
  runner = {
    query(what, values) {
      sent.push(what.name.replace(/_alone$/, ""));
      return plain.query(what, values);
    },
  };
});
afterAll(async () => {
  await app?.end();
  await database?.drop();
});
beforeEach(() => begin());
afterEach(() => app.query("rollback"));

async function begin(): Promise<void> {
  await app.query("begin");
  await nameProjects(app, [project]);
}

/** A run that was just submitted, with its first fact. */
function born(parts: Partial<NewRun> = {}): Run {
  const ids = { id: randomUUID(), projectId: project, laneId: randomUUID() };
  const open = parts.dependsOn?.length ?? 0;
  return { ...newRun(newRunOf(parts), ids, open, START), lastSeq: 1 };
}

type Ask = RunCommand | "claim";

/** What the law makes of a run at an instant; the run itself when it says no. */
function decided(run: Run, ask: Ask, ms = 0): Run {
  const state = new FlushState(() => 0.5);
  state.at = START + ms;
  state.hold(run);
  const claim = { kind: "claim", attemptId: randomUUID(), runtime: "w1", agent: "ada" } as const;
  const command = ask === "claim" ? { ...claim, leaseMs: 60_000 } : ask;
  if (isRefusal(state.apply(run.id, command, origin))) return run;
  return state.runs.get(run.id)?.run ?? run;
}

const through = (run: Run, ...asks: Ask[]): Run =>
  asks.reduce((now, ask) => stored(decided(now, ask)), run);

/** The run as its row has it: without what only its decision carries. */
function stored(run: Run): Run {
  const { checkpointChanged: _, ...rest } = run;
  if (!("ending" in rest)) return rest;
  const { ending: __, ...ended } = rest;
  return ended;
}

function writeOf(before: Run, run: Run, metadataPatch?: Json): RunWrite {
  const ending = isEnded(run) ? run.ending : undefined;
  const results: Results = {
    ...(ending?.output === undefined
      ? {}
      : { output: ending.output, outputSha256: sha256Hex(JSON.stringify(ending.output)) }),
    ...(ending?.error === undefined ? {} : { error: ending.error }),
    ...(metadataPatch === undefined ? {} : { metadataPatch }),
  };
  return { before, run, results };
}

async function rowsOf(runs: readonly Run[]): Promise<(Run | undefined)[]> {
  const rows = await readRuns(
    runner,
    runs.map((run) => run.id),
  );
  return runs.map((run) => rows.find((row) => row.id === run.id));
}

const complete = (output: Json): RunCommand => ({ kind: "complete", output });
const append = (producerSeq: number | null): RunCommand => ({
  kind: "append",
  events: [{ type: "log.line", producerSeq, data: {} }],
});

describe("the narrowest statement that holds what has changed", () => {
  const claimed = () => through(born(), "claim");
  const running = () => through(claimed(), commands.start);
  const kinds: [string, string, () => Run, Ask][] = [
    ["a renewal", "update_run_leases", claimed, { kind: "renew" }],
    ["an event", "update_run_counters", running, append(1)],
    ["a start", "update_run_steps", claimed, commands.start],
    ["a tool call", "update_run_steps", running, commands.await_tool],
    ["an extension", "update_run_leases", claimed, { kind: "extend", byMs: 60_000 }],
    ["a claim", "update_run_claims", () => born(), "claim"],
    ["a completion", "update_run_ends", running, complete({ ok: true })],
    ["a final failure", "update_run_ends", running, commands.fail_for_good],
    ["a kill", "update_run_ends", running, commands.kill],
    ["a failure that is tried again", "update_runs", running, commands.fail],
    ["a release", "update_runs", claimed, commands.release],
    ["a wish to cancel", "update_runs", running, commands.cancel],
    ["a wait for approval", "update_runs", running, commands.await_approval],
    ["a taken key", "update_runs", () => born({ concurrencyKey: "k" }), { kind: "hold_key" }],
    [
      "a renewal with a checkpoint",
      "update_runs",
      running,
      { kind: "renew", checkpoint: { step: 7 } },
    ],
  ];

  test.each(kinds)("%s: %s", async (_, statement, make, ask) => {
    const before = make();
    await insertRuns(runner, [{ before: null, run: before, results: {} }]);
    const after = decided(before, ask, 1000);
    expect(after).not.toBe(before);
    sent = [];
    await updateRuns(runner, [writeOf(before, after)]);
    expect(sent).toEqual([statement]);
    expect(await rowsOf([after])).toEqual([stored(after)]);
  });

  test("few of several kinds go together, in one statement that holds them all", async () => {
    for (const [first, , makeFirst, askFirst] of kinds) {
      for (const [second, , makeSecond, askSecond] of kinds) {
        const befores = [makeFirst(), makeSecond()];
        const results = {};
        await insertRuns(
          runner,
          befores.map((run) => ({ before: null, run, results })),
        );
        const afters = befores.map((run, n) => decided(run, n === 0 ? askFirst : askSecond, 1000));
        sent = [];
        await updateRuns(
          runner,
          afters.map((run, n) => writeOf(befores[n] as Run, run)),
        );
        expect(sent).toHaveLength(1);
        expect(await rowsOf(afters), `${first} and ${second}`).toEqual(afters.map(stored));
      }
    }
  });

  test("many of several kinds go by kind", async () => {
    const befores = Array.from({ length: 70 }, (_, n) => (n % 2 === 0 ? claimed() : running()));
    await insertRuns(
      runner,
      befores.map((run) => ({ before: null, run, results: {} })),
    );
    const afters = befores.map((run, n) =>
      decided(run, n % 2 === 0 ? { kind: "renew" } : append(1), 1000),
    );
    sent = [];
    await updateRuns(
      runner,
      afters.map((run, n) => writeOf(befores[n] as Run, run)),
    );
    expect(sent.toSorted()).toEqual(["update_run_counters", "update_run_leases"]);
    expect(await rowsOf(afters)).toEqual(afters.map(stored));
  });
});

const json: fc.Arbitrary<Json> = fc.jsonValue({ maxDepth: 3 }).map((value) => {
  // Text is cleaned at the door: no NUL, no half of a pair.
  const text = JSON.stringify(value).replaceAll(/\\u(?:0000|d[89a-f]..)/gi, "?");
  return JSON.parse(text) as Json;
});
const asks: fc.Arbitrary<Ask> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("claim" as const) },
  { weight: 3, arbitrary: fc.constant(commands.start) },
  {
    weight: 8,
    arbitrary: fc.constantFrom<RunCommand>(
      ...Object.values(commands).filter(({ kind }) => kind !== "claim"),
    ),
  },
  fc.option(fc.nat(20), { nil: null }).map(append),
  fc.nat(100_000).map((byMs): Ask => ({ kind: "extend", byMs })),
  fc.nat(7).map((bits): Ask => ({ kind: "release_held", bits, openDependencies: bits % 2 })),
  fc.constant<Ask>({ kind: "hold_key" }),
  json.map(complete),
  json.map((checkpoint): Ask => ({ kind: "renew", leaseMs: 30_000, checkpoint })),
  json.map((checkpoint): Ask => ({ kind: "release", cause: "shutdown", checkpoint })),
  fc.string({ unit: "grapheme-composite", maxLength: 50 }).map((message): Ask => {
    const error = { code: "boom", message, detail: { message } };
    return { kind: "fail", error, retryable: false, output: message };
  }),
);
const submissions = fc.record<Partial<NewRun>>({
  priority: fc.nat(99),
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  notBefore: fc.option(fc.integer({ min: START - 9, max: START + 9000 })),
  deadlineAt: fc.option(fc.integer({ min: START + 1, max: START + 9_000_000 })),
  maxDurationS: fc.option(fc.integer({ min: 1, max: 9000 })),
  concurrencyKey: fc.option(fc.constantFrom("k", "{NULL}", 'a "quoted" \\ key')),
  concurrencyLimit: fc.integer({ min: 1, max: 9 }),
  failWithDependency: fc.boolean(),
  dependsOn: fc.constantFrom([], [randomUUID()]),
  backoff: fc.constantFrom({}, { baseMs: 1 }, { factor: 3, jitter: 0 }),
});
const patches = fc.oneof(
  { weight: 9, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.dictionary(fc.string(), json) },
);
const beginnings = fc.constantFrom<Ask[]>([], ["claim"], ["claim", commands.start]);
const acts = fc.array(
  fc.record({
    ask: asks,
    waitMs: fc.nat(40_000),
    patch: patches,
  }),
  { minLength: 1, maxLength: 12 },
);

describe("whatever the law decides", () => {
  type Large = { output: Json; error: Json; metadata: Json; checkpoint: Json };
  const nothing: Large = { output: null, error: null, metadata: null, checkpoint: null };

  async function largeOf(id: string): Promise<Large> {
    const { rows } = await app.query<Large>(
      `select r.output, r.error, r.metadata_patch as metadata, r.checkpoint
       from signalbox.run r where r.id = $1`,
      [id],
    );
    return rows[0] as Large;
  }

  function folded(large: Large, { run, results }: RunWrite): Large {
    const { output, error, metadataPatch } = results;
    const patch = metadataPatch as { [name: string]: Json } | undefined;
    return {
      output: output ?? large.output,
      error: error ?? large.error,
      metadata: patch === undefined ? large.metadata : { ...(large.metadata as object), ...patch },
      checkpoint:
        run.checkpointChanged === undefined ? large.checkpoint : run.checkpointChanged.checkpoint,
    };
  }

  const cleaned = (patch: Record<string, Json>): Json =>
    JSON.parse(JSON.stringify(patch).replaceAll(/\\u(?:0000|d[89a-f]..)/gi, "?")) as Json;

  test("a run's row is the run, step by step, with all that its steps brought along", async () => {
    const used = new Set<string>();
    await app.query("rollback");
    await fc.assert(
      fc.asyncProperty(submissions, beginnings, acts, async (submission, beginning, all) => {
        await begin();
        let run = through(born(submission), ...beginning);
        let large = nothing;
        let ms = 0;
        await insertRuns(runner, [{ before: null, run, results: {} }]);
        expect(await rowsOf([run])).toEqual([run]);
        for (const { ask, waitMs, patch } of all) {
          ms += waitMs;
          const after = decided(run, ask, ms);
          if (after === run) continue;
          const write = writeOf(run, after, patch === null ? undefined : cleaned(patch));
          sent = [];
          await updateRuns(runner, [write]);
          for (const name of sent) used.add(name);
          run = stored(after);
          large = folded(large, write);
          expect(await rowsOf([run])).toEqual([run]);
          expect(await largeOf(run.id)).toEqual(large);
        }
        await app.query("rollback");
      }),
      { numRuns: 150 },
    );
    expect([...used].toSorted()).toEqual([
      "update_run_claims",
      "update_run_counters",
      "update_run_ends",
      "update_run_leases",
      "update_run_steps",
      "update_runs",
    ]);
    await begin();
  });

  test("runs that are written together are each what was decided about it", async () => {
    await app.query("rollback");
    const one = fc.tuple(submissions, beginnings, acts);
    const many = fc.array(one, { minLength: 2, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(many, fc.constantFrom(1, 10), async (all, copies) => {
        await begin();
        // Beyond 64 rows they are written by kind: the same histories, many times over.
        const histories = Array.from({ length: copies }, () => all).flat();
        let runs = histories.map(([submission, beginning]) =>
          through(born(submission), ...beginning),
        );
        await insertRuns(
          runner,
          runs.map((run) => ({ before: null, run, results: {} })),
        );
        for (let step = 0; step < 12; step += 1) {
          const writes = runs.flatMap((run, n) => {
            const act = histories[n]?.[2][step];
            if (act === undefined) return [];
            const after = decided(run, act.ask, step * 20_000);
            return after === run ? [] : [writeOf(run, after)];
          });
          if (writes.length > 0) await updateRuns(runner, writes);
          const now = new Map(writes.map(({ run }) => [run.id, stored(run)]));
          runs = runs.map((run) => now.get(run.id) ?? run);
        }
        expect(await rowsOf(runs)).toEqual(runs);
        await app.query("rollback");
      }),
      { numRuns: 40 },
    );
    await begin();
  });

  test("a run may be born claimed, held back or ended", async () => {
    const runs = [
      through(born({ maxDurationS: 5 }), "claim"),
      through(born({ concurrencyKey: "k" }), { kind: "hold_key" }),
      through(born({ dependsOn: [randomUUID()] }), commands.fail_dependency),
      through(born(), commands.cancel),
    ];
    expect(runs.map((run) => run.phase)).toEqual(["claimed", "pending", "failed", "cancelled"]);
    await insertRuns(
      runner,
      runs.map((run) => ({ before: null, run, results: {} })),
    );
    expect(await rowsOf(runs)).toEqual(runs);
    expect(HELD_DEPENDENCY & (runs[1]?.held ?? 0)).toBe(0);
  });
});

test("a write that finds fewer rows than it was given fails", async () => {
  const there = through(born(), "claim");
  const absent = through(born(), "claim");
  await insertRuns(runner, [{ before: null, run: there, results: {} }]);
  const writes = [there, absent].map((run) => writeOf(run, decided(run, { kind: "renew" }, 1000)));
  await expect(updateRuns(runner, writes)).rejects.toMatchObject({ code: "SB002" });
});
