// Verifying a register: of a database at work, of one that nothing has happened in, of one that was
// tampered with, and of what cannot be verified.
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { invariants } from "../../src/store/house/invariants.ts";
import type { Verification } from "../../src/store/house/invariants-verify.ts";
import { verifyRegister } from "../../src/store/house/invariants-verify.ts";
import { SchemaRefused } from "../../src/store/migrate.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { ok } from "../engine/duo.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { emptyDatabase, freshDatabase } from "../setup/database.ts";
import { openAs } from "./sessions.ts";

let database: FreshDatabase;
let engine: RunningEngine;
let owner: pg.Client;

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine({ connection: database.connection, version: "0.0.0" });
  owner = await openAs(database.connection, null);
});
afterAll(async () => {
  await engine?.stop();
  await owner?.end();
  await database?.drop();
});

const verified = (): Promise<Verification> => verifyRegister(database.connection, () => {});

test("nothing has happened: nothing is violated, and nothing was shown", async () => {
  const found = await verified();
  expect(found).toEqual({ events: 0, invariants: invariants.length, violations: [] });
});

describe("of a database at work", () => {
  beforeAll(async () => {
    const { id } = ok(await engine.createProject("p", origin));
    const project = fromTypeId("prj", id) as string;
    const specs = Array.from({ length: 50 }, () => newRunOf());
    for (const result of await engine.submit(project, specs, origin)) ok(result);
  });

  test("every invariant is asked, in the order of the list, and holds", async () => {
    const asked: string[] = [];
    const found = await verifyRegister(database.connection, (name) => asked.push(name));
    expect(found.violations).toEqual([]);
    expect(found.events).toBeGreaterThanOrEqual(50);
    expect(asked).toEqual(invariants.map(({ name }) => name));
  });

  test("what was changed behind its back is named", async () => {
    await owner.query("set session_replication_role = replica");
    await owner.query("update signalbox.feed_counter set n = n + 1");
    const { violations } = await verified();
    await owner.query("update signalbox.feed_counter set n = n - 1");
    expect(violations.map(({ invariant }) => invariant)).toEqual(["I-8 numbers"]);
    expect((await verified()).violations).toEqual([]);
  });
});

describe("what cannot be verified is refused, not found good", () => {
  test("a database without our schema", async () => {
    const empty = await emptyDatabase();
    try {
      const refused = await verifyRegister(empty.connection, () => {}).catch((error) => error);
      expect(refused).toBeInstanceOf(SchemaRefused);
      expect(String(refused)).toMatch(/has schema 0, .*signalbox db migrate/);
    } finally {
      await empty.drop();
    }
  });

  test.each([
    ["older", "delete from signalbox.schema_migration where version > 1", /db migrate/],
    ["newer", "insert into signalbox.schema_migration values (999, 'x', 'y')", /newer signalbox/],
  ])("a schema that is %s than this program's", async (_, change, says) => {
    const other = await freshDatabase();
    const client = await openAs(other.connection, null);
    try {
      await client.query(change);
      const refused = await verifyRegister(other.connection, () => {}).catch((error) => error);
      expect(refused).toMatchObject({ exitCode: 78, message: expect.stringMatching(says) });
    } finally {
      await client.end();
      await other.drop();
    }
  });

  test("a table whose rows a role could see past its policy", async () => {
    await owner.query("alter table signalbox.lane no force row level security");
    try {
      await expect(verified()).rejects.toThrow(SchemaRefused);
    } finally {
      await owner.query("alter table signalbox.lane force row level security");
    }
  });
});
