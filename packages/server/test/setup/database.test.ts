// The suite's own ground: a database per file, migrated, private, and gone afterwards.

import { expect, inject, test } from "vitest";

import { emptyDatabase, freshDatabase, withClient } from "./database.ts";

const TABLES = "select count(*)::int as n from pg_tables where schemaname = 'signalbox'";

async function tablesOf(database: { url: string }): Promise<number> {
  return withClient({ connectionString: database.url }, async (client) => {
    const { rows } = await client.query<{ n: number }>(TABLES);
    return rows[0]?.n ?? -1;
  });
}

test("a fresh database is migrated, an empty one is not; both are reached by URL", async () => {
  const [fresh, empty] = await Promise.all([freshDatabase(), emptyDatabase()]);
  expect(await tablesOf(fresh)).toBeGreaterThan(1);
  expect(await tablesOf(empty)).toBe(0);
  await Promise.all([fresh.drop(), empty.drop()]);
});

test("two fresh databases do not see each other", async () => {
  const [one, two] = await Promise.all([freshDatabase(), freshDatabase()]);
  await withClient(one.connection, (client) => client.query("create table mine (n int)"));
  const asked = withClient(two.connection, (client) => client.query("select n from mine"));
  await expect(asked).rejects.toThrow('relation "mine" does not exist');
  await Promise.all([one.drop(), two.drop()]);
});

test("drop ends open connections, and twice does no harm", async () => {
  const fresh = await freshDatabase();
  await withClient(fresh.connection, async (client) => {
    client.on("error", () => {}); // the server ends this connection
    await fresh.drop();
    await fresh.drop();
    await expect(client.query("select 1")).rejects.toThrow();
  });
  const { connection } = inject("postgres");
  const left = await withClient(connection, (client) =>
    client.query("select 1 from pg_database where datname = $1", [fresh.connection.database]),
  );
  expect(left.rowCount).toBe(0);
});
