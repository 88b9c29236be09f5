// Isolation of projects by the database alone, as the real roles: the second net, under statements
// that forget the project. The list of tables is the catalog's, so a new one without a policy fails
// here.
import type * as wire from "@signalbox/sdk";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { startEngine } from "../../src/engine/engine.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { ClaimInput } from "../../src/engine/contract.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { askOf } from "../engine/asking.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { literal, nameProjects, openAs, outcomesOf } from "./sessions.ts";

let database: FreshDatabase;
let engine: RunningEngine;
let owner: pg.Client;
let app: pg.Client;
let house: pg.Client;
let tables: string[];
let [a, b] = ["", ""];
let offset = 0;

/** Tables of the installation, which belong to no project, and what `app` may do with them. */
const shared: Readonly<Record<string, string>> = {
  control_heartbeat: "",
  server: "",
  flush: "select insert",
  everything: "select update",
  schema_migration: "",
  installation_event: "",
};
/** What `app` may do with tables of projects, besides reading. */
const rights: Readonly<Record<string, string>> = {
  account: "insert update",
  agent: "insert update",
  allowance: "insert update",
  allowance_period: "insert update",
  api_key: "insert update",
  approval: "insert update",
  attempt: "insert update",
  dead_letter: "insert update",
  event: "insert",
  delivery: "insert update",
  exhaustion: "insert update",
  feed_counter: "insert update",
  idempotency: "insert update delete",
  lane: "insert",
  presence: "insert update",
  project: "insert update",
  queue: "insert update",
  refund: "insert",
  reservation: "insert update",
  run: "insert update",
  run_block: "insert update",
  run_dependency: "insert",
  run_spec: "insert",
  run_tag: "insert",
  runtime: "insert update",
  session: "insert update",
  sink_cursor: "insert update",
  slot: "insert update",
  usage: "insert",
  webhook: "insert update",
  webhook_secret: "insert",
};
/** Of these `app` reads single columns only: never the secret itself. */
const unread: readonly string[] = ["webhook_secret"];
/** Retention removes runs whole; what is old or has expired is forgotten. */
const removed: readonly string[] = [
  "attempt",
  "dead_letter",
  "approval",
  "delivery",
  "event",
  "refund",
  "reservation",
  "run",
  "run_block",
  "run_dependency",
  "run_spec",
  "run_tag",
  "usage",
  "webhook_secret",
];
/** What `house` may write; it reads everything but the table of migrations. */
const houseRights: Readonly<Record<string, string>> = {
  api_key: "insert",
  control_heartbeat: "insert update delete",
  flush: "insert update delete",
  idempotency: "delete",
  installation_event: "insert",
  session: "insert delete",
  server: "insert update delete",
  ...Object.fromEntries(removed.map((table) => [table, "delete"])),
};

/** A project with at least one row in every table. */
async function seed(name: string): Promise<string> {
  const project = await engine.createProject(name, origin);
  if (isRefusal(project)) throw new Error(project.detail);
  const id = fromTypeId("prj", project.id) as string;
  await engine.registerRuntime(id, "w1", {}, origin);
  await engine.pauseQueue(id, "slow", "cleaning", origin);
  const key = await engine.createKey(id, { name: "k", roles: ["worker"], expiresAt: null }, origin);
  const principal = await engine.principal(key.key);
  await engine.createLogin(principal as NonNullable<typeof principal>, origin);
  const specs = [
    newRunOf({ ref: "a", tags: ["x"], concurrencyKey: "k" }),
    newRunOf({ dependsOn: ["#a"], idempotencyKey: "K" }),
  ];
  await engine.submit(id, specs, origin);
  const agents = [{ name: "ada", free: 1 }];
  const claim = { runtime: "w1", agents, queues: null, runners: ["default"], free: 1 };
  const call = { ...claim, leaseMs: 60_000, waitMs: 0 };
  await seedLimits(id, call);
  // Runs are told why they wait after 30 s.
  offset += 31_000;
  await engine.registerRuntime(id, "w1", {}, origin);
  await engine.sweepOnce();
  const hook = { url: "https://example.org/" };
  const made = await engine.createWebhook(id, { input: hook, owner: false, origin });
  if (isRefusal(made)) throw new Error(made.detail);
  await engine.testWebhook(id, fromTypeId("whk", made.id) as string);
  await owner.query(
    `insert into signalbox.sink_cursor (project_id, sink, cursor, seen_at)
     values ($1, 'redis://example.org', 0, now())`,
    [id],
  );
  await owner.query(
    `insert into signalbox.idempotency (project_id, route, key, body_sha256, at)
     values ($1, 'POST /v1/runs', 'K', sha256('a'), now())`,
    [id],
  );
  return id;
}

/** Every limit and what a claim, an end and a sweep leave in them. */
async function seedLimits(id: string, call: ClaimInput): Promise<void> {
  const { signal } = new AbortController();
  const limit = { metric: "tokens", limit: 1000, window: "day", default_reserve: 5 } as const;
  await engine.createAllowance(id, { scope: "project", ...limit }, origin);
  await engine.createAllowance(id, { scope: "agent", name: "ada", ...limit }, origin);
  const now = Date.now();
  const [starts_at, ends_at] = [now, now + 3_600_000].map((at) => new Date(at).toISOString());
  const slot = { agent: "bob", type: "work", starts_at, ends_at } as const;
  await engine.createSlot(id, slot as wire.SlotInput, origin);
  await engine.submit(id, [newRunOf({ agent: "nobody" })], origin);
  const answer = await engine.claim(id, call, origin, signal);
  if (isRefusal(answer)) throw new Error(answer.detail);
  const [claimed] = answer.claims as [wire.Claim];
  const runId = fromTypeId("run", claimed.run.id) as string;
  const attemptId = fromTypeId("att", claimed.attempt_id) as string;
  const fence = { attemptId, token: claimed.fencing_token };
  const event = { type: "usage.recorded", producer_seq: 1, usage: { input_tokens: 9 } };
  await engine.append(id, [{ runId, fence, events: [event] }], origin);
  await engine.report(id, [{ runId, fence, command: { kind: "start" } }], origin);
  await engine.ask(id, { runId, fence, ask: askOf() }, origin);
  const error = { code: "boom", message: "It broke." };
  const command = { kind: "fail", error, retryable: false } as const;
  await engine.report(id, [{ runId, fence, command }], origin);
  await engine.reportExhaustion(id, "max-1", { reason: "quota" }, origin);
}

beforeAll(async () => {
  database = await freshDatabase();
  const { connection } = database;
  const offsetMs = () => offset;
  engine = await startEngine({ connection, version: "0.0.0", sweeps: false, offsetMs });
  owner = await openAs(connection, null);
  app = await openAs(connection, "signalbox_app");
  house = await openAs(connection, "signalbox_house");
  a = await seed("a");
  b = await seed("b");
  const { rows } = await owner.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'signalbox' and c.relkind in ('r', 'p') order by c.relname`,
  );
  tables = rows.map((row) => row.name);
});
afterAll(async () => {
  await engine?.stop();
  await Promise.all([owner?.end(), app?.end(), house?.end()]);
  await database?.drop();
});

/** The column that says whose row it is. */
const ownerColumn = (table: string): string => (table === "project" ? "id" : "project_id");
const ofProjects = (): string[] => tables.filter((table) => !(table in shared));

test("every table is one of a project or is named here as the installation's", () => {
  expect(ofProjects().toSorted()).toEqual(Object.keys(rights).toSorted());
  expect(tables.length).toBe(Object.keys(rights).length + Object.keys(shared).length);
});

test("every table has forced row-level security and its policies", async () => {
  const { rows } = await owner.query<{ name: string; secured: boolean; roles: string[] }>(
    `select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as secured,
       coalesce(array_agg(distinct r.rolname::text) filter (where r.rolname is not null), '{}')
         as roles
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     left join pg_policy p on p.polrelid = c.oid left join pg_roles r on r.oid = any (p.polroles)
     where n.nspname = 'signalbox' and c.relkind in ('r', 'p') and c.relname <> 'schema_migration'
     group by c.oid order by c.relname`,
  );
  for (const { name, secured, roles } of rows) {
    expect({ name, secured }).toEqual({ name, secured: true });
    expect({ name, roles }).toMatchObject({ roles: expect.arrayContaining(["signalbox_house"]) });
    if (name in rights) expect(roles).toContain("signalbox_app");
  }
});

test("the roles may do what is written here, and nobody else anything", async () => {
  const { rows } = await owner.query<{ role: string; name: string; may: string }>(
    `select g.grantee as role, g.table_name as name,
       string_agg(lower(g.privilege_type), ' ' order by g.privilege_type) as may
     from information_schema.role_table_grants g
     where g.table_schema = 'signalbox' and g.grantee <> current_user
     group by g.grantee, g.table_name`,
  );
  const found = Object.fromEntries(rows.map(({ role, name, may }) => [`${role} ${name}`, may]));
  const expected: Record<string, string> = {};
  const put = (role: string, table: string, may: string): void => {
    const words = may.split(" ").filter((word) => word !== "");
    if (words.length > 0) expected[`${role} ${table}`] = words.toSorted().join(" ");
  };
  for (const [table, may] of Object.entries(rights)) {
    put("signalbox_app", table, unread.includes(table) ? may : `select ${may}`);
  }
  for (const [table, may] of Object.entries(shared)) put("signalbox_app", table, may);
  for (const table of [...Object.keys(rights), ...Object.keys(shared)]) {
    if (table === "schema_migration") continue;
    put("signalbox_house", table, `select ${houseRights[table] ?? ""}`);
  }
  expect(found).toEqual(expected);
});

describe("as project A, of what is B's", () => {
  test("nothing is seen, and A's own is", async () => {
    const statements = ofProjects().flatMap((table) =>
      [a, b].map((id) => `select 1 from signalbox.${table} where ${ownerColumn(table)} = '${id}'`),
    );
    const outcomes = await outcomesOf(app, [a], statements);
    for (const [n, table] of ofProjects().entries()) {
      const [own, foreign] = [outcomes[2 * n], outcomes[2 * n + 1]];
      expect({ table, foreign }).toEqual({ table, foreign: "rows 0" });
      expect({ table, own }).toEqual({ table, own: expect.stringMatching(/^rows [1-9]/) });
    }
  });

  test.each(["update", "delete"])("nothing is changed by %s", async (verb) => {
    const statements = ofProjects().map((table) => {
      const column = ownerColumn(table);
      const head =
        verb === "update"
          ? `update signalbox.${table} set ${column} = ${column}`
          : `delete from signalbox.${table}`;
      return `${head} where ${column} = '${b}'`;
    });
    const outcomes = await outcomesOf(app, [a], statements);
    for (const [n, table] of ofProjects().entries()) {
      expect({ table, outcome: outcomes[n] }).toEqual({
        table,
        outcome: (rights[table] as string).includes(verb) ? "rows 0" : "42501",
      });
    }
  });

  test("nothing is inserted in its name, and nothing given to it", async () => {
    const inserts: string[] = [];
    const gifts: string[] = [];
    for (const table of ofProjects()) {
      const column = ownerColumn(table);
      const { rows } = await owner.query<{ row: object }>(
        `select to_jsonb(t) as row from signalbox.${table} t where t.${column} = $1 limit 1`,
        [b],
      );
      expect({ table, seeded: rows.length }).toEqual({ table, seeded: 1 });
      const names = await columnsOf(table);
      inserts.push(
        `insert into signalbox.${table} (${names}) select ${names}
         from jsonb_populate_record(null::signalbox.${table}, ${literal(rows[0]?.row)})`,
      );
      gifts.push(`update signalbox.${table} set ${column} = '${b}' where ${column} = '${a}'`);
    }
    expect(new Set(await outcomesOf(app, [a], inserts))).toEqual(new Set(["42501"]));
    // A run's project is also refused by the trigger on its identity.
    const given = await outcomesOf(app, [a], gifts);
    expect(new Set(given)).toEqual(new Set(["42501", "SB001"]));
  });
});

/** Those that can be given: not what the database makes itself. */
async function columnsOf(table: string): Promise<string> {
  const { rows } = await owner.query<{ names: string }>(
    `select string_agg(format('%I', a.attname), ', ' order by a.attnum) as names
     from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
       and a.attgenerated = ''`,
    [`signalbox.${table}`],
  );
  return rows[0]?.names ?? "";
}

test("without a project nothing is seen and nothing written, by nobody's mistake", async () => {
  for (const projects of [[], ["00000000-0000-0000-0000-000000000000"]]) {
    const statements = ofProjects().map((table) => `select 1 from signalbox.${table}`);
    const seen = await outcomesOf(app, projects, statements);
    expect(new Set(seen)).toEqual(new Set(["rows 0"]));
    const writes = ofProjects()
      .filter((table) => (rights[table] as string).includes("update"))
      .map((table) => `update signalbox.${table} set ${ownerColumn(table)} = null`);
    expect(new Set(await outcomesOf(app, projects, writes))).toEqual(new Set(["rows 0"]));
  }
});

test("two projects named in one transaction are both seen, as a flush needs it", async () => {
  const [outcome] = await outcomesOf(app, [a, b], ["select 1 from signalbox.project"]);
  expect(outcome).toBe("rows 2");
});

test("a key is seen by who names its public prefix, alone", async () => {
  const { rows } = await owner.query<{ prefix: string }>(
    "select k.prefix from signalbox.api_key k where k.project_id = $1",
    [b],
  );
  const prefix = rows[0]?.prefix as string;
  const name = `select set_config('app.key_prefix', ${literal(prefix)}, true)`;
  await app.query("begin");
  await app.query(name);
  const seen = await app.query<{ prefix: string }>("select k.prefix from signalbox.api_key k");
  const written = await app
    .query("update signalbox.api_key set prefix = prefix")
    .catch((error: { code: string }) => error.code);
  await app.query("rollback");
  expect(seen.rows).toEqual([{ prefix }]);
  expect(written).toBe("42501");
});

test("the house reads all of every project, and changes nothing but by removing it", async () => {
  const reads = await outcomesOf(
    house,
    [],
    ofProjects().map(
      (table) => `select 1 from signalbox.${table} where ${ownerColumn(table)}
      in ('${a}', '${b}')`,
    ),
  );
  for (const outcome of reads) expect(outcome).toMatch(/^rows [1-9]/);
  const kept = ofProjects().filter((table) => !(houseRights[table] ?? "").includes("delete"));
  const writes = [
    ...kept.map((table) => `delete from signalbox.${table}`),
    ...ofProjects().map(
      (table) => `update signalbox.${table} set ${ownerColumn(table)} = ${ownerColumn(table)}`,
    ),
  ];
  expect(new Set(await outcomesOf(house, [], writes))).toEqual(new Set(["42501"]));
});

test("no context outlives its transaction, whatever ended it", async () => {
  const count = async (): Promise<string> => {
    const { rows } = await app.query<{ n: string }>("select count(*) as n from signalbox.run");
    return String(rows[0]?.n);
  };
  for (let n = 0; n < 300; n += 1) {
    const mine = n % 2 === 0 ? a : b;
    await app.query("begin");
    await nameProjects(app, [mine]);
    const { rows } = await app.query<{ project_id: string }>(
      "select distinct r.project_id from signalbox.run r",
    );
    expect(rows).toEqual([{ project_id: mine }]);
    if (n % 3 === 0) await app.query("select 1 / 0").catch(() => {});
    await app.query(n % 3 === 1 ? "commit" : "rollback");
    if (n % 10 === 0) expect(await count()).toBe("0");
  }
});
