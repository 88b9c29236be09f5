// Keys: make, rotate, revoke; of a project, or (null) of the owner of the installation.
// Promises: a secret is in one answer, the one that made it; each change is one short transaction
// with one event; the last lasting owner's key is never ended.
// Leaves to others: hashing (keys.ts), who may do it (http), what a role may do (domain/key.ts).

import type * as wire from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import type { JsonObject } from "../../domain/run.ts";
import { nilUuid } from "../../std/ids.ts";
import type { Runner } from "../../store/db.ts";
import {
  insertKey,
  LIST_PAGE,
  lastingOwnerKeys,
  listKeys,
  lockKey,
  replaceKey,
  revokeKey as revokeRow,
} from "../../store/keys.ts";
import type { KeyRow, LockedKey } from "../../store/keys.ts";
import type { KeyInput } from "../access-contract.ts";
import type { Origin } from "../contract.ts";
import { newApiKey } from "../keys.ts";
import type { Parts } from "../parts.ts";
import { recordInstallation, withinScope } from "../queries/fleet.ts";
import { wholeOf } from "../queries/page.ts";
import { keyOf } from "../queries/views.ts";
import { recordOnProject } from "./operate.ts";

const DAY_MS = 86_400_000;

type AccessEvent =
  | "key.created"
  | "key.revoked"
  | "key.rotated"
  | "login.created"
  | "session.opened"
  | "session.ended";

/** Records on the project's stream, or in the trail of the installation. */
export async function recordAccess(
  parts: Parts,
  runner: Runner,
  projectId: string | null,
  event: { type: AccessEvent; data: JsonObject; origin: Origin },
): Promise<void> {
  const { type, data, origin } = event;
  if (projectId !== null) {
    return recordOnProject(parts, runner, projectId, { type, source: "operator", data, origin });
  }
  const { actor, requestId } = origin;
  await recordInstallation(runner, { id: parts.newId(), type, actor, requestId, data });
}

export async function createKey(
  parts: Parts,
  projectId: string | null,
  input: KeyInput,
  origin: Origin,
): Promise<wire.CreatedKey> {
  return withinScope(parts, projectId, async (runner) => {
    const made = await insert(parts, runner, { ...input, projectId });
    const { prefix: key, name, roles, agents } = made.row;
    const data = { key, name, roles, ...(agents === null ? {} : { agents }) };
    await recordAccess(parts, runner, projectId, { type: "key.created", data, origin });
    return { ...keyOf(made.row), key: made.key };
  });
}

async function insert(
  parts: Parts,
  runner: Runner,
  input: KeyInput & { projectId: string | null },
): Promise<{ row: KeyRow; key: string }> {
  const { prefix, key, digest } = newApiKey();
  const { agents = null, ...rest } = input;
  const row = await insertKey(runner, { ...rest, agents, id: parts.newId(), prefix, digest });
  return { row, key };
}

/** Without another expiry the new key lasts as long as the old one was made for. */
function expiryOf(old: LockedKey, wanted: number | null | undefined): number | null {
  if (wanted !== undefined) return wanted;
  if (old.expires_at === null) return null;
  return old.now + Math.max(old.expires_at - old.created_at, limits.keyOverlapSDefault * 1000);
}

/** Whether a key that ends then will still be good tomorrow. */
function lasts(expiresAt: number | null, { now }: LockedKey): boolean {
  return expiresAt === null || expiresAt > now + DAY_MS;
}

export async function rotateKey(
  parts: Parts,
  projectId: string | null,
  keyId: string,
  call: { overlapS: number; expiresAt?: number | null; origin: Origin },
): Promise<wire.CreatedKey | Refusal> {
  const { overlapS, origin } = call;
  const ref = { id: keyId, projectId };
  const rotating = withinScope(parts, projectId, async (runner) => {
    const others = projectId === null ? await lastingOwnerKeys(runner, keyId) : 1;
    const old = await lockKey(runner, ref);
    if (old === null) return unknown;
    if (!old.good || old.replaced_by !== null) return over(old);
    const { name, roles, agents } = old;
    const expiresAt = expiryOf(old, call.expiresAt);
    if (others === 0 && lasts(old.expires_at, old) && !lasts(expiresAt, old)) return last;
    const made = await insert(parts, runner, { name, roles, agents, expiresAt, projectId });
    await replaceKey(runner, ref, { id: made.row.id, overlapS });
    const data = { key: old.prefix, by: made.row.prefix, name, overlap_s: overlapS };
    await recordAccess(parts, runner, projectId, { type: "key.rotated", data, origin });
    return { ...keyOf(made.row), key: made.key };
  });
  return rotating.finally(() => parts.keys.forget());
}

export async function revokeKey(
  parts: Parts,
  projectId: string | null,
  keyId: string,
  origin: Origin,
): Promise<wire.ApiKey | Refusal> {
  const ref = { id: keyId, projectId };
  const revoking = withinScope(parts, projectId, async (runner) => {
    const others = projectId === null ? await lastingOwnerKeys(runner, keyId) : 1;
    const old = await lockKey(runner, ref);
    if (old === null) return unknown;
    if (old.revoked_at !== null) return keyOf(old);
    if (others === 0) return last;
    const row = await revokeRow(runner, ref);
    if (row === null) return unknown;
    const data = { key: row.prefix, name: row.name };
    await recordAccess(parts, runner, projectId, { type: "key.revoked", data, origin });
    return keyOf(row);
  });
  // Also when it cannot be told whether it was committed.
  return revoking.finally(() => parts.keys.forget());
}

export async function readKeys(parts: Parts, projectId: string | null): Promise<wire.ApiKey[]> {
  const rows = await withinScope(parts, projectId, (runner) =>
    wholeOf(LIST_PAGE, (last: KeyRow | null) => listKeys(runner, projectId, last?.id ?? nilUuid)),
  );
  return rows.map(keyOf);
}

const unknown = refuse("not_found", "There is no such key in this project.");
const last = refuse(
  "invalid_transition",
  "This is the last owner's key that lasts. Make another one first, or rotate this one into one " +
    "that lasts.",
);

function over({ replaced_by: by, prefix }: KeyRow): Refusal {
  const why = by === null ? "revoked or expired" : "rotated already";
  return refuse("invalid_transition", `The key ${prefix} was ${why}; make a new one.`);
}
