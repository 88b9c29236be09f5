// Webhooks: where events of the project are sent, and their deliveries.
// Promises: creating, testing and redelivering are sent once; the rest is safe to repeat; a secret
// is in the answers of `create` and `rotate` and nowhere else.
// Leaves to others: checking what arrives (`verifyWebhook`).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type {
  Delivery,
  DeliveryState,
  Page,
  Webhook,
  WebhookChange,
  WebhookInput,
  WebhookWithSecret,
} from "../wire.ts";

export type DeliveryQuery = PageQuery & { state?: DeliveryState };

/** `signalbox.webhooks` */
export class Webhooks {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of webhooks.
   *
   * @example
   * const { items } = await signalbox.webhooks.list();
   * const failing = items.filter((one) => one.failing_since !== null);
   */
  list(query: PageQuery = {}): Promise<Page<Webhook>> {
    return this.#http.get("/v1/webhooks", { query });
  }

  /**
   * One webhook. Throws 404 `not_found`.
   *
   * @example
   * const { pending, disabled_reason } = await signalbox.webhooks.get(id);
   */
  get(id: string): Promise<Webhook> {
    return this.#http.get(pathOf(id));
  }

  /**
   * Sends events from now on to `url`. The answer has the secret; it is never shown again.
   *
   * @example
   * const { secret } = await signalbox.webhooks.create({
   *   url: "https://example.org/hook",
   *   types: ["run.completed", "run.failed", "approval.*"],
   * });
   */
  create(input: WebhookInput): Promise<WebhookWithSecret> {
    return this.#http.post("/v1/webhooks", { body: input });
  }

  /**
   * Changes what is given; deliveries that exist go to the new address.
   *
   * @example
   * await signalbox.webhooks.update(id, { types: ["run.*"] });
   */
  update(id: string, change: WebhookChange): Promise<Webhook> {
    return this.#http.put(pathOf(id), { body: change });
  }

  /**
   * Ends a webhook, with what it has not delivered.
   *
   * @example
   * await signalbox.webhooks.delete(id);
   */
  delete(id: string): Promise<Webhook> {
    return this.#http.post(`${pathOf(id)}/delete`, { body: {} });
  }

  /**
   * A new secret; the one before signs along for `overlap_s` (default a day).
   *
   * @example
   * const { secret } = await signalbox.webhooks.rotate(id, { overlap_s: 3600 });
   */
  rotate(id: string, how: { overlap_s?: number } = {}): Promise<WebhookWithSecret> {
    return this.#http.post(`${pathOf(id)}/rotate`, { body: how });
  }

  /**
   * Sends nothing until it is enabled again; what happens meanwhile is sent then.
   *
   * @example
   * await signalbox.webhooks.disable(id, { reason: "the receiver moves" });
   */
  disable(id: string, options: { reason: string }): Promise<Webhook> {
    return this.#http.post(`${pathOf(id)}/disable`, { body: options });
  }

  /**
   * Sends again, from where it stopped, or with `skip_missed` from now on.
   *
   * @example
   * await signalbox.webhooks.enable(id);
   */
  enable(id: string, how: { skip_missed?: boolean } = {}): Promise<Webhook> {
    return this.#http.post(`${pathOf(id)}/enable`, { body: how });
  }

  /**
   * Sends a `webhook.test`, which is no event of the register.
   *
   * @example
   * const { id } = await signalbox.webhooks.test(webhook.id);
   */
  test(id: string): Promise<Delivery> {
    return this.#http.post(`${pathOf(id)}/test`, { body: {} });
  }

  /**
   * One page of deliveries, newest first, with what the receiver answered.
   *
   * @example
   * const { items } = await signalbox.webhooks.deliveries(id, { state: "failed" });
   */
  deliveries(id: string, query: DeliveryQuery = {}): Promise<Page<Delivery>> {
    return this.#http.get(`${pathOf(id)}/deliveries`, { query });
  }

  /**
   * All deliveries, page by page.
   *
   * @example
   * for await (const one of signalbox.webhooks.iterateDeliveries(id)) console.log(one.state);
   */
  iterateDeliveries(id: string, query: DeliveryQuery = {}): AsyncIterable<Delivery> {
    const page = (cursor?: string): Promise<Page<Delivery>> =>
      this.deliveries(id, cursor === undefined ? query : { ...query, cursor });
    return allItems(page, query.cursor);
  }

  /**
   * Sends a delivery once more, at once, with the same `webhook-id`.
   *
   * @example
   * await signalbox.webhooks.redeliver("dlv_01j…");
   */
  redeliver(id: string): Promise<Delivery> {
    return this.#http.post(`/v1/deliveries/${encodeURIComponent(id)}/redeliver`, { body: {} });
  }
}

function pathOf(id: string): string {
  return `/v1/webhooks/${encodeURIComponent(id)}`;
}
