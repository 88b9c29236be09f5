// Migrations: once, whoever starts; refused when a step was changed or the schema is newer.
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate, programVersion, SchemaRefused } from "../../src/store/migrate.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { emptyDatabase, freshDatabase, withClient } from "../setup/database.ts";

let migrated: FreshDatabase;

beforeAll(async () => {
  migrated = await freshDatabase();
});
afterAll(async () => {
  await migrated?.drop();
});

const run = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
  withClient(migrated.connection, async (client) => (await client.query(text, values)).rows);

test("ten processes that start at once on an empty database migrate it once", async () => {
  const empty = await emptyDatabase();
  try {
    const applied = await Promise.all(Array.from({ length: 10 }, () => migrate(empty.connection)));
    // Each step by one of them, not all steps by the same: the lock is held step by step.
    expect(new Set(applied.flat()).size).toBe(programVersion());
    expect(applied.flat()).toHaveLength(programVersion());
    const { rows } = await withClient(empty.connection, (client) =>
      client.query("select m.version from signalbox.schema_migration m order by m.version"),
    );
    expect(rows.at(-1)).toEqual({ version: programVersion() });
  } finally {
    await empty.drop();
  }
});

test("a second time there is nothing to do", async () => {
  expect(await migrate(migrated.connection)).toEqual([]);
});

test("a schema that is newer than the program is refused, with nothing written", async () => {
  const next = programVersion() + 1;
  const insert = "insert into signalbox.schema_migration (version, name, checksum)";
  await run(`${insert} values ($1, 'from the future', 'x')`, [next]);
  const before = await run("select m.version from signalbox.schema_migration m");
  try {
    const refused = await migrate(migrated.connection).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SchemaRefused);
    expect(refused).toMatchObject({ exitCode: 78 });
    expect(String(refused)).toContain(`schema ${next}`);
    expect(await run("select m.version from signalbox.schema_migration m")).toEqual(before);
  } finally {
    await run("delete from signalbox.schema_migration where version = $1", [next]);
  }
});

test("a step that was changed after it was applied is refused by its name", async () => {
  const set = "update signalbox.schema_migration set checksum = $1 where version = 1";
  const [before] = (await run(
    "select m.checksum from signalbox.schema_migration m where m.version = 1",
  )) as { checksum: string }[];
  await run(set, ["changed"]);
  try {
    const refused = await migrate(migrated.connection).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SchemaRefused);
    expect(refused).toMatchObject({ exitCode: 78 });
    expect(String(refused)).toContain("0001_");
  } finally {
    await run(set, [before?.checksum]);
  }
  expect(await migrate(migrated.connection)).toEqual([]);
});

test("a step that fails leaves nothing behind and can be tried again", async () => {
  const empty = await emptyDatabase();
  try {
    await withClient(empty.connection, async (holder) => {
      await holder.query("create schema signalbox");
      await holder.query("create table signalbox.run (id uuid)"); // what the first step will make
      await expect(migrate(empty.connection)).rejects.toThrow(/already exists/);
      await holder.query("drop table signalbox.run");
    });
    expect(await migrate(empty.connection)).toHaveLength(programVersion());
  } finally {
    await empty.drop();
  }
});
