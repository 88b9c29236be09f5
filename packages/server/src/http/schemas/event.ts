// Events: as the register shows them, and as workers append them.
// Promises: exactly `Event` and `EventSubmission` of the wire.
// Leaves to others: which types a runner may write, bytes of `data` (`mapping/events.ts`).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { named, nullable, oneOf } from "./named.ts";
import { closed, count, jsonObject } from "./scalars.ts";
import { runState } from "./run.ts";
import { reportedUsage } from "./usage.ts";

const string = Type.String();

export const event = named<wire.Event>()(
  "Event",
  Type.Object({
    id: string,
    stream: string,
    stream_id: string,
    seq: string,
    feed: string,
    type: string,
    also: Type.Array(string),
    source: oneOf(["host", "runner", "operator"]),
    attempt: nullable(Type.Integer()),
    producer_seq: nullable(Type.Integer()),
    at: Type.String({ format: "date-time" }),
    from_state: nullable(runState),
    to_state: nullable(runState),
    late: Type.Boolean(),
    data: jsonObject("Facts of this type."),
    usage: Type.Optional(reportedUsage),
    actor: nullable(string),
    request_id: nullable(string),
    traceparent: nullable(string),
  }),
);

export const eventSubmission = named<wire.EventSubmission>()(
  "EventSubmission",
  Type.Object(
    {
      type: Type.String({ minLength: 1, maxLength: 200, description: "Such as `log.line`." }),
      producer_seq: Type.Optional(
        count(
          1,
          Number.MAX_SAFE_INTEGER,
          "Numbers the events of one attempt, rising from 1. Needed with `usage`.",
        ),
      ),
      data: Type.Optional(jsonObject("≤ 60 KiB; the sender cuts fields.")),
      usage: Type.Optional(reportedUsage),
      metadata: Type.Optional(jsonObject("Anything about the event.")),
      artifact_refs: Type.Optional(Type.Array(Type.String({ maxLength: 2000 }), { maxItems: 100 })),
    },
    closed,
  ),
);
