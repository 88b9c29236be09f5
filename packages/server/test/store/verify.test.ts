// Verifying a register: of a database at work, of one that nothing has happened in, of one that was
// tampered with, and of what cannot be verified.
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { askedAbout, catalogue } from "../../src/store/house/invariant-catalogue.ts";
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

const verified = (): Promise<Verification> => verifyRegister(database.connection);

test("nothing has happened: nothing is violated, and nothing was shown", async () => {
  const found = await verified();
  expect(found).toMatchObject({ events: 0, invariants: invariants.length, violations: [] });
});

describe("of a database at work", () => {
  beforeAll(async () => {
    const { id } = ok(await engine.createProject("p", origin));
    const project = fromTypeId("prj", id) as string;
    const specs = Array.from({ length: 50 }, () => newRunOf());
    for (const result of await engine.submit(project, specs, origin)) ok(result);
  });

  test("every invariant is asked, and holds", async () => {
    const asked = new Set<string>();
    const tell = (name: string): void => void asked.add(name);
    const found = await verifyRegister(database.connection, { tell });
    expect(found.violations).toEqual([]);
    expect(found.events).toBeGreaterThanOrEqual(50);
    expect([...asked].toSorted()).toEqual(invariants.map(({ name }) => name).toSorted());
  });

  test("in ranges, each with its share of the streams, as in one", async () => {
    const fault = "update signalbox.run set fencing_token = 9";
    await owner.query("set session_replication_role = replica");
    await owner.query(fault);
    const asked: string[] = [];
    const tell = (name: string, range: number | null): void => void asked.push(`${name} ${range}`);
    const whole = await verified();
    const pieces = await verifyRegister(database.connection, { tell, rangeEvents: 7 });
    await owner.query("update signalbox.run set fencing_token = 0");
    expect(whole.violations.length).toBeGreaterThanOrEqual(100);
    expect(pieces).toEqual(whole);
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked).toContain("I-9 fold 8");
    expect((await verified()).violations).toEqual([]);
  });

  test("what was changed behind its back is named", async () => {
    await owner.query("set session_replication_role = replica");
    await owner.query("update signalbox.feed_counter set n = n + 1");
    const { violations } = await verified();
    await owner.query("update signalbox.feed_counter set n = n - 1");
    expect(violations.map(({ invariant }) => invariant)).toEqual(["I-8 feed"]);
    expect((await verified()).violations).toEqual([]);
  });
});

describe("the catalogue", () => {
  const numbers = catalogue.map(({ number }) => number);
  const asked = askedAbout(invariants.map(({ name }) => name));

  test("has every number once, and every invariant that is asked is one of it", () => {
    expect(numbers).toEqual(Array.from({ length: 42 }, (_, n) => n + 1));
    expect(numbers).toEqual(expect.arrayContaining([...asked]));
  });

  test("what is not asked of the database says why, and what shows it", () => {
    const silent = catalogue.filter((one) => !asked.has(one.number) && one.beyond === undefined);
    expect(silent).toEqual([]);
    const nobody = catalogue.filter(({ beyond }) => beyond?.shown.length === 0);
    expect(nobody.map(({ number }) => number)).toEqual([38, 42]);
  });

  test("a run of verify says so too", async () => {
    const { beyond } = await verified();
    const unseen = beyond.filter((one) => !one.asked).map(({ invariant }) => invariant);
    expect(unseen).toEqual(numbers.filter((n) => !asked.has(n)).map((n) => `I-${n}`));
    expect(unseen).toContain("I-25");
  });
});

describe("what cannot be verified is refused, not found good", () => {
  test("a database without our schema", async () => {
    const empty = await emptyDatabase();
    try {
      const refused = await verifyRegister(empty.connection).catch((error) => error);
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
      const refused = await verifyRegister(other.connection).catch((error) => error);
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
