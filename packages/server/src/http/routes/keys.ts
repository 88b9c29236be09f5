// Keys: make, list, rotate, revoke; those of a project, and those of the owner.
// Promises: a key is in one answer, the one that made it; only the owner makes, sees and ends an
// owner's key.
// Leaves to others: hashing, what each role may do (domain/key.ts).

import { Type } from "../typebox.ts";
import type { Static } from "../typebox.ts";
import type { Role } from "../../domain/key.ts";
import { limits } from "../../domain/limits.ts";
import { isRefusal, refuse, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isOwner, scopeOf } from "../auth.ts";
import { fromWireId } from "../mapping/ids.ts";
import { noInstant, toInstant } from "../mapping/instant.ts";
import { pageFrom } from "../mapping/paging.ts";
import { notFound } from "../refusals.ts";
import { answer, created, route } from "../route.ts";
import type { Context, Route } from "../route.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { apiKey, createdKey, newKey, rotation } from "../schemas/operators.ts";
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
  keeps: "sealed",
  responses: { 201: createdKey },
  handle: async ({ engine, projectId, caller, body, origin }) => {
    const { name, roles, agents = null } = body;
    const target = targetOf(roles, { projectId, caller });
    if (isRefusal(target)) return target;
    const wrong = wrongBinding(roles, agents);
    if (wrong !== null) return wrong;
    const expiresAt = expiryOf(body.expires_at);
    if (isRefusal(expiresAt)) return expiresAt;
    const input = { name, roles, agents, expiresAt: expiresAt ?? null };
    return created(await engine.createKey(target.projectId, input, origin));
  },
});

/** Undefined: it was not said. */
function expiryOf(sent: string | undefined): number | undefined | Refusal {
  if (sent === undefined) return undefined;
  return toInstant(sent) ?? refuseField("expires_at", noInstant);
}

type From = Pick<Context<unknown, unknown, unknown>, "projectId" | "caller">;

/** The project a new key is bound to; an owner's key is bound to none. */
function targetOf(
  roles: readonly string[],
  { projectId, caller }: From,
): { projectId: string | null } | Refusal {
  if (!roles.includes("owner")) return { projectId };
  if (roles.length > 1) return refuseField("roles", "owner stands alone: it may do everything");
  if (!isOwner(caller))
    return refuse("forbidden", "Only an owner's key makes another owner's key.");
  return { projectId: null };
}

/** What binds a key must not be undone by its other roles. */
function wrongBinding(roles: readonly Role[], agents: readonly string[] | null): Refusal | null {
  if (agents === null) return null;
  if (!roles.includes("worker")) return refuseField("agents", "binds keys with the role worker");
  const strong = roles.find((role) => role === "admin" || role === "owner");
  return strong === undefined
    ? null
    : refuseField("agents", `binds no key with the role ${strong}, which could make another`);
}

const params = Type.Object({ id: id("key", "The key") }, closed);

/** Whose keys: the caller's project's, or the owner's of the installation. */
type Whose = {
  readonly base: string;
  readonly of: string;
  readonly auth: "administer" | "own";
  readonly scope: Route["scope"];
  readonly said: string;
};
const projects: Whose = {
  base: "/v1/keys",
  of: "",
  auth: "administer",
  scope: "project",
  said: "",
};
const owners: Whose = {
  base: "/v1/installation/keys",
  of: "Owner",
  auth: "own",
  scope: "installation",
  said: " of the owner",
};

function list({ base, of, auth, scope, said }: Whose): Route {
  return route({
    method: "GET",
    url: base,
    operationId: `list${of}Keys`,
    summary: `List keys${said}, without the keys themselves`,
    tag: "keys",
    auth,
    scope,
    query: shortPageQuery,
    responses: { 200: pageOf(apiKey) },
    handle: async ({ engine, projectId, query }) =>
      answer(pageFrom(await engine.keys(scopeOf(projectId)), query, (one) => one.id)),
  });
}

function rotate({ base, of, auth, scope, said }: Whose): Route {
  return route({
    method: "POST",
    url: `${base}/:id/rotate`,
    operationId: `rotate${of}Key`,
    summary: `Make a key in place of one${said}, which lives on for a while`,
    tag: "keys",
    auth,
    scope,
    params,
    body: rotation,
    keeps: "sealed",
    responses: { 201: createdKey },
    refusals: ["invalid_transition"],
    handle: async ({ engine, projectId, params: { id: wireId }, body, origin }) => {
      const keyId = fromWireId("key", wireId);
      if (keyId === null) return notFound("key");
      const input = inputOf(body);
      if (isRefusal(input)) return input;
      return created(await engine.rotateKey(scopeOf(projectId), keyId, input, origin));
    },
  });
}

type Rotation = { overlapS: number; expiresAt?: number };

function inputOf(body: Static<typeof rotation>): Rotation | Refusal {
  const expiresAt = expiryOf(body.expires_at);
  if (isRefusal(expiresAt)) return expiresAt;
  const { overlap_s: overlapS = limits.keyOverlapSDefault } = body;
  return { overlapS, ...(expiresAt === undefined ? {} : { expiresAt }) };
}

function revoke({ base, of, auth, scope, said }: Whose): Route {
  return route({
    method: "POST",
    url: `${base}/:id/revoke`,
    operationId: `revoke${of}Key`,
    summary: `End a key${said} at once`,
    tag: "keys",
    auth,
    scope,
    params,
    responses: { 200: apiKey },
    refusals: ["invalid_transition"],
    handle: async ({ engine, projectId, params: { id: wireId }, origin }) => {
      const keyId = fromWireId("key", wireId);
      if (keyId === null) return notFound("key");
      return answer(await engine.revokeKey(scopeOf(projectId), keyId, origin));
    },
  });
}

export const keyRoutes = [
  create,
  ...[projects, owners].flatMap((whose) => [list(whose), rotate(whose), revoke(whose)]),
];
