// What the database itself refuses, asked by raw SQL as the role the API works with: steps the
// table does not have, changes of what has ended, shapes no state has, edits of the register.
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunState } from "../../src/domain/machine.ts";
import { isTerminal, runStates, statePairs, terminalStates } from "../../src/domain/machine.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import type { Columns } from "./rows.ts";
import { columnsOf, insertRun, updateRun } from "./rows.ts";
import { openAs, outcomesOf } from "./sessions.ts";

let database: FreshDatabase;
let owner: pg.Client;
let app: pg.Client;
const project = randomUUID();
const ids = new Map<string, string>();

beforeAll(async () => {
  database = await freshDatabase();
  owner = await openAs(database.connection, null);
  app = await openAs(database.connection, "signalbox_app");
  await owner.query(
    `insert into signalbox.project (id, name, created_at) values ($1, 'p', now())`,
    [project],
  );
  await owner.query("insert into signalbox.feed_counter (project_id) values ($1)", [project]);
  for (const state of runStates) {
    const id = randomUUID();
    ids.set(state, id);
    await owner.query(insertRun(project, columnsOf(state), id));
    await owner.query(
      `insert into signalbox.event (stream_id, seq, project_id, feed, at, stream, type, source)
       values ($1, 1, $2, $3, now(), 'run', 'run.submitted', 'host')`,
      [id, project, ids.size],
    );
  }
  await owner.query(
    `insert into signalbox.attempt (run_id, number, id, project_id, state, counted, runtime,
       claimed_at, ended_at, cause, key_digest, child_digest)
     values ($1, 1, $1, $2, 'completed', true, 'w1', now(), now(), 'completed',
       sha256('a'), sha256('b'))`,
    [ids.get("completed"), project],
  );
});
afterAll(async () => {
  await Promise.all([owner?.end(), app?.end()]);
  await database?.drop();
});

const asApp = (statements: readonly string[]): Promise<string[]> =>
  outcomesOf(app, [project], statements);
const idOf = (state: string): string => ids.get(state) as string;

/** What one flush may write at once: a claim alone, or any path of steps that begins no claim. */
function reachable(from: RunState): Set<RunState> {
  const steps = statePairs().filter((pair) => pair.from !== null);
  const found = new Set<RunState>(
    steps.filter((pair) => pair.from === from).map((pair) => pair.to),
  );
  for (let grew = true; grew;) {
    const before = found.size;
    for (const { from: next, to } of steps) {
      if (next !== null && found.has(next) && to !== "claimed" && from !== "pending") {
        found.add(to);
      }
    }
    grew = found.size > before;
  }
  return found.add(from);
}

describe.each(runStates)("from %s", (from) => {
  test.each(runStates)("to %s by raw SQL", async (to) => {
    // A run that goes back to the line keeps its token and its ended attempt.
    const back = to === "pending" && from !== "pending";
    const kept = { ...columnsOf("completed"), finished_at: null, end_cause: null, state: to };
    const [outcome] = await asApp([updateRun(idOf(from), back ? kept : columnsOf(to))]);
    expect(outcome).toBe(reachable(from).has(to) ? "rows 1" : "SB001");
  });
});

test("the pairs above are refused and allowed in earnest", () => {
  const allowed = runStates.flatMap((from) => [...reachable(from)]);
  expect(allowed.length).toBeGreaterThan(30);
  expect(allowed.length).toBeLessThan(60);
  for (const state of terminalStates) expect([...reachable(state)]).toEqual([state]);
});

describe("terminal is final", () => {
  const changes: Columns = {
    state: "failed",
    end_cause: "kill",
    status_reason: "other",
    finished_at: "2027-01-01T00:00:00Z",
    output: '{"other": true}',
    output_sha256: "\\x00",
    error: '{"code": "other"}',
    fencing_token: 2,
    attempts_used: 0,
  };

  test.each(Object.keys(changes))("%s of an ended run cannot be changed", async (column) => {
    const change = { [column]: changes[column] ?? null };
    expect(await asApp([updateRun(idOf("completed"), change)])).toEqual(["SB001"]);
    expect(await outcomesOf(owner, [], [updateRun(idOf("completed"), change)])).toEqual(["SB001"]);
  });

  test("its numbers still move, for what may come late", async () => {
    const numbers = { last_seq: 9, last_producer_seq: 9 };
    expect(await asApp([updateRun(idOf("completed"), numbers)])).toEqual(["rows 1"]);
  });

  test("no ended run is revived by an update of everything", async () => {
    const revivals = terminalStates.flatMap((state) =>
      runStates
        .filter((to) => !isTerminal(to))
        .map((to) => updateRun(idOf(state), { ...columnsOf(to), fencing_token: 2 })),
    );
    expect(new Set(await asApp(revivals))).toEqual(new Set(["SB001"]));
  });

  test("an attempt ends once", async () => {
    const update = (set: string): string =>
      `update signalbox.attempt set ${set} where run_id = '${idOf("completed")}'`;
    const outcomes = await asApp([
      update("state = 'failed'"),
      update("ended_at = now() + interval '1 hour'"),
      update("cause = 'kill'"),
      update("counted = false"),
      update("terminated_at = now()"),
    ]);
    expect(outcomes).toEqual(["SB001", "SB001", "SB001", "SB001", "rows 1"]);
  });
});

test("identity, rank and counters of a run only grow", async () => {
  const id = idOf("running");
  const other = randomUUID();
  const outcomes = await asApp([
    updateRun(id, { id: other }),
    updateRun(id, { rank: 2 }),
    updateRun(id, { created_at: "2020-01-01T00:00:00Z" }),
    updateRun(id, { fencing_token: 0 }),
    updateRun(id, { last_seq: 0 }),
    updateRun(id, { last_seq: 2 }),
  ]);
  expect(outcomes).toEqual([...Array.from({ length: 5 }, () => "SB001"), "rows 1"]);
});

test("the guard is called for every column it looks at, save the number of the log", async () => {
  const { rows } = await owner.query<{ body: string; columns: string[] }>(
    `select p.prosrc as body, array(select a.attname from pg_attribute a
       where a.attrelid = t.tgrelid and a.attnum = any (t.tgattr))::text[]
       as columns
     from pg_trigger t join pg_proc p on p.oid = t.tgfoid
     where t.tgrelid = 'signalbox.run'::regclass and t.tgname = 'run_is_guarded'`,
  );
  const [guard] = rows;
  const seen = (guard?.body ?? "").matchAll(/\b(?:new|old)\.([a-z_0-9]+)/g);
  const looked = new Set([...seen].map(([, column]) => column));
  expect(looked.size).toBeGreaterThan(20);
  looked.delete("last_seq");
  expect(new Set(guard?.columns)).toEqual(looked);
});

test("the code of an error is kept beside it, whatever is written there", async () => {
  const id = idOf("running");
  const failed = { ...columnsOf("failed"), error: '{"code": "E-1"}' };
  const read = async (): Promise<unknown> => {
    const { rows } = await owner.query("select error_code from signalbox.run where id = $1", [id]);
    return rows[0]?.error_code;
  };
  await owner.query("begin");
  for (const [columns, code] of [
    [{ error_code: "E-2" }, null],
    [{ error: '{"code": "E-3"}' }, "E-3"],
    [{ error: null }, null],
    [failed, "E-1"],
  ] as const) {
    await owner.query(updateRun(id, columns));
    expect(await read()).toBe(code);
  }
  await owner.query("rollback");
});

describe("the register is append-only", () => {
  const all = {
    update: "update signalbox.event set data = '{}'",
    delete: "delete from signalbox.event",
    truncate: "truncate signalbox.event",
  };

  test.each(Object.entries(all))("%s is refused to the app", async (_, statement) => {
    const [outcome] = await asApp([statement]);
    expect(outcome).toBe("42501");
  });

  test("update and truncate are refused to the owner of the tables too", async () => {
    const outcomes = await outcomesOf(owner, [], [all.update, all.truncate]);
    expect(outcomes).toEqual(["SB001", "SB001"]);
  });

  test("no number of a stream or a feed is given twice", async () => {
    const insert = (stream: string, seq: number, feed: number): string =>
      `insert into signalbox.event (stream_id, seq, project_id, feed, at, stream, type, source)
       values ('${stream}', ${seq}, '${project}', ${feed}, now(), 'run', 'x.a', 'runner')`;
    const outcomes = await asApp([
      insert(idOf("pending"), 1, 99),
      insert(randomUUID(), 1, 1),
      insert(randomUUID(), 0, 99),
      insert(randomUUID(), 1, 99),
    ]);
    expect(outcomes).toEqual([
      "23505 event_pkey",
      "23505 event_feed",
      "23514 event_seq_check",
      "rows 1",
    ]);
  });
});

test("no run is deleted by the app, nor a table emptied", async () => {
  const outcomes = await asApp(["delete from signalbox.run", "truncate signalbox.run"]);
  expect(outcomes).toEqual(["42501", "42501"]);
});
