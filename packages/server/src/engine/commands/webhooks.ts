// Webhooks: making, changing, ending them, their secrets, and deliveries that a person asks for.
// Promises: each verb is one short transaction with one event on the project's stream (a test and a
// redelivery write none: they change nothing that is promised); a secret leaves once, in the answer
// that made it; private targets are an owner's to allow.
// Leaves to others: deliveries as they come (services/tail), what a URL may be (`domain/webhook`).

import type * as wire from "@signalbox/sdk";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { wrongPatterns } from "../../domain/webhook/filter.ts";
import { targetOf } from "../../domain/webhook/target.ts";
import { toTypeId } from "../../std/ids.ts";
import type { Runner } from "../../store/db.ts";
import { insertTestDelivery, readDelivery, redeliver } from "../../store/deliveries.ts";
import type { NewWebhook, WebhookRow } from "../../store/webhooks.ts";
import {
  addSecret,
  disableWebhook,
  enableWebhook,
  insertWebhook,
  lockWebhook,
  MOST_WEBHOOKS,
  removeWebhook,
  saveWebhook,
} from "../../store/webhooks.ts";
import type { Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { deliveryOf, readWebhook, webhookOf } from "../queries/webhooks.ts";
import { newSecret } from "../services/tail/message.ts";
import { recordOnProject } from "./operate.ts";

type Known = Promise<wire.Webhook | Refusal>;
type WithSecret = Promise<wire.WebhookWithSecret | Refusal>;
type Ref = { readonly projectId: string; readonly id: string };

/** Tells of a webhook, without what is secret: a URL may have a secret in its path. */
export async function recordWebhook(
  parts: Parts,
  runner: Runner,
  row: WebhookRow,
  entry: {
    type: `webhook.${"created" | "changed" | "rotated" | "enabled" | "disabled" | "removed"}`;
    source: "host" | "operator";
    origin: Origin;
    reason?: string;
  },
): Promise<void> {
  const { type, source, origin, reason } = entry;
  const data = {
    webhook: toTypeId("whk", row.id),
    host: new URL(row.url).host,
    ...(reason === undefined ? {} : { reason }),
  };
  await recordOnProject(parts, runner, row.project_id, { type, source, data, origin });
}

function checked(row: NewWebhook): Refusal | null {
  const target = targetOf(row.url, row.allow_private);
  return isRefusal(target) ? target : wrongPatterns(row.types);
}

const ownersOnly = refuse(
  "forbidden",
  "allow_private: only an owner's key lets a webhook reach private addresses.",
);

export async function createWebhook(
  parts: Parts,
  projectId: string,
  call: { input: wire.WebhookInput; owner: boolean; origin: Origin },
): WithSecret {
  const { input, owner, origin } = call;
  const asked: NewWebhook = {
    id: parts.newId(),
    url: input.url,
    description: input.description ?? null,
    types: input.types ?? [],
    agent: input.agent ?? null,
    queue: input.queue ?? null,
    allow_private: input.allow_private ?? false,
  };
  if (asked.allow_private && !owner) return ownersOnly;
  const wrong = checked(asked);
  if (wrong !== null) return wrong;
  const secret = newSecret();
  const row = await parts.writer.within([projectId], async (runner) => {
    const made = await insertWebhook(runner, projectId, asked);
    if (made === null) return null;
    const ref = { id: parts.newId(), projectId, webhookId: made.id };
    await addSecret(runner, ref, { secret, overlapS: 0 });
    const entry = { type: "webhook.created", source: "operator", origin } as const;
    await recordWebhook(parts, runner, made, entry);
    return made;
  });
  if (row === null) {
    return refuse("overloaded", `A project has at most ${MOST_WEBHOOKS} webhooks.`);
  }
  parts.deliveries().wake();
  return { ...(await viewOf(parts, row)), secret };
}

export async function updateWebhook(
  parts: Parts,
  { projectId, id }: Ref,
  call: { change: wire.WebhookChange; owner: boolean; origin: Origin },
): Known {
  const { change, owner, origin } = call;
  const changed = await parts.writer.within([projectId], async (runner) => {
    const before = await lockWebhook(runner, projectId, id);
    if (before === null) return null;
    const after = { ...before, ...definedOf(change) };
    // Whoever may not allow private targets may not choose them either.
    const moves = after.url !== before.url || !before.allow_private;
    if (after.allow_private && moves && !owner) return ownersOnly;
    const wrong = checked(after);
    if (wrong !== null) return wrong;
    const saved = await saveWebhook(runner, after);
    const entry = { type: "webhook.changed", source: "operator", origin } as const;
    await recordWebhook(parts, runner, saved, entry);
    return saved;
  });
  return answered(parts, changed);
}

/** What was given; a list or text that is null is none. */
function definedOf(change: wire.WebhookChange): Partial<NewWebhook> {
  const { url, description, types, agent, queue, allow_private } = change;
  return {
    ...(url !== undefined && { url }),
    ...(description !== undefined && { description }),
    ...(types !== undefined && { types }),
    ...(agent !== undefined && { agent }),
    ...(queue !== undefined && { queue }),
    ...(allow_private !== undefined && { allow_private }),
  };
}

export async function deleteWebhook(parts: Parts, { projectId, id }: Ref, origin: Origin): Known {
  const shown = await readWebhook(parts, projectId, id);
  const row = await parts.writer.within([projectId], async (runner) => {
    const gone = await removeWebhook(runner, projectId, id);
    if (gone === null) return null;
    const entry = { type: "webhook.removed", source: "operator", origin } as const;
    await recordWebhook(parts, runner, gone, entry);
    return gone;
  });
  return row === null || shown === null ? unknown() : shown;
}

/** A new secret; the ones before it sign along for a while. */
export async function rotateWebhook(
  parts: Parts,
  { projectId, id }: Ref,
  call: { overlapS: number; origin: Origin },
): WithSecret {
  const { overlapS, origin } = call;
  const secret = newSecret();
  const row = await parts.writer.within([projectId], async (runner) => {
    const found = await lockWebhook(runner, projectId, id);
    if (found === null) return null;
    const ref = { id: parts.newId(), projectId, webhookId: id };
    await addSecret(runner, ref, { secret, overlapS });
    const entry = { type: "webhook.rotated", source: "operator", origin } as const;
    await recordWebhook(parts, runner, found, entry);
    return found;
  });
  return row === null ? unknown() : { ...(await viewOf(parts, row)), secret };
}

/** `reason` null enables, from where it stopped unless `skipMissed`. */
export async function switchWebhook(
  parts: Parts,
  { projectId, id }: Ref,
  call: { reason: string | null; skipMissed: boolean; origin: Origin },
): Known {
  const { reason, skipMissed, origin } = call;
  const row = await parts.writer.within([projectId], async (runner) => {
    const before = await lockWebhook(runner, projectId, id);
    if (before === null) return null;
    const ref = { projectId, id };
    const after =
      reason === null
        ? await enableWebhook(runner, ref, skipMissed)
        : await disableWebhook(runner, ref, reason);
    if (after === null) return before;
    const type = reason === null ? "webhook.enabled" : "webhook.disabled";
    const entry = { type, source: "operator", origin } as const;
    await recordWebhook(parts, runner, after, reason === null ? entry : { ...entry, reason });
    return after;
  });
  return answered(parts, row);
}

/** Sends a delivery that is of no event. */
export async function testWebhook(
  parts: Parts,
  projectId: string,
  webhookId: string,
): Promise<wire.Delivery | Refusal> {
  const id = parts.newId();
  await parts.writer.within([projectId], (runner) =>
    insertTestDelivery(runner, id, { projectId, webhookId }),
  );
  return sendNow(parts, projectId, id, "webhook");
}

export async function redeliverOnce(
  parts: Parts,
  projectId: string,
  id: string,
): Promise<wire.Delivery | Refusal> {
  await parts.writer.within([projectId], (runner) => redeliver(runner, projectId, id));
  return sendNow(parts, projectId, id, "delivery");
}

async function sendNow(
  parts: Parts,
  projectId: string,
  id: string,
  what: string,
): Promise<wire.Delivery | Refusal> {
  const row = await parts.reader.within([projectId], (r) => readDelivery(r, projectId, id));
  if (row === null) return refuse("not_found", `There is no such ${what}.`);
  parts.deliveries().wake();
  return deliveryOf(row);
}

async function answered(parts: Parts, row: WebhookRow | Refusal | null): Known {
  if (row === null) return unknown();
  if (isRefusal(row)) return row;
  parts.deliveries().wake();
  return viewOf(parts, row);
}

async function viewOf(parts: Parts, row: WebhookRow): Promise<wire.Webhook> {
  const shown = await readWebhook(parts, row.project_id, row.id);
  return shown ?? webhookOf({ ...row, pending: 0, feed: row.cursor, previous_secret_until: null });
}

function unknown(): Refusal {
  return refuse("not_found", "There is no such webhook.");
}
