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
import { listQueues, readProjects } from "../store/projects.ts";
import { checkIsolation } from "../store/self-check.ts";
import { ClientSession } from "../store/session.ts";
import { claim } from "./commands/claim.ts";
import { heartbeat } from "./commands/heartbeat.ts";
import * as operate from "./commands/operate.ts";
import { append, report } from "./commands/report.ts";
import { setStop } from "./commands/stop-project.ts";
import { cancel, kill } from "./commands/stop-run.ts";
import { submit } from "./commands/submit.ts";
import type { Engine, Health } from "./contract.ts";
import { metricsOf } from "./metrics.ts";
import type { Parts } from "./parts.ts";
import { explain } from "./queries/explain.ts";
import * as fleet from "./queries/fleet.ts";
import * as follow from "./queries/follow.ts";
import * as lists from "./queries/lists.ts";
import { attemptPrincipal, principal } from "./queries/principals.ts";
import { projectOf } from "./queries/views.ts";
import { After } from "./services/after.ts";
import type { BatcherOptions } from "./services/batcher.ts";
import { Batcher } from "./services/batcher.ts";
import { DirectiveBoard } from "./services/directives.ts";
import { Dispatcher } from "./services/dispatcher.ts";

import type { FlushContext, Flushed } from "./services/flush/flush.ts";
import { Floors } from "./services/flush/floors.ts";
import { RunMemory } from "./services/flush/memory.ts";
import { Hub, isWork } from "./services/hub.ts";
import { KeyMemory } from "./services/key-memory.ts";
import { Sweeps } from "./services/sweeps.ts";

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
  /** Rows that may wait in each batcher; beyond it callers are refused. Default 50,000. */
  readonly maxWaitingRows?: number;
};

export type RunningEngine = Engine & {
  /** Parts for tests and benches: figures of the batchers, the parked claims. */
  readonly parts: Parts;
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
  const { parts, doorbell, sweeps, sessions } = built;
  const closeAll = async (): Promise<void> => {
    await doorbell.stop();
    const pools = [parts.reader, parts.writer, house];
    await Promise.all([...sessions, ...pools].map((one) => one.end()));
  };
  try {
    await allSettled([checkIsolation(parts.reader, house), doorbell.start()]);
  } catch (error) {
    await closeAll();
    throw error;
  }
  if (options.sweeps !== false) sweeps.start();
  const startedAt = new Date(parts.clock.wall()).toISOString();
  const stop = async (): Promise<void> => {
    parts.hub.close();
    await parts.work.stop();
    await parts.control.stop();
    await sweeps.stop();
    await closeAll();
  };
  const health = (): Promise<Health> =>
    healthOf(parts, sweeps, { version: options.version, startedAt });
  const sweepOnce = async (): Promise<void> => {
    await sweeps.once();
    await parts.after.settled();
  };
  const metrics = metricsOf(parts);
  return { ...verbs(parts), ...questions(parts), health, metrics, parts, sweepOnce, stop };
}

/** Waits for all of them, also when one has failed, so that nothing opens after the closing. */
async function allSettled(steps: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(steps)).find((step) => step.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function flushContext(options: EngineOptions): FlushContext {
  return {
    newId: newUuid,
    random: options.random ?? systemRandom,
    offsetMs: options.offsetMs ?? (() => 0),
    lanes: new Map(),
    memory: new RunMemory(),
    floors: new Floors((options.clock ?? systemClock).mono),
    runtimes: new Map(),
    presence: new Map(),
    mono: (options.clock ?? systemClock).mono,
  };
}

type Built = { parts: Parts; doorbell: Doorbell; sweeps: Sweeps; sessions: ClientSession[] };

function build(options: EngineOptions, house: Reader): Built {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const hub = new Hub(clock);
  const board = new DirectiveBoard();
  const serverId = newUuid();
  const context = flushContext(options);
  const onRing = (name: string): void => {
    if (isWork(name)) context.floors.forget();
    if (!board.heard(name)) hub.ring(name);
  };
  const { connection, version, maxWaitingRows: maxWaiting = MAX_WAITING_ROWS } = options;
  const doorbell = new Doorbell({ connection, serverId, clock, logger, onRing });
  const ring = (names: Iterable<string>): void => doorbell.ring(names);
  const reader = open(options, "signalbox_app", "signalbox reader", { size: 4, readOnly: true });
  const keys = keyMemory(reader, doorbell, clock);
  const late: { work?: Batcher; sweeps?: Sweeps } = {};
  const after = new After({
    hub,
    board,
    floors: context.floors,
    reader,
    work: () => late.work as Batcher,
    logger,
    ring,
    armSweep: (inMs) => late.sweeps?.arm(inMs),
  });
  const onCommitted = (flushed: Flushed): void => after.committed(flushed);
  const sessions = ["control", "work", "work"].map((name) => flushSession(options, name));
  const shared = { context, clock, logger, onCommitted, maxWaiting };
  const riders: BatcherOptions["riders"] = (submissions) => dispatcher.riders(submissions);
  const work = batcher("work", sessions.slice(1), { ...shared, riders });
  const control = batcher("control", sessions.slice(0, 1), shared);
  const dispatcher = new Dispatcher({ work, hub, clock });
  late.work = work;
  const sweeps = new Sweeps({
    house,
    work,
    control,
    after,
    clock,
    logger,
    serverId,
    version,
    offsetMs: context.offsetMs,
    onServers: (others) => {
      doorbell.others = others;
    },
  });
  late.sweeps = sweeps;
  const parts: Parts = {
    work,
    control,
    reader,
    writer: open(options, "signalbox_app", "signalbox writer", { size: 2 }),
    house,
    keys,
    hub,
    board,
    after,
    dispatcher,
    context,
    laneIds: new Map(),
    clock,
    logger,
    newId: newUuid,
    ring,
  };
  return { parts, doorbell, sweeps, sessions };
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
  jit: "off",
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

function verbs(parts: Parts) {
  return {
    submit: (projectId, specs, origin) => submit(parts, projectId, specs, origin),
    claim: (projectId, input, origin, signal) => claim(parts, projectId, input, { origin, signal }),
    heartbeat: (projectId, input, origin) => heartbeat(parts, projectId, input, origin),
    report: (projectId, items, origin) => report(parts, projectId, items, origin),
    append: (projectId, items, origin) => append(parts, projectId, items, origin),
    cancel: (projectId, runId, input, origin) =>
      cancel(parts, projectId, runId, { ...input, origin }),
    kill: (projectId, runId, reason, origin) => kill(parts, projectId, runId, { reason, origin }),
    registerRuntime: (projectId, name, registration, origin) =>
      operate.registerRuntime(parts, projectId, name, { registration, origin }),
    pauseQueue: (projectId, name, reason, origin) =>
      operate.pauseQueue(parts, projectId, name, { reason, origin }),
    resumeQueue: (projectId, name, origin) =>
      operate.pauseQueue(parts, projectId, name, { reason: null, origin }),
    stopProject: (projectId, input, origin) =>
      setStop(parts, projectId, { ...input, stop: true, origin }),
    resumeProject: (projectId, reason, origin) =>
      setStop(parts, projectId, { reason, stop: false, cancelLive: false, origin }),
    createProject: (name, origin) => operate.createProject(parts, name, origin),
    createKey: (projectId, input, origin) => operate.createKey(parts, projectId, input, origin),
    revokeKey: (projectId, keyId, origin) => operate.revokeKey(parts, projectId, keyId, origin),
  } satisfies Partial<Engine>;
}

function questions(parts: Parts) {
  const { reader } = parts;
  const run = (projectId: string, runId: string) => lists.readRun(parts, projectId, runId);
  return {
    principal: (key) => principal(parts, key),
    attemptPrincipal: (key) => attemptPrincipal(parts, key),
    findProject: (idOrName) => fleet.findProject(parts, idOrName),
    run,
    runs: (projectId, filter, page) => lists.readRunPage(parts, projectId, filter, page),
    attempts: (projectId, runId) => lists.readAttempts(parts, projectId, runId),
    runEvents: (projectId, runId, page) => lists.readRunEvents(parts, projectId, runId, page),
    projectEvents: (projectId, page) => lists.readProjectEvents(parts, projectId, page),
    explain: (projectId, runId) => explain(parts, projectId, runId),
    waitForRun: (projectId, runId, timeoutMs, signal) =>
      follow.waitForRun(parts, () => run(projectId, runId), runId, { timeoutMs, signal }),
    runtimes: (projectId, page) => lists.readRuntimePage(parts, projectId, page),
    runtime: (projectId, name) => lists.readRuntime(parts, projectId, name),
    queues: async (projectId) => {
      const rows = await reader.within([projectId], (runner) => listQueues(runner, projectId));
      return rows.map(operate.queueOf);
    },
    projects: () => fleet.listProjects(parts),
    project: async (projectId) => {
      const rows = await reader.within([projectId], (r) => readProjects(r, [projectId]));
      return rows[0] === undefined ? null : projectOf(rows[0]);
    },
    keys: (projectId) => lists.readKeys(parts, projectId),
    followRun: (projectId, runId, afterSeq, signal) =>
      follow.followRun(parts, projectId, runId, { afterSeq, signal }),
    followProject: (projectId, afterFeed, signal) =>
      follow.followProject(parts, projectId, { afterFeed, signal }),
    directives: (projectId, runtime, signal) =>
      follow.followDirectives(parts, projectId, runtime, signal),
  } satisfies Partial<Engine>;
}
