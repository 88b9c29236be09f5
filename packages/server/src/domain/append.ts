// What workers add to a run's log without changing its state: their own events, and that a process
// tree is gone. Promises: numbered events are stored in rising order, so one whose number was
// stored before (or passed) is not stored again; what comes after the end is marked late.
// Leaves to others: who may still append (`fence.ts`), sizes and clean text (http).

import type { AppendedEvent, Decision, Moment, RunCommand } from "./command.ts";
import type { Fact } from "./event.ts";
import { notAllowed } from "./facts.ts";
import { stateOf } from "./machine.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import type { JsonObject, Run } from "./run.ts";
import { isEnded, isLeased } from "./run.ts";

/** Appends a runner's events; those already stored are passed over. */
export function append(
  run: Run,
  events: readonly AppendedEvent[],
  now: Moment,
  late: boolean,
): Decision | Refusal {
  if (!late && !isLeased(run)) return refuseAppend(run);
  let lastProducerSeq = run.lastProducerSeq;
  const fresh = events.filter(({ producerSeq }) => {
    if (producerSeq === null) return true;
    const isNew = producerSeq > lastProducerSeq;
    if (isNew) lastProducerSeq = producerSeq;
    return isNew;
  });
  const facts = fresh.map((event): Fact => ({
    type: event.type,
    source: "runner",
    at: now.at,
    token: run.fencingToken,
    ...(late ? { late } : {}),
    ...(event.producerSeq === null ? {} : { producerSeq: event.producerSeq }),
    data: event.data,
  }));
  return { run: { ...run, lastProducerSeq }, facts, attempt: [] };
}

function refuseAppend(run: Run): Refusal {
  if (!isEnded(run)) return notAllowed(run, "append");
  return refuse("already_terminal", "Nothing can be appended to an ended run.", {
    state: stateOf(run.phase),
  });
}

/** The worker says that the attempt's process tree is gone. */
export function terminated(
  run: Run,
  command: Extract<RunCommand, { kind: "terminated" }>,
  now: Moment,
): Decision {
  const { process: known } = command;
  const data: JsonObject = {};
  if (known?.exitCode !== undefined) data["exit_code"] = known.exitCode;
  if (known?.signal !== undefined) data["signal"] = known.signal;
  const fact: Fact = {
    type: "attempt.terminated",
    source: "runner",
    at: now.at,
    token: run.fencingToken,
    late: !isLeased(run),
    data,
  };
  const change = known === undefined ? {} : { process: known };
  return { run, facts: [fact], attempt: [{ kind: "terminated", ...change }] };
}
