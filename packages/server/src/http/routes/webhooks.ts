// Webhooks: make, list, change, end, rotate, switch, test; their deliveries, and redelivering one.
// Promises: a secret is in two answers only, that which made the webhook and that which rotated.
// Leaves to others: what a URL may be (domain), sending (engine).

import { Type } from "../typebox.ts";
import { isOwner } from "../auth.ts";
import { fromWireId } from "../mapping/ids.ts";
import { toShortPage } from "../mapping/paging.ts";
import { notFound } from "../refusals.ts";
import { answer, created, found, route } from "../route.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, id } from "../schemas/scalars.ts";
import {
  delivery,
  deliveryQuery,
  disableRequest,
  enableRequest,
  rotateRequest,
  webhook,
  webhookChange,
  webhookInput,
  webhookWithSecret,
} from "../schemas/webhook.ts";

const params = Type.Object({ id: id("whk", "The webhook") }, closed);
const common = { tag: "webhooks", scope: "project" } as const;
const administers = { ...common, auth: "administer" } as const;
const DEFAULT_OVERLAP_S = 86_400;

const list = route({
  ...common,
  method: "GET",
  url: "/v1/webhooks",
  operationId: "listWebhooks",
  summary: "List webhooks, without their secrets",
  auth: "read",
  query: shortPageQuery,
  responses: { 200: pageOf(webhook) },
  handle: async ({ engine, projectId, query }) =>
    answer(await engine.webhooks(projectId, toShortPage(query))),
});

const create = route({
  ...administers,
  method: "POST",
  url: "/v1/webhooks",
  operationId: "createWebhook",
  summary: "Send events from now on to a URL; the secret is shown once",
  body: webhookInput,
  keeps: "sealed",
  responses: { 201: webhookWithSecret },
  handle: async ({ engine, projectId, caller, body: input, origin }) => {
    const call = { input, owner: isOwner(caller), origin };
    return created(await engine.createWebhook(projectId, call));
  },
});

const get = route({
  ...common,
  method: "GET",
  url: "/v1/webhooks/:id",
  operationId: "getWebhook",
  summary: "One webhook",
  auth: "read",
  params,
  responses: { 200: webhook },
  handle: async ({ engine, projectId, params: { id: wireId } }) => {
    const webhookId = fromWireId("webhook", wireId);
    return found(webhookId === null ? null : await engine.webhook(projectId, webhookId), "webhook");
  },
});

const update = route({
  ...administers,
  method: "PUT",
  url: "/v1/webhooks/:id",
  operationId: "updateWebhook",
  summary: "Change a webhook; what is absent stays",
  params,
  body: webhookChange,
  responses: { 200: webhook },
  handle: async ({ engine, projectId, caller, params: { id: wireId }, body, origin }) => {
    const webhookId = fromWireId("webhook", wireId);
    if (webhookId === null) return notFound("webhook");
    const call = { change: body, owner: isOwner(caller), origin };
    return answer(await engine.updateWebhook({ projectId, id: webhookId }, call));
  },
});

const remove = route({
  ...administers,
  method: "POST",
  url: "/v1/webhooks/:id/delete",
  operationId: "deleteWebhook",
  summary: "End a webhook, with what it has not delivered",
  params,
  responses: { 200: webhook },
  handle: async ({ engine, projectId, params: { id: wireId }, origin }) => {
    const webhookId = fromWireId("webhook", wireId);
    if (webhookId === null) return notFound("webhook");
    return answer(await engine.deleteWebhook({ projectId, id: webhookId }, origin));
  },
});

const rotate = route({
  ...administers,
  method: "POST",
  url: "/v1/webhooks/:id/rotate",
  operationId: "rotateWebhook",
  summary: "Make a new secret; the one before signs along for a while",
  params,
  body: rotateRequest,
  keeps: "sealed",
  responses: { 200: webhookWithSecret },
  handle: async ({ engine, projectId, params: { id: wireId }, body, origin }) => {
    const webhookId = fromWireId("webhook", wireId);
    if (webhookId === null) return notFound("webhook");
    const { overlap_s: overlapS = DEFAULT_OVERLAP_S } = body;
    return answer(await engine.rotateWebhook({ projectId, id: webhookId }, { overlapS, origin }));
  },
});

const disable = route({
  ...administers,
  method: "POST",
  url: "/v1/webhooks/:id/disable",
  operationId: "disableWebhook",
  summary: "Send nothing until it is enabled again",
  params,
  body: disableRequest,
  responses: { 200: webhook },
  handle: async ({ engine, projectId, params: { id: wireId }, body: { reason }, origin }) => {
    const webhookId = fromWireId("webhook", wireId);
    if (webhookId === null) return notFound("webhook");
    const call = { reason, skipMissed: false, origin };
    return answer(await engine.switchWebhook({ projectId, id: webhookId }, call));
  },
});

const enable = route({
  ...administers,
  method: "POST",
  url: "/v1/webhooks/:id/enable",
  operationId: "enableWebhook",
  summary: "Send again, from where it stopped or from now on",
  params,
  body: enableRequest,
  responses: { 200: webhook },
  handle: async ({ engine, projectId, params: { id: wireId }, body, origin }) => {
    const webhookId = fromWireId("webhook", wireId);
    if (webhookId === null) return notFound("webhook");
    const call = { reason: null, skipMissed: body.skip_missed ?? false, origin };
    return answer(await engine.switchWebhook({ projectId, id: webhookId }, call));
  },
});

const test = route({
  ...administers,
  method: "POST",
  url: "/v1/webhooks/:id/test",
  operationId: "testWebhook",
  summary: "Send a `webhook.test`, which is no event of the register",
  params,
  keeps: "plain",
  responses: { 201: delivery },
  handle: async ({ engine, projectId, params: { id: wireId } }) => {
    const webhookId = fromWireId("webhook", wireId);
    if (webhookId === null) return notFound("webhook");
    return created(await engine.testWebhook(projectId, webhookId));
  },
});

const deliveries = route({
  ...common,
  method: "GET",
  url: "/v1/webhooks/:id/deliveries",
  operationId: "listDeliveries",
  summary: "Deliveries of a webhook, newest first, with what the receiver answered",
  auth: "read",
  params,
  query: deliveryQuery,
  responses: { 200: pageOf(delivery) },
  handle: async ({ engine, projectId, params: { id: wireId }, query }) => {
    const webhookId = fromWireId("webhook", wireId);
    if (webhookId === null) return notFound("webhook");
    const asked = { ...toShortPage(query), webhookId, state: query.state ?? null };
    return found(await engine.deliveries(projectId, asked), "webhook");
  },
});

const redeliver = route({
  ...administers,
  method: "POST",
  url: "/v1/deliveries/:id/redeliver",
  operationId: "redeliver",
  summary: "Send a delivery once more, at once, with the same id",
  params: Type.Object({ id: id("dlv", "The delivery") }, closed),
  responses: { 200: delivery },
  handle: async ({ engine, projectId, params: { id: wireId } }) => {
    const deliveryId = fromWireId("delivery", wireId);
    if (deliveryId === null) return notFound("delivery");
    return answer(await engine.redeliver(projectId, deliveryId));
  },
});

export const webhookRoutes = [
  list,
  create,
  get,
  update,
  remove,
  rotate,
  disable,
  enable,
  test,
  deliveries,
  redeliver,
];
