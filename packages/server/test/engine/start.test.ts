// A start: what an engine does before its first caller comes.
import { afterAll, beforeAll, expect, test } from "vitest";
import pg from "pg";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { newRunOf, origin } from "./fixtures.ts";

let database: FreshDatabase;
let owner: pg.Client;

beforeAll(async () => {
  database = await freshDatabase();
  owner = new pg.Client(database.connection);
  await owner.connect();
});
afterAll(async () => {
  await owner?.end();
  await database?.drop();
});

/** How many rows each table has. */
async function contents(): Promise<Record<string, string>> {
  const { rows: tables } = await owner.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'signalbox' and c.relkind in ('r', 'p') and not c.relispartition
     order by 1`,
  );
  const counted: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await owner.query(`select count(*) as n from signalbox."${name}"`);
    counted[name] = String(rows[0].n);
  }
  return counted;
}

/** What the connections of that name ran last, and whether they wait inside a transaction. */
async function sessions(name: string): Promise<{ state: string; query: string }[]> {
  const { rows } = await owner.query(
    "select state, query from pg_stat_activity where application_name like $1",
    [`signalbox ${name}%`],
  );
  return rows;
}

test("its sessions rehearse a claim and a submission, and nothing of it stays", async () => {
  const before = await contents();
  expect(Object.keys(before)).toContain("run");
  const engine = await startEngine({
    connection: database.connection,
    version: "0.0.0",
    sweeps: false,
  });
  try {
    expect(await contents()).toEqual(before);
    const idle = { state: "idle", query: "rollback" };
    await expect.poll(() => sessions("work"), { timeout: 10_000 }).toEqual([idle, idle]);
  } finally {
    await engine.stop();
  }
});

test("a table that somebody holds does not keep it from starting", async () => {
  // As building an index does: reading goes on, writing waits.
  await owner.query("begin");
  await owner.query("lock table signalbox.run, signalbox.agent in share mode");
  let engine: RunningEngine | null = null;
  try {
    engine = await startEngine({
      connection: database.connection,
      version: "0.0.0",
      sweeps: false,
    });
    await owner.query("commit");
    const project = await engine.createProject("held", origin);
    if (isRefusal(project)) throw new Error(project.detail);
    const id = fromTypeId("prj", project.id) as string;
    const [submitted] = await engine.submit(id, [newRunOf({})], origin);
    expect(submitted).toMatchObject({ created: true });
  } finally {
    await owner.query("rollback");
    await engine?.stop();
  }
});
