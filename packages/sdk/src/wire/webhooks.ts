// Wire shapes of webhooks: where events are sent, and what became of each delivery.
// Promises: the notation of `runs.ts`; a secret appears in `WebhookWithSecret` only, once.
// Leaves to others: checking what arrives (`verify-webhook.ts`).

import type { Event } from "./runs.ts";

export type WebhookInput = {
  url: string;
  description?: string | null;
  /** Types of events, or prefixes as `run.*`; empty or absent: all. */
  types?: string[];
  /** Only events of this agent. */
  agent?: string | null;
  /** Only events of runs in this queue, and of the queue itself. */
  queue?: string | null;
  /** May point at private addresses, and be http. Owners only. */
  allow_private?: boolean;
};
/** Absent = keep. */
export type WebhookChange = Partial<WebhookInput>;

export type Webhook = {
  id: string;
  url: string;
  description: string | null;
  types: string[];
  agent: string | null;
  queue: string | null;
  allow_private: boolean;
  created_at: string;
  disabled_at: string | null;
  disabled_reason: string | null;
  /** Since when no delivery has succeeded; null while they do. */
  failing_since: string | null;
  /** The feed has been looked through for it up to this number. */
  cursor: string;
  /** Newest number of the feed. */
  feed: string;
  /** Deliveries that are not done, counted up to 10,000. */
  pending: number;
  /** Until when the secret before this one signs along. */
  previous_secret_until: string | null;
};
/** The only answers that ever contain the secret. */
export type WebhookWithSecret = Webhook & { secret: string };

export type DeliveryState = "pending" | "delivered" | "failed";
export type Delivery = {
  /** Also its `webhook-id`, the same for every try. */
  id: string;
  webhook_id: string;
  state: DeliveryState;
  type: string;
  feed: string | null;
  stream: string | null;
  stream_id: string | null;
  seq: string | null;
  created_at: string;
  tries: number;
  last_try_at: string | null;
  /** Null: it is done, or waits for an earlier one of its stream. */
  next_try_at: string | null;
  /** Has failed five times: later ones of its stream do not wait for it. */
  aside: boolean;
  out_of_order: boolean;
  /** What the last try met. */
  status: number | null;
  took_ms: number | null;
  error: string | null;
  excerpt: string | null;
  ended_at: string | null;
};

/** Body of a webhook: CloudEvents 1.0, structured JSON. */
export type WebhookEvent = {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  datacontenttype: "application/json";
  projectid: string;
  feed?: string;
  stream?: string;
  seq?: string;
  outoforder?: true;
  traceparent?: string;
  /** The event, or of a test delivery just these two. */
  data: (Event & { project: string; out_of_order?: true }) | { webhook: string; project: string };
};
