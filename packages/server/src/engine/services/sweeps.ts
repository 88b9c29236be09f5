// The sweep: finds runs whose instant has come and puts them to the law; keeps the installation's
// pulse; picks up what a dead process left half told.
// Promises: any number of servers may sweep at once: the sweep only finds, the flush decides under
// the run's lock; armed for the next due instant, at least every second; an outage of the house
// extends live leases before anything is taken back (F-11); a jump of the database's clock
// reclaims nothing for one lease (F-10).
// Leaves to others: what is due and what follows (domain/due.ts).

import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";
import { Service } from "../../std/service.ts";
import { nilUuid } from "../../std/ids.ts";
import type { Reader } from "../../store/db.ts";
import {
  moveControlPulse,
  readControlPulse,
  serverBeat,
  serverLeave,
} from "../../store/house/control.ts";
import type { DueRun, StoppedRun } from "../../store/house/sweeps.ts";
import { cleanAccess } from "../../store/house/installation.ts";
import {
  anyDependencyExists,
  cleanFlushes,
  dueRuns,
  leasesLiveAt,
  liveInStoppedProjects,
  nextDueAt,
  strayDependentRuns,
  strayKeyRuns,
} from "../../store/house/sweeps.ts";
import type { After } from "./after.ts";
import { houseOrigin } from "./after.ts";
import type { ApprovalSweeps } from "./sweeps-approvals.ts";
import type { FleetSweeps } from "./sweeps-fleet.ts";
import type { Batcher } from "./batcher.ts";

export type SweepOptions = {
  readonly house: Reader;
  readonly work: Batcher;
  readonly control: Batcher;
  readonly after: After;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serverId: string;
  readonly version: string;
  readonly offsetMs: () => number;
  /** The part of the sweep that is about who may work. */
  readonly fleet: Pick<FleetSweeps, "recoveries" | "strays" | "scans">;
  /** The part that is about approvals. */
  readonly approvals: Pick<ApprovalSweeps, "due">;
  /** Called with the number of other servers that are up. */
  readonly onServers: (others: number) => void;
};

const FLOOR_MS = 1000;
const PAGE = 500;
const STRAY_EVERY_MS = 2000;
const FIRST_STRAYS_MS = 500;
/** What looks at every agent and every lane. */
const SCAN_EVERY_MS = 10_000;
const CLEAN_EVERY_MS = 600_000;
/** A pulse older than this means that no server was up. */
const OUTAGE_MS = 2000;
/** A silence this long means that this server itself stood still. */
const LONG_SILENCE_MS = 10_000;
const EPOCH = "1970-01-01T00:00:00Z";
const NO_KEY = { projectId: nilUuid, key: "" };
/** How long a round waits for rows that others hold before it goes on without them. */
const HELD_MS = 250;

/** Parts of a round: due runs (every second), limits, what was left half told (2 s), all (10 s). */
export type SweepName = "due" | "recoveries" | "strays" | "scans";

export class Sweeps {
  readonly #options: SweepOptions;
  readonly #service: Service;
  #lastStray = -Infinity;
  #lastScan = -Infinity;
  #lastClean = -Infinity;
  #strayCursor = nilUuid;
  #keyCursor = NO_KEY;
  /** Runs that were put into a flush and have not come back: their rows are held elsewhere. */
  readonly #underWay = new Set<string>();
  #lastRoundAt: number | null = null;
  /** When this object was made, and each part of a round last ended (monotonic milliseconds). */
  readonly #done: Record<SweepName, number>;
  #lastPulse: { wall: number; mono: number } | null = null;
  /** Leases that ended while the house was away cost nothing until this monotonic instant. */
  #outageUntil = -Infinity;
  /** Whether the last round did not end well; so it is before the first one. */
  #roundFailed = true;

  constructor(options: SweepOptions) {
    this.#options = options;
    const now = options.clock.mono();
    this.#done = { due: now, recoveries: now, strays: now, scans: now };
    this.#service = new Service({
      name: "sweep.due",
      clock: options.clock,
      logger: options.logger,
      round: () => this.#round(),
    });
  }

  start(): void {
    // The first round is about what is due: what a server is asked at its start goes before strays.
    this.#lastStray = this.#options.clock.mono() - STRAY_EVERY_MS + FIRST_STRAYS_MS;
    this.#service.start();
  }

  async stop(): Promise<void> {
    await this.#service.stop();
    await this.#options.house
      .within([], (runner) => serverLeave(runner, this.#options.serverId))
      .catch(() => {});
  }

  /**
   * One whole round, strays included. For tests that sweep by hand, with the service not started.
   */
  async once(): Promise<void> {
    this.#lastStray = -Infinity;
    this.#lastScan = -Infinity;
    await this.#round();
  }

  /** A run becomes due in this many milliseconds. */
  arm(inMs: number): void {
    this.#service.wakeWithin(inMs);
  }

  /** Milliseconds since the last finished round. */
  lagMs(): number {
    return this.#lastRoundAt === null ? Infinity : this.#options.clock.mono() - this.#lastRoundAt;
  }

  /** Milliseconds since each part of the sweep last ended, or since the start. */
  lagsMs(): Record<SweepName, number> {
    const now = this.#options.clock.mono();
    const { due, recoveries, strays, scans } = this.#done;
    return {
      due: now - due,
      recoveries: now - recoveries,
      strays: now - strays,
      scans: now - scans,
    };
  }

  #ended(name: SweepName): void {
    this.#done[name] = this.#options.clock.mono();
  }

  async #round(): Promise<number> {
    const failedBefore = this.#roundFailed;
    this.#roundFailed = true;
    await this.#pulse(failedBefore);
    await this.#sweepDue();
    this.#ended("due");
    const recoveryAt = await this.#options.fleet.recoveries();
    this.#ended("recoveries");
    const approvalAt = await this.#options.approvals.due();
    await this.#sweepStrays();
    this.#roundFailed = false;
    this.#lastRoundAt = this.#options.clock.mono();
    const next = await this.#options.house.within([], (runner) =>
      nextDueAt(runner, this.#options.offsetMs()),
    );
    const { now } = next;
    const dueAt = Math.min(next.dueAt ?? Infinity, recoveryAt ?? Infinity, approvalAt ?? Infinity);
    if (dueAt === Infinity) return FLOOR_MS;
    // What is still due after a sweep is held by somebody: look again, but not at once.
    return dueAt <= now ? HELD_MS : Math.min(FLOOR_MS, Math.max(1, dueAt - now));
  }

  /** Says that the house is up; when it was not, extends live leases first. */
  async #pulse(failedBefore: boolean): Promise<void> {
    const { house, clock, serverId, version } = this.#options;
    const pulse = await house.within([], readControlPulse);
    const jump = this.#clockJump(pulse.now);
    const silent = pulse.at === null ? 0 : pulse.now - pulse.at;
    const gap = Math.max(jump, silent > OUTAGE_MS ? silent : 0);
    // A round that is merely late on a busy machine gives time, but excuses nobody: a run that
    // stalls the machine of its server must not be claimed without bound (F-26).
    const away = failedBefore || jump > 0 || gap > LONG_SILENCE_MS;
    if (away && gap > 0) this.#outageUntil = this.#options.clock.mono() + gap;
    if (gap > 0) await this.#extendLeases(pulse.exact ?? EPOCH, gap);
    await house.within([], (runner) => moveControlPulse(runner, pulse.exact));
    this.#lastPulse = { wall: pulse.now, mono: clock.mono() };
    const others = await house.within([], (runner) => serverBeat(runner, serverId, version));
    this.#options.onServers(others);
  }

  /** How far the database's clock ran ahead of ours since the last round; 0 when they agree. */
  #clockJump(now: number): number {
    if (this.#lastPulse === null) return 0;
    const database = now - this.#lastPulse.wall;
    const own = this.#options.clock.mono() - this.#lastPulse.mono;
    if (Math.abs(database - own) <= 2000) return 0;
    this.#options.logger.warn({ database_ms: database, own_ms: own }, "clock_jump");
    return Math.max(0, database - own);
  }

  async #extendLeases(liveAt: string, gapMs: number): Promise<void> {
    const { house, control, logger } = this.#options;
    let extended = 0;
    let after = nilUuid;
    for (;;) {
      const cursor = after;
      const page = await house.within([], (runner) => leasesLiveAt(runner, liveAt, cursor, PAGE));
      await Promise.all(
        page.map((run) =>
          control.add({
            kind: "run",
            projectId: run.project_id,
            runId: run.id,
            what: { command: { kind: "extend", byMs: gapMs } },
            origin: houseOrigin("outage"),
          }),
        ),
      );
      extended += page.length;
      if (page.length < PAGE) break;
      after = page.at(-1)?.id ?? after;
    }
    if (extended === 0) return;
    logger.warn({ gap_ms: gapMs, leases: extended }, "the house was away; leases were extended");
  }

  async #sweepDue(): Promise<void> {
    const { house, offsetMs } = this.#options;
    let cursor = { at: EPOCH, id: nilUuid };
    for (;;) {
      const after = cursor;
      const page = await house.within([], (runner) => dueRuns(runner, after, offsetMs(), PAGE));
      const fresh = page.filter((run) => !this.#underWay.has(run.id));
      await this.#atMost(HELD_MS, Promise.all(fresh.map((run) => this.#put(run))));
      const last = page.at(-1);
      if (page.length < PAGE || last === undefined) return;
      cursor = { at: new Date(last.due_at).toISOString(), id: last.id };
    }
  }

  async #put(run: DueRun): Promise<void> {
    this.#underWay.add(run.id);
    await this.#options.work.add({
      kind: "run",
      projectId: run.project_id,
      runId: run.id,
      what: { due: true, outage: this.#options.clock.mono() < this.#outageUntil },
      origin: houseOrigin("sweep"),
    });
    this.#underWay.delete(run.id);
  }

  /**
   * Waits for the work, but no longer than `ms`: a held row must not keep the sweep from others.
   */
  #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.setDeadline(ms, resolve);
      work.then(() => resolve(), reject).finally(cancel);
    });
  }

  #endStopped(run: StoppedRun): void {
    const reason = run.cancel_reason;
    void this.#options.control.add({
      kind: "run",
      projectId: run.project_id,
      runId: run.id,
      fence: { attemptId: run.attempt_id, token: run.fencing_token },
      what: {
        command: reason === null ? { kind: "release", cause: "stopped" } : { kind: "kill", reason },
      },
      origin: houseOrigin("stop"),
    });
  }

  async #sweepStrays(): Promise<void> {
    const { house, after, clock } = this.#options;
    const now = clock.mono();
    if (now - this.#lastStray < STRAY_EVERY_MS) return;
    this.#lastStray = now;
    const cursor = this.#keyCursor;
    const keys = await house.within([], (runner) => strayKeyRuns(runner, cursor, PAGE));
    for (const { project_id, id } of keys) if (id !== null) after.freeKey(project_id, id);
    const last = keys.length < PAGE ? undefined : keys.at(-1);
    this.#keyCursor = last === undefined ? NO_KEY : { projectId: last.project_id, key: last.key };
    const stopped = await house.within([], (runner) => liveInStoppedProjects(runner, PAGE));
    for (const run of stopped) this.#endStopped(run);
    after.dependenciesExist ||= await house.within([], anyDependencyExists);
    if (after.dependenciesExist) {
      const from = this.#strayCursor;
      const runs = await house.within([], (runner) => strayDependentRuns(runner, from, PAGE));
      for (const run of runs) after.checkDependencies(run.project_id, run.id);
      this.#strayCursor = runs.length < PAGE ? nilUuid : (runs.at(-1)?.id ?? nilUuid);
    }
    await this.#options.fleet.strays();
    this.#ended("strays");
    if (now - this.#lastScan >= SCAN_EVERY_MS) {
      this.#lastScan = now;
      await this.#options.fleet.scans();
      this.#ended("scans");
    }
    if (now - this.#lastClean < CLEAN_EVERY_MS) return;
    this.#lastClean = now;
    await house.within([], cleanFlushes);
    await house.within([], cleanAccess);
  }
}
