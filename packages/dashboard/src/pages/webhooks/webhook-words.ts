// Words for webhooks: how one is, what it wants, how far behind it is.
// Promises: every screen says the same.
// Leaves to others: looks (`parts/states.ts`).

import type { Webhook } from "@signalbox/sdk";
import { numberText } from "../../parts/states.ts";
import type { WebhookState } from "../../parts/states.ts";

export function stateOf({ disabled_at: disabledAt, failing_since: since }: Webhook): WebhookState {
  if (disabledAt !== null) return "disabled";
  return since === null ? "sending" : "failing";
}

/** `run.*, queue.paused of agent ada`. */
export function wantsText({ types, agent, queue }: Webhook): string {
  const what = types.length === 0 ? "all" : types.join(", ");
  const whose = agent === null ? "" : ` of agent ${agent}`;
  return `${what}${whose}${queue === null ? "" : ` in queue ${queue}`}`;
}

/** From here on the server stops counting. */
const COUNTED = 10_000;

/** Deliveries that are not done, and events that nobody has looked through for it yet. */
export function lagText({ pending, cursor, feed }: Webhook): string {
  const unread = Math.max(0, Number(feed) - Number(cursor));
  const deliveries = `${numberText(pending)}${pending >= COUNTED ? " or more" : ""}`;
  return unread === 0 ? deliveries : `${deliveries} + ${numberText(unread)} events`;
}

export const webhookPath = (id: string): string => `/webhooks/${encodeURIComponent(id)}`;
