// The catalog against the law: lists in CHECKs are the domain's lists, keys are compared byte by
// byte, the roles are what the isolation rests on.
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agentStatuses } from "../../src/domain/agent-status.ts";
import {
  allowanceMetrics,
  allowanceModes,
  allowanceScopes,
} from "../../src/domain/allowance/allowance.ts";
import {
  approvalModes,
  approvalRisks,
  approvalStatuses,
  expiryPolicies,
} from "../../src/domain/approval.ts";
import { limitReasons } from "../../src/domain/exhaustion/exhaustion.ts";
import { attemptStates, runStates } from "../../src/domain/machine.ts";
import { endCauses } from "../../src/domain/run.ts";
import { slotStatuses, slotTypes } from "../../src/domain/slot.ts";
import { Reader } from "../../src/store/db.ts";
import type { RoleName } from "../../src/store/db.ts";
import { SchemaRefused } from "../../src/store/migrate.ts";
import { checkIsolation } from "../../src/store/self-check.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { openAs } from "./sessions.ts";

let database: FreshDatabase;
let owner: pg.Client;

beforeAll(async () => {
  database = await freshDatabase();
  owner = await openAs(database.connection, null);
});
afterAll(async () => {
  await owner?.end();
  await database?.drop();
});

/** Every CHECK that is a list of words, of a column or of its type, by `table.column`. */
const lists: Readonly<Record<string, readonly string[]>> = {
  "agent.slot_type": slotTypes,
  "agent.status": agentStatuses,
  "allowance.metric": allowanceMetrics,
  "allowance.mode": allowanceModes,
  "allowance.scope": allowanceScopes,
  "allowance.window_kind": ["hour", "day", "week", "month", "rolling"],
  "approval.mode": approvalModes,
  "approval.on_expiry": expiryPolicies,
  "approval.risk": approvalRisks,
  "approval.status": approvalStatuses,
  "attempt.state": attemptStates,
  "delivery.state": ["pending", "delivered", "failed"],
  "event.source": ["host", "runner", "operator"],
  "event.stream": ["run", "agent", "account", "runtime", "queue", "project", "slot"],
  "exhaustion.reason": limitReasons,
  "exhaustion.state": ["open", "closed", "half_open"],
  "run.approval_mode": ["hold", "suspend"],
  "run.attempt_end": attemptStates.filter((state) => !["spawning", "running"].includes(state)),
  "run.end_cause": endCauses,
  "run.state": runStates,
  "runtime.state": ["online", "draining", "stale", "offline"],
  "slot.status": slotStatuses,
  "slot.type": slotTypes,
};

test("the lists of words in CHECKs are those of the law, and each is known here", async () => {
  const { rows } = await owner.query<{ name: string; definition: string }>(
    `select c.relname || '.' || a.attname as name, pg_get_constraintdef(k.oid) as definition
     from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
     join pg_namespace n on n.oid = c.relnamespace
     join pg_constraint k on k.contype = 'c' and (k.contypid = a.atttypid
       or (k.conrelid = c.oid and k.conkey = array[a.attnum]))
     where n.nspname = 'signalbox' and a.attnum > 0 and not a.attisdropped
       and pg_get_constraintdef(k.oid) like '%= ANY (ARRAY[%' order by 1`,
  );
  const sorted = (words: readonly string[]): string[] =>
    words.toSorted((a, b) => a.localeCompare(b));
  const found = rows.map(({ name, definition }) => [
    name,
    sorted([...definition.matchAll(/'([^']+)'::text/g)].map(([, word = ""]) => word)),
  ]);
  const known = Object.entries(lists).map(([name, words]) => [name, sorted(words)]);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(known));
});

test("no text key depends on a locale", async () => {
  const { rows } = await owner.query<{ name: string; collation: string }>(
    `select c.relname || '.' || a.attname as name, l.collname as collation
     from pg_index i join pg_class c on c.oid = i.indrelid
     join pg_namespace n on n.oid = c.relnamespace
     join lateral unnest(i.indkey::smallint[]) as k(attnum) on k.attnum > 0
     join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
     join pg_collation l on l.oid = a.attcollation
     where n.nspname = 'signalbox' and a.attcollation <> 0`,
  );
  expect(rows.length).toBeGreaterThan(5);
  expect(rows.filter(({ collation }) => collation !== "C")).toEqual([]);
});

test("names that are joined are compared in one way", async () => {
  const { rows } = await owner.query<{ name: string }>(
    `select c.relname || '.' || a.attname as name
     from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
     join pg_namespace n on n.oid = c.relnamespace
     join pg_collation l on l.oid = a.attcollation
     where n.nspname = 'signalbox' and a.attnum > 0 and not a.attisdropped and l.collname <> 'C'
       and a.attname in ('agent', 'account', 'model', 'queue', 'runner') order by 1`,
  );
  // Kept from the claim for those who read the attempt by its key.
  expect(rows.map(({ name }) => name)).toEqual(["attempt.account"]);
});

test("every table has a primary key, and every instant carries its zone", async () => {
  const { rows: keyless } = await owner.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'signalbox' and c.relkind in ('r', 'p') and not exists (
       select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p')`,
  );
  expect(keyless).toEqual([]);
  const { rows: types } = await owner.query<{ name: string; type: string }>(
    `select c.table_name || '.' || c.column_name as name, c.data_type as type
     from information_schema.columns c where c.table_schema = 'signalbox'
       and c.data_type in ('timestamp without time zone', 'json', 'real', 'double precision',
         'character varying', 'serial')`,
  );
  expect(types).toEqual([]);
});

test("the roles of the API and of the house cannot log in and bypass nothing", async () => {
  const { rows } = await owner.query(
    `select r.rolname, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb
     from pg_roles r where r.rolname in ('signalbox_app', 'signalbox_house') order by r.rolname`,
  );
  const nothing = {
    rolcanlogin: false,
    rolsuper: false,
    rolbypassrls: false,
    rolcreaterole: false,
    rolcreatedb: false,
  };
  expect(rows).toEqual([
    { rolname: "signalbox_app", ...nothing },
    { rolname: "signalbox_house", ...nothing },
  ]);
});

describe("the self-check at the start", () => {
  const readerOf = (role: RoleName | null): Reader =>
    new Reader(
      database.connection,
      { role, applicationName: "self-check", statementTimeoutMs: 5000, lockTimeoutMs: 1000 },
      1,
    );

  async function check(appRole: RoleName | null, houseRole: RoleName | null): Promise<unknown> {
    const readers = [readerOf(appRole), readerOf(houseRole)] as const;
    try {
      await checkIsolation(...readers);
      return "passed";
    } catch (error) {
      return error;
    } finally {
      await Promise.all(readers.map((reader) => reader.end()));
    }
  }

  test("passes as the two roles", async () => {
    expect(await check("signalbox_app", "signalbox_house")).toBe("passed");
  });

  test.each([
    [null, "signalbox_house"],
    ["signalbox_app", null],
    ["signalbox_house", "signalbox_house"],
  ] as const)("refuses sessions that act as %s and %s", async (appRole, houseRole) => {
    const refused = await check(appRole, houseRole);
    expect(refused).toBeInstanceOf(SchemaRefused);
    expect(refused).toMatchObject({ exitCode: 78 });
  });

  test.each(["disable", "no force"])("refuses a table with %s row level security", async (what) => {
    await owner.query(`alter table signalbox.lane ${what} row level security`);
    try {
      const refused = await check("signalbox_app", "signalbox_house");
      expect(String(refused)).toContain("lane");
    } finally {
      await owner.query("alter table signalbox.lane enable row level security");
      await owner.query("alter table signalbox.lane force row level security");
    }
  });

  test("refuses a role that owns a table of ours", async () => {
    await owner.query("create table signalbox.owned (id uuid primary key)");
    await owner.query("alter table signalbox.owned enable row level security");
    await owner.query("alter table signalbox.owned force row level security");
    await owner.query("alter table signalbox.owned owner to signalbox_app");
    try {
      expect(String(await check("signalbox_app", "signalbox_house"))).toContain("signalbox_app");
    } finally {
      await owner.query("drop table signalbox.owned");
    }
  });
});
