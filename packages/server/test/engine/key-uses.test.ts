// When keys were last used: beside the requests, once a minute, in one write; and the cleaning of
// what access keeps for a time only.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { KeyUses } from "../../src/engine/services/key-uses.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { cleanAccess } from "../../src/store/house/installation.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase, withClient } from "../setup/database.ts";
import { manualClock } from "../setup/manual-clock.ts";
import { ok } from "./duo.ts";
import { origin } from "./fixtures.ts";

let database: FreshDatabase;
let engine: RunningEngine;
let project: string;
beforeAll(async () => {
  database = await freshDatabase();
  const { connection } = database;
  engine = await startEngine({ connection, version: "0.0.0", sweeps: false });
  project = fromTypeId("prj", ok(await engine.createProject("p", origin)).id) as string;
});
afterAll(async () => {
  await engine?.stop();
  await database?.drop();
});

const sql = <T>(text: string, values: unknown[] = []): Promise<T[]> =>
  withClient(database.connection, async (client) => (await client.query(text, values)).rows as T[]);
const usedAt = async (id: string): Promise<Date | null> => {
  const text = "select last_used_at from signalbox.api_key where id = $1";
  return (await sql<{ last_used_at: Date | null }>(text, [id]))[0]?.last_used_at ?? null;
};
async function aKey(projectId: string | null): Promise<string> {
  const roles = projectId === null ? (["owner"] as const) : (["viewer"] as const);
  const made = await engine.createKey(
    projectId,
    { name: "k", roles: [...roles], expiresAt: null },
    origin,
  );
  return fromTypeId("key", made.id) as string;
}

test("a key in use is written once a minute, a project's and the owner's", async () => {
  const clock = manualClock();
  const { writer, house } = engine.parts;
  const uses = new KeyUses({ writer, house, clock, logger: silentLogger });
  const [own, owners] = [await aKey(project), await aKey(null)];
  const use = (): void => {
    uses.key(project, own);
    uses.key(null, owners);
  };
  use();
  use();
  expect(clock.pending()).toBe(1);
  expect(await usedAt(own)).toBeNull();
  await uses.settled();
  expect([await usedAt(own), await usedAt(owners)]).not.toContain(null);
  expect(clock.pending()).toBe(0);
  await clock.advance(59_999);
  use();
  expect(clock.pending()).toBe(0);
  await clock.advance(1);
  use();
  expect(clock.pending()).toBe(1);
  await uses.stop();
  use();
  expect(clock.pending()).toBe(0);
});

test("answers go after 7 days, links after one, sessions 30 days after their end", async () => {
  const { key } = await engine.createKey(
    project,
    { name: "k", roles: ["viewer"], expiresAt: null },
    origin,
  );
  const principal = await engine.principal(key);
  if (principal === null) throw new Error("a key that was just made is not good");
  const codes: string[] = [];
  for (let n = 0; n < 4; n++) codes.push((await engine.createLogin(principal, origin)).code);
  for (const code of codes.slice(2)) await engine.openSession(code, origin);
  const kept = { projectId: project, key: "K", sha256: "00".repeat(32), seal: null };
  for (const route of ["old", "young"]) await engine.beginCreation({ ...kept, route });
  const past = async (table: string, columns: string[], where: string): Promise<void> => {
    const changes = columns.map((one) => `${one} = ${one} - interval '40 days'`).join(", ");
    await sql(`update signalbox.${table} set ${changes} where ${where}`);
  };
  const prefixes = codes.map((code) => code.split("_")[1] as string);
  const link = ["created_at", "link_expires_at"];
  await past("session", link, `prefix = '${prefixes[0]}'`);
  const whole = [...link, "opened_at", "seen_at", "expires_at"];
  await past("session", whole, `prefix = '${prefixes[2]}'`);
  await past("idempotency", ["at"], "route = 'old'");
  await engine.parts.house.within([], cleanAccess);
  const sessions = await sql<{ prefix: string }>("select prefix from signalbox.session");
  const left = new Set(sessions.map(({ prefix }) => prefix));
  expect(prefixes.map((prefix) => left.has(prefix))).toEqual([false, true, false, true]);
  const answers = await sql<{ route: string }>("select route from signalbox.idempotency");
  expect(answers).toEqual([{ route: "young" }]);
});
