// The part of the engine's contract that is about webhooks and what is delivered to them.
// Promises: a secret stands in the answer that made it and nowhere else.
// Leaves to others: everything else (`contract.ts`), which role may call what (http).

import type * as wire from "@signalbox/sdk";
import type { Refusal } from "../domain/refusal.ts";
import type { Origin, PageInput } from "./contract.ts";

export interface WebhookEngine {
  /** `owner`: may allow private targets. The secret is in this answer only. */
  createWebhook(
    projectId: string,
    call: { input: wire.WebhookInput; owner: boolean; origin: Origin },
  ): Promise<wire.WebhookWithSecret | Refusal>;
  updateWebhook(
    ref: { projectId: string; id: string },
    call: { change: wire.WebhookChange; owner: boolean; origin: Origin },
  ): Promise<wire.Webhook | Refusal>;
  deleteWebhook(
    ref: { projectId: string; id: string },
    origin: Origin,
  ): Promise<wire.Webhook | Refusal>;
  rotateWebhook(
    ref: { projectId: string; id: string },
    call: { overlapS: number; origin: Origin },
  ): Promise<wire.WebhookWithSecret | Refusal>;
  /** `reason` null enables. */
  switchWebhook(
    ref: { projectId: string; id: string },
    call: { reason: string | null; skipMissed: boolean; origin: Origin },
  ): Promise<wire.Webhook | Refusal>;
  testWebhook(projectId: string, webhookId: string): Promise<wire.Delivery | Refusal>;
  redeliver(projectId: string, deliveryId: string): Promise<wire.Delivery | Refusal>;

  webhooks(projectId: string, page: PageInput): Promise<wire.Page<wire.Webhook>>;
  webhook(projectId: string, id: string): Promise<wire.Webhook | null>;
  /** Null when there is no such webhook. */
  deliveries(
    projectId: string,
    page: PageInput & { webhookId: string; state: string | null },
  ): Promise<wire.Page<wire.Delivery> | null>;
}
