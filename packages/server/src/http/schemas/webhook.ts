// Webhooks and deliveries.
// Promises: exactly `Webhook`, `WebhookWithSecret`, `WebhookInput` and `Delivery` of the wire.
// Leaves to others: what a URL may be, which patterns are right (domain).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { named, nullable, oneOf } from "./named.ts";
import { shortPage } from "./page.ts";
import { closed, count, name, reason, text } from "./scalars.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });
const maybeAt = nullable(at);

const changeable = {
  description: Type.Optional(nullable(text(1000, "For people."))),
  types: Type.Optional(
    Type.Array(text(200, "A type such as `run.failed`, or a prefix such as `run.*`."), {
      maxItems: 64,
      description: "Types of events it wants; empty or absent: all.",
    }),
  ),
  agent: Type.Optional(nullable(name("Only events of this agent."))),
  queue: Type.Optional(nullable(name("Only events of runs in this queue, and of the queue."))),
  allow_private: Type.Optional(
    Type.Boolean({ description: "May reach private addresses, and be http. Owners only." }),
  ),
};
const url = Type.String({
  minLength: 1,
  maxLength: 2000,
  description: "Where events are posted: https, and a public address.",
  "x-says": "must be an absolute URL such as https://example.org/hook, at most 2,000 long",
});

export const webhookInput = named<wire.WebhookInput>()(
  "WebhookInput",
  Type.Object({ url, ...changeable }, closed),
);
export const webhookChange = named<wire.WebhookChange>()(
  "WebhookChange",
  Type.Object({ url: Type.Optional(url), ...changeable }, closed),
);

const shown = {
  id: string,
  url: string,
  description: nullable(string),
  types: Type.Array(string),
  agent: nullable(string),
  queue: nullable(string),
  allow_private: Type.Boolean(),
  created_at: at,
  disabled_at: maybeAt,
  disabled_reason: nullable(string),
  failing_since: maybeAt,
  cursor: string,
  feed: string,
  pending: Type.Integer(),
  previous_secret_until: maybeAt,
};
export const webhook = named<wire.Webhook>()("Webhook", Type.Object(shown));
export const webhookWithSecret = named<wire.WebhookWithSecret>()(
  "WebhookWithSecret",
  Type.Object({
    ...shown,
    secret: Type.String({ description: "`whsec_…`. It is never shown again." }),
  }),
);

const deliveryState = oneOf(["pending", "delivered", "failed"]);
export const delivery = named<wire.Delivery>()(
  "Delivery",
  Type.Object({
    id: Type.String({ description: "Also its `webhook-id`." }),
    webhook_id: string,
    state: deliveryState,
    type: string,
    feed: nullable(string),
    stream: nullable(string),
    stream_id: nullable(string),
    seq: nullable(string),
    created_at: at,
    tries: Type.Integer(),
    last_try_at: maybeAt,
    next_try_at: maybeAt,
    aside: Type.Boolean(),
    out_of_order: Type.Boolean(),
    status: nullable(Type.Integer()),
    took_ms: nullable(Type.Integer()),
    error: nullable(string),
    excerpt: nullable(string),
    ended_at: maybeAt,
  }),
);

export const deliveryQuery = Type.Object(
  { state: Type.Optional(oneOf(["pending", "delivered", "failed"], "Only these.")), ...shortPage },
  closed,
);

/** A week: whoever has not changed a receiver by then has forgotten it. */
const MOST_OVERLAP_S = 7 * 86_400;

export const rotateRequest = Type.Object(
  {
    overlap_s: Type.Optional(
      count(0, MOST_OVERLAP_S, "How long the secret before signs along. Default a day."),
    ),
  },
  closed,
);
export const disableRequest = Type.Object({ reason: reason() }, closed);
export const enableRequest = Type.Object(
  {
    skip_missed: Type.Optional(
      Type.Boolean({ description: "Begin with the next event instead of where it stopped." }),
    ),
  },
  closed,
);
