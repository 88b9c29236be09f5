// Who asks: the key of a request, what it may do, and in which project it acts.
// A browser's session is a key by another way: the same roles, and proof that a page of ours asks.
// Promises: nothing is remembered here that could outlive a revocation (the engine caches keys);
// "no key" is never more permissive than "wrong key"; a run of another project or attempt is
// answered like one that does not exist; a key never appears in a refusal or a log line.
// Leaves to others: hashing and comparing (engine), what each role may do (`domain/key.ts`).

import type { IncomingHttpHeaders } from "node:http";
import type { AttemptPrincipal, Engine, Principal } from "../engine/contract.ts";
import { rolePermissions, roles } from "../domain/key.ts";
import type { Permission } from "../domain/key.ts";
import { refuse } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";
import { fromWireId } from "./mapping/ids.ts";
import { notFound } from "./refusals.ts";
import type { Route } from "./route.ts";
import { isOwnPage, sessionToken } from "./session-cookie.ts";

export type Caller =
  | { readonly kind: "nobody"; readonly projectId: ""; readonly actor: "nobody" }
  | {
      readonly kind: "key";
      readonly principal: Principal;
      /** UUID of the project it acts in; empty on routes above projects. */
      readonly projectId: string;
      readonly actor: string;
    }
  | {
      readonly kind: "attempt";
      readonly attempt: AttemptPrincipal;
      readonly projectId: string;
      readonly actor: string;
    };

/** Whether the owner asks, by key or session. */
export function isOwner(caller: Caller): boolean {
  return caller.kind === "key" && caller.principal.permissions.has("own");
}

/** The engine's word for where a caller acts: null above projects. */
export function scopeOf(projectId: string): string | null {
  return projectId === "" ? null : projectId;
}

const nobody: Caller = { kind: "nobody", projectId: "", actor: "nobody" };

/** The project that an owner's key acts in when it names none. `up` creates it. */
const DEFAULT_PROJECT = "default";
/** The longest key we make has fewer than 100 characters. */
const LONGEST_KEY = 200;

/** A key that opens nothing: unknown, revoked, expired, malformed, or its lease has ended. */
export const badKey = refuse(
  "unauthorized",
  "The key is unknown, revoked or expired. Keys of attempts die with their lease.",
);
/**
 * The key of an attempt that is not live. Not counted as a wrong key: a worker that was frozen or
 * cut off holds many of them, and a 192-bit secret cannot be guessed however often it is tried.
 */
const deadAttemptKey = refuse(
  "unauthorized",
  "The key of this attempt died with its lease; stop the work and throw its result away.",
);
/**
 * A session that opens nothing. Not counted: a page with an ended
 * session asks again and again, and 256 bits cannot be guessed.
 */
const badSession = refuse(
  "unauthorized",
  "The session has ended or is unknown. Log in again with `signalbox login`.",
);
const notOwnPage = refuse(
  "forbidden_origin",
  "Requests of a session that change something need the header Signalbox-CSRF with the token of " +
    "GET /v1/session, from a page of this server.",
);
const noKey = refuse(
  "unauthorized",
  "This needs a key. Send it as header `Authorization: Bearer sbx_…`.",
);

/** The wire prefixes of keys: a project's or owner's, an attempt's, an attempt's child's. */
const isProjectKey = (key: string): boolean => key.startsWith("sbx_");
const isAttemptKey = (key: string): boolean => key.startsWith("sba_") || key.startsWith("sbc_");

export type Asked = {
  readonly headers: IncomingHttpHeaders;
  readonly route: Route;
  /** Value of `:id` in the path, if there is one. */
  readonly runId: string | undefined;
};

/** The caller of a request if it may use the route. */
export async function authenticate(engine: Engine, asked: Asked): Promise<Caller | Refusal> {
  if (asked.route.auth === "public") return nobody;
  const key = bearerOf(asked.headers);
  if (key === null) return bySession(engine, asked);
  if (key.length > LONGEST_KEY) return badKey;
  if (isProjectKey(key)) {
    const principal = await engine.principal(key);
    return principal === null ? badKey : asKey(engine, principal, asked);
  }
  if (isAttemptKey(key)) {
    const attempt = await engine.attemptPrincipal(key);
    return attempt === null ? deadAttemptKey : asAttempt(attempt, asked);
  }
  return badKey;
}

/** A browser of ours: worth what its key is worth, once it proves that a page of ours asks. */
async function bySession(engine: Engine, asked: Asked): Promise<Caller | Refusal> {
  const { headers, route } = asked;
  const token = headers.authorization === undefined ? sessionToken(headers) : null;
  if (token === null) return noKey;
  const principal = await engine.sessionPrincipal(token);
  if (principal === null) return badSession;
  if (route.method !== "GET" && !isOwnPage(headers, token)) return notOwnPage;
  return asKey(engine, principal, asked);
}

export function bearerOf(headers: IncomingHttpHeaders): string | null {
  const match = /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? "");
  return match?.[1] ?? null;
}

async function asKey(
  engine: Engine,
  principal: Principal,
  { headers, route }: Asked,
): Promise<Caller | Refusal> {
  const permission = route.auth as Permission;
  if (!principal.permissions.has(permission)) return forbidden(permission, principal);
  const caller = { kind: "key", principal, actor: actorOf(principal) } as const;
  if (route.scope === "installation") return { ...caller, projectId: "" };
  const named = headers["signalbox-project"];
  const projectId = await projectOf(engine, principal, named === undefined ? null : String(named));
  return typeof projectId === "string" ? { ...caller, projectId } : projectId;
}

/** A key bound to a project acts there and nowhere else; an owner's key chooses. */
async function projectOf(
  engine: Engine,
  principal: Principal,
  named: string | null,
): Promise<string | Refusal> {
  if (principal.projectId !== null && named === null) return principal.projectId;
  const id = await projectId(engine, named ?? DEFAULT_PROJECT);
  const mayEnter = principal.projectId === null || principal.projectId === id;
  if (id !== null && mayEnter) return id;
  return refuse("not_found", "This key knows no project of the name in `Signalbox-Project`.");
}

/** Names and ids of projects never change, so what was found once is remembered (≤ 1,000). */
const remembered = new WeakMap<Engine, Map<string, string>>();
const MOST_REMEMBERED = 1_000;

async function projectId(engine: Engine, idOrName: string): Promise<string | null> {
  const known = remembered.get(engine) ?? new Map<string, string>();
  remembered.set(engine, known);
  const before = known.get(idOrName);
  if (before !== undefined) return before;
  const project = await engine.findProject(fromWireId("project", idOrName) ?? idOrName);
  const id = project === null ? null : fromWireId("project", project.id);
  if (id !== null && known.size < MOST_REMEMBERED) known.set(idOrName, id);
  return id;
}

/** An attempt's key opens the routes of its own run that say so, and nothing else. */
function asAttempt(attempt: AttemptPrincipal, { route, runId }: Asked): Caller | Refusal {
  const opens = route.attemptKey;
  if (opens === undefined || (attempt.child && opens !== "child")) {
    return refuse("forbidden", "The key of an attempt may only write to its own run.");
  }
  if (runId === undefined || fromWireId("run", runId) !== attempt.runId) return notFound("run");
  const actor = `attempt:${attempt.fence.attemptId}`;
  return { kind: "attempt", attempt, projectId: attempt.projectId, actor };
}

function actorOf({ session, prefix }: Principal): string {
  return session === null ? `key:${prefix}` : `session:${session.prefix}`;
}

/** What is said of whoever tries what its key does not allow, to those who note it. */
export type Denied = Refusal & { readonly denied: { readonly by: string; projectId: string } };

function forbidden(permission: Permission, principal: Principal): Denied {
  const who = roles.filter((role) => rolePermissions[role].includes(permission));
  const refusal = refuse("forbidden", `This needs a key with one of the roles ${who.join(", ")}.`, {
    permission,
    roles: who,
  });
  return { ...refusal, denied: { by: actorOf(principal), projectId: principal.projectId ?? "" } };
}
