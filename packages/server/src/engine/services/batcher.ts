// The batcher: everything that waits when a flush ends goes together into the next one; with two
// sessions one flush is decided here while the other is written by the database.
// Promises: no timer, no minimum size, so a lone caller waits for nobody; items about one run, and
// claims, are never in two flushes at once; a bad item never fails its neighbours (a failing flush
// is halved until the poison stands alone); no item waits longer than its deadline; the queue is
// bounded and says `overloaded` beyond it.
// Leaves to others: what a flush does (flush/), what follows a commit (the `onCommitted` hook).

import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";
import { isConnectionLoss, isTransient, sqlState } from "../../store/db.ts";
import { BatcherFigures } from "./figures.ts";
import type { FlushContext, Flushed, FlushSession } from "./flush/flush.ts";
import { didCommit, runFlush, UnknownOutcome } from "./flush/flush.ts";
import type { Answer, ClaimItem, Item, Outcome, SubmitItem } from "./flush/items.ts";
import { weightOf } from "./flush/items.ts";

export type BatcherOptions = {
  readonly name: "control" | "work";
  /** Control waits for row locks (bounded by lock_timeout); work leaves locked rows for later. */
  readonly wait: boolean;
  /** One flush at a time in each. */
  readonly sessions: readonly FlushSession[];
  readonly context: FlushContext;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Rows one flush takes at most. */
  readonly maxRows: number;
  /** Rows that may wait; beyond it new items are refused. */
  readonly maxWaiting: number;
  /** How long an item may wait for the database before it is refused as `unavailable`. */
  readonly deadlineMs: number;
  readonly onCommitted: (flushed: Flushed) => void;
  /** Told of each flush: how many items it had and how long it took. Absent: nobody asks. */
  readonly onFlushed?: (batcher: string, items: number, ms: number) => void;
  /** Claims that wait for work and ride along with these submissions. */
  readonly riders?: (submissions: readonly SubmitItem[]) => readonly Rider[];
};

/** A waiting claim that a flush takes along. */
export type Rider = {
  readonly item: ClaimItem;
  readonly settle: (outcome: Answer | Refusal) => void;
};

type Waiting = {
  readonly item: Item;
  /** What may be in one flush at a time only: a run, or the claims; null for what is new. */
  readonly subject: string | null;
  readonly weight: number;
  readonly since: number;
  readonly settle: (outcome: Answer | Refusal) => void;
  /** Its time was up while the outcome of its flush was unknown: never answered again. */
  answered: boolean;
};

const LOCK_NOT_AVAILABLE = "55P03";
const RETRY_MS = 5;
const RECONNECT_MS = 100;
const CLAIMS = "claims";
/** A flush takes milliseconds; one that takes longer is worth a look at the database. */
const SLOW_FLUSH_MS = 1000;
/** Items from which two flushes side by side are faster than one. */
const WORTH_SHARING = 32;

function subjectOf(item: Item): string | null {
  if (item.kind === "run" || item.kind === "letter") return item.runId;
  // A claim must not find rows merely locked by another claim of this server: it would wait.
  return item.kind === "claim" ? CLAIMS : null;
}

/** A session with what its present flush is about. */
type Lane = {
  readonly session: FlushSession;
  /** Has a loop, which gathers or flushes. */
  busy: boolean;
  flushing: boolean;
  skipLocked: boolean;
  /** When its present flush began (monotonic milliseconds). */
  began: number;
};

export class Batcher {
  readonly #options: BatcherOptions;
  readonly #lanes: Lane[];
  #queue: Waiting[] = [];
  #waitingRows = 0;
  #gathering = 0;
  /** Subjects of the flushes under way. */
  readonly #underWay = new Set<string>();
  readonly #loops = new Set<Promise<void>>();
  #stopped = false;
  readonly figures = new BatcherFigures();

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#lanes = options.sessions.map((session) => ({
      session,
      busy: false,
      flushing: false,
      skipLocked: false,
      began: 0,
    }));
  }

  /** Puts an item into the next flush; resolves with its own answer or refusal, never rejects. */
  add(item: Item): Promise<Answer | Refusal> {
    const weight = weightOf(item);
    if (this.#stopped) return Promise.resolve(unavailable("The server is shutting down."));
    if (this.#waitingRows + weight > this.#options.maxWaiting) {
      this.figures.refused.overloaded += 1;
      return Promise.resolve(
        refuse("overloaded", "Too many operations are waiting; try again shortly.", {
          retry_after_ms: 1000,
        }),
      );
    }
    return new Promise((resolve) => {
      this.#waitingRows += weight;
      this.figures.waiting += 1;
      const since = this.#options.clock.mono();
      const subject = subjectOf(item);
      this.#queue.push({ item, subject, weight, since, settle: resolve, answered: false });
      this.#wake();
    });
  }

  /** Rows that wait now. */
  get waiting(): number {
    return this.#waitingRows;
  }

  /** Takes nothing new and resolves when everything queued has been answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#loops.size > 0) await Promise.all(this.#loops);
  }

  #wake(): void {
    const lane = this.#lanes.find((one) => !one.busy);
    // A lane that gathers takes it: a lone caller stays with one session, whose caches are warm.
    if (lane === undefined || this.#gathering > 0) return;
    lane.busy = true;
    const loop = this.#run(lane).finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }

  async #run(lane: Lane): Promise<void> {
    await this.#gather();
    for (;;) {
      const batch = this.#take();
      if (batch.length === 0) break;
      lane.flushing = true;
      const again = await this.#flush(lane, batch);
      lane.flushing = false;
      for (const { subject } of batch) if (subject !== null) this.#underWay.delete(subject);
      if (again.length > 0) {
        this.#queue = [...again, ...this.#queue];
        if (this.#queue.length === again.length) await this.#pause(RETRY_MS);
      }
      await this.#gather();
    }
    lane.busy = false;
  }

  /** Callers that are answered or heard in this turn of the event loop ride in the same flush. */
  async #gather(): Promise<void> {
    this.#gathering += 1;
    await nextTurn();
    this.#gathering -= 1;
  }

  /** What may go now: nothing about a subject that is under way, nor what came after it. */
  #take(): Waiting[] {
    const taken: Waiting[] = [];
    const left: Waiting[] = [];
    const most = this.#share();
    const { maxRows } = this.#options;
    let rows = 0;
    let index = 0;
    for (; index < this.#queue.length; index += 1) {
      const waiting = this.#queue[index] as Waiting;
      const { subject, weight } = waiting;
      if (subject !== null && this.#underWay.has(subject)) {
        left.push(waiting);
        continue;
      }
      if (taken.length === most || (taken.length > 0 && rows + weight > maxRows)) break;
      taken.push(waiting);
      rows += weight;
    }
    this.#takeRiders(taken);
    for (const { subject } of taken) if (subject !== null) this.#underWay.add(subject);
    this.#queue = [...left, ...this.#queue.slice(index)];
    this.figures.largest = Math.max(this.figures.largest, rows);
    if (this.#queue.length > left.length) this.#wake();
    return taken;
  }

  /** Whoever waits for work gets what is submitted in the same commit. */
  #takeRiders(taken: Waiting[]): void {
    const { riders, clock } = this.#options;
    if (riders === undefined || this.#underWay.has(CLAIMS)) return;
    const submissions = taken.flatMap(({ item }) => (item.kind === "submit" ? [item] : []));
    if (submissions.length === 0) return;
    const since = clock.mono();
    for (const { item, settle } of riders(submissions)) {
      const weight = weightOf(item);
      this.#waitingRows += weight;
      this.figures.waiting += 1;
      taken.push({ item, subject: CLAIMS, weight, since, settle, answered: false });
    }
  }

  /** How many items: callers move in step, and without sharing none would be in a flush beside. */
  #share(): number {
    const free = this.#lanes.filter((lane) => !lane.flushing).length;
    const queued = this.#queue.length;
    return queued < WORTH_SHARING ? queued : Math.ceil(queued / free);
  }

  /** Flushes a batch; returns what must go again. */
  async #flush(lane: Lane, batch: readonly Waiting[]): Promise<Waiting[]> {
    const live = this.#refuseLate(batch);
    if (live.length === 0) return [];
    const wait = this.#options.wait && !lane.skipLocked;
    try {
      lane.skipLocked = false;
      const { context, clock } = this.#options;
      const items = live.map((waiting) => waiting.item);
      lane.began = clock.mono();
      return this.#settleAll(lane, live, await runFlush(lane.session, items, { wait, context }));
    } catch (error) {
      // Something else than a run is locked (runs are left out): whom it stops must stand alone.
      if (!wait && isLockTimeout(error) && live.length > 1) return this.#halve(lane, live);
      return this.#failed(lane, live, error);
    }
  }

  /** Flushes each half by itself: what fails for one item comes to stand alone. */
  async #halve(lane: Lane, batch: readonly Waiting[]): Promise<Waiting[]> {
    this.figures.failed.halved += 1;
    const middle = Math.ceil(batch.length / 2);
    const again = await this.#flush(lane, batch.slice(0, middle));
    // What goes again goes before what came later about the same subject.
    const subjects = new Set(again.flatMap(({ subject }) => subject ?? []));
    const [rest, later] = parted(batch.slice(middle), ({ subject }) => !subjects.has(`${subject}`));
    return [...again, ...later, ...(await this.#flush(lane, rest))];
  }

  async #failed(lane: Lane, batch: readonly Waiting[], error: unknown): Promise<Waiting[]> {
    const { logger, name } = this.#options;
    const { failed, refused } = this.figures;
    if (error instanceof UnknownOutcome) {
      failed.unknown += 1;
      return this.#lookUp(lane, batch, error);
    }
    if (isTransient(error)) {
      failed.retried += 1;
      // A lock that was not got in time: the next flush leaves locked rows out, the others commit.
      lane.skipLocked = isLockTimeout(error);
      await this.#pause(isConnectionLoss(error) ? RECONNECT_MS : RETRY_MS);
      return [...batch];
    }
    if (batch.length > 1) return this.#halve(lane, batch);
    logger.error({ batcher: name, err: error }, "a flush failed for one item");
    const poison = batch[0] as Waiting;
    refused.poisoned += 1;
    this.#answer(poison, refuse("internal", "The operation could not be stored."));
    return [];
  }

  /** Asks the database whether the flush committed, until it answers or the items' time is up. */
  async #lookUp(
    lane: Lane,
    batch: readonly Waiting[],
    unknown: UnknownOutcome,
  ): Promise<Waiting[]> {
    for (;;) {
      await this.#pause(RECONNECT_MS);
      try {
        if (!(await didCommit(lane.session, unknown))) return [...batch];
        return this.#settleAll(lane, batch, unknown.flushed);
      } catch (error) {
        this.#options.logger.debug({ err: error }, "the outcome of a flush is still unknown");
        if (this.#refuseLate(batch).length === 0) return [];
      }
    }
  }

  /** What follows a commit must never make an answered item go again. */
  #follow(flushed: Flushed): void {
    try {
      this.#options.onCommitted(flushed);
    } catch (error) {
      this.#options.logger.error({ err: error }, "a follow-up of a commit threw");
    }
  }

  #settleAll({ began }: Lane, batch: readonly Waiting[], flushed: Flushed): Waiting[] {
    const { figures } = this;
    figures.flushes += 1;
    figures.items += batch.length;
    figures.sizes.add(batch.length);
    const { clock, name, logger, onFlushed } = this.#options;
    const times = { began, now: clock.mono() };
    const ms = times.now - began;
    if (ms >= SLOW_FLUSH_MS) {
      logger.warn({ batcher: name, items: batch.length, ms: Math.round(ms) }, "a flush was slow");
    }
    onFlushed?.(name, batch.length, ms);
    const again = batch.filter((waiting, index) =>
      this.#settle(waiting, flushed.outcomes[index] as Outcome, times),
    );
    this.#follow(flushed);
    return again;
  }

  /** Answers an item; true when it must go again. */
  #settle(waiting: Waiting, outcome: Outcome, times: { began: number; now: number }): boolean {
    if ("again" in outcome) return true;
    if (!waiting.answered) this.figures.answer(waiting.since, times);
    this.#answer(waiting, "answer" in outcome ? outcome.answer : outcome.refusal);
    return false;
  }

  #answer(waiting: Waiting, outcome: Answer | Refusal): void {
    if (waiting.answered) return;
    waiting.answered = true;
    this.#waitingRows -= waiting.weight;
    this.figures.waiting -= 1;
    waiting.settle(outcome);
  }

  #refuseLate(batch: readonly Waiting[]): Waiting[] {
    const oldest = this.#options.clock.mono() - this.#options.deadlineMs;
    return batch.filter((waiting) => {
      if (waiting.since >= oldest) return true;
      if (!waiting.answered) this.figures.refused.late += 1;
      this.#answer(waiting, unavailable("The database did not take the operation in time."));
      return false;
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.setDeadline(ms, resolve);
    });
  }
}

/** Those that `fits` is true of, and the others. */
function parted(all: readonly Waiting[], fits: (one: Waiting) => boolean): [Waiting[], Waiting[]] {
  return [all.filter(fits), all.filter((one) => !fits(one))];
}

/** After the callbacks of this turn of the event loop and everything they awaited. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === LOCK_NOT_AVAILABLE;
}

function unavailable(detail: string): Refusal {
  return refuse("unavailable", detail, { retry_after_ms: 1000 });
}
