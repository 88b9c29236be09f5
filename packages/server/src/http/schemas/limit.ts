// A limit that a worker met, as it reports it: for a run, or for an account alone.
// Promises: exactly `LimitReport` of the wire. The worker's own words are checked; what comes from
// a provider (headers, message) or from a reading of it (`recovery_at`) is taken as it is, since a
// report that is refused is an outcome that is lost.
// Leaves to others: cleaning it (`mapping/limit.ts`), reading it and clamping instants (engine).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { limitReasons } from "../../domain/exhaustion/exhaustion.ts";
import { named, nullable, oneOf } from "./named.ts";
import { closed, name, text } from "./scalars.ts";

const headers = Type.Unsafe<{ [name: string]: string }>({
  description:
    "Headers of the answer: name → text. Numbers become text; what else is no text is dropped.",
});
const message = Type.Unsafe<string>({
  description: "What the provider said. Text; anything else is read as its JSON.",
});
const recoveryAt = Type.Unsafe<string>({
  description:
    "When the limit is over (ISO 8601 with a time zone). A past instant means at once; what is " +
    "no instant counts as absent.",
});

export const limitProperties = {
  status: Type.Optional(
    nullable(Type.Integer({ description: "HTTP status of the provider's answer." })),
  ),
  headers: Type.Optional(headers),
  message: Type.Optional(message),
  provider: Type.Optional(text(200, "Such as anthropic.")),
  reason: Type.Optional(oneOf(limitReasons, "What the worker knows itself.")),
  recovery_at: Type.Optional(recoveryAt),
  recovery_in_ms: Type.Optional(
    Type.Number({
      description: "Or: how long from now.",
      "x-says": "must be a number of milliseconds",
    }),
  ),
  scope: Type.Optional(oneOf(["account", "model"], "What is limited.")),
  model: Type.Optional(name("The model that is limited.")),
};

export const limitReport = named<wire.LimitReport>()(
  "LimitReport",
  Type.Object(limitProperties, closed),
);
