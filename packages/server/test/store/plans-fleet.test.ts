// Plans of the statements around who may work: claims under limits, what attempts consume,
// statuses, sweeps. As the real roles with the real settings, whatever the database knows.
// Structure is asserted, not cost or time.

import type * as wire from "@signalbox/sdk";
import { beforeAll, describe, expect, test } from "vitest";
import { recoverAccount, reportExhaustion } from "../../src/engine/commands/accounts.ts";
import { registerAgent } from "../../src/engine/commands/agents.ts";
import { createAllowance } from "../../src/engine/commands/allowances.ts";
import { claim } from "../../src/engine/commands/claim.ts";
import { exhausted } from "../../src/engine/commands/exhausted.ts";
import { append, report } from "../../src/engine/commands/report.ts";
import { createSlot } from "../../src/engine/commands/slots.ts";
import { submit } from "../../src/engine/commands/submit.ts";
import { flushOptions, sessionOptions } from "../../src/engine/engine.ts";
import type { Parts } from "../../src/engine/parts.ts";
import { AgentStatuses } from "../../src/engine/services/agent-statuses.ts";
import { FleetSweeps } from "../../src/engine/services/sweeps-fleet.ts";
import { QuotaWatch } from "../../src/engine/services/quota-watch.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import { fromTypeId, nilUuid } from "../../src/std/ids.ts";
import { dueApprovals, nextApprovalDueAt } from "../../src/store/house/due-approvals.ts";
import type { Claimed } from "../engine/duo.ts";
import { ok } from "../engine/duo.ts";
import { newRunOf, origin } from "../engine/fixtures.ts";
import { useStage } from "../engine/stage.ts";
import {
  databaseNames,
  excessIn,
  explained,
  notedFlushes,
  usePlanDatabases,
} from "./plan-stage.ts";
import type { Node, Sent } from "./plans.ts";
import { notingReader, pathsOf } from "./plans.ts";
import { crowdProjects } from "./spread.ts";

const stage = useStage();
const flushed = new Map<string, Sent>();
const written = new Map<string, Sent>();
const swept = new Map<string, Sent>();
let played = "";

usePlanDatabases();
beforeAll(async () => {
  const project = await stage.project();
  played = project;
  await stage.engine.registerRuntime(project, "w1", {}, origin);
  await notedFlushes(stage, flushed, async (noted) => {
    const writer = notingReader(noted.writer, written);
    const house = notingReader(noted.house, swept);
    const { clock, logger, reopen, context } = noted;
    const shared = { writer, clock, logger, offsetMs: context.offsetMs };
    const statuses = new AgentStatuses({ ...shared, reopen });
    const quota = new QuotaWatch({ ...shared, control: () => noted.control });
    const parts = { ...noted, writer, house, statuses, quota };
    await playFleet(parts, project);
    const sweeps = new FleetSweeps(() => parts);
    stage.tick(40_000);
    await sweeps.recoveries();
    await sweeps.strays();
    await sweeps.scans();
    await house.within([], nextApprovalDueAt);
    await house.within([], (runner) => dueApprovals(runner, fromTheBeginning, 0, 10));
    await Promise.all([statuses.settled(), quota.settled()]);
    await statuses.stop();
  });
});

const fromTheBeginning = { at: "1970-01-01T00:00:00Z", id: nilUuid };
const limit = { limit: 1_000_000, window: "day" } as const;
const allowances: readonly wire.AllowanceInput[] = [
  { scope: "project", metric: "tokens", mode: "kill", ...limit, limit: 100 },
  { scope: "agent", name: "ada", metric: "tokens", ...limit },
  { scope: "agent", name: "ada", metric: "concurrent_runs", limit: 500 },
  { scope: "account", name: "max-1", metric: "runs", ...limit },
  { scope: "account", name: "max-1", metric: "concurrent_runs", limit: 500 },
  { scope: "model", name: "opus", metric: "cost_micros", ...limit },
];

async function playFleet(parts: Parts, project: string): Promise<void> {
  const settings = { max_concurrent: 100, accounts: ["max-1", "max-2"] };
  for (const name of ["ada", "bob"]) {
    const call = { registration: settings, origin };
    ok(await registerAgent(parts, project, name, call));
  }
  for (const one of allowances) ok(await createAllowance(parts, project, one, origin));
  const now = Date.now();
  const [starts_at, ends_at] = [now, now + 60_000].map((at) => new Date(at).toISOString());
  const slot = { agent: "bob", type: "work", starts_at, ends_at } as wire.SlotInput;
  ok(await createSlot(parts, project, slot, origin));
  const submitAll = async (count: number, more: Partial<NewRun> = {}): Promise<string[]> => {
    const specs = Array.from({ length: count }, () =>
      newRunOf({ model: "opus", estimate: { tokens: 1, cost_micros: 1 }, ...more }),
    );
    const results = await submit(parts, project, specs, origin);
    return results.map((one) => fromTypeId("run", ok(one).run.id) as string);
  };
  const [parent = null] = await submitAll(1);
  const [first] = (await claimAs(parts, project, ["ada"])) as [Claimed];
  await submitAll(20, { parentRun: parent });
  await submitAll(3, { agent: "bob" });
  await submitAll(1, { agent: "cyd", agentTimeoutMs: 1000 });
  const children = await claimAs(parts, project, ["ada", "bob"]);
  expect(children.length).toBeGreaterThan(20);
  const usage = { input_tokens: 2, output_tokens: 3, cost_micros: 5 };
  const used = (producer_seq: number) => ({ type: "usage.recorded", producer_seq, usage });
  const tell = (one: Claimed, n: number) =>
    append(parts, project, [{ ...one, events: [used(n)] }], origin);
  const [second, third, fourth, ...others] = children as [Claimed, Claimed, Claimed, ...Claimed[]];
  for (const answer of await tell(first, 1)) ok(answer);
  const error = { code: "boom", message: "It broke." };
  const fail = { kind: "fail", error, retryable: false } as const;
  for (const one of [second, third]) {
    for (const answer of await tell(one, 1)) ok(answer);
    for (const answer of await report(parts, project, [{ ...one, command: fail }], origin))
      ok(answer);
  }
  for (const answer of await tell(second, 2)) ok(answer);
  const notice = { reason: "quota", recovery_in_ms: 30_000, scope: "account" } as const;
  ok(await exhausted(parts, project, { ...fourth, report: notice }, origin));
  ok(await reportExhaustion(parts, project, "max-2", { report: notice, origin }));
  ok(await recoverAccount(parts, project, "max-1", { reason: "try", origin }));
  await claimAs(parts, project, ["ada"]);
  const complete = { kind: "complete", output: 1 } as const;
  const items = others.map((one) => ({ ...one, command: complete }));
  for (const answer of await report(parts, project, items, origin)) ok(answer);
  parts.statuses.sample({ projectId: project, runId: second.runId, number: second.fence.token });
}

async function claimAs(parts: Parts, project: string, names: readonly string[]) {
  const agents = names.map((name) => ({ name, free: 50 }));
  const call = { origin, signal: new AbortController().signal };
  const worker = { runtime: "w1", queues: null, runners: ["default"], free: 50 };
  const input = { ...worker, agents, leaseMs: 60_000, waitMs: 0 };
  const { claims } = ok(await claim(parts, project, input, call));
  return claims.map((one): Claimed => ({
    runId: fromTypeId("run", one.run.id) as string,
    fence: { attemptId: fromTypeId("att", one.attempt_id) as string, token: one.fencing_token },
  }));
}

/** The same values for a project of the crowd: what is estimated for a stranger is nothing. */
function placed(sent: ReadonlyMap<string, Sent>): Map<string, Sent> {
  const here = crowdProjects[0] as string;
  const moved = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(moved)
      : typeof value === "string"
        ? value.replaceAll(played, here).replace(/^(?:ada|bob)$/, "agent 104")
        : value;
  return new Map(
    [...sent].map(([name, { statement, values }]) => [
      name,
      { statement, values: values.map(moved) },
    ]),
  );
}

/** The statements of claims, reports and ends under limits, and how each reaches what grows. */
const agentByName = "agent by agent_project_id_name_key (name, project_id)";
const reservation = "reservation by reservation_pkey (allowance_id, number, run_id)";
const ofSubject = "allowance by allowance_scopes (name, project_id, scope)";
const scoped = [
  // Those of the project and of its models, then of the agents, of their accounts, and of accounts
  // that runs name.
  "allowance by allowance_scopes (project_id, scope)",
  "allowance by allowance_scopes (project_id, scope)",
  ofSubject,
  agentByName,
  ofSubject,
  ofSubject,
];
const one = "allowance by allowance_pkey (id)";
const spec = "run_spec by its key";
const hot: Readonly<Record<string, readonly string[]>> = {
  lock_limited_agents: [agentByName],
  share_accounts: [agentByName],
  claim_agents: [agentByName, "run by run_live (agent, project_id)"],
  exhaustions_of_agents: [agentByName, "exhaustion by exhaustion_pkey (account, project_id)"],
  // With those that the ending attempts of the flush draw on.
  lock_scoped_allowances: [...scoped, "reservation by reservation_pkey (run_id)", one],
  read_scoped_allowances: [
    ...scoped,
    one,
    "allowance_period by allowance_period_pkey (allowance_id, starts_at)",
    "run by run_live (agent, project_id)",
    // Of a project, an account or a model all live attempts of the project are gone through.
    "run by run_live (project_id)",
    "lane by lane_pkey (id)",
  ],
  read_estimates: [spec],
  lock_parent_reservations: [spec, "reservation by reservation_pkey (run_id)"],
  draw_from_parents: [spec, "reservation by reservation_open (allowance_id, run_id)", reservation],
  lock_reservations: [
    "run by run_pkey (id)",
    "reservation by reservation_pkey (number, run_id)",
    one,
  ],
  open_reservations: [],
  write_reservations: [reservation],
  lock_allowance_totals: [one],
  add_reserved: [one],
  add_spent: [],
  insert_refunds: [],
  insert_usage: [],
  // A model that is not named is that of the lane.
  record_usage: ["run by run_pkey (id)", "lane by lane_pkey (id)"],
  // By the scope as well, but where the row is read too the plan shows it as a cast.
  allowances_of_lanes: [
    "lane by lane_pkey (id)",
    "allowance by allowance_scopes (name, project_id)",
  ],
  lock_accounts: ["account by account_project_id_name_key (name, project_id)"],
  exhaustions_of_accounts: ["exhaustion by exhaustion_pkey (account, project_id)"],
  save_exhaustions: [],
};
/** What is meant to go through a part of a project, which is small or asked for as a whole. */
const wanted = new Set([
  "claim_candidates reads lane of whole projects by lane_project_id_key_key",
  "read_scoped_allowances reads run of whole projects by run_live",
]);

/** The same, where two indexes lead to the one row. */
function waysOf(plan: Node): string[] {
  const keys = /^run_spec by run_spec_(?:pkey \(run_id\)|list \(project_id, run_id\))$/;
  return pathsOf(plan).map((way) => way.replace(keys, spec));
}

/** What sweeps ask once a second, and how. */
const sweeps: Readonly<Record<string, readonly string[]>> = {
  due_recoveries: ["exhaustion by exhaustion_recovery (recovery_at)"],
  // The first of the index, and no more.
  next_recovery: ["exhaustion by exhaustion_recovery ()"],
  settled_probes: ["exhaustion by exhaustion_probe ()", "attempt by attempt_pkey (number, run_id)"],
  // No run is read but those of the questions.
  next_approval_due: ["run by run_pkey (id)"],
  due_approvals: ["run by run_pkey (id)"],
  doubtful_agents: [
    agentByName,
    "exhaustion by exhaustion_pkey (account, project_id)",
    "presence by presence_pkey (agent, project_id)",
    "run by run_live (agent, project_id)",
  ],
};

const app = sessionOptions("signalbox_app", "plans");
const house = sessionOptions("signalbox_house", "plans");

test("the fleet sent every statement that is hot", () => {
  expect(Object.keys(hot).filter((name) => !flushed.has(name))).toEqual([]);
  expect(Object.keys(sweeps).filter((name) => !swept.has(name))).toEqual([]);
});

describe.each(databaseNames)("a database %s", (database) => {
  test("what claims and ends ask under limits goes the one way by index", async () => {
    const found = await explained(database, flushOptions("plans"), placed(flushed));
    const ways = found.flatMap(([name, plans]) =>
      plans.filter(() => name in hot).map((plan) => [name, waysOf(plan)]),
    );
    expect(ways).toEqual(ways.map(([name]) => [name, hot[name as string]]));
    const excess = found.filter(([name]) => name in hot).flatMap(excessIn);
    expect(excess.filter((line) => !wanted.has(line))).toEqual([]);
  });

  test("the plans that stay for sweeps go by index", async () => {
    const found = await explained(database, house, swept);
    const stays = found.filter(([name]) => name in sweeps);
    expect(stays.map(([name, plans]) => [name, pathsOf(plans.at(-1) as Node).toSorted()])).toEqual(
      stays.map(([name]) => [name, [...(sweeps[name] as string[])].toSorted()]),
    );
  });
});

describe("a database that is large and analysed", () => {
  const large = databaseNames.at(-1)?.[0] as string;
  const lanes = ["abandoned_runs reads all of lane", "find_lanes reads all of lane"];
  const small = new Set([
    ...wanted,
    ...lanes,
    "lanes_by_id reads all of lane",
    "read_scoped_allowances reads all of lane",
    // Index-ordered: the first of all, and the few that are under way.
    "next_recovery walks all of exhaustion by exhaustion_recovery",
    "settled_probes walks all of exhaustion by exhaustion_probe",
    // Everybody who is present in the project is asked for.
    "agents_present reads presence of whole projects by presence_pkey",
    "agents_present reads all of presence",
  ]);

  test.each([
    ["sweeps", house, swept],
    ["operators and the keepers of statuses", app, written],
  ] as const)("whatever %s ask goes by index from the first time on", async (_, role, sent) => {
    const excess = (await explained(large, role, placed(sent))).flatMap(excessIn);
    expect(excess.filter((line) => !small.has(line))).toEqual([]);
  });
});
