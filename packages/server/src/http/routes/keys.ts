// Keys: make, list, revoke.
// Promises: a key is in one answer, the one that made it; only the owner makes another owner.
// Leaves to others: hashing, what each role may do (domain/key.ts).

import { Type } from "../typebox.ts";
import { isRefusal, refuse, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { fromWireId } from "../mapping/ids.ts";
import { noInstant, toInstant } from "../mapping/instant.ts";
import { pageFrom } from "../mapping/paging.ts";
import { notFound } from "../refusals.ts";
import { answer, created, route } from "../route.ts";
import type { Context } from "../route.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { apiKey, createdKey, newKey } from "../schemas/operators.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, id } from "../schemas/scalars.ts";

const create = route({
  method: "POST",
  url: "/v1/keys",
  operationId: "createKey",
  summary: "Make a key; it is shown once",
  tag: "keys",
  auth: "administer",
  scope: "project",
  body: newKey,
  responses: { 201: createdKey },
  handle: async ({ engine, projectId, caller, body, origin }) => {
    const target = targetOf(body.roles, { projectId, caller });
    if (isRefusal(target)) return target;
    const expiresAt = body.expires_at === undefined ? null : toInstant(body.expires_at);
    if (body.expires_at !== undefined && expiresAt === null) {
      return refuseField("expires_at", noInstant);
    }
    const input = { name: body.name, roles: body.roles, expiresAt };
    return created(await engine.createKey(target.projectId, input, origin));
  },
});

type From = Pick<Context<unknown, unknown, unknown>, "projectId" | "caller">;

/** The project a new key is bound to; an owner's key is bound to none. */
function targetOf(
  roles: readonly string[],
  { projectId, caller }: From,
): { projectId: string | null } | Refusal {
  if (!roles.includes("owner")) return { projectId };
  if (roles.length > 1) return refuseField("roles", "owner stands alone: it may do everything");
  const isOwner = caller.kind === "key" && caller.principal.permissions.has("own");
  if (!isOwner) return refuse("forbidden", "Only an owner's key makes another owner's key.");
  return { projectId: null };
}

const list = route({
  method: "GET",
  url: "/v1/keys",
  operationId: "listKeys",
  summary: "List keys, without the keys themselves",
  tag: "keys",
  auth: "administer",
  scope: "project",
  query: shortPageQuery,
  responses: { 200: pageOf(apiKey) },
  handle: async ({ engine, projectId, query }) =>
    answer(pageFrom(await engine.keys(projectId), query, (one) => one.id)),
});

const revoke = route({
  method: "POST",
  url: "/v1/keys/:id/revoke",
  operationId: "revokeKey",
  summary: "End a key at once",
  tag: "keys",
  auth: "administer",
  scope: "project",
  params: Type.Object({ id: id("key", "The key") }, closed),
  responses: { 200: apiKey },
  handle: async ({ engine, projectId, params, origin }) => {
    const keyId = fromWireId("key", params.id);
    if (keyId === null) return notFound("key");
    return answer(await engine.revokeKey(projectId, keyId, origin));
  },
});

export const keyRoutes = [create, list, revoke];
