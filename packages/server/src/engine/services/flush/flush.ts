// One flush: takes the items that waited, reads, decides, writes, commits, and says what became of
// each. Promises: two round trips (three when a candidate names a concurrency key or an unknown
// lane); an unknown outcome of the commit is said to be unknown, never guessed (F-53).
// Leaves to others: which items go together and who retries (batcher.ts), what follows a commit
// (hooks).

import type { LaneKey } from "../../../domain/submission.ts";
import { countLiveByKey } from "../../../store/claims.ts";
import type { Runner } from "../../../store/db.ts";
import { isConnectionLoss } from "../../../store/db.ts";
import { flushCommitted, rollbackFlush } from "../../../store/flushes.ts";
import type { RuntimeRow } from "../../../store/runtimes.ts";
import { readLanes } from "../../../store/specs.ts";
import { claimable, decideClaims, keysOf } from "./decide-claims.ts";
import { decidePresence, decideRun, decideSubmit } from "./decide-items.ts";
import type { Floors } from "./floors.ts";
import type { Change, ClaimItem, Granted, Item, Outcome } from "./items.ts";
import type { Facts } from "./read.ts";
import { readFacts } from "./read.ts";
import type { RunMemory } from "./memory.ts";
import { signsOfLife } from "./presence.ts";
import { FlushState } from "./state.ts";
import { writeFlush } from "./write.ts";

/** What flushes of one server share. */
export type FlushContext = {
  readonly newId: () => string;
  readonly random: () => number;
  /** Added to the database's clock; 0 outside tests. */
  readonly offsetMs: () => number;
  /** Lanes never change, so a server remembers those it has seen. */
  readonly lanes: Map<string, LaneKey>;
  readonly memory: RunMemory;
  readonly floors: Floors;
  /** Runtimes as last seen, by `project/name`: a hint for finding candidates. */
  readonly runtimes: Map<string, RuntimeRow>;
  /** When this server last wrote the presence of an agent on a runtime (monotonic milliseconds). */
  readonly presence: Map<string, number>;
  readonly mono: () => number;
};

export type Flushed = {
  readonly outcomes: Outcome[];
  readonly changes: Change[];
  readonly at: number;
};

/** Lanes and runtimes a server remembers; beyond it, it forgets all and reads again. */
const MAX_REMEMBERED = 20_000;

/** Where a flush runs: a pipelined session of the role `app`, and a fresh one after a loss. */
export interface FlushSession {
  runner(): Promise<Runner>;
  /** Drops the session; the next `runner()` opens a new one. */
  discard(): void;
}

/** The connection was lost after COMMIT was sent: the flush row tells what became of it. */
export class UnknownOutcome extends Error {
  override readonly name = "UnknownOutcome";
  readonly flushId: string;
  readonly flushed: Flushed;
  constructor(flushId: string, flushed: Flushed, cause: unknown) {
    super("the outcome of a flush is not known", { cause });
    this.flushId = flushId;
    this.flushed = flushed;
  }
}

/** Looks up what became of a flush: true = committed, its answers stand; false = run it again. */
export async function didCommit(session: FlushSession, unknown: UnknownOutcome): Promise<boolean> {
  try {
    return await flushCommitted(await session.runner(), unknown.flushId);
  } catch (error) {
    session.discard();
    throw error;
  }
}

export async function runFlush(
  session: FlushSession,
  items: readonly Item[],
  options: { wait: boolean; context: FlushContext },
): Promise<Flushed> {
  const { context } = options;
  const runner = await session.runner();
  context.memory.meet(runner);
  const flushId = context.newId();
  let sent = false;
  let flushed: Flushed | null = null;
  try {
    const state = new FlushState(context.random);
    const outcomes = await decideAll(runner, state, items, options);
    const changes = changesOf(state);
    flushed = { outcomes, changes, at: state.at };
    const { touched, present } = signsOfLife(items, context);
    if (changes.length === 0 && touched.length + present.length === 0) {
      await rollbackFlush(runner);
      return flushed;
    }
    const onCommitSent = (): void => {
      sent = true;
    };
    const grants = grantsOf(outcomes);
    const granted = grants.map((grant) => grant.run.id);
    const extra = { flushId, touched, present, granted, onCommitSent };
    const { details, version } = await writeFlush(runner, state, items, extra);
    context.memory.keep(
      changes.map((change) => change.after),
      version,
    );
    const byId = new Map(details.map((detail) => [detail.id, detail]));
    for (const grant of grants) grant.detail = byId.get(grant.run.id) ?? null;
    return flushed;
  } catch (error) {
    if (sent && flushed !== null && isConnectionLoss(error)) {
      session.discard();
      throw new UnknownOutcome(flushId, flushed, error);
    }
    await abandon(session, runner, error);
    throw error;
  }
}

function grantsOf(outcomes: readonly Outcome[]): Granted[] {
  return outcomes.flatMap((outcome) =>
    "answer" in outcome && outcome.answer.kind === "claim" ? outcome.answer.grants : [],
  );
}

async function abandon(session: FlushSession, runner: Runner, error: unknown): Promise<void> {
  if (isConnectionLoss(error)) {
    session.discard();
    return;
  }
  try {
    await rollbackFlush(runner);
  } catch {
    session.discard();
  }
}

async function decideAll(
  runner: Runner,
  state: FlushState,
  items: readonly Item[],
  options: { wait: boolean; context: FlushContext },
): Promise<Outcome[]> {
  const { context, wait } = options;
  const facts = await readFacts(runner, items, context.runtimes, {
    wait,
    offsetMs: context.offsetMs(),
    remembered: (id) => context.memory.get(id),
    floors: context.floors,
  });
  state.at = facts.at;
  for (const run of facts.runs) state.hold(run);
  for (const row of facts.dependencies) state.dependencies.set(row.runId, row);
  if (context.runtimes.size > MAX_REMEMBERED) context.runtimes.clear();
  for (const row of facts.runtimes) context.runtimes.set(`${row.project_id}/${row.name}`, row);
  // Claims come last: what is submitted in this flush can be claimed in it.
  const decided = items.map((item) => decideItem(state, facts, item));
  const claims = items.filter((item) => item.kind === "claim");
  if (claims.length === 0) return decided as Outcome[];
  const granted = await claimAll(runner, state, { facts, claims, context });
  let nextClaim = 0;
  return decided.map((outcome) => outcome ?? (granted[nextClaim++] as Outcome));
}

/** Null for claims. */
function decideItem(state: FlushState, facts: Facts, item: Item): Outcome | null {
  switch (item.kind) {
    case "run":
      return decideRun(state, facts, item);
    case "submit":
      return decideSubmit(state, facts, item);
    case "presence":
      return decidePresence(state, facts, item);
    case "claim":
      return null;
  }
}

async function claimAll(
  runner: Runner,
  state: FlushState,
  given: { facts: Facts; claims: readonly ClaimItem[]; context: FlushContext },
): Promise<Outcome[]> {
  const { facts, claims, context } = given;
  if (context.lanes.size > MAX_REMEMBERED) context.lanes.clear();
  const candidates = claimable(state, facts.candidates);
  const unknown = new Set(
    candidates.map((run) => run.laneId).filter((id) => !context.lanes.has(id)),
  );
  const keys = keysOf(candidates);
  const [lanes, liveByKey] = await Promise.all([
    unknown.size === 0 ? [] : readLanes(runner, [...unknown]),
    keys.length === 0 ? new Map<string, number>() : countLiveByKey(runner, keys),
  ]);
  for (const { id, ...lane } of lanes) context.lanes.set(id, lane);
  return decideClaims(state, facts, claims, {
    candidates,
    lanes: context.lanes,
    liveByKey,
    newId: context.newId,
  });
}

function changesOf(state: FlushState): Change[] {
  const changes: Change[] = [];
  for (const { before, run, events } of state.runs.values()) {
    if (run !== before) changes.push({ before, after: run, events });
  }
  return changes;
}
