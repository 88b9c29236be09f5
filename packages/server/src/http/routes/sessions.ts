// Logins and sessions: a link from a key, a session from a link, and the end of it.
// Promises: a link opens once; the cookie is in no body and the code of a link in no address that
// reaches a server; a session makes no link, so it cannot outlive itself.
// Leaves to others: cookie and CSRF (`../session-cookie.ts`), the page at `/login` (`login.ts`).

import { Type } from "../typebox.ts";
import type { OwnSession, Session } from "@signalbox/sdk";
import { refuse } from "../../domain/refusal.ts";
import type { Principal } from "../../engine/contract.ts";
import { scopeOf } from "../auth.ts";
import { fromWireId } from "../mapping/ids.ts";
import { pageFrom } from "../mapping/paging.ts";
import { notFound } from "../refusals.ts";
import { answer, created, route } from "../route.ts";
import type { Route } from "../route.ts";
import { login, loginCode, ownSession, session } from "../schemas/access.ts";
import { shortPageQuery } from "../schemas/filter.ts";
import { pageOf } from "../schemas/page.ts";
import { closed, id } from "../schemas/scalars.ts";
import { csrfTokenOf } from "../session-cookie.ts";

const link = route({
  method: "POST",
  url: "/v1/logins",
  operationId: "createLogin",
  summary: "Make a link that opens one session in a browser, with the rights of this key",
  tag: "sessions",
  auth: "read",
  scope: "installation",
  responses: { 201: login },
  handle: async ({ engine, caller, origin }) => {
    if (caller.kind !== "key" || caller.principal.session !== null) {
      return refuse("forbidden", "A link is made with a key, not with a session.");
    }
    return created(await engine.createLogin(caller.principal, origin));
  },
});

type Held = Pick<Principal, "roles" | "permissions">;

const ownOf = (one: Session, token: string, { roles, permissions }: Held): OwnSession => ({
  ...one,
  csrf_token: csrfTokenOf(token),
  roles,
  permissions: [...permissions],
});

const open = route({
  method: "POST",
  url: "/v1/sessions",
  operationId: "openSession",
  summary: "Open a session with the code of a login; the answer sets its cookie",
  tag: "sessions",
  auth: "public",
  scope: "installation",
  body: loginCode,
  responses: { 201: ownSession },
  refusals: ["unauthorized", "rate_limited"],
  handle: async ({ engine, body, origin, wrongSecret }) => {
    const opened = await engine.openSession(body.code, origin);
    if (opened === null) return wrongSecret();
    const { session: one, token } = opened;
    // Null: its key ended in this very moment.
    const mine = await engine.sessionPrincipal(token);
    if (mine === null) return wrongSecret();
    return { status: 201, body: ownOf(one, token, mine), session: token };
  },
});

const own = route({
  method: "GET",
  url: "/v1/session",
  operationId: "getSession",
  summary: "The session of this browser, with the token its writes need",
  tag: "sessions",
  auth: "read",
  scope: "installation",
  responses: { 200: ownSession },
  refusals: ["not_found"],
  handle: async ({ engine, caller, sessionToken }) => {
    const mine = caller.kind === "key" ? caller.principal : null;
    if (mine === null || mine.session === null || sessionToken === null) return notFound("session");
    const one = await engine.session(mine.projectId, mine.session.uuid);
    if (one === null) return notFound("session");
    return { status: 200, body: ownOf(one, sessionToken, mine) };
  },
});

const logout = route({
  method: "POST",
  url: "/v1/session/end",
  operationId: "endOwnSession",
  summary: "Log out",
  tag: "sessions",
  auth: "read",
  scope: "installation",
  responses: { 200: session },
  refusals: ["not_found"],
  handle: async ({ engine, caller, origin }) => {
    const mine = caller.kind === "key" ? caller.principal : null;
    if (mine === null || mine.session === null) return notFound("session");
    const ended = answer(await engine.endSession(mine.projectId, mine.session.uuid, origin));
    return "status" in ended ? { ...ended, session: null } : ended;
  },
});

/** Whose sessions: the project's, or the owner's of the installation. */
type Whose = Pick<Route, "auth" | "scope"> & { readonly base: string; readonly of: string };
const projects: Whose = { base: "/v1/sessions", of: "", auth: "administer", scope: "project" };
const owners: Whose = {
  base: "/v1/installation/sessions",
  of: "Owner",
  auth: "own",
  scope: "installation",
};

function list({ base, of, auth, scope }: Whose): Route {
  return route({
    method: "GET",
    url: base,
    operationId: `list${of}Sessions`,
    summary: `List the sessions${of === "" ? "" : " of the owner"} that are open`,
    tag: "sessions",
    auth,
    scope,
    query: shortPageQuery,
    responses: { 200: pageOf(session) },
    handle: async ({ engine, projectId, query }) =>
      answer(pageFrom(await engine.sessions(scopeOf(projectId)), query, (one) => one.id)),
  });
}

function end({ base, of, auth, scope }: Whose): Route {
  return route({
    method: "POST",
    url: `${base}/:id/end`,
    operationId: `end${of}Session`,
    summary: `End a session${of === "" ? "" : " of the owner"} at once`,
    tag: "sessions",
    auth,
    scope,
    params: Type.Object({ id: id("ses", "The session") }, closed),
    responses: { 200: session },
    handle: async ({ engine, projectId, params, origin }) => {
      const sessionId = fromWireId("session", params.id);
      if (sessionId === null) return notFound("session");
      return answer(await engine.endSession(scopeOf(projectId), sessionId, origin));
    },
  });
}

export const sessionRoutes = [
  link,
  open,
  own,
  logout,
  ...[projects, owners].flatMap((whose) => [list(whose), end(whose)]),
];
