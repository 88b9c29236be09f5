// Random histories of one run: whatever is asked of it, in whatever order and with whatever token,
// the invariants of the register hold after every step. The flush's own state does the numbering.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { AttemptChange, Fence, RunCommand } from "../../src/domain/command.ts";
import { dueAt, dueCommand } from "../../src/domain/due.ts";
import { limits } from "../../src/domain/limits.ts";
import {
  allowedCommands,
  attemptCauses,
  isTerminal,
  runPhases,
  runTable,
  statePairs,
  stateOf,
} from "../../src/domain/machine.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Run } from "../../src/domain/run.ts";
import { HELD_NOT_DUE, isEnded, isLeased } from "../../src/domain/run.ts";
import { FlushState } from "../../src/engine/services/flush/state.ts";
import { origin } from "../engine/fixtures.ts";
import type { CommandName } from "./runs.ts";
import { claimOf, commands, fenceOf, pending, START } from "./runs.ts";

const extra = ["due", "append", "extend", "free", "record", "reroute", "note", "budget"] as const;

type Act = {
  name: CommandName | (typeof extra)[number] | "allowed";
  pick: number;
  fence: "newest" | "older" | "none";
  waitMs: number;
};

const names = [...Object.keys(commands), ...extra] as Exclude<Act["name"], "allowed">[];
const act: fc.Arbitrary<Act> = fc.record({
  // Half of what is asked is allowed where the run stands, so that histories get somewhere.
  name: fc.oneof(
    { weight: 3, arbitrary: fc.constant("allowed" as const) },
    { weight: 1, arbitrary: fc.constant("free" as const) },
    { weight: 3, arbitrary: fc.constantFrom(...names) },
  ),
  pick: fc.nat(),
  fence: fc.oneof(
    { weight: 4, arbitrary: fc.constant("newest" as const) },
    { weight: 2, arbitrary: fc.constant("none" as const) },
    { weight: 1, arbitrary: fc.constant("older" as const) },
  ),
  waitMs: fc.constantFrom(0, 1, 999, 5_000, 31_000, 61_000, 900_001),
});

/** Commands that end a run whatever its attempt does: asked for by name only, not as `allowed`. */
const final = new Set("cancel kill time_out reject".split(" "));

/** A history in the making: the run, its facts as rows, what became of its attempts. */
class History {
  readonly state: FlushState;
  readonly changes: AttemptChange[] = [];
  readonly runId: string;
  /** What accepted commands said was consumed, by token. */
  readonly used = new Map<number, number>();
  readonly #endedAt = new Map<number, number>();
  at = START;
  seq = 0;

  constructor(run: Run, random: () => number) {
    this.runId = run.id;
    this.state = new FlushState(random);
    this.state.at = this.at;
    const born = { type: "run.submitted", source: "host", at: START, from: null } as const;
    this.state.add(run, { ...born, to: "pending", data: {} }, origin);
  }

  get run(): Run {
    return this.state.runs.get(this.runId)?.run as Run;
  }

  command(name: Act["name"], pick: number): RunCommand | null {
    if (name === "allowed") {
      const may = allowedCommands(this.run.phase).filter((one) => !final.has(one));
      const one = may[pick % Math.max(1, may.length)];
      return one === undefined ? null : this.command(one, pick);
    }
    if (name === "due") return dueCommand(this.run, this.at, false);
    if (name === "extend") return { kind: "extend", byMs: 20_000 };
    if (name === "free") return { kind: "release_held", bits: 7, openDependencies: 0 };
    if (name === "append") {
      const event = { type: "log.line", producerSeq: (this.seq += 1), data: {} };
      const used = { ...event, type: "usage.recorded", usage: { steps: 1 + (pick % 3) } };
      return { kind: "append", events: [pick % 2 === 0 ? event : used] };
    }
    if (name === "record") return this.#record(pick);
    if (name === "reroute") return { kind: "reroute", laneId: `lane-${pick % 3}`, agent: "ada" };
    if (name === "note") {
      return { kind: "note_blocked", type: "dispatch.no_agent", codes: ["no_agent"] };
    }
    if (name === "budget") return { kind: "kill", reason: "tokens", budget: true };
    if (name === "complete" && pick % 2 === 0) return { ...commands.complete, usage: { steps: 7 } };
    return name === "claim" ? claimOf(this.run.fencingToken + 1) : commands[name];
  }

  /** Usage of any attempt so far, as long after its end as that may come. */
  #record(pick: number): RunCommand | null {
    const token = this.run.fencingToken === 0 ? 0 : 1 + (pick % this.run.fencingToken);
    const endedAt = this.#endedAt.get(token) ?? this.at;
    if (token === 0 || this.at - endedAt > limits.lateAppendMs) return null;
    const records = [{ producerSeq: (this.seq += 1), usage: { steps: 5 } }];
    const late = this.#endedAt.has(token);
    return { kind: "record_usage", token, late, agent: null, account: null, records };
  }

  fence(kind: Act["fence"], name: RunCommand["kind"]): Fence | undefined {
    // Only workers append, and they always name their attempt.
    const worker = name === "append" || name === "terminated";
    if (name === "record_usage") return undefined;
    if (kind === "none" && !worker) return undefined;
    return fenceOf(Math.max(0, this.run.fencingToken - (kind === "older" ? 1 : 0)));
  }

  take({ name, pick, fence, waitMs }: Act): void {
    this.at += waitMs;
    this.state.at = this.at;
    const before = this.run;
    const command = this.command(name, pick);
    if (command === null) return;
    const given = this.fence(fence, command.kind);
    const decision = this.state.apply(this.runId, command, origin, given);
    if (isRefusal(decision) || decision.repeated === true) {
      expect(this.run).toBe(before);
      return;
    }
    this.changes.push(...decision.attempt);
    this.#note(before.fencingToken, command, decision.attempt);
    stepHolds(before, this.run, command, this);
  }

  #note(token: number, command: RunCommand, changes: readonly AttemptChange[]): void {
    if (changes.some((change) => change.kind === "ended")) this.#endedAt.set(token, this.at);
    const steps = stepsIn(command);
    const of = command.kind === "record_usage" ? command.token : token;
    if (steps > 0) this.used.set(of, (this.used.get(of) ?? 0) + steps);
  }
}

/** Steps a command says were taken. */
function stepsIn(command: RunCommand): number {
  const sum = (all: readonly { usage?: { steps?: number } | undefined }[]): number =>
    all.reduce((steps, { usage }) => steps + (usage?.steps ?? 0), 0);
  if (command.kind === "append") return sum(command.events);
  if (command.kind === "record_usage") return sum(command.records);
  return command.kind === "complete" ? sum([command]) : 0;
}

/** What must hold between the run before a step and after it. */
function stepHolds(before: Run, now: Run, command: RunCommand, { at }: History): void {
  if (isEnded(before)) {
    // Terminal is final: only counters of late lines move.
    expect({ ...now, lastSeq: 0, lastProducerSeq: 0 }).toEqual({
      ...before,
      lastSeq: 0,
      lastProducerSeq: 0,
    });
    expect(at - before.finishedAt).toBeLessThanOrEqual(limits.lateAppendMs);
  }
  expect(now.fencingToken - before.fencingToken).toBe(command.kind === "claim" ? 1 : 0);
  expect(now.rank).toBe(before.rank);
  expect(now.createdAt).toBe(before.createdAt);
  // I-14, and the constraint run_lease_shape.
  expect(now.attemptsUsed).toBeGreaterThanOrEqual(0);
  expect(now.attemptsUsed).toBeLessThanOrEqual(Math.min(now.maxAttempts, now.fencingToken));
  if (now.phase === "pending") expect(now.attemptsUsed).toBeLessThan(now.maxAttempts);
  // A cancel is asked of live runs only, and never comes back to the line.
  if (now.cancelRequestedAt !== null) expect(isLeased(now) || isEnded(now)).toBe(true);
  // run_lease_shape, run_held_shape, run_end_shape, run_due_shape.
  const leased = "start complete fail release"
    .split(" ")
    .some((name) => name in runTable[now.phase]);
  expect(isLeased(now)).toBe(leased && now.phase !== "pending");
  expect(now.attemptId === null).toBe(now.fencingToken === 0);
  if (now.attemptId !== null) expect(now.attemptEnd === null).toBe(isLeased(now));
  if (now.held !== 0) expect(now.phase).toBe("pending");
  // What lies ahead holds back, so that a backoff is waited for.
  const waits = now.phase === "pending" && now.notBefore !== null && now.notBefore > at;
  if (waits) expect(now.held & HELD_NOT_DUE).toBe(HELD_NOT_DUE);
  if (now.deadLetteredAt !== null) expect(now.phase).toBe("failed");
  const due = dueAt(now);
  if (isLeased(now)) expect(due).toBeLessThanOrEqual(now.lease.expiresAt);
  if (isEnded(now)) expect(due).toBeNull();
}

const allowed = new Set(statePairs().map(({ from, to }) => `${from} ${to}`));

/** What must hold for the whole register of the run. */
function registerHolds({ state, run, changes, used }: History): void {
  const rows = state.events;
  // I-18: what was consumed is booked once, whoever said it and however late.
  for (const [token, steps] of used) {
    expect(state.meter.used.get(`${run.id}/${token}`)?.steps).toBe(steps);
  }
  expect(state.meter.used.size).toBe(used.size);
  const names = state.meter.usage.map((row) => `${row.number}/${row.producerSeq}`);
  expect(new Set(names).size).toBe(names.length);
  expect(rows.map((row) => row.seq)).toEqual(rows.map((_, n) => n + 1)); // I-8
  expect(run.lastSeq).toBe(rows.length); // I-10
  let token = 0;
  let live = false;
  let at: string | null = null;
  for (const { fact } of rows) {
    if (fact.leaseDelta === 1) {
      expect({ live, token: fact.token }).toEqual({ live: false, token: token + 1 }); // I-1
      token += 1;
      live = true;
    } else if (fact.token !== undefined && fact.late !== true) {
      const { type } = fact;
      expect({ live, token: fact.token, type }).toEqual({ live: true, token, type }); // I-2
    }
    if (fact.leaseDelta === -1) live = false;
    if (fact.to === undefined) continue;
    expect(at === null || !isTerminal(at as never)).toBe(true); // I-7
    expect(fact.from).toBe(at); // I-9: what follows begins where the last ended
    expect(allowed.has(`${fact.from} ${fact.to}`)).toBe(true); // I-6
    at = fact.to;
  }
  expect({ at, token, live }).toEqual({
    at: stateOf(run.phase),
    token: run.fencingToken,
    live: isLeased(run),
  }); // I-9
  attemptsHold(run, changes);
}

function attemptsHold(run: Run, changes: readonly AttemptChange[]): void {
  const claims = changes.filter((change) => change.kind === "spawned").length;
  const ends = changes.filter((change) => change.kind === "ended");
  expect(claims).toBe(run.fencingToken);
  expect(ends).toHaveLength(claims - (isLeased(run) ? 1 : 0)); // I-15: once each
  for (const { cause } of ends) expect(attemptCauses).toContain(cause);
  const free = ends.filter((end) => !end.counted);
  expect(run.attemptsUsed).toBe(claims - free.length); // I-14
  const outside = new Set(["stopped", "outage", "exhausted"]);
  const bounded = free.filter(({ cause }) => !outside.has(cause)).length;
  expect(bounded).toBeLessThanOrEqual(limits.releasesFree + limits.suspensionsFree);
}

const asked = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  maxDurationS: fc.constantFrom(null, 45),
  deadlineAt: fc.constantFrom(null, START + 3_600_000),
});

test("every history keeps the invariants", () => {
  const reached = new Map<string, number>();
  fc.assert(
    fc.property(
      asked,
      fc.array(act, { maxLength: 60, size: "max" }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (parts, acts, random) => {
        const history = new History(pending(parts), () => random);
        for (const one of acts) {
          history.take(one);
          reached.set(history.run.phase, (reached.get(history.run.phase) ?? 0) + 1);
        }
        registerHolds(history);
      },
    ),
    { numRuns: 1000 },
  );
  // Every phase was visited, so nothing of the above was said of nothing.
  expect([...reached.keys()].toSorted()).toEqual([...runPhases].toSorted());
});
