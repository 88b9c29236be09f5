// Trace contexts as text (W3C `traceparent`) and back; span ids that are known before their span.
// Promises: what is not well formed is no context; ids of attempts are the same on every server.
// Leaves to others: which spans there are (traces.ts).

import { randomBytes } from "node:crypto";
import type { SpanContext } from "@opentelemetry/api";

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

/** The context that a text names, as of another process; null when it names none. */
export function parseTraceparent(text: string | null): SpanContext | null {
  const match = text === null || text.startsWith("ff") ? null : TRACEPARENT.exec(text);
  const [, traceId = NO_TRACE, spanId = NO_SPAN, flags = "00"] = match ?? [];
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

/** A context as text. */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`;
}

/** The span id of an attempt: the end of its UUID, which is random. */
export function attemptSpanId(attemptId: string): string {
  return attemptId.replaceAll("-", "").slice(16);
}

/**
 * Makes span ids for OpenTelemetry (its `IdGenerator`), random ones but for the one asked for next.
 * The span of an attempt is told when it has ended, perhaps by another server than the one that
 * began it; its children have to know its id from the beginning.
 */
export class SpanIds {
  #next: string | null = null;

  generateTraceId = (): string => randomBytes(16).toString("hex");

  generateSpanId = (): string => {
    const id = this.#next ?? randomBytes(8).toString("hex");
    this.#next = null;
    return id;
  };

  /** Whatever `start` starts first has this id. */
  as<T>(spanId: string, start: () => T): T {
    this.#next = spanId;
    try {
      return start();
    } finally {
      this.#next = null;
    }
  }
}
