// What a server remembers of the runs it wrote: used only while the locked row is still the one it
// wrote, so that a remembered run is never older than its row, whoever else has written it and
// whichever database answers.
import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fence, RunCommand } from "../../src/domain/command.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Run } from "../../src/domain/run.ts";
import { isEnded, isLeased } from "../../src/domain/run.ts";
import { RunMemory } from "../../src/engine/services/flush/memory.ts";
import type { Runner } from "../../src/store/db.ts";
import { runnerOf } from "../../src/store/db.ts";
import { lockRuns, readRuns } from "../../src/store/runs.ts";
import { commands, pending, runIn } from "../domain/runs.ts";
import { nameProjects, openAs } from "../store/sessions.ts";
import type { Claimed } from "./duo.ts";
import { claimUpTo, ok, submitAll, useDuo } from "./duo.ts";
import { origin } from "./fixtures.ts";

const duo = useDuo();
const POISON = "nul \u0000 in the middle";
let app: pg.Client;

beforeAll(async () => {
  const { host, port, database, user = "", password } = duo.owner;
  const connection = { host, port, database: database ?? "", user, password: password ?? "" };
  app = await openAs(connection, "signalbox_app");
});
afterAll(() => app?.end());

const memoryOf = (engine: typeof duo.a): RunMemory => engine.parts.context.memory;

/** A run that worker `w1` has claimed at server a. */
async function claimed(project: string): Promise<Claimed> {
  await submitAll(duo.a, project, 1);
  const [claim] = await claimUpTo(duo.a, project, 1);
  return claim as Claimed;
}

async function report(engine: typeof duo.a, project: string, one: Claimed, command: RunCommand) {
  const [answer] = await engine.report(project, [{ ...one, command }], origin);
  if (answer === undefined) throw new Error("no answer");
  return isRefusal(answer) ? answer.code : answer.state;
}

describe("what is kept", () => {
  const named = (id: string, parts: Partial<Run> = {}): Run =>
    ({ ...pending(), id, ...parts }) as Run;

  test("a run as it was written, with the version of its row, until it is written again", () => {
    const memory = new RunMemory();
    memory.keep([named("a"), named("b")], "7");
    memory.keep([named("b", { lastSeq: 5 })], "8");
    expect(memory.get("a")).toEqual({ version: "7", run: named("a") });
    expect(memory.get("b")).toEqual({ version: "8", run: named("b", { lastSeq: 5 }) });
    expect(memory.get("c")).toBeUndefined();
  });

  test("without what only one decision carries", () => {
    const memory = new RunMemory();
    memory.keep([named("a", { checkpointChanged: { checkpoint: 7 } })], "7");
    expect(memory.get("a")?.run).toEqual(named("a"));
    expect(memory.get("a")?.run).not.toHaveProperty("checkpointChanged");
  });

  test("no run that has ended, nor what was kept of it before", () => {
    const memory = new RunMemory();
    memory.keep([named("a")], "7");
    memory.keep([{ ...runIn("completed"), id: "a" }], "8");
    expect(memory.get("a")).toBeUndefined();
  });

  test("at most 10,000: the one that was written longest ago goes first", () => {
    const memory = new RunMemory();
    memory.keep(
      Array.from({ length: 10_000 }, (_, n) => named(`r${n}`)),
      "7",
    );
    memory.keep([named("r0")], "8");
    memory.keep([named("new")], "9");
    const kept = ["r0", "r1", "r2", "new"].filter((id) => memory.get(id) !== undefined);
    expect(kept).toEqual(["r0", "r2", "new"]);
  });

  test("nothing once flushes go through a new connection", () => {
    const memory = new RunMemory();
    const [one, other] = [{}, {}];
    memory.meet(one);
    memory.keep([named("a")], "7");
    memory.meet(one);
    expect(memory.get("a")).toBeDefined();
    memory.meet(other);
    expect(memory.get("a")).toBeUndefined();
  });
});

describe("locking", () => {
  /** Locks runs as a flush does; says which statements that took. */
  async function lock(
    project: string,
    ids: readonly string[],
    remembered: (id: string) => ReturnType<RunMemory["get"]>,
  ): Promise<{ runs: Run[]; sent: string[] }> {
    const sent: string[] = [];
    const plain = runnerOf(app);
    const runner: Runner = {
      query(what, values) {
        sent.push(what.name);
        return plain.query(what, values);
      },
    };
    await app.query("begin");
    try {
      await nameProjects(app, [project]);
      return { runs: await lockRuns(runner, ids, { wait: true, remembered }), sent };
    } finally {
      await app.query("rollback");
    }
  }

  test("reads no row that is as it is remembered, and all others", async () => {
    const project = await duo.project();
    const [same, changed, unknown] = (await submitAll(duo.a, project, 3)) as [
      string,
      string,
      string,
    ];
    const gone = pending().id.replace(/.*/, "00000000-0000-7000-8000-000000000009");
    const memory = memoryOf(duo.a);
    const known = [same, changed].map((id) => memory.get(id)?.run.lastSeq);
    expect(known).toEqual([1, 1]);
    ok(await duo.b.cancel(project, changed, { reason: null, cascade: false }, origin));
    const remembered = (id: string) => (id === unknown ? undefined : memory.get(id));

    const one = await lock(project, [same], remembered);
    expect(one.sent).toEqual(["lock_runs_waiting"]);
    const all = await lock(project, [same, changed, unknown, gone].toSorted(), remembered);
    expect(all.sent.toSorted()).toEqual(["lock_runs_waiting", "read_runs", "read_runs"]);
    expect(all.runs.map(({ id }) => id)).toEqual([same, changed, unknown].toSorted());
    const phases = new Map(all.runs.map((run) => [run.id, run.phase]));
    expect([same, changed, unknown].map((id) => phases.get(id))).toEqual([
      "pending",
      "cancelled",
      "pending",
    ]);
  });

  test("is not misled by what is forgotten while it waits for the lock", async () => {
    const project = await duo.project();
    const [id] = (await submitAll(duo.a, project, 1)) as [string];
    const memory = memoryOf(duo.a);
    const first = memory.get(id);
    let asked = 0;
    const { runs } = await lock(project, [id], () => {
      asked += 1;
      return asked === 1 ? first : undefined;
    });
    expect(runs).toEqual([first?.run]);
  });
});

describe("another server's write is seen", () => {
  test("whatever both do in turn, what is remembered is stored so, or is not used", async () => {
    const project = await duo.project();
    const ids = await submitAll(duo.a, project, 2, { maxAttempts: 50 });
    const step = fc.record({
      run: fc.nat(1),
      server: fc.constantFrom<"a" | "b">("a", "b"),
      ask: fc.constantFrom(
        "claim",
        "start",
        "await_tool",
        "resume",
        "release",
        "fail",
        "renew",
        "append",
      ),
    });
    const fences = new Map<string, Fence>();
    let number = 0;
    const play = async (engine: typeof duo.a, id: string, ask: string): Promise<void> => {
      if (ask === "claim") {
        for (const { runId, fence } of await claimUpTo(engine, project, 1)) {
          fences.set(runId, fence);
        }
        return;
      }
      const fence = fences.get(id);
      if (fence === undefined) return;
      number += 1;
      const events = [{ type: "log.line", producerSeq: number, data: {} }];
      const command: RunCommand =
        ask === "append" ? { kind: ask, events } : commands[ask as "start"];
      await report(engine, project, { runId: id, fence }, command);
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        for (const { run, server, ask } of steps) {
          await play(duo[server], ids[run] as string, ask);
          duo.tick(1000);
        }
        const rows = await duo.a.parts.reader.within([project], (runner) => readRuns(runner, ids));
        const { rows: versions } = await duo.owner.query<{ id: string; version: string }>(
          "select r.id, r.xmin::text as version from signalbox.run r where r.id = any ($1::uuid[])",
          [ids],
        );
        for (const engine of [duo.a, duo.b]) {
          for (const { id, version } of versions) {
            const known = memoryOf(engine).get(id);
            if (known?.version !== version) continue;
            expect(known.run).toEqual(rows.find((row) => row.id === id));
          }
        }
        const remembered = versions.filter(({ id, version }) =>
          [duo.a, duo.b].some((engine) => memoryOf(engine).get(id)?.version === version),
        );
        expect(remembered).toHaveLength(2);
      }),
      { numRuns: 25 },
    );
  });

  test("a wish to cancel through another server ends a completion cancelled", async () => {
    const project = await duo.project();
    const one = await claimed(project);
    expect(memoryOf(duo.a).get(one.runId)?.run.phase).toBe("claimed");
    ok(await duo.b.cancel(project, one.runId, { reason: null, cascade: false }, origin));
    expect(await report(duo.a, project, one, { kind: "complete", output: 1 })).toBe("cancelled");
  });

  test("a kill through another server fences the worker of this one", async () => {
    const project = await duo.project();
    const one = await claimed(project);
    ok(await duo.b.kill(project, one.runId, "runaway", origin));
    expect(await report(duo.a, project, one, commands.start)).toBe("stale_fencing_token");
  });

  test("so is one by hand, in the database", async () => {
    const project = await duo.project();
    const one = await claimed(project);
    await duo.owner.query(
      `update signalbox.run set lease_expires_at = lease_expires_at - interval '1 hour',
         due_at = due_at - interval '1 hour' where id = $1`,
      [one.runId],
    );
    await duo.beat();
    await duo.a.sweepOnce();
    expect((await duo.a.run(project, one.runId))?.state).toBe("pending");
  });
});

describe("what did not commit is not remembered", () => {
  test("a report that could not be stored leaves the run as it was", async () => {
    const project = await duo.project();
    const one = await claimed(project);
    expect(await report(duo.a, project, one, commands.start)).toBe("running");
    const before = memoryOf(duo.a).get(one.runId);
    const poison = { kind: "complete", output: POISON } as const;
    expect(await report(duo.a, project, one, poison)).toBe("internal");
    expect(memoryOf(duo.a).get(one.runId)).toEqual(before);
    expect(await report(duo.a, project, one, commands.await_tool)).toBe("waiting_tool");
  });
});

describe("another database may answer after a loss", () => {
  /** What a restored backup can do: the same transaction number, another run behind it. */
  function mislead(runId: string): void {
    const memory = memoryOf(duo.a);
    const known = memory.get(runId);
    if (known === undefined || !isLeased(known.run)) throw new Error("it is not remembered");
    memory.keep([{ ...known.run, phase: "waiting_tool" }], known.version);
  }

  test("the test can mislead a server that has lost nothing", async () => {
    const project = await duo.project();
    const one = await claimed(project);
    mislead(one.runId);
    expect(await report(duo.a, project, one, commands.start)).toBe("invalid_transition");
  });

  test.each(["while it is idle", "in the middle of a flush"])("lost %s", async (when) => {
    const project = await duo.project();
    const one = await claimed(project);
    const other = await claimed(project);
    mislead(one.runId);
    const cut = async (): Promise<void> => {
      const sessions = "s.datname = current_database() and s.application_name = 'signalbox work'";
      const kill = `select pg_terminate_backend(s.pid) from pg_stat_activity s where ${sessions}`;
      await duo.owner.query(kill);
      for (;;) {
        const left = await duo.owner.query(`select 1 from pg_stat_activity s where ${sessions}`);
        if (left.rows.length === 0) return;
      }
    };
    if (when === "while it is idle") await cut();
    else {
      // The flush waits for the counter of the feed, and is cut there.
      await duo.owner.query("begin");
      await duo.owner.query(
        "select from signalbox.feed_counter f where f.project_id = $1 for update",
        [project],
      );
      const reported = report(duo.a, project, other, commands.start);
      for (let waits = false; !waits;) {
        await duo.owner.query("select pg_stat_clear_snapshot()");
        const { rows } = await duo.owner.query(
          `select 1 from pg_stat_activity s where s.datname = current_database()
             and s.application_name = 'signalbox work' and s.wait_event_type = 'Lock'`,
        );
        waits = rows.length > 0;
      }
      await duo.owner.query("rollback");
      await cut();
      expect(await reported).toBe("running");
    }
    // The ends of the connections are heard in the next turns of the event loop at the latest.
    await duo.a.parts.reader.within([project], (runner) => readRuns(runner, [one.runId]));
    expect(await report(duo.a, project, one, commands.start)).toBe("running");
    expect(isEnded(memoryOf(duo.a).get(one.runId)?.run as Run)).toBe(false);
  });
});
