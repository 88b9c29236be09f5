// Webhooks and their deliveries as people read them.
// Promises: no secret is read here, nor could be; a page never repeats or skips a row.
// Leaves to others: changing them (commands/webhooks.ts), sending (services/tail).

import type * as wire from "@signalbox/sdk";
import { fromTypeId, lastUuid, nilUuid, toTypeId } from "../../std/ids.ts";
import type { DeliveryView } from "../../store/deliveries.ts";
import { listDeliveries } from "../../store/deliveries.ts";
import { iso } from "../../store/run-rows.ts";
import type { WebhookView } from "../../store/webhooks.ts";
import { listWebhooks } from "../../store/webhooks.ts";
import type { PageInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { page } from "./page.ts";
import { streamIdOf } from "./views.ts";

export function webhookOf(row: WebhookView): wire.Webhook {
  return {
    id: toTypeId("whk", row.id),
    url: row.url,
    description: row.description,
    types: row.types,
    agent: row.agent,
    queue: row.queue,
    allow_private: row.allow_private,
    created_at: iso(row.created_at),
    disabled_at: iso(row.disabled_at),
    disabled_reason: row.disabled_reason,
    failing_since: iso(row.failing_since),
    cursor: String(row.cursor),
    feed: String(row.feed),
    pending: row.pending,
    previous_secret_until: iso(row.previous_secret_until),
  };
}

export function deliveryOf(row: DeliveryView): wire.Delivery {
  const { stream, stream_id: streamId } = row;
  return {
    id: toTypeId("dlv", row.id),
    webhook_id: toTypeId("whk", row.webhook_id),
    state: row.state,
    type: row.type,
    feed: row.feed === null ? null : String(row.feed),
    stream,
    stream_id: stream === null || streamId === null ? null : streamIdOf(stream, streamId),
    seq: row.seq === null ? null : String(row.seq),
    created_at: iso(row.created_at),
    tries: row.tries,
    last_try_at: iso(row.last_try_at),
    next_try_at: iso(row.next_at),
    aside: row.aside,
    out_of_order: row.out_of_order,
    status: row.status,
    took_ms: row.took_ms,
    error: row.error,
    excerpt: row.excerpt,
    ended_at: iso(row.ended_at),
  };
}

export async function readWebhook(
  parts: Parts,
  projectId: string,
  id: string,
): Promise<wire.Webhook | null> {
  const rows = await parts.reader.within([projectId], (runner) =>
    listWebhooks(runner, projectId, { after: nilUuid, id, limit: 1 }),
  );
  return rows[0] === undefined ? null : webhookOf(rows[0]);
}

export async function readWebhookPage(
  parts: Parts,
  projectId: string,
  { cursor, limit }: PageInput,
): Promise<wire.Page<wire.Webhook>> {
  const after = cursor === null ? nilUuid : (fromTypeId("whk", cursor) ?? lastUuid);
  const rows = await parts.reader.within([projectId], (runner) =>
    listWebhooks(runner, projectId, { after, id: null, limit: limit + 1 }),
  );
  return page(rows.map(webhookOf), limit, (last) => last.id);
}

/** Null when there is no such webhook. */
export async function readDeliveryPage(
  parts: Parts,
  projectId: string,
  asked: PageInput & { webhookId: string; state: string | null },
): Promise<wire.Page<wire.Delivery> | null> {
  const { webhookId, state, cursor, limit } = asked;
  const before = cursor === null ? lastUuid : (fromTypeId("dlv", cursor) ?? nilUuid);
  const [hooks, rows] = await parts.reader.within([projectId], (runner) =>
    Promise.all([
      listWebhooks(runner, projectId, { after: nilUuid, id: webhookId, limit: 1 }),
      listDeliveries(runner, { projectId, webhookId }, { before, state, limit: limit + 1 }),
    ]),
  );
  if (hooks.length === 0) return null;
  return page(rows.map(deliveryOf), limit, (last) => last.id);
}
