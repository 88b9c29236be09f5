// Random fleets for properties of admission: agents that share accounts with limits, allowances of
// every kind and use, workers with few places, runs that ask for all sorts of things.
// Promises: what is half used, closed or nearly full is frequent; `build` makes the candidates
// anew, since admission takes from what their parents have set aside.

import * as fc from "fast-check";
import type {
  AdmitFacts,
  AgentFacts,
  AllowanceUse,
  Candidate,
  Offer,
} from "../../src/domain/admission.ts";
import type { Allowance } from "../../src/domain/allowance/allowance.ts";
import { allowanceMetrics, allowanceModes } from "../../src/domain/allowance/allowance.ts";
import type { Exhaustion } from "../../src/domain/exhaustion/exhaustion.ts";
import { rank } from "../../src/domain/rank.ts";
import { allowance } from "./allowance/subjects.ts";
import { agentOf, candidateOf, nothing, offerOf, useOf, who } from "./candidates.ts";
import { closed, halfOpen, HOUR, probing } from "./exhaustion/rows.ts";
import { START } from "./runs.ts";

/** What an admission is asked about. `build` makes its candidates, each time the same. */
export type Fleet = {
  readonly build: () => Candidate[];
  readonly offers: readonly Offer[];
  readonly facts: AdmitFacts;
};

const few = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const seldom = <T>(value: T): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 19, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: few(value) });
const someOf = (...values: string[]): fc.Arbitrary<string[]> => fc.subarray(values);

const names = ["ada", "bob", "cyd"];
const accountNames = ["max-1", "max-2"];
const models = ["opus", "haiku"];

// ---- limits of accounts -------------------------------------------------------------------------

const none = (): null => null;
const row = few<() => Exhaustion | null>(
  none,
  none,
  none,
  () => halfOpen(),
  () => halfOpen(),
  () => closed(HOUR),
  () => closed(null),
  () => probing(),
);
const limitsOfAccount = fc.record({ all: row, opus: row });
type Limits = typeof limitsOfAccount extends fc.Arbitrary<infer T> ? T : never;

/** The rows of an account: of all models, and of one. */
function rowsOf(account: string, limits: Limits): Exhaustion[] {
  return (["all", "opus"] as const).flatMap((which) => {
    const found = limits[which]();
    return found === null ? [] : [{ ...found, account, model: which === "all" ? null : which }];
  });
}

const limited = fc.tuple(limitsOfAccount, limitsOfAccount).map((found) => {
  const pairs = accountNames.map((name, n) => [name, rowsOf(name, found[n] as Limits)] as const);
  return new Map<string, Exhaustion[]>(pairs);
});

// ---- agents, allowances, workers ----------------------------------------------------------------

const settings = fc.record({
  paused: seldom(who),
  slot: seldom({ type: "on_call", endsAt: START + HOUR }),
  occupied: seldom({ type: "work", endsAt: START + HOUR }),
  capabilities: someOf("gpu"),
  models: few(null, null, null, null, null, ["opus"], ["opus", "haiku"], []),
  places: few(null, null, -1, 0, 1, 2, 3),
  live: fc.integer({ min: 0, max: 3 }),
  accounts: fc.shuffledSubarray(accountNames),
  typicalTokens: few(null, 0, 3),
});

type Settings = typeof settings extends fc.Arbitrary<infer T> ? T : never;

function agentsOf(
  drawn: readonly Settings[],
  rows: ReadonlyMap<string, Exhaustion[]>,
): AgentFacts[] {
  return drawn.map(({ accounts, occupied, slot, places, live, ...rest }, n) => {
    const name = names[n] as string;
    const own = accounts.length === 0 ? [name] : accounts;
    const facts = own.map((account) => ({ name: account, rows: rows.get(account) ?? [] }));
    const maxConcurrent = places === null ? null : Math.max(0, live + places);
    const standing = { live, maxConcurrent, slot: occupied ?? slot };
    return agentOf(name, { ...rest, ...standing, accounts: facts });
  });
}

const scoped = fc.oneof(
  fc.record({ scope: few("project" as const), name: few(null) }),
  fc.record({ scope: few("agent" as const), name: few<string | null>(...names) }),
  fc.record({ scope: few("account" as const), name: few<string | null>(...accountNames) }),
  fc.record({ scope: few("model" as const), name: few<string | null>(...models) }),
);
const uses = fc
  .array(
    fc.record({
      of: scoped,
      metric: few(...allowanceMetrics),
      mode: few("hard" as const, ...allowanceModes),
      room: few(-2, 0, 1, 2, 3, 5, 9),
      defaultReserve: few(null, null, 0, 2),
      spent: fc.integer({ min: 0, max: 6 }),
      reserved: fc.integer({ min: 0, max: 4 }),
      live: fc.integer({ min: 0, max: 4 }),
    }),
    { maxLength: 3 },
  )
  .map((all) =>
    all.map(({ of, room, spent, reserved, live, ...rest }, n): AllowanceUse => {
      const used = rest.metric === "concurrent_runs" ? live : spent + reserved;
      const limit = Math.max(0, used + room);
      const own: Allowance = allowance({ ...of, ...rest, limit, id: `allowance-${n}` });
      return useOf(own, { spent, reserved, live });
    }),
  );

const workers = fc
  .array(
    fc.record({
      free: fc.integer({ min: 0, max: 9 }),
      agents: fc.subarray(names),
      agentFree: fc.integer({ min: 0, max: 5 }),
      queues: few(null, null, null, ["default"], ["slow"]),
      runners: few(["default"], ["default", "review"], ["default", "review"]),
      capabilities: someOf("gpu", "net"),
    }),
    { maxLength: 5, size: "max" },
  )
  .map((all) =>
    all.map((one, n) =>
      offerOf(n + 1, {
        free: one.free,
        agents: one.agents.map((name) => ({ name, free: one.agentFree })),
        queues: one.queues === null ? null : new Set(one.queues),
        runners: new Set(one.runners),
        capabilities: new Set(one.capabilities),
      }),
    ),
  );

// ---- runs ---------------------------------------------------------------------------------------

const runs = fc.array(
  fc.record({
    priority: fc.integer({ min: 0, max: 99 }),
    age: fc.integer({ min: 0, max: 1e8 }),
    key: few(null, null, null, "k1", "k2"),
    limit: few(1, 2, 3),
    deadlineAt: few(null, null, null, null, START - 1, START + 1),
    queue: few("default", "default", "slow"),
    runner: few("default", "default", "default", "review"),
    requires: few([], [], [], [], ["gpu"], ["net"], ["gpu", "net"]),
    agent: few(null, null, null, null, null, null, ...names),
    runtime: few(null, null, null, null, null, "w1"),
    model: few(null, null, ...models),
    account: few(null, null, null, null, null, null, null, ...accountNames),
    estimate: few(null, null, { tokens: 0 }, { tokens: 3 }, { costMicros: 2 }),
    parent: few(null, null, null, 0, 1),
  }),
  { maxLength: 20, size: "max" },
);
const parentsLeft = fc.array(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }), {
  minLength: 2,
  maxLength: 2,
});

type Drawn = typeof runs extends fc.Arbitrary<infer T> ? T : never;

function candidatesOf(all: Drawn, left: readonly (readonly number[])[]): Candidate[] {
  const parents = left.map((own) => new Map(own.map((rest, n) => [`allowance-${n}`, rest])));
  return all.map((one, n) => {
    const { queue, runner, requires, agent, runtime, model, account } = one;
    const createdAt = START - one.age;
    const where = { queue, runner, requires, agent, runtime, model, account };
    const parts = {
      laneId: JSON.stringify(where),
      createdAt,
      priority: one.priority,
      rank: rank(createdAt, one.priority),
      deadlineAt: one.deadlineAt,
      concurrencyKey: one.key,
      concurrencyLimit: one.limit,
    };
    const parentLeft = one.parent === null ? undefined : parents[one.parent];
    const candidate = candidateOf(`r${String(n).padStart(2, "0")}`, parts, where);
    const { estimate } = one;
    return { ...candidate, estimate, ...(parentLeft === undefined ? {} : { parentLeft }) };
  });
}

/** A fleet and the runs that wait for it. */
export const fleets: fc.Arbitrary<Fleet> = fc
  .record({
    runs,
    left: parentsLeft,
    workers,
    rows: limited,
    agents: fc.tuple(settings, settings, settings),
    uses,
    keyLive: fc.integer({ min: 0, max: 2 }),
    paused: seldom(who),
    stopped: seldom(who),
  })
  .map(({ runs: drawn, left, workers: offers, rows, agents, ...rest }) => ({
    build: () => candidatesOf(drawn, left),
    offers,
    facts: {
      ...nothing,
      stopped: rest.stopped,
      pausedQueues: new Map(rest.paused === null ? [] : [["slow", rest.paused]]),
      liveByKey: new Map([["k1", rest.keyLive]]),
      agents: new Map(agentsOf(agents, rows).map((agent) => [agent.name, agent])),
      accounts: rows,
      allowances: rest.uses,
    },
  }));
