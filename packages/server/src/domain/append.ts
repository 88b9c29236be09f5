// What workers add to a run's log without changing its state: their own events, and that a process
// tree is gone. Promises: numbered events are stored in rising order, so one whose number was
// stored before (or passed) is not stored again; what comes after the end is marked late.
// Leaves to others: who may still append (`fence.ts`), sizes and clean text (http).

import type { AppendedEvent, Decision, Moment, RunCommand, Usage, UsageRecord } from "./command.ts";
import type { Fact } from "./event.ts";
import { notAllowed } from "./facts.ts";
import { takesLateLines } from "./fence.ts";
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
  const usage = fresh.flatMap(({ producerSeq, usage: consumed }): UsageRecord[] =>
    consumed === undefined || producerSeq === null ? [] : [{ producerSeq, usage: consumed }],
  );
  const next = { ...run, lastProducerSeq };
  return { run: next, facts, attempt: [], ...(usage.length === 0 ? {} : { usage }) };
}

/**
 * What an attempt consumed, said apart from its own numbered events: after its end, under whatever
 * token, or by its child processes. Booked once, changes no state. The records are those that were
 * not stored before. A log line that carried one is kept where a line without usage would be.
 */
export function recordUsage(
  run: Run,
  command: Extract<RunCommand, { kind: "record_usage" }>,
  now: Moment,
): Decision {
  const { token, records } = command;
  const late = !isLeased(run) || run.fencingToken !== token;
  const keepsLines = !late || (run.fencingToken === token && takesLateLines(run, now.at));
  const facts = records.map(({ producerSeq, usage, line }): Fact => ({
    type: line !== undefined && keepsLines ? "log.line" : "usage.recorded",
    source: "runner",
    at: now.at,
    token,
    ...(late ? { late } : {}),
    ...(producerSeq > 0 ? { producerSeq } : {}),
    data: line !== undefined && keepsLines ? line : { usage: usageJson(usage) },
  }));
  if (run.fencingToken !== token) return { run, facts, attempt: [], usage: records };
  // Its numbers are taken: what comes under them later is no new event.
  const numbers = records.map(({ producerSeq }) => producerSeq);
  const lastProducerSeq = Math.max(run.lastProducerSeq, ...numbers);
  return { run: { ...run, lastProducerSeq }, facts, attempt: [], usage: records };
}

/** A usage with the names of the wire. */
function usageJson(usage: Usage): JsonObject {
  const named: JsonObject = {};
  if (usage.inputTokens !== undefined) named["input_tokens"] = usage.inputTokens;
  if (usage.outputTokens !== undefined) named["output_tokens"] = usage.outputTokens;
  if (usage.cacheReadInputTokens !== undefined) {
    named["cache_read_input_tokens"] = usage.cacheReadInputTokens;
  }
  if (usage.reasoningOutputTokens !== undefined) {
    named["reasoning_output_tokens"] = usage.reasoningOutputTokens;
  }
  if (usage.costMicros !== undefined) named["cost_micros"] = usage.costMicros;
  if (usage.steps !== undefined) named["steps"] = usage.steps;
  if (usage.model !== undefined) named["model"] = usage.model;
  return named;
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
