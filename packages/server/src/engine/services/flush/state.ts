// The state of one flush while it is being decided: locked runs, the facts they got, attempts to
// write. Promises: several commands about one run in one flush are folded in order; facts get their
// `seq` here, under the run's lock, without gaps (I-8).
// Leaves to others: reading (read.ts), writing (write.ts).

import type { AttemptChange, Decision, Fence, RunCommand } from "../../../domain/command.ts";
import { decide } from "../../../domain/decide.ts";
import type { Fact } from "../../../domain/event.ts";
import type { Refusal } from "../../../domain/refusal.ts";
import { isRefusal } from "../../../domain/refusal.ts";
import type { AttemptCause } from "../../../domain/machine.ts";
import type { EndCause, JsonObject, Run } from "../../../domain/run.ts";
import { isEnded, isLeased } from "../../../domain/run.ts";
import type { AttemptWrite, NewAttempt } from "../../../store/attempts.ts";
import type { EventRow } from "../../../store/events.ts";
import type { DependencyState } from "../../../store/specs.ts";
import type { Origin } from "../../contract.ts";
import { AccountBook } from "./accounts.ts";
import { ApprovalBook } from "./approvals.ts";
import type { Consumer } from "./meter.ts";
import { LetterBook } from "./letters.ts";
import { Meter } from "./meter.ts";

export type Entry = {
  readonly before: Run | null;
  run: Run;
  events: number;
  metadata: JsonObject | null;
  /** A probing attempt has shown that the limit is over: a message, usage, its completion. */
  works: boolean;
};

export class FlushState {
  /** The database's time of this flush in milliseconds. */
  at = 0;
  /** The model that runs ask for, by their ids: of those whose usage names none. */
  models: ReadonlyMap<string, string | null> = new Map();
  readonly runs = new Map<string, Entry>();
  readonly events: EventRow[] = [];
  readonly newAttempts: NewAttempt[] = [];
  readonly attempts = new Map<string, AttemptWrite>();
  readonly dependencies = new Map<string, DependencyState>();
  readonly letters = new LetterBook();
  readonly meter = new Meter();
  readonly accounts = new AccountBook(this);
  readonly approvals = new ApprovalBook(this);
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Takes a locked run into the flush. */
  hold(run: Run): void {
    this.runs.set(run.id, { before: run, run, events: 0, metadata: null, works: false });
  }

  /** Adds a run that is born in this flush, with its first fact. */
  add(run: Run, fact: Fact, origin: Origin): void {
    const entry: Entry = { before: null, run, events: 0, metadata: null, works: false };
    this.runs.set(run.id, entry);
    this.#number(entry, [fact], origin);
  }

  /** Adds a fact to a held run that changes nothing of it but its log. */
  note(runId: string, fact: Fact, origin: Origin): void {
    this.#number(this.runs.get(runId) as Entry, [fact], origin);
  }

  /** Decides a command about a held run and folds the decision in. */
  apply(runId: string, command: RunCommand, origin: Origin, fence?: Fence): Decision | Refusal {
    const entry = this.runs.get(runId) as Entry;
    const now = { at: this.at, random: this.#random() };
    const decision = decide(entry.run, command, now, fence);
    if (isRefusal(decision) || decision.repeated === true) return decision;
    const was = entry.run;
    // A question that the run goes on without is closed before the fact that it does.
    const closing = this.approvals.follow(was, decision.run);
    entry.run = decision.run;
    this.#number(entry, [...closing, ...decision.facts], origin);
    for (const change of decision.attempt) this.#attempt(entry.run, change);
    this.#meter(was, entry.run, command, decision);
    // Charged without having set anything aside: its end may have to give some of it back.
    if (isLeased(entry.run) && this.meter.holdsAttempt(runId, entry.run.fencingToken)) {
      if (!entry.run.metered) entry.run = { ...entry.run, metered: true };
    }
    // What an earlier attempt consumed, said late, was consumed before the limit was met.
    const isOfIt = command.kind !== "record_usage" || command.token === was.fencingToken;
    if (was.probing && isOfIt && showsThatItWorks(decision)) {
      entry.works = true;
      // Shown once: what it says from now on is no news of the limit.
      entry.run = { ...entry.run, probing: false };
    }
    return decision;
  }

  /** Books what the decision consumed, and the end of the attempt where it was the end. */
  #meter(was: Run, now: Run, command: RunCommand, { usage, attempt }: Decision): void {
    const ended = attempt.find((change) => change.kind === "ended");
    if (usage === undefined && (ended === undefined || !was.metered)) return;
    const told = command.kind === "record_usage" ? command : null;
    const consumer: Consumer = {
      runId: was.id,
      number: told?.token ?? was.fencingToken,
      projectId: was.projectId,
      agent: told === null ? was.agent : told.agent,
      account: told === null ? was.account : told.account,
      model: this.models.get(was.id) ?? null,
      claimedAt: was.claimedAt ?? this.at,
    };
    if (usage !== undefined) {
      this.meter.use(consumer, usage, { at: this.at, stored: told !== null });
      this.#attemptWrite(was.id, consumer.number).usage =
        this.meter.used.get(`${was.id}/${consumer.number}`) ?? null;
    }
    if (ended === undefined) return;
    const { cause, counted } = ended;
    const byHouse = isEnded(now) ? causeOfEnd[now.endCause] : undefined;
    const by = byHouse === "cancel" || byHouse === "kill" ? "operator" : "other";
    this.meter.end(consumer, { cause: byHouse ?? cause, counted, by }, this.at);
  }

  /** What a command about a held run would do; nothing is folded in. */
  weigh(runId: string, command: RunCommand, fence?: Fence): Decision | Refusal {
    const { run } = this.runs.get(runId) as Entry;
    return decide(run, command, { at: this.at, random: 0 }, fence);
  }

  /** Numbers a fact about a held run that changes nothing of it. */
  tell(runId: string, fact: Fact, origin: Origin): void {
    this.#number(this.runs.get(runId) as Entry, [fact], origin);
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
    const write = this.#attemptWrite(run.id, run.fencingToken);
    if (change.kind === "running") write.startedAt = this.at;
    if (change.kind === "ended") write.end = change;
    if (change.kind === "terminated") write.terminatedAt = this.at;
    if (change.process !== undefined) write.process = { ...write.process, ...change.process };
  }

  #attemptWrite(runId: string, number: number): AttemptWrite {
    const name = `${runId}/${number}`;
    let write = this.attempts.get(name);
    if (write === undefined) {
      const nothing = { startedAt: null, end: null, terminatedAt: null, process: {}, usage: null };
      write = { runId, number, at: this.at, ...nothing };
      this.attempts.set(name, write);
    }
    return write;
  }
}

/** Ends of a run that say more about the attempt than the attempt's own. */
const causeOfEnd: Partial<Record<EndCause, AttemptCause>> = {
  cancel: "cancel",
  kill: "kill",
  budget: "budget",
};

/** Signs that the provider answers again (model §5): usage, a message, the completion. */
function showsThatItWorks({ usage, facts, attempt }: Decision): boolean {
  if (usage !== undefined && usage.length > 0) return true;
  if (attempt.some((change) => change.kind === "ended" && change.state === "completed"))
    return true;
  return facts.some((fact) => fact.type.startsWith("message."));
}
