// The engine assembled: opens its connections, starts its services, offers every verb and
// question.
// Promises: assembles, never decides; stops in the order claims → batchers → sweeps → connections,
// so that everything accepted is answered.
// Leaves to others: migrating (store/migrate), listening (http), configuration (config.ts).

import type { Clock } from "../std/clock.ts";
import { systemClock } from "../std/clock.ts";
import { newUuid } from "../std/ids.ts";
import type { Logger } from "../std/logger.ts";
import { silentLogger } from "../std/logger.ts";
import { systemRandom } from "../std/random.ts";
import type { Connection, RoleName, SessionOptions } from "../store/db.ts";
import { Reader } from "../store/db.ts";
import { Doorbell } from "../store/doorbell.ts";
import { findKeyByPrefix } from "../store/keys.ts";
import { checkIsolation } from "../store/self-check.ts";
import { ClientSession } from "../store/session.ts";
import { accessOf } from "./access.ts";
import type { Engine, Health } from "./contract.ts";
import { engineMetrics } from "./metrics/engine-metrics.ts";
import type { Out } from "./out.ts";
import { outOf, startOut, stopOut } from "./out.ts";
import type { Parts } from "./parts.ts";
import { questionsOf } from "./questions.ts";
import { readHouseHealth } from "./services/health.ts";
import { Traces } from "./tracing/traces.ts";
import type { Tracing } from "./tracing/traces.ts";
import { verbsOf } from "./verbs.ts";
import { After } from "./services/after.ts";
import { AgentStatuses } from "./services/agent-statuses.ts";
import type { BatcherOptions } from "./services/batcher.ts";
import { Batcher } from "./services/batcher.ts";
import { DirectiveBoard } from "./services/directives.ts";
import { Denials } from "./services/denials.ts";
import { Dispatcher } from "./services/dispatcher.ts";
import { Flow } from "./services/flow.ts";
import type { FlushContext, Flushed } from "./services/flush/flush.ts";
import { FeedTail } from "./services/tail.ts";
import { ApprovalSweeps } from "./services/sweeps-approvals.ts";
import { FleetSweeps } from "./services/sweeps-fleet.ts";
import { Floors } from "./services/flush/floors.ts";
import { RunMemory } from "./services/flush/memory.ts";
import { rehearseEnrolment, rehearseFlush } from "./services/flush/rehearse.ts";
import { ShutLanes } from "./services/flush/shut-lanes.ts";
import { Hub, isWork, names } from "./services/hub.ts";
import { KeyMemory } from "./services/key-memory.ts";
import { KeyUses } from "./services/key-uses.ts";
import { QuotaWatch } from "./services/quota-watch.ts";
import { Sweeps } from "./services/sweeps.ts";
import type { LiveEvents } from "./services/tail/live-events.ts";

export type EngineOptions = {
  readonly connection: Connection;
  readonly version: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Added to the database's clock; tests move time with it. Default 0. */
  readonly offsetMs?: () => number;
  /** Off: nothing is swept unless a test does it. Default on. */
  readonly sweeps?: boolean;
  /** Where spans go; traces are off without it. */
  readonly tracing?: Tracing;
  /** Off: nothing is sent out unless a test does it. Default: as `sweeps`. */
  readonly sinks?: boolean;
  /** Valkey or Redis that gets every event (`redis://…`); needs the package iovalkey. */
  readonly eventsUrl?: string;
  /** Rows that may wait in each batcher; beyond it callers are refused. Default 50,000. */
  readonly maxWaitingRows?: number;
};

export type RunningEngine = Engine & {
  /** Parts for tests and benches: figures of the batchers, the parked claims. */
  readonly parts: Parts;
  /** Events in this process, for programs that embed it. */
  readonly events: LiveEvents;
  /** Removes what retention lets go; returns how many runs. For tests without sweeps. */
  removeOld(): Promise<number>;
  /** Sweeps once and waits for what follows: for tests that switched the sweeps off. */
  sweepOnce(): Promise<void>;
  stop(): Promise<void>;
};

const MAX_WAITING_ROWS = 50_000;
const MAX_FLUSH_ROWS = 1000;
const ITEM_DEADLINE_MS = 10_000;

/** Opens the connections and starts the services. The schema must be migrated already. */
export async function startEngine(options: EngineOptions): Promise<RunningEngine> {
  const house = open(options, "signalbox_house", "signalbox house", { size: 2 });
  const built = build(options, house);
  const { parts, doorbell, sweeps, sessions, out } = built;
  const closeAll = async (): Promise<void> => {
    await doorbell.stop();
    const pools = [parts.reader, parts.writer, out.writer, house];
    await Promise.all([...sessions, ...pools].map((one) => one.end()));
  };
  try {
    // The first claim should wait neither for connections nor for plans.
    const [control, work] = [sessions.slice(0, 1), sessions.slice(1)];
    const opened = control.map((one) => one.runner());
    const rehearsed = work.map((one) => rehearseFlush(one, flushContext(options), parts.logger));
    const enrolled = rehearseEnrolment(parts, parts.context);
    const looked = checkIsolation(parts.reader, house);
    await allSettled([looked, doorbell.start(), enrolled, ...opened, ...rehearsed]);
    await startOut(out, options);
  } catch (error) {
    await stopOut(out);
    await closeAll();
    throw error;
  }
  if (options.sweeps !== false) sweeps.start();
  const startedAt = new Date(parts.clock.wall()).toISOString();
  const stop = async (): Promise<void> => {
    parts.hub.close();
    await stopOut(out);
    await parts.tail.stop();
    await parts.work.stop();
    await parts.control.stop();
    await sweeps.stop();
    await parts.statuses.stop();
    await parts.quota.settled();
    await parts.traces?.settled();
    await parts.uses.stop();
    await parts.denials.stop();
    await closeAll();
  };
  const health = (): Promise<Health> =>
    healthOf(parts, sweeps, { version: options.version, startedAt });
  const houseHealth = async (all: boolean) => readHouseHealth(parts, await health(), all);
  const sweepOnce = async (): Promise<void> => {
    await sweeps.once();
    await parts.after.settled();
  };
  const metrics: Engine["metrics"] = (more) => parts.metrics.text(more);
  const removeOld = (): Promise<number> => out.retention.once();
  const { traces } = parts;
  const asked = { ...verbsOf(parts), ...questionsOf(parts), ...accessOf(parts) };
  const told = { health, houseHealth, metrics, traces, events: out.live };
  return { ...asked, ...told, parts, removeOld, sweepOnce, stop };
}

/** Waits for all of them, also when one has failed, so that nothing opens after the closing. */
async function allSettled(steps: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(steps)).find((step) => step.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function flushContext(options: EngineOptions): FlushContext {
  return {
    newId: newUuid,
    random: options.random ?? systemRandom,
    offsetMs: options.offsetMs ?? (() => 0),
    lanes: new Map(),
    namedAccounts: new Map(),
    memory: new RunMemory(),
    floors: new Floors((options.clock ?? systemClock).mono),
    runtimes: new Map(),
    presence: new Map(),
    mono: (options.clock ?? systemClock).mono,
    regulated: new Set(),
    agents: new Map(),
    // Moves with the time of tests: what shuts a lane may be an instant.
    shut: new ShutLanes(() => (options.clock ?? systemClock).mono() + (options.offsetMs?.() ?? 0)),
  };
}

type Built = {
  parts: Parts;
  doorbell: Doorbell;
  sweeps: Sweeps;
  sessions: ClientSession[];
  out: Out;
};

/** What services name before it exists: each needs another. */
type Late = { work?: Batcher; control?: Batcher; sweeps?: Sweeps; parts?: Parts };

type Ground = ReturnType<typeof groundOf>;

/** What everything stands on: clocks, connections, bells, memory. */
function groundOf(options: EngineOptions) {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const hub = new Hub(clock);
  const board = new DirectiveBoard();
  const serverId = newUuid();
  const context = flushContext(options);
  const onRing = (name: string): void => {
    if (isWork(name)) {
      context.floors.forget();
      context.shut.reopen();
    }
    if (!board.heard(name)) hub.ring(name);
  };
  const { connection } = options;
  const doorbell = new Doorbell({ connection, serverId, clock, logger, onRing });
  const ring = (bells: Iterable<string>): void => doorbell.ring(bells);
  const reader = open(options, "signalbox_app", "signalbox reader", { size: 4, readOnly: true });
  const writer = open(options, "signalbox_app", "signalbox writer", { size: 2 });
  const reopen = (projectId: string): void => {
    context.shut.reopen(projectId);
    hub.ring(names.work(projectId));
    ring([names.work(projectId)]);
  };
  const bells = { hub, board, doorbell, ring, reopen };
  const flow = new Flow();
  const { tracing } = options;
  const traces = tracing === undefined ? null : new Traces({ ...tracing, reader, clock, logger });
  return { clock, logger, serverId, context, reader, writer, flow, traces, ...bells };
}

/** What follows commits. */
function followersOf(ground: Ground, late: Late) {
  const { clock, logger, context, reader, writer, hub, board, ring, reopen } = ground;
  const kept = { writer, clock, logger, offsetMs: context.offsetMs };
  const statuses = new AgentStatuses({ ...kept, reopen });
  const quota = new QuotaWatch({ ...kept, control: () => late.control as Batcher });
  const after = new After({
    hub,
    board,
    statuses,
    quota,
    regulated: (projectId) => context.regulated.has(projectId),
    shut: context.shut,
    floors: context.floors,
    reader,
    work: () => late.work as Batcher,
    logger,
    ring,
    armSweep: (inMs) => late.sweeps?.arm(inMs),
  });
  return { statuses, quota, after };
}

function batchersOf(options: EngineOptions, ground: Ground, after: After) {
  const { clock, logger, context, hub } = ground;
  const { maxWaitingRows: maxWaiting = MAX_WAITING_ROWS } = options;
  const onCommitted = (flushed: Flushed): void => {
    ground.flow.committed(flushed);
    ground.traces?.committed(flushed);
    after.committed(flushed);
  };
  const sessions = ["control", "work", "work"].map((name) => flushSession(options, name));
  const { traces } = ground;
  const onFlushed: BatcherOptions["onFlushed"] =
    traces === null ? undefined : (name, items, ms) => traces.flushed(name, items, ms);
  const told = onFlushed === undefined ? {} : { onFlushed };
  const shared = { context, clock, logger, onCommitted, maxWaiting, ...told };
  const riders: BatcherOptions["riders"] = (submissions) => dispatcher.riders(submissions);
  const work = batcher("work", sessions.slice(1), { ...shared, riders });
  const control = batcher("control", sessions.slice(0, 1), shared);
  const dispatcher = new Dispatcher({ work, hub, clock });
  return { sessions, work, control, dispatcher };
}

function build(options: EngineOptions, house: Reader): Built {
  const late: Late = {};
  const ground = groundOf(options);
  const followers = followersOf(ground, late);
  const { sessions, ...batchers } = batchersOf(options, ground, followers.after);
  late.work = batchers.work;
  late.control = batchers.control;
  const out = outOf({
    ...options,
    ...ground,
    random: options.random ?? systemRandom,
    writer: open(options, "signalbox_app", "signalbox out", { size: 2 }),
    parts: () => late.parts as Parts,
  });
  const { doorbell, serverId, clock, logger, context, reader, flow, ...shared } = ground;
  const { offsetMs } = context;
  const sweeps = new Sweeps({
    fleet: new FleetSweeps(() => late.parts as Parts),
    approvals: new ApprovalSweeps({
      house,
      control: batchers.control,
      offsetMs: context.offsetMs,
    }),
    house,
    work: batchers.work,
    control: batchers.control,
    after: followers.after,
    clock,
    logger,
    serverId,
    version: options.version,
    offsetMs,
    onServers: (others) => {
      doorbell.others = others;
    },
  });
  late.sweeps = sweeps;
  const { version } = options;
  const tail = new FeedTail({ house, hub: ground.hub, clock, logger });
  const observed = { reader, writer: ground.writer, house, flow, sweeps, tail, ...batchers };
  const parts: Parts = {
    ...engineMetrics(observed, { version, clock, logger, offsetMs }),
    ...shared,
    ...followers,
    ...batchers,
    reader,
    house,
    tail,
    keys: keyMemory(reader, doorbell, clock),
    ...accessServices(ground, house),
    context,
    laneIds: new Map(),
    knownAgents: new Set(),
    clock,
    logger,
    newId: newUuid,
    deliveries: () => out.deliveries,
  };
  late.parts = parts;
  return { parts, doorbell, sweeps, sessions, out };
}

function accessServices({ clock, logger, writer }: Ground, house: Reader) {
  const stores = { clock, logger, writer, house };
  return { uses: new KeyUses(stores), denials: new Denials(stores) };
}

function keyMemory(reader: Reader, doorbell: Doorbell, { mono, wall }: Clock): KeyMemory {
  return new KeyMemory({
    look: (prefix) => reader.within([], (runner) => findKeyByPrefix(runner, prefix)),
    alone: () => doorbell.alone,
    mono,
    wall,
  });
}

type Shared = Omit<BatcherOptions, "name" | "sessions" | "wait" | "maxRows" | "deadlineMs">;

function batcher(name: "work" | "control", sessions: ClientSession[], shared: Shared): Batcher {
  return new Batcher({
    ...shared,
    name,
    sessions,
    wait: name === "control",
    maxRows: MAX_FLUSH_ROWS,
    deadlineMs: ITEM_DEADLINE_MS,
  });
}

/** How the engine opens a connection of a pool. */
export function sessionOptions(role: RoleName, applicationName: string): SessionOptions {
  return { role, applicationName, statementTimeoutMs: 10_000, lockTimeoutMs: 2000 };
}

function open(
  options: EngineOptions,
  role: RoleName,
  name: string,
  { size, readOnly = false }: { size: number; readOnly?: boolean },
): Reader {
  return new Reader(options.connection, { ...sessionOptions(role, name), readOnly }, size);
}

/**
 * Flush statements join small batches with large tables by primary key. Statistics of a young table
 * would make the planner scan and hash it whole, so plans are generic and go by index.
 */
const pinnedPlans = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_mergejoin: "off",
};

/** How the engine opens a connection of a batcher. */
export function flushOptions(applicationName: string): SessionOptions {
  const options = sessionOptions("signalbox_app", applicationName);
  return { ...options, lockTimeoutMs: 200, settings: pinnedPlans };
}

function flushSession(options: EngineOptions, name: string): ClientSession {
  return new ClientSession(options.connection, flushOptions(`signalbox ${name}`));
}

async function healthOf(
  parts: Parts,
  sweeps: Sweeps,
  facts: { version: string; startedAt: string },
): Promise<Health> {
  let database: Health["database"] = "ok";
  try {
    await parts.reader.within([], async () => {});
  } catch {
    database = "unreachable";
  }
  const sweepLagMs = Math.round(Math.min(sweeps.lagMs(), Number.MAX_SAFE_INTEGER));
  return { ready: database === "ok" && sweepLagMs < 10_000, database, sweepLagMs, ...facts };
}
