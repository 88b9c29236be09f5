// What a webhook receives: a CloudEvent, signed as Standard Webhooks asks.
// Promises: `webhook-id` is the delivery's and the same for every try, `webhook-timestamp` that of
// this try, `webhook-signature` has one signature per secret, newest first; the body is CloudEvents
// 1.0 in structured JSON whose `data` is the event as the API shows it (F-114).
// Leaves to others: sending (send.ts), the text of events (queries/views.ts).

import { createHmac, randomBytes } from "node:crypto";
import type * as wire from "@signalbox/sdk";
import { toTypeId } from "../../../std/ids.ts";
import type { LeasedDelivery } from "../../../store/deliveries.ts";

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** A new secret: `whsec_` and 32 random bytes in base64. */
export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString("base64");
}

/** `v1,<base64>`: HMAC-SHA256 over `id.timestamp.body`. */
function signatureOf(
  secret: string,
  signed: { id: string; timestamp: number; body: string },
): string {
  const key = Buffer.from(secret.slice(PREFIX.length), "base64");
  const text = `${signed.id}.${signed.timestamp}.${signed.body}`;
  return `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
}

/** Headers of one try. `wall`: milliseconds since 1970 by this server. */
export function headersOf(
  deliveryId: string,
  body: string,
  { secrets, wall, version }: { secrets: readonly string[]; wall: number; version: string },
): Record<string, string> {
  const id = toTypeId("dlv", deliveryId);
  const timestamp = Math.floor(wall / 1000);
  return {
    "content-type": "application/cloudevents+json; charset=utf-8",
    "user-agent": `signalbox/${version}`,
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": secrets.map((one) => signatureOf(one, { id, timestamp, body })).join(" "),
  };
}

/** The body. `event` null: a test delivery, which has none. */
export function bodyOf(
  delivery: Pick<LeasedDelivery, "id" | "project_id" | "webhook_id" | "out_of_order"> & {
    created_at: number;
  },
  event: wire.Event | null,
): string {
  const project = toTypeId("prj", delivery.project_id);
  const outOfOrder = delivery.out_of_order ? { out_of_order: true } : {};
  const envelope = {
    specversion: "1.0",
    source: `/projects/${project}`,
    datacontenttype: "application/json",
    projectid: project,
  };
  if (event === null) {
    const webhook = toTypeId("whk", delivery.webhook_id);
    return JSON.stringify({
      ...envelope,
      id: toTypeId("dlv", delivery.id),
      type: "webhook.test",
      subject: webhook,
      time: new Date(delivery.created_at).toISOString(),
      data: { webhook, project },
    });
  }
  return JSON.stringify({
    ...envelope,
    id: event.id,
    type: event.type,
    subject: event.stream_id,
    time: event.at,
    feed: event.feed,
    stream: event.stream,
    seq: event.seq,
    ...(delivery.out_of_order ? { outoforder: true } : {}),
    ...(event.traceparent === null ? {} : { traceparent: event.traceparent }),
    data: { ...event, project, ...outOfOrder },
  });
}
