// report and append: what workers say about their attempts, many at a time.
// Promises: items of one run are applied in the order given; every item has its own answer; a
// repeated item is answered as the first was.
// Leaves to others: fencing and deciding (domain), sanitising what agents emit (http).

import type * as wire from "@signalbox/sdk";
import type { AppendedEvent } from "../../domain/command.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import { isRunnerEventType } from "../../domain/event.ts";
import type { JsonObject } from "../../domain/run.ts";
import { canonicalJson } from "../../std/digest.ts";
import { eventsByProducer } from "../../store/events.ts";
import type { AppendInput, Origin, ReportInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { statusOf } from "../queries/views.ts";
import type { Answer } from "../services/flush/items.ts";

type RunAnswer = Extract<Answer, { kind: "run" }>;

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
      const reserved = item.events.find((event) => !isRunnerEventType(event.type));
      if (reserved !== undefined) return refuseType(reserved.type);
      const events = item.events.map(eventOf);
      const answer = await parts.work.add({
        kind: "run",
        projectId,
        runId: item.runId,
        fence: item.fence,
        what: { command: { kind: "append", events } },
        origin,
      });
      if (isRefusal(answer)) return answer;
      const { run, stored } = answer as RunAnswer;
      if (stored < events.length) {
        const other = await otherContent(parts, projectId, item, events);
        if (other !== null) return other;
      }
      return { last_seq: String(run.lastSeq), stored };
    }),
  );
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
    return refuse(
      "producer_seq_mismatch",
      `producer_seq ${event.producerSeq} was used before for another event; number events on.`,
      { producer_seq: event.producerSeq },
    );
  }
  return null;
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
  return { type: event.type, producerSeq: event.producer_seq ?? null, data };
}
