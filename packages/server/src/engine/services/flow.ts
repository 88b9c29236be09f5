// What flows through this server: runs submitted, claimed and ended, how long each step took.
// Promises: counts what has been committed, once, off the records the flush has made anyway; keeps
// nothing of any run and allocates nothing per event.
// Leaves to others: names and text (engine/metrics/of-flow.ts), what is there now (the database).

import { limitReasons } from "../../domain/exhaustion/exhaustion.ts";
import type { AttemptCause, AttemptEndState, TerminalState } from "../../domain/machine.ts";
import { attemptCauses, terminalStates } from "../../domain/machine.ts";
import type { EndCause, Run } from "../../domain/run.ts";
import { endCauses, isEnded, isLeased } from "../../domain/run.ts";
import type { Flushed } from "./flush/flush.ts";
import { Tally } from "./figures.ts";

/** Milliseconds, from a claim that was waiting already to a backlog of a day. */
const waits = [
  5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 1_800_000,
  7_200_000, 86_400_000,
];
/** Milliseconds of work: from a quick tool to a day. */
const lengths = [
  100, 500, 1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000,
];

function zeros<Word extends string>(words: readonly Word[]): Record<Word, number> {
  return Object.fromEntries(words.map((word) => [word, 0])) as Record<Word, number>;
}

function tallies<Word extends string>(
  words: readonly Word[],
  bounds: readonly number[],
): Record<Word, Tally> {
  return Object.fromEntries(words.map((word) => [word, new Tally(bounds)])) as Record<Word, Tally>;
}

const isSuspended = ({ phase }: Run): boolean => phase === "waiting_approval_suspended";

const attemptEnds = ["completed", "failed", "killed", "lost", "released"] as const;

export class Flow {
  submitted = 0;
  claimed = 0;
  requeued = 0;
  deadLettered = 0;
  events = 0;
  /** From submit, or `not_before`, to a run's first claim; from each claim to its start. */
  readonly claimWait = new Tally(waits);
  readonly startWait = new Tally(waits);
  readonly runLength = tallies<TerminalState>(terminalStates, lengths);
  readonly attemptLength = tallies<AttemptEndState>(attemptEnds, lengths);
  readonly runEnds = zeros<EndCause>(endCauses);
  readonly attemptCauses = zeros<AttemptCause>(attemptCauses);
  readonly exhaustions = zeros(limitReasons);

  /** A flush has committed. */
  committed({ changes, attempts, exhaustions, at }: Flushed): void {
    for (const { before, after, events } of changes) {
      this.events += events;
      if (before === null) this.submitted += 1;
      this.#steps(before, after);
      if (before !== null && isLeased(before)) {
        const end = attempts.get(`${before.id}/${before.fencingToken}`)?.end ?? null;
        if (end !== null) {
          this.attemptCauses[end.cause] += 1;
          this.attemptLength[end.state].add(at - before.claimedAt);
          if (!isEnded(after) && !isSuspended(after)) this.requeued += 1;
        }
      }
      if (isEnded(after) && (before === null || !isEnded(before))) {
        this.runEnds[after.endCause] += 1;
        this.runLength[after.phase].add(after.finishedAt - after.createdAt);
        if (after.deadLetteredAt !== null) this.deadLettered += 1;
      }
    }
    for (const { row } of exhaustions) {
      if (row.state === "closed" && row.closedAt === at) this.exhaustions[row.reason] += 1;
    }
  }

  #steps(before: Run | null, after: Run): void {
    const { claimedAt, startedAt, createdAt, notBefore, fencingToken } = after;
    const isClaimed = fencingToken > (before?.fencingToken ?? 0);
    if (isClaimed) {
      this.claimed += 1;
      const since = notBefore !== null && notBefore > createdAt ? notBefore : createdAt;
      if (fencingToken === 1) this.claimWait.add(Math.max(0, (claimedAt ?? since) - since));
    }
    const wasStarted = !isClaimed && before !== null && before.startedAt !== null;
    if (startedAt !== null && claimedAt !== null && !wasStarted) {
      this.startWait.add(Math.max(0, startedAt - claimedAt));
    }
  }
}
