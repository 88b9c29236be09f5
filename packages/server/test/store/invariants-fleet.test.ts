// The checker of who may work is checked: a fleet at work passes, and rows changed by hand are
// caught, each by the invariant it breaks. Changes go around triggers and CHECKs, and are undone.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type * as wire from "@signalbox/sdk";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunCommand } from "../../src/domain/command.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { runnerOf } from "../../src/store/db.ts";
import type { Violation } from "../../src/store/house/invariants.ts";
import { invariantParts, invariants, violationsOf } from "../../src/store/house/invariants.ts";
import type { Claimed } from "../engine/duo.ts";
import { ok } from "../engine/duo.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import { useStage } from "../engine/stage.ts";
import type { Planted } from "./planted.ts";
import { everyFaultIsNamed } from "./planted.ts";
import { openAs } from "./sessions.ts";

const stage = useStage();
let owner: pg.Client;
let project = "";

const day = { window: "day", limit: 1_000_000 } as const;
const allowances: readonly wire.AllowanceInput[] = [
  { scope: "project", metric: "tokens", default_reserve: 50, ...day },
  { scope: "agent", name: "ada", metric: "cost_micros", ...day },
  { scope: "agent", name: "ada", metric: "tokens", mode: "kill", ...day },
  { scope: "account", name: "max-1", metric: "runs", ...day },
  { scope: "model", name: "opus", metric: "tokens", ...day },
  { scope: "project", metric: "concurrent_runs", limit: 100 },
];

async function claimAs(agent: string, free: number): Promise<Claimed[]> {
  const agents = [{ name: agent, free }];
  const input = { runtime: "w1", agents, queues: null, runners: ["default"], free };
  const { signal } = new AbortController();
  const call = { ...input, leaseMs: 60_000, waitMs: 0 };
  const { claims } = ok(await stage.engine.claim(project, call, origin, signal));
  return claims.map((one) => ({
    runId: fromTypeId("run", one.run.id) as string,
    fence: { attemptId: fromTypeId("att", one.attempt_id) as string, token: one.fencing_token },
  }));
}

async function use(one: Claimed, producer_seq: number, model?: string): Promise<void> {
  const counted = { input_tokens: 30, output_tokens: 11, cost_micros: 7 };
  const usage = model === undefined ? counted : { ...counted, model };
  const events = [{ type: "usage.recorded", producer_seq, usage }];
  for (const answer of await stage.engine.append(project, [{ ...one, events }], origin)) ok(answer);
}

async function tell(one: Claimed, command: RunCommand): Promise<void> {
  for (const answer of await stage.engine.report(project, [{ ...one, command }], origin))
    ok(answer);
}

/** An agent with every kind of limit, attempts that ended in several ways, one that is live. */
async function playFleet(): Promise<void> {
  const { engine } = stage;
  await engine.registerRuntime(project, "w1", {}, origin);
  for (const one of allowances) ok(await engine.createAllowance(project, one, origin));
  const settings = { max_concurrent: 3, accounts: ["max-1"] };
  ok(await engine.registerAgent(project, "ada", settings, origin));
  ok(await engine.registerAgent(project, "bob", { accounts: ["max-2"] }, origin));
  const specs = Array.from({ length: 4 }, () => newRunOf({ model: "opus", maxAttempts: 1 }));
  await engine.submit(project, specs, origin);
  stage.tick(6000);
  const [first, second, third] = (await claimAs("ada", 3)) as [Claimed, Claimed, Claimed];
  await use(first, 1);
  await use(first, 2, "haiku");
  await use(second, 1);
  await use(third, 1);
  const usage = { inputTokens: 5, outputTokens: 5, costMicros: 3 };
  await tell(first, { kind: "complete", output: 1, usage });
  const error = { code: "boom", message: "It broke." };
  await tell(second, { kind: "fail", error, retryable: false, usage });
  await use(second, 2);
  const notice = { reason: "quota", recovery_in_ms: 1000, scope: "account" } as const;
  ok(await engine.reportExhaustion(project, "max-2", notice, origin));
  stage.tick(2000);
  await engine.sweepOnce();
  expect(await claimAs("bob", 1)).toHaveLength(1);
  const now = Date.now() + 10_000;
  const [starts_at, ends_at] = [now, now + 3_600_000].map((at) => new Date(at).toISOString());
  const slot = { agent: "cyd", type: "work", starts_at, ends_at } as wire.SlotInput;
  const { id } = ok(await engine.createSlot(project, slot, origin));
  const start = { verb: "start", reason: null } as const;
  ok(await engine.changeSlot(project, fromTypeId("slt", id) as string, start, origin));
  await engine.parts.statuses.settled();
}

beforeAll(async () => {
  await stage.project();
  project = await stage.project();
  await playFleet();
  owner = await openAs(stage.database.connection, null);
});
afterAll(async () => {
  await owner?.end();
});

/** What the checker finds after changes; everything is rolled back. */
async function found(...changes: string[]): Promise<Violation[]> {
  await owner.query("begin");
  try {
    await owner.query("set local session_replication_role = replica");
    await owner.query("alter table signalbox.refund drop constraint refund_pkey");
    await owner.query("alter table signalbox.usage drop constraint usage_pkey");
    for (const change of changes) {
      const { rowCount } = await owner.query(change);
      if ((rowCount ?? 0) === 0) throw new Error(`touched nothing: ${change}`);
    }
    const all: Violation[] = [];
    for (const one of invariants) all.push(...(await violationsOf(runnerOf(owner), one)));
    return all;
  } finally {
    await owner.query("rollback");
  }
}

const other = "'00000000-0000-7000-8000-0000000000ff'";
const ada = "name = 'ada'";
const allowance = (scope: string, metric: string): string =>
  `allowance_id = (select w.id from signalbox.allowance w where w.scope = '${scope}'
    and w.metric = '${metric}')`;
const tokens = allowance("project", "tokens");
const set = (table: string, what: string, where: string): string =>
  `update signalbox.${table} set ${what} where ${where}`;

/** The status of an agent was not kept although a server was up all the time. */
const idleInSlot = [
  set("agent", "status = 'idle', status_since = now() - interval '2 minutes'", "name = 'cyd'"),
  set("event", "at = now() - interval '2 minutes'", "stream = 'slot'"),
  `insert into signalbox.presence (project_id, agent, runtime_id, last_heartbeat_at)
     select a.project_id, a.name, a.id, now() from signalbox.agent a where a.name = 'cyd'`,
  `insert into signalbox.server values (${other}, '0', now() - interval '2 minutes', now())`,
];
const since = (text: string): string =>
  text.replace("interval '2 minutes'", "interval '9 seconds'");

const mutations: Planted = {
  "I-5 probes": {
    "a probe of an attempt that never was": [
      set("exhaustion", "probe_token = 9, probe_since = now() - interval '6 seconds'", "true"),
    ],
    "a probe that has ended long ago": [
      set("run", "lease_expires_at = null", "probing"),
      set(
        "attempt",
        "ended_at = now() - interval '6 seconds'",
        "run_id = (select e.probe_run from signalbox.exhaustion e)",
      ),
    ],
  },
  "I-9 statuses": {
    "a status that no event says": [set("agent", "status = 'on_call'", ada)],
    "a change from where it was not": [
      set("event", `data = data || '{"from": "on_call"}'`, "type = 'agent.status_changed'"),
    ],
    "a change lost": ["delete from signalbox.event where type = 'agent.status_changed'"],
  },
  "I-10 streams of the fleet": Object.fromEntries(
    ["agent", "account", "slot"].map((table) => [
      `a number of an ${table} that ran ahead`,
      [set(table, "last_seq = last_seq + 1", "last_seq > 0")],
    ]),
  ),
  "I-16 agents": {
    "one live attempt too many": [
      set("agent", "max_concurrent = 1", ada),
      set("run", "agent = 'ada'", "lease_expires_at is not null"),
    ],
  },
  "I-16 regulated": {
    "limits that no claim reads": [set("project", "regulated = false", "regulated")],
  },
  "I-18 reserved": {
    "reserved for nobody": [set("allowance", "reserved = reserved + 1", "metric = 'tokens'")],
    "an end that left its reserve behind": [
      set("reservation", "remaining = 5", `closed_at is not null and ${tokens}`),
    ],
    "a reservation lost": [`delete from signalbox.reservation where closed_at is null`],
  },
  "I-18 spent": {
    "spent by nobody": [set("allowance_period", "spent = spent + 1", tokens)],
    "a charge forgotten": [
      set("reservation", "charged = charged - 1", `charged > 0 and ${tokens}`),
    ],
    "a refund that took nothing off": [set("refund", "amount = amount - 1", tokens)],
    "a period lost": [`delete from signalbox.allowance_period where ${tokens}`],
  },
  "I-18 charged": {
    "more than was used": [set("reservation", "charged = charged + 1", tokens)],
    "less than was used": [
      set("reservation", "charged = charged - 1", `charged > 0 and ${tokens}`),
    ],
    "money that nobody spent": [
      set("reservation", "charged = charged + 1", allowance("agent", "cost_micros")),
    ],
    "another model's tokens": [
      set("reservation", "charged = charged + 41", allowance("model", "tokens")),
    ],
    "usage of its model that was not charged": [set("usage", "model = 'opus'", "model = 'haiku'")],
    "a run that counted twice": [
      set("reservation", "charged = 2", `charged = 1 and ${allowance("account", "runs")}`),
    ],
    "a run before its end": [
      set("reservation", "charged = 1", `charged = 0 and ${allowance("account", "runs")}`),
    ],
  },
  "I-18 refunds": {
    "more than the charge": [set("refund", "amount = 1000", tokens)],
    "more than half of a failure": [set("refund", "amount = 47", tokens)],
    "of a cause that gives nothing back": [set("refund", "cause = 'budget'", tokens)],
    "of money": [
      set(
        "refund",
        "allowance_id = (select w.id from signalbox.allowance w where w.metric = 'cost_micros')",
        tokens,
      ),
    ],
    "of a limit that ends runs": [set("allowance", "mode = 'kill'", "scope = 'project'")],
    "twice of one attempt": [
      "insert into signalbox.refund select f.* from signalbox.refund f limit 1",
    ],
    "of an attempt that goes on": [
      set("reservation", "closed_at = null", `charged > 0 and ${tokens}`),
    ],
  },
  "I-18 usage": {
    "a report changed": [set("usage", "input_tokens = 31", "producer_seq = 1")],
    "a report lost": ["delete from signalbox.usage where producer_seq = 0"],
    "an attempt that used nothing": [set("attempt", "usage = null", "usage is not null")],
    "a report of nobody": [set("usage", "number = 9", "producer_seq = 2")],
    "a report twice": ["insert into signalbox.usage select u.* from signalbox.usage u limit 1"],
  },
  "I-19 reservations": {
    "open after the end": [set("reservation", "closed_at = null", "closed_at is not null")],
    "closed before the end": [set("reservation", "closed_at = now()", "closed_at is null")],
    "a live run that does not know of them": [set("run", "metered = false", "metered")],
    "an ended run that believes in them": [set("run", "metered = true", "finished_at is not null")],
  },
  "I-24 slots": {
    "an agent that forgot its slot": [
      set("agent", "slot_id = null, slot_type = null, slot_ends_at = null", "name = 'cyd'"),
    ],
    "an agent in a slot of somebody else": [set("agent", `slot_id = ${other}`, "name = 'cyd'")],
    "two slots at once": [
      `insert into signalbox.slot (id, project_id, agent, type, priority, status, starts_at,
         ends_at, created_at) select ${other}, s.project_id, s.agent, 'on_call', 40, 'ongoing',
         s.starts_at, s.ends_at, s.created_at from signalbox.slot s`,
    ],
    "a slot that is over and goes on occupying": [
      set("slot", "status = 'finished', ended_at = now()", "status = 'ongoing'"),
    ],
    "a slot of nobody": [set("slot", "agent = 'nobody'", "true")],
  },
  "I-24 occupied": { "an agent that is called idle for long": idleInSlot },
  "I-27 projects of the fleet": Object.fromEntries(
    ["reservation", "refund", "usage", "allowance_period", "exhaustion"].map((table) => [
      `a row of ${table} in another project`,
      [
        set(
          table,
          `project_id = (select p.id from signalbox.project p where not p.regulated)`,
          table === "exhaustion" ? "probe_run is not null" : "true",
        ),
      ],
    ]),
  ),
};

test("each table of a fleet at work has rows", async () => {
  for (const table of [
    "refund",
    "usage",
    "allowance_period",
    "slot",
    "reservation where closed_at is null",
    "reservation where closed_at is not null",
    "exhaustion where probe_run is not null",
  ]) {
    expect((await owner.query(`select from signalbox.${table}`)).rowCount).toBeGreaterThan(0);
  }
});

test("every statement has a name of its own", () => {
  expect(new Set(invariants.map(({ statement }) => statement.name)).size).toBe(invariants.length);
});

test("every part of the invariants has its planted faults in a file beside this one", () => {
  const texts = readdirSync(import.meta.dirname)
    .filter((name) => /^invariants.*\.test\.ts$/.test(name))
    .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"));
  for (const part of Object.keys(invariantParts)) {
    const call = `everyFaultIsNamed("${part}",`;
    expect(texts.filter((text) => text.includes(call))).toHaveLength(1);
  }
  expect(Object.values(invariantParts).flat()).toEqual(invariants);
});

everyFaultIsNamed("fleet", mutations, found);

describe("what may be does not count as a violation", () => {
  test("an agent whose limit was lowered keeps what it holds", async () => {
    await stage.engine.registerAgent(project, "ada", { max_concurrent: 0 }, origin);
    await stage.engine.parts.statuses.settled();
    expect(await found("select 1")).toEqual([]);
  });

  test.each([
    ["whose slot has just changed", (text: string, n: number) => (n === 1 ? since(text) : text)],
    ["that has just become idle", (text: string, n: number) => (n === 0 ? since(text) : text)],
    [
      "whose server has just come back",
      (text: string, n: number) => (n === 3 ? since(text) : text),
    ],
  ])("an agent %s is not occupied yet: its status is a moment behind", async (_, change) => {
    const named = (await found(...idleInSlot.map(change))).map(({ invariant }) => invariant);
    expect(named).not.toContain("I-24 occupied");
  });

  test("tokens that were given back before the limit was made one that ends runs", async () => {
    const { engine } = stage;
    const { items } = await engine.allowances(project, { limit: 10, cursor: null });
    const one = items.find(({ scope, metric }) => scope === "project" && metric === "tokens");
    const id = fromTypeId("alw", (one as wire.Allowance).id) as string;
    ok(await engine.updateAllowance(project, id, { mode: "kill" }, origin));
    expect(await found("select 1")).toEqual([]);
  });
});
