// Events that a worker appends: cleaned, measured, and refused if the house reserves their name.
// Promises: data that had to be changed says so (`sanitized: true`); a refusal names the event.
// Leaves to others: numbering, repeated `producer_seq`, appending after the end (engine).

import type { EventSubmission } from "@signalbox/sdk";
import { isRunnerEventType } from "../../domain/event.ts";
import { limits } from "../../domain/limits.ts";
import { refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuseSize } from "../refusals.ts";
import { bytesAbove, clean, isTooDeep } from "./clean.ts";
import type { Looks } from "./clean.ts";

/** A child may log and report usage: the key rule of the threat model. */
const childTypes: ReadonlySet<string> = new Set(["log.line", "usage.recorded"]);

/** The events as they are appended, or the refusal that names the first wrong one. */
export function toAppended(
  sent: readonly EventSubmission[],
  { looks, child = false }: { looks: Looks; child?: boolean },
): EventSubmission[] | Refusal {
  const events: EventSubmission[] = [];
  for (const [at, original] of sent.entries()) {
    const { value: event, sanitized } = clean(original, looks);
    const refusal = wrongEvent(event, `events.${at}`, looks);
    if (refusal !== null) return refusal;
    if (child && !childTypes.has(event.type)) return notForChildren(`events.${at}.type`);
    events.push(sanitized ? { ...event, data: { ...event.data, sanitized: true } } : event);
  }
  return events;
}

function wrongEvent(event: EventSubmission, field: string, looks: Looks): Refusal | null {
  const hasUsage = event.usage !== undefined;
  if (!isRunnerEventType(event.type, hasUsage)) return reserved(`${field}.type`);
  if (hasUsage && event.producer_seq === undefined) {
    return refuseField(`${field}.producer_seq`, "is required with usage, so that it counts once");
  }
  const parts = [
    ["data", event.data, limits.eventDataBytes],
    ["metadata", event.metadata, limits.metadataBytes],
  ] as const;
  for (const [name, value, limit] of parts) {
    if (value === undefined) continue;
    if (isTooDeep(value, looks)) {
      return refuseField(`${field}.${name}`, `nests deeper than ${limits.jsonDepth}`);
    }
    if (bytesAbove(value, limit, looks) > 0) return refuseSize(`${field}.${name}`, limit);
  }
  return null;
}

function reserved(field: string): Refusal {
  const message =
    "is reserved or unknown; use one of the runner's types, a name of your own as x.…, or " +
    "usage.recorded with usage";
  return {
    refused: true,
    code: "reserved_event_type",
    detail: `${field}: ${message}`,
    errors: [{ field, message }],
  };
}

function notForChildren(field: string): Refusal {
  const message = `a child's key may only append ${[...childTypes].join(" and ")}`;
  return {
    refused: true,
    code: "forbidden",
    detail: `${field}: ${message}`,
    errors: [{ field, message }],
  };
}
