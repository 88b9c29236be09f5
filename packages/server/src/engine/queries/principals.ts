// Who is asking: from the key a request presents to what it may do.
// Promises: a revoked or expired key is refused at once; digests are compared in constant time and
// an unknown prefix costs the same comparison (F-119).
// Leaves to others: reading the header, the permission of each route (http).

import type { AttemptPrincipal, Principal } from "../contract.ts";
import { rolePermissions } from "../../domain/key.ts";
import { liveAttemptKeys } from "../../store/attempts.ts";
import { digestOf, secretMatches, splitApiKey, splitAttemptKey } from "../keys.ts";
import type { Parts } from "../parts.ts";

/** Compared with when there is no such key, so that the answer takes as long. */
const dummyDigest = digestOf("no such key");

export async function principal(parts: Parts, key: string): Promise<Principal | null> {
  const split = splitApiKey(key);
  if (split === null) return null;
  const row = await parts.keys.find(split.prefix);
  const matches = secretMatches(split.secret, row?.digest ?? dummyDigest);
  if (row === null || !matches || row.expired || row.revoked_at !== null) return null;
  return {
    keyId: row.id,
    prefix: row.prefix,
    projectId: row.project_id,
    roles: row.roles,
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
