// The state of one flush while it is being decided: locked runs, the facts they got, attempts to
// write. Promises: several commands about one run in one flush are folded in order; facts get their
// `seq` here, under the run's lock, without gaps (I-8).
// Leaves to others: reading (read.ts), writing (write.ts).

import type { AttemptChange, Decision, Fence, RunCommand } from "../../../domain/command.ts";
import { decide } from "../../../domain/decide.ts";
import type { Fact } from "../../../domain/event.ts";
import type { Refusal } from "../../../domain/refusal.ts";
import { isRefusal } from "../../../domain/refusal.ts";
import type { JsonObject, Run } from "../../../domain/run.ts";
import type { AttemptWrite, NewAttempt } from "../../../store/attempts.ts";
import type { EventRow } from "../../../store/events.ts";
import type { DependencyState } from "../../../store/specs.ts";
import type { Origin } from "../../contract.ts";

export type Entry = {
  readonly before: Run | null;
  run: Run;
  events: number;
  metadata: JsonObject | null;
};

export class FlushState {
  /** The database's time of this flush in milliseconds. */
  at = 0;
  readonly runs = new Map<string, Entry>();
  readonly events: EventRow[] = [];
  readonly newAttempts: NewAttempt[] = [];
  readonly attempts = new Map<string, AttemptWrite>();
  readonly dependencies = new Map<string, DependencyState>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Takes a locked run into the flush. */
  hold(run: Run): void {
    this.runs.set(run.id, { before: run, run, events: 0, metadata: null });
  }

  /** Adds a run that is born in this flush, with its first fact. */
  add(run: Run, fact: Fact, origin: Origin): void {
    const entry: Entry = { before: null, run, events: 0, metadata: null };
    this.runs.set(run.id, entry);
    this.#number(entry, [fact], origin);
  }

  /** Decides a command about a held run and folds the decision in. */
  apply(runId: string, command: RunCommand, origin: Origin, fence?: Fence): Decision | Refusal {
    const entry = this.runs.get(runId) as Entry;
    const now = { at: this.at, random: this.#random() };
    const decision = decide(entry.run, command, now, fence);
    if (isRefusal(decision) || decision.repeated === true) return decision;
    entry.run = decision.run;
    this.#number(entry, decision.facts, origin);
    for (const change of decision.attempt) this.#attempt(entry.run, change);
    return decision;
  }

  #number(entry: Entry, facts: readonly Fact[], origin: Origin): void {
    let seq = entry.run.lastSeq;
    for (const fact of facts) {
      seq += 1;
      this.events.push({
        streamId: entry.run.id,
        stream: "run",
        seq,
        projectId: entry.run.projectId,
        fact,
        actor: origin.actor,
        requestId: origin.requestId,
        traceparent: origin.traceparent,
      });
    }
    entry.events += facts.length;
    if (facts.length > 0) entry.run = { ...entry.run, lastSeq: seq };
  }

  #attempt(run: Run, change: AttemptChange): void {
    if (change.kind === "spawned") return;
    const name = `${run.id}/${run.fencingToken}`;
    const write = this.attempts.get(name) ?? {
      runId: run.id,
      number: run.fencingToken,
      at: this.at,
      startedAt: null,
      end: null,
      terminatedAt: null,
      process: {},
    };
    if (change.kind === "running") write.startedAt = this.at;
    if (change.kind === "ended") write.end = change;
    if (change.kind === "terminated") write.terminatedAt = this.at;
    if (change.process !== undefined) write.process = { ...write.process, ...change.process };
    this.attempts.set(name, write);
  }
}
