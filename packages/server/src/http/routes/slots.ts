// Slots: planned times of an agent. People plan and skip them; workers start, finish, abort them.
// Promises: a slot's run is checked like a submission before the slot is kept.
// Leaves to others: which states allow what (domain), starting what is due (engine).

import { Type } from "../typebox.ts";
import type { Permission } from "../../domain/key.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { wrongAgents } from "../bound.ts";
import { fromWireId } from "../mapping/ids.ts";
import { toShortPage } from "../mapping/paging.ts";
import { wrongSlot } from "../mapping/slot.ts";
import { notFound } from "../refusals.ts";
import { answer, created, found, route } from "../route.ts";
import type { Context, Route } from "../route.ts";
import { withOptionalReason } from "../schemas/operators.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, id } from "../schemas/scalars.ts";
import { slot, slotInput, slotQuery } from "../schemas/slot.ts";

const params = Type.Object({ id: id("slt", "The slot") }, closed);

const create = route({
  method: "POST",
  url: "/v1/slots",
  operationId: "createSlot",
  keeps: "plain",
  summary: "Plan a time for an agent",
  tag: "slots",
  auth: "operate",
  scope: "project",
  body: slotInput,
  bodyClass: "run",
  responses: { 201: slot },
  refusals: ["payload_too_large"],
  handle: async ({ engine, projectId, body, looks, origin }) =>
    wrongSlot(body, looks) ?? created(await engine.createSlot(projectId, body, origin)),
});

const list = route({
  method: "GET",
  url: "/v1/slots",
  operationId: "listSlots",
  summary: "List slots",
  tag: "slots",
  auth: "read",
  scope: "project",
  query: slotQuery,
  responses: { 200: pageOf(slot) },
  handle: async ({ engine, projectId, query }) => {
    const { agent, status } = query;
    const filter = {
      ...(agent === undefined ? {} : { agent }),
      ...(status === undefined ? {} : { status }),
    };
    return answer(await engine.slots(projectId, filter, toShortPage(query)));
  },
});

const get = route({
  method: "GET",
  url: "/v1/slots/:id",
  operationId: "getSlot",
  summary: "One slot",
  tag: "slots",
  auth: "read",
  scope: "project",
  params,
  responses: { 200: slot },
  handle: async ({ engine, projectId, params: { id: wireId } }) => {
    const slotId = fromWireId("slot", wireId);
    return found(slotId === null ? null : await engine.slot(projectId, slotId), "slot");
  },
});

type Verb = "start" | "finish" | "abort" | "skip";
const verbs: Readonly<Record<Verb, { readonly auth: Permission; readonly summary: string }>> = {
  start: { auth: "work", summary: "Start a slot now" },
  finish: { auth: "work", summary: "Say that a slot's work is done" },
  abort: { auth: "work", summary: "Break a slot off" },
  skip: { auth: "operate", summary: "Cancel a slot before it starts" },
};

function change(verb: Verb): Route {
  return route({
    method: "POST",
    url: `/v1/slots/:id/${verb}`,
    operationId: `${verb}Slot`,
    summary: verbs[verb].summary,
    tag: "slots",
    auth: verbs[verb].auth,
    scope: "project",
    params,
    body: withOptionalReason,
    responses: { 200: slot },
    refusals: ["invalid_transition"],
    handle: async ({ engine, projectId, caller, params: { id: wireId }, body, origin }) => {
      const slotId = fromWireId("slot", wireId);
      if (slotId === null) return notFound("slot");
      const wrong = await wrongSlotOf({ engine, projectId, caller }, slotId);
      if (wrong !== null) return wrong;
      const { reason = null } = body;
      return answer(await engine.changeSlot(projectId, slotId, { verb, reason }, origin));
    },
  });
}

type Asked = Pick<Context<unknown, unknown, unknown>, "engine" | "projectId" | "caller">;

/** A key that is bound to agents changes the slots of these agents. */
async function wrongSlotOf(asked: Asked, slotId: string): Promise<Refusal | null> {
  const { engine, projectId, caller } = asked;
  if (caller.kind !== "key" || caller.principal.agents === null) return null;
  const found = await engine.slot(projectId, slotId);
  return found === null ? null : wrongAgents(caller, [found.agent]);
}

export const slotRoutes = [create, list, get, ...(Object.keys(verbs) as Verb[]).map(change)];
