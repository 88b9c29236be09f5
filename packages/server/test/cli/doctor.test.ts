// What the doctor says of a register at work: one fault of each kind is planted, and found and
// named; a sound one is called sound.
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clocks } from "../../src/cli/doctor/check.ts";
import type { Finding } from "../../src/cli/doctor/check.ts";
import { hasOurSchema, lookAtDatabase } from "../../src/cli/doctor/database.ts";
import { findingsOf, lookAtRegister } from "../../src/cli/doctor/register.ts";
import { startEngine } from "../../src/engine/engine.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { version } from "../../src/version.ts";
import { claimUpTo, ok, submitAll } from "../engine/duo.ts";
import { origin } from "../engine/fixtures.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { openAs } from "../store/sessions.ts";

let database: FreshDatabase;
let engine: RunningEngine;
let owner: pg.Client;

beforeAll(async () => {
  database = await freshDatabase();
  engine = await startEngine({ connection: database.connection, version, sweeps: false });
  owner = await openAs(database.connection, null);
  const project = fromTypeId("prj", ok(await engine.createProject("p", origin)).id) as string;
  await engine.registerRuntime(project, "w1", {}, origin);
  const runs = { scope: "project", metric: "runs", limit: 9, window: "day" } as const;
  ok(await engine.createAllowance(project, runs, origin));
  await submitAll(engine, project, 1);
  expect(await claimUpTo(engine, project, 1)).toHaveLength(1);
  await engine.sweepOnce();
});
afterAll(async () => {
  await engine?.stop();
  await owner?.end();
  await database?.drop();
});

const url = (): string => database.url;

const bad = (findings: readonly Finding[]): Finding[] =>
  findings.filter(({ verdict }) => verdict !== "ok");

/** What is found wrong after a change, which is taken back. */
async function found(change: string, undo: string): Promise<Finding[]> {
  await owner.query("set session_replication_role = replica");
  await owner.query("update signalbox.control_heartbeat set at = clock_timestamp()");
  await owner.query("update signalbox.server set seen_at = clock_timestamp()");
  await owner.query(change);
  try {
    return bad(await lookAtRegister(url()));
  } finally {
    await owner.query(undo);
  }
}

test("nothing is wrong with a register at work", async () => {
  const findings = await lookAtRegister(url());
  expect(bad(findings)).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual([
    "register.servers",
    "register.sweeps",
    "register.leases",
    "register.snapshots",
    "register.reservations",
  ]);
});

describe("a planted fault is named, with what to do:", () => {
  const lease = "update signalbox.run set lease_expires_at = now() + interval '1 minute', due_at =";
  const soon = `${lease} now() + interval '1 minute'`;

  test("sweeps that are late", async () => {
    const late = "update signalbox.control_heartbeat set at = clock_timestamp() - interval";
    const [one, ...more] = await found(`${late} '30 seconds'`, `${late} '0 seconds'`);
    expect(more).toEqual([]);
    expect(one).toMatchObject({ check: "register.sweeps", verdict: "fail" });
    expect(one?.says).toContain("the last sweep was 30 s ago");
  });

  test("runs that are overdue", async () => {
    const [one] = await found(`${lease} now() - interval '20 seconds'`, soon);
    expect(one).toMatchObject({ check: "register.sweeps", verdict: "fail" });
    expect(one?.says).toMatch(/^1 run\(s\) are overdue, the first is [0-9a-f-]{36}$/);
  });

  test("a lease that nobody takes back", async () => {
    const stuck = "update signalbox.run set lease_expires_at = now() - interval '9 seconds'";
    const all = await found(stuck, soon);
    expect(all).toMatchObject([{ check: "register.leases", verdict: "fail" }]);
  });

  test("another version among the servers", async () => {
    const [one, ...more] = await found(
      `insert into signalbox.server (id, version, started_at, seen_at)
       values (gen_random_uuid(), '99.0.0', now(), clock_timestamp())`,
      "delete from signalbox.server where version = '99.0.0'",
    );
    expect(more).toEqual([]);
    expect(one).toMatchObject({ check: "register.servers", verdict: "warn" });
    expect(one?.says).toContain("99.0.0");
  });

  test("reservations that do not add up", async () => {
    const [one] = await found(
      "update signalbox.allowance set reserved = reserved + 5",
      "update signalbox.allowance set reserved = reserved - 5",
    );
    expect(one).toMatchObject({ check: "register.reservations", verdict: "fail" });
  });

  test("a schema that is newer than this program, of which nothing else is asked", async () => {
    const insert =
      "insert into signalbox.schema_migration (version, name, checksum) values (9999, 'x', 'x')";
    expect(hasOurSchema(await lookAtDatabase(url()))).toBe(true);
    await owner.query(insert);
    const findings = await lookAtDatabase(url());
    await owner.query("delete from signalbox.schema_migration where version = 9999");
    expect(hasOurSchema(findings)).toBe(false);
    const schema = bad(findings).find(({ check }) => check === "database.schema");
    expect(schema).toMatchObject({ verdict: "fail", todo: "use a newer signalbox" });
  });

  test("a transaction that has been open for a minute", () => {
    const holders = [{ who: "psql (process 7)", age_s: 61 }];
    const sound = { overdue: { n: 0, first: null }, stuck: { n: 0, first: null }, amiss: [] };
    const [one, ...more] = bad(findingsOf({ servers: [], pulse_ms: 0, ...sound, holders }));
    expect(more).toEqual([]);
    expect(one).toMatchObject({ check: "register.snapshots", verdict: "warn" });
    expect(one?.says).toContain("psql (process 7)");
  });

  test("clocks that differ by more than two seconds", () => {
    const words = { whose: "the database's", todo: "set them" };
    expect(clocks("clock", 1_900, words).verdict).toBe("ok");
    expect(clocks("clock", -2_100, words)).toMatchObject({
      verdict: "warn",
      says: "this clock and the database's differ by -2.1 s",
    });
  });
});
