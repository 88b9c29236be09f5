// report and append: what workers say about their attempts, many at a time.
// Promises: items of one run are applied in the order given; every item has its own answer; a
// repeated item is answered as the first was.
// Leaves to others: fencing and deciding (domain), sanitising what agents emit (http).

import type * as wire from "@signalbox/sdk";
import type { AppendedEvent, ToldUsage, Usage } from "../../domain/command.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import { isRunnerEventType } from "../../domain/event.ts";
import type { JsonObject } from "../../domain/run.ts";
import { limits } from "../../domain/limits.ts";
import { canonicalJson } from "../../std/digest.ts";
import type { AttemptFacts } from "../../store/attempts.ts";
import { readAttempt } from "../../store/attempts.ts";
import { readNow } from "../../store/flushes.ts";
import type { ProducedEvent } from "../../store/events.ts";
import { eventsByProducer } from "../../store/events.ts";
import type { AppendInput, Origin, ReportInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { statusOf } from "../queries/views.ts";
import type { RunAnswer } from "../services/flush/items.ts";

export function report(
  parts: Parts,
  projectId: string,
  items: readonly ReportInput[],
  origin: Origin,
): Promise<(wire.RunStatus | Refusal)[]> {
  return Promise.all(
    items.map(async (item) => {
      const answer = await parts.work.add({
        kind: "run",
        projectId,
        runId: item.runId,
        fence: item.fence,
        what: {
          command: item.command,
          ...(item.metadata === undefined ? {} : { metadata: item.metadata }),
        },
        origin,
      });
      return isRefusal(answer) ? answer : statusOf((answer as RunAnswer).run);
    }),
  );
}

export function append(
  parts: Parts,
  projectId: string,
  items: readonly AppendInput[],
  origin: Origin,
): Promise<({ last_seq: string; stored: number } | Refusal)[]> {
  return Promise.all(
    items.map(async (item) => {
      const reserved = item.events.find(
        (event) => !isRunnerEventType(event.type, event.usage !== undefined),
      );
      if (reserved !== undefined) return refuseType(reserved.type);
      if (item.child === true) return appendOfChild(parts, projectId, item, origin);
      const events = item.events.map(eventOf);
      const answer = await parts.work.add({
        kind: "run",
        projectId,
        runId: item.runId,
        fence: item.fence,
        what: { command: { kind: "append", events } },
        origin,
      });
      if (isRefusal(answer)) return afterTheEnd(parts, projectId, { item, events, answer }, origin);
      const { run, stored } = answer as RunAnswer;
      if (stored < events.length) {
        const other = await otherContent(parts, projectId, item, events);
        if (other !== null) return other;
      }
      return { last_seq: String(run.lastSeq), stored };
    }),
  );
}

/** What an event reports as consumed, with the log line that carries it. */
function recordsOf(events: readonly AppendedEvent[]): ToldUsage[] {
  return events.flatMap(({ type, producerSeq, data, usage }) => {
    if (usage === undefined || producerSeq === null) return [];
    return [{ producerSeq, usage, ...(type === "log.line" ? { line: data } : {}) }];
  });
}

/**
 * What an attempt consumed counts also when it can be said only after its end, under whatever token
 * (model §2). Log lines beside it are kept where they would be alone; the rest is refused as it
 * was.
 */
async function afterTheEnd(
  parts: Parts,
  projectId: string,
  late: { item: AppendInput; events: readonly AppendedEvent[]; answer: Refusal },
  origin: Origin,
): Promise<{ last_seq: string; stored: number } | Refusal> {
  const { item, events, answer: refusal } = late;
  const ended = refusal.code === "stale_fencing_token" || refusal.code === "already_terminal";
  const records = recordsOf(events);
  if (!ended || records.length === 0) return refusal;
  const { runId, fence } = item;
  const { attempt, at } = await parts.reader.within([projectId], async (runner) => ({
    attempt: await readAttempt(runner, runId, fence.token),
    at: await readNow(runner, parts.context.offsetMs()),
  }));
  if (attempt === null || attempt.id !== fence.attemptId || attempt.ended_at === null) {
    return refusal;
  }
  if (attempt.ended_at + limits.lateAppendMs < at) return refusal;
  const other = await otherLate(parts, projectId, item, events);
  if (other !== null) return other;
  const lines = events.filter(({ type, usage }) => type === "log.line" && usage === undefined);
  const kept = await keepLines(parts, projectId, { item, lines }, origin);
  if (isRefusal(kept)) return kept;
  const booked = await book(parts, projectId, { item, attempt, records, late: true }, origin);
  return isRefusal(booked) ? booked : { ...booked, stored: kept + booked.stored };
}

/**
 * How many of these late lines were stored. None once the run goes on without the attempt: what it
 * consumed counts nevertheless.
 */
async function keepLines(
  parts: Parts,
  projectId: string,
  { item, lines }: { item: AppendInput; lines: readonly AppendedEvent[] },
  origin: Origin,
): Promise<number | Refusal> {
  if (lines.length === 0) return 0;
  const { runId, fence } = item;
  const what = { command: { kind: "append", events: lines } } as const;
  const answer = await parts.work.add({ kind: "run", projectId, runId, fence, what, origin });
  if (!isRefusal(answer)) return (answer as RunAnswer).stored;
  return answer.code === "stale_fencing_token" ? 0 : answer;
}

type Booked = {
  readonly item: AppendInput;
  readonly attempt: Pick<AttemptFacts, "agent" | "account">;
  readonly records: readonly ToldUsage[];
  readonly late: boolean;
};

async function book(
  parts: Parts,
  projectId: string,
  { item, attempt: { agent, account }, records, late }: Booked,
  origin: Origin,
): Promise<{ last_seq: string; stored: number } | Refusal> {
  const { runId, fence } = item;
  const who = { token: fence.token, agent, account };
  const command = { kind: "record_usage", ...who, records, late } as const;
  const answer = await parts.work.add({ kind: "run", projectId, runId, what: { command }, origin });
  if (isRefusal(answer)) return answer;
  const { run, stored } = answer as RunAnswer;
  return { last_seq: String(run.lastSeq), stored };
}

/**
 * What a child process appends. It does not know the numbers of its worker, so its own are not
 * compared with them: lines are stored as they come, usage (and a line that carries it) once per
 * number of the child.
 */
async function appendOfChild(
  parts: Parts,
  projectId: string,
  item: AppendInput,
  origin: Origin,
): Promise<{ last_seq: string; stored: number } | Refusal> {
  const { runId, fence } = item;
  const events = item.events.map(eventOf);
  const lines = events.filter((event) => event.usage === undefined);
  const records = recordsOf(events).map((one) => ({ ...one, producerSeq: -one.producerSeq }));
  const appended = lines.map((event) => ({ ...event, producerSeq: null }));
  const what = { command: { kind: "append", events: appended } } as const;
  const answer = await parts.work.add({ kind: "run", projectId, runId, fence, what, origin });
  if (isRefusal(answer)) return answer;
  const { run, stored } = answer as RunAnswer;
  if (records.length === 0) return { last_seq: String(run.lastSeq), stored };
  const booked = await book(parts, projectId, { item, attempt: run, records, late: false }, origin);
  return isRefusal(booked) ? booked : { ...booked, stored: stored + booked.stored };
}

/** The first late usage or line under whose number something else is stored. */
async function otherLate(
  parts: Parts,
  projectId: string,
  { runId, fence }: AppendInput,
  events: readonly AppendedEvent[],
): Promise<Refusal | null> {
  const told = events.filter(({ type, usage }) => type === "log.line" || usage !== undefined);
  const numbers = told.flatMap(({ producerSeq }) => producerSeq ?? []);
  const rows = await parts.reader.within([projectId], (runner) =>
    eventsByProducer(runner, runId, fence.token, numbers),
  );
  const stored = new Map(rows.map((row) => [row.producer_seq, row]));
  const other = told.find((event) => {
    const before = event.producerSeq === null ? undefined : stored.get(event.producerSeq);
    return before !== undefined && !isSameLate(before, event);
  });
  return other === undefined ? null : mismatch(other.producerSeq);
}

/** Usage is stored without the event that carried it when that one could not be kept. */
function isSameLate(before: ProducedEvent, { type, data, usage }: AppendedEvent): boolean {
  const row = (before.data ?? {}) as JsonObject;
  const isWhole = before.type === type && type === "log.line";
  if (isWhole || usage === undefined) {
    return before.type === type && canonicalJson(row) === canonicalJson(data);
  }
  return canonicalJson(row["usage"] ?? null) === canonicalJson(data["usage"] ?? null);
}

/** Repeated numbers must carry what was stored under them; the first that does not is refused. */
async function otherContent(
  parts: Parts,
  projectId: string,
  item: AppendInput,
  events: readonly AppendedEvent[],
): Promise<Refusal | null> {
  const numbers = events.flatMap((event) => event.producerSeq ?? []);
  const rows = await parts.reader.within([projectId], (runner) =>
    eventsByProducer(runner, item.runId, item.fence.token, numbers),
  );
  const stored = new Map(rows.map((row) => [row.producer_seq, row]));
  for (const event of events) {
    if (event.producerSeq === null) continue;
    const row = stored.get(event.producerSeq);
    if (row === undefined) return outOfOrder(event.producerSeq);
    const same =
      row.type === event.type && canonicalJson(row.data ?? {}) === canonicalJson(event.data);
    if (same) continue;
    return mismatch(event.producerSeq);
  }
  return null;
}

function mismatch(producerSeq: number | null): Refusal {
  return refuse(
    "producer_seq_mismatch",
    `producer_seq ${producerSeq} was used before for another event; number events on.`,
    { producer_seq: producerSeq },
  );
}

function outOfOrder(producerSeq: number): Refusal {
  return refuse(
    "producer_seq_mismatch",
    `producer_seq ${producerSeq} lies below one that is stored and was never stored itself; ` +
      "number the events of an attempt in rising order.",
    { producer_seq: producerSeq },
  );
}

function refuseType(type: string): Refusal {
  return {
    ...refuse(
      "reserved_event_type",
      `A runner may not write events of type "${type.slice(0, 200)}"; use one of the runner's ` +
        "types or a name that begins with x.",
    ),
    errors: [{ field: "events.type", message: "is reserved by the house or not well-formed" }],
  };
}

function eventOf(event: wire.EventSubmission): AppendedEvent {
  const data: JsonObject = { ...event.data };
  if (event.usage !== undefined) data["usage"] = event.usage;
  if (event.metadata !== undefined) data["metadata"] = event.metadata;
  if (event.artifact_refs !== undefined) data["artifact_refs"] = event.artifact_refs;
  const usage = event.usage === undefined ? {} : { usage: usageFrom(event.usage) };
  return { type: event.type, producerSeq: event.producer_seq ?? null, data, ...usage };
}

function usageFrom(sent: NonNullable<wire.EventSubmission["usage"]>): Usage {
  return {
    ...(sent.input_tokens === undefined ? {} : { inputTokens: sent.input_tokens }),
    ...(sent.output_tokens === undefined ? {} : { outputTokens: sent.output_tokens }),
    ...(sent.cache_read_input_tokens === undefined
      ? {}
      : { cacheReadInputTokens: sent.cache_read_input_tokens }),
    ...(sent.reasoning_output_tokens === undefined
      ? {}
      : { reasoningOutputTokens: sent.reasoning_output_tokens }),
    ...(sent.cost_micros === undefined ? {} : { costMicros: sent.cost_micros }),
    ...(sent.steps === undefined ? {} : { steps: sent.steps }),
    ...(sent.model === undefined ? {} : { model: sent.model }),
  };
}
