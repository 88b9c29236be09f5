// Shapes: every combination of the columns a state ties down, inserted and updated by raw SQL. The
// database takes exactly those the law allows; the law is written here as a predicate of its own.
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunState } from "../../src/domain/machine.ts";
import { isTerminal, runStates } from "../../src/domain/machine.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import type { Columns } from "./rows.ts";
import { columnsOf, insertRun, updateRun } from "./rows.ts";
import { openAs, outcomesOf } from "./sessions.ts";

let database: FreshDatabase;
let app: pg.Client;
const project = randomUUID();
const running = randomUUID();

beforeAll(async () => {
  database = await freshDatabase();
  const owner = await openAs(database.connection, null);
  await owner.query(
    "insert into signalbox.project (id, name, created_at) values ($1, 'p', now())",
    [project],
  );
  await owner.query(insertRun(project, { ...columnsOf("running"), fencing_token: 1 }, running));
  await owner.end();
  app = await openAs(database.connection, "signalbox_app");
});
afterAll(async () => {
  await app?.end();
  await database?.drop();
});

/** All ways to choose one value per column. */
function everyWay(columns: Record<string, readonly Columns[string][]>): Columns[] {
  let ways: Columns[] = [{}];
  for (const [name, values] of Object.entries(columns)) {
    ways = ways.flatMap((way) => values.map((value) => ({ ...way, [name]: value })));
  }
  return ways;
}

const uuid = "00000000-0000-7000-8000-000000000001";
const soon = "2026-01-01T00:00:59Z";
const shapes = everyWay({
  state: runStates,
  approval_mode: [null, "hold", "suspend"],
  lease_expires_at: [null, soon],
  attempt_id: [null, uuid],
  lease_ms: [null, 1000],
  claimed_at: [null, "2026-01-01T00:00:01Z"],
  attempt_end: [null, "lost"],
  fencing_token: [0, 1],
  due_at: [null, soon, "2027-01-01T00:00:00Z"],
});

/** Whether the law knows a run of this shape (ends aside: those columns follow the state). */
function lawful(shape: Columns): boolean {
  const state = shape["state"] as RunState;
  const waits = state === "waiting_approval";
  const leased =
    ["claimed", "running", "waiting_tool"].includes(state) ||
    (waits && shape["approval_mode"] === "hold");
  const has = (name: string): boolean => shape[name] !== null;
  if (waits !== has("approval_mode")) return false;
  if (leased !== has("lease_expires_at")) return false;
  if (has("attempt_id") !== (shape["fencing_token"] !== 0)) return false;
  if (leased) {
    if (!has("attempt_id") || !has("lease_ms") || !has("claimed_at")) return false;
    // A lease without an instant at which the house looks again would never end (I-5).
    if (has("attempt_end") || shape["due_at"] !== soon) return false;
  }
  return !isTerminal(state) || !has("due_at");
}

const ends = (shape: Columns): Columns =>
  isTerminal(shape["state"] as RunState)
    ? { ...shape, finished_at: "2026-01-01T00:00:02Z", end_cause: "error" }
    : { ...shape, finished_at: null, end_cause: null };

/** Whether the database took what came of the statement as `outcome`. */
const taken = (outcome: string): boolean => outcome === "rows 1";

test("a run is inserted exactly in the shapes of the law", async () => {
  expect(shapes.length).toBe(9 * 3 * 2 ** 6 * 3);
  const statements = shapes.map((shape) => insertRun(project, ends(shape)));
  const outcomes = await outcomesOf(app, [project], statements);
  const wrong = shapes.filter((shape, n) => taken(outcomes[n] as string) !== lawful(shape));
  expect(wrong).toEqual([]);
  expect(outcomes.filter(taken).length).toBeGreaterThan(50);
});

test("a leased run is updated only into the shapes of the law", async () => {
  // Back to token 0 is refused by another rule (counters only grow); claimed is behind it.
  const from = shapes.filter(
    (shape) => shape["fencing_token"] === 1 && shape["state"] !== "claimed",
  );
  const statements = from.map((shape) => updateRun(running, ends(shape)));
  const outcomes = await outcomesOf(app, [project], statements);
  const wrong = from.filter((shape, n) => taken(outcomes[n] as string) !== lawful(shape));
  expect(wrong).toEqual([]);
});

test("an end has an instant and a cause, a dead letter has failed", async () => {
  const ways = everyWay({
    state: ["pending", "completed", "failed"],
    finished_at: [null, soon],
    end_cause: [null, "error"],
    dead_lettered_at: [null, soon],
    held: [0, 1],
  });
  const base = (way: Columns): Columns => ({ ...columnsOf(way["state"] as RunState), ...way });
  const outcomes = await outcomesOf(
    app,
    [project],
    ways.map((way) => insertRun(project, base(way))),
  );
  const allowed = ways.filter((way) => {
    const ended = way["state"] !== "pending";
    if (ended !== (way["finished_at"] !== null)) return false;
    if (ended !== (way["end_cause"] !== null)) return false;
    if (way["dead_lettered_at"] !== null && way["state"] !== "failed") return false;
    return way["held"] === 0 || !ended;
  });
  expect(ways.filter((_, n) => taken(outcomes[n] as string))).toEqual(allowed);
});

test("the counters stay in their bounds", async () => {
  const ways = everyWay({
    fencing_token: [1, 2, 3, 4],
    attempts_used: [-1, 0, 1, 2, 3, 4],
    max_attempts: [0, 1, 3, 100, 101],
  });
  const statements = ways.map((way) => insertRun(project, { ...columnsOf("running"), ...way }));
  const outcomes = await outcomesOf(app, [project], statements);
  const allowed = ways.filter((way) => {
    const [token, used, most] = ["fencing_token", "attempts_used", "max_attempts"].map((name) =>
      Number(way[name]),
    ) as [number, number, number];
    return most >= 1 && most <= 100 && used >= 0 && used <= Math.min(most, token);
  });
  expect(ways.filter((_, n) => taken(outcomes[n] as string))).toEqual(allowed);
});
