// Who is asking: from the key a request presents to what it may do.
// Promises: a revoked or expired key is refused at once; digests are compared in constant time and
// an unknown prefix costs the same comparison (F-119).
// Leaves to others: reading the header, the permission of each route (http).

import type { AttemptPrincipal, Principal } from "../contract.ts";
import { rolePermissions } from "../../domain/key.ts";
import { liveAttemptKeys } from "../../store/attempts.ts";
import type { FoundKey } from "../../store/keys.ts";
import { findSession } from "../../store/sessions.ts";
import { limits } from "../../domain/limits.ts";
import { toTypeId } from "../../std/ids.ts";
import { digestOf, secretMatches, splitAttemptKey, splitSecret } from "../keys.ts";
import type { Parts } from "../parts.ts";

/** Compared with when there is no such key, so that the answer takes as long. */
const dummyDigest = digestOf("no such key");
const idleS = limits.sessionIdleMs / 1000;

export async function principal(parts: Parts, key: string): Promise<Principal | null> {
  const split = splitSecret("sbx", key);
  if (split === null) return null;
  const row = await parts.keys.find(split.prefix);
  const matches = secretMatches(split.secret, row?.digest ?? dummyDigest);
  if (row === null || !matches || !isGood(row)) return null;
  parts.uses.key(row.project_id, row.id);
  return principalOf(row);
}

/** A session is worth what the key is worth that made it, looked up anew each time. */
export async function sessionPrincipal(parts: Parts, token: string): Promise<Principal | null> {
  const split = splitSecret("sbs", token);
  if (split === null) return null;
  const row = await parts.reader.within([], (runner) => findSession(runner, split.prefix, idleS));
  const matches = secretMatches(split.secret, row?.digest ?? dummyDigest);
  if (row === null || !matches || !row.live) return null;
  const key = await parts.keys.find(row.key_prefix);
  if (key === null || key.id !== row.key_id || !isGood(key)) return null;
  parts.uses.session(row.project_id, row.id);
  const session = { id: toTypeId("ses", row.id), prefix: row.prefix, uuid: row.id };
  return { ...principalOf(key), session };
}

/** Whether a key, and the session it came by, are still good. No use of them is noted. */
export async function stands(parts: Parts, { prefix, session }: Principal): Promise<boolean> {
  const key = await parts.keys.find(prefix);
  if (key === null || !isGood(key)) return false;
  if (session === null) return true;
  const row = await parts.reader.within([], (runner) => findSession(runner, session.prefix, idleS));
  return row?.live === true;
}

/** Whether the key behind an actor (`key:…`, `session:…`) has ended. Other actors have none. */
export async function keyHasEnded(parts: Parts, actor: string): Promise<boolean> {
  const [kind, name = ""] = actor.split(":", 2);
  const prefix = kind === "session" ? await keyOfSession(parts, name) : name;
  const key = prefix === null ? null : await parts.keys.find(prefix);
  return key !== null && !isGood(key);
}

async function keyOfSession(parts: Parts, prefix: string): Promise<string | null> {
  const row = await parts.reader.within([], (runner) => findSession(runner, prefix, idleS));
  return row?.key_prefix ?? null;
}

function isGood(key: FoundKey): boolean {
  return !key.expired && key.revoked_at === null;
}

function principalOf(row: FoundKey): Principal {
  return {
    keyId: row.id,
    prefix: row.prefix,
    projectId: row.project_id,
    roles: row.roles,
    agents: row.agents,
    session: null,
    permissions: new Set(row.roles.flatMap((role) => rolePermissions[role])),
  };
}

export async function attemptPrincipal(
  parts: Parts,
  key: string,
): Promise<AttemptPrincipal | null> {
  const split = splitAttemptKey(key);
  if (split === null) return null;
  const row = await parts.reader.within([split.projectId], (runner) =>
    liveAttemptKeys(runner, split.runId, split.token),
  );
  const digest = split.child ? row?.child_digest : row?.key_digest;
  const matches = secretMatches(split.secret, digest ?? dummyDigest);
  if (row === null || !matches) return null;
  return {
    projectId: row.project_id,
    runId: split.runId,
    fence: { attemptId: row.id, token: row.number },
    child: split.child,
  };
}
