// The span of an attempt, from its claim to its end, with the names of OpenTelemetry's conventions
// for generative AI (`gen_ai.*`, operation `invoke_agent`).
// Promises: told once, by the server that committed the end, with the database's instants; its id
// follows from the attempt, so that what the worker did meanwhile is below it.
// Leaves to others: when (traces.ts), reading (store/traces.ts).

import type { Attributes, Span, SpanOptions } from "@opentelemetry/api";
import { toTypeId } from "../../std/ids.ts";
import type { EndedAttempt } from "../../store/traces.ts";
import type { SpanIds } from "./span-context.ts";
import { attemptSpanId } from "./span-context.ts";
import type { Traces } from "./traces.ts";

/** Our counters of usage → what the conventions call them; the others are ours. */
const usageNames: Readonly<Record<string, string>> = {
  input_tokens: "gen_ai.usage.input_tokens",
  output_tokens: "gen_ai.usage.output_tokens",
  cache_read_input_tokens: "gen_ai.usage.cache_read.input_tokens",
  reasoning_output_tokens: "gen_ai.usage.reasoning.output_tokens",
  cost_micros: "signalbox.usage.cost_micros",
  steps: "signalbox.usage.steps",
};

/** Ends that are errors of the attempt; a released one went back for reasons of its own. */
const errors: ReadonlySet<string> = new Set(["failed", "lost", "killed"]);

/** Tells the span of an attempt that has ended. */
export function startAttemptSpan(traces: Traces, row: EndedAttempt, ids?: SpanIds): void {
  const { SpanKind, SpanStatusCode } = traces.words;
  const name = row.agent === null ? "invoke_agent" : `invoke_agent ${row.agent}`;
  const options: SpanOptions = {
    kind: SpanKind.INTERNAL,
    startTime: row.claimed_at,
    attributes: attributesOf(row),
  };
  const start = (): Span => traces.start(name, row.traceparent, options);
  const span = ids === undefined ? start() : ids.as(attemptSpanId(row.id), start);
  for (const { type, at_ms } of row.facts ?? []) span.addEvent(type, undefined, at_ms);
  if (errors.has(row.state)) {
    const kind = row.error_code ?? row.cause;
    span.setAttribute("error.type", kind);
    span.setStatus({ code: SpanStatusCode.ERROR, message: kind });
  }
  span.end(Math.max(row.claimed_at, row.ended_at));
}

function attributesOf(row: EndedAttempt): Attributes {
  const named = {
    "gen_ai.agent.name": row.agent,
    "gen_ai.provider.name": row.provider,
    "gen_ai.request.model": row.model,
    "gen_ai.conversation.id": row.conversation_id,
    "signalbox.account": row.account,
  };
  const usage = Object.entries(row.usage ?? {}).flatMap(([name, value]) => {
    const called = usageNames[name];
    return called === undefined ? [] : [[called, value] as const];
  });
  return {
    "gen_ai.operation.name": "invoke_agent",
    "signalbox.project": row.project,
    "signalbox.run.id": toTypeId("run", row.run_id),
    "signalbox.attempt.id": toTypeId("att", row.id),
    "signalbox.attempt.number": row.number,
    "signalbox.attempt.outcome": row.state,
    "signalbox.attempt.cause": row.cause,
    "signalbox.queue": row.queue,
    "signalbox.runner": row.runner,
    "signalbox.runtime": row.runtime,
    ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== null)),
    ...Object.fromEntries(usage),
  };
}
