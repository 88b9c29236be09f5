// API keys: stored as SHA-256, found by their public prefix, revoked at once.
// Promises: the secret never enters a statement; a lookup before the project is known shows only
// the row whose prefix the transaction names; a project of null means the owner's keys, which the
// same statements reach under the role `house`.
// Leaves to others: comparing digests in constant time (engine), what a role may do (domain).

import type { Role } from "../domain/key.ts";
import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type KeyRow = {
  id: string;
  prefix: string;
  project_id: string | null;
  name: string;
  roles: Role[];
  agents: string[] | null;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  last_used_at: number | null;
  replaced_by: string | null;
};

const columns = `k.id, k.prefix, k.project_id, k.name, k.roles, k.agents, k.created_at,
  k.expires_at, k.revoked_at, k.last_used_at, k.replaced_by`;
const mine = "(k.project_id = $2 or ($2::uuid is null and k.project_id is null))";

const insert = statement(
  "insert_key",
  `insert into signalbox.api_key as k (id, prefix, project_id, name, roles, agents, digest,
     created_at, expires_at)
   values ($1, $2, $3, $4, $5, $6, decode($7, 'hex'), clock_timestamp(), $8)
   returning ${columns}`,
);

export type NewKeyRow = {
  readonly id: string;
  readonly prefix: string;
  readonly projectId: string | null;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly agents: readonly string[] | null;
  readonly digest: string;
  readonly expiresAt: number | null;
};

export async function insertKey(runner: Runner, key: NewKeyRow): Promise<KeyRow> {
  const rows = await runner.query<KeyRow>(insert, [
    key.id,
    key.prefix,
    key.projectId,
    key.name,
    key.roles,
    key.agents,
    key.digest,
    key.expiresAt === null ? null : new Date(key.expiresAt).toISOString(),
  ]);
  return rows[0] as KeyRow;
}

const nameKey = statement("name_key_prefix", "select set_config('app.key_prefix', $1, true)");
const byPrefix = statement(
  "key_by_prefix",
  `select ${columns}, encode(k.digest, 'hex') as digest,
     (k.expires_at is not null and k.expires_at <= clock_timestamp()) as expired
   from signalbox.api_key k where k.prefix = $1`,
);

/** A key with the digest of its secret (hex), and whether it has expired in the database. */
export type FoundKey = KeyRow & { readonly digest: string; readonly expired: boolean };

/** Shows the transaction the key or session with this public prefix, whatever its project. */
export async function namePrefix(runner: Runner, prefix: string): Promise<void> {
  await runner.query(nameKey, [prefix]);
}

/** The key with this public prefix, whatever its project. */
export async function findKeyByPrefix(runner: Runner, prefix: string): Promise<FoundKey | null> {
  const [, rows] = await Promise.all([
    namePrefix(runner, prefix),
    runner.query<FoundKey>(byPrefix, [prefix]),
  ]);
  return rows[0] ?? null;
}

/** Keys, or sessions, that one statement reads. */
export const LIST_PAGE = 500;
const list = statement(
  "list_keys",
  `select ${columns} from signalbox.api_key k
   where (k.project_id = $1 or ($1::uuid is null and k.project_id is null)) and k.id > $2
   order by k.id limit ${LIST_PAGE}`,
);

/** A page of keys after an id, the oldest first. */
export async function listKeys(
  runner: Runner,
  projectId: string | null,
  after: string,
): Promise<KeyRow[]> {
  return runner.query<KeyRow>(list, [projectId, after]);
}

/** A key of a project, or of the owner (`projectId` null). */
export type KeyRef = { readonly id: string; readonly projectId: string | null };

export type LockedKey = KeyRow & { readonly good: boolean; readonly now: number };

const lock = statement(
  "lock_key",
  `select ${columns}, clock_timestamp() as now, (k.revoked_at is null
     and (k.expires_at is null or k.expires_at > clock_timestamp())) as good
   from signalbox.api_key k where k.id = $1 and ${mine} for update`,
);

/** The key under its lock, and whether it is neither revoked nor expired. */
export async function lockKey(runner: Runner, ref: KeyRef): Promise<LockedKey | null> {
  const rows = await runner.query<LockedKey>(lock, [ref.id, ref.projectId]);
  return rows[0] ?? null;
}

const exclude = statement(
  "exclude_owner_keys",
  "select pg_advisory_xact_lock(hashtextextended('signalbox owner keys', 7205))",
);
const lasting = statement(
  "lasting_owner_keys",
  `select count(*)::integer as n from signalbox.api_key k
   where k.project_id is null and k.id <> $1 and k.revoked_at is null
     and (k.expires_at is null or k.expires_at > clock_timestamp() + interval '1 day')`,
);

/**
 * How many owner's keys besides this one will still be good tomorrow. Concurrency: the caller ends
 * one in the same transaction; two such transactions wait for each other.
 */
export async function lastingOwnerKeys(runner: Runner, besides: string): Promise<number> {
  await runner.query(exclude);
  const rows = await runner.query<{ n: number }>(lasting, [besides]);
  return rows[0]?.n ?? 0;
}

const revoke = statement(
  "revoke_key",
  `update signalbox.api_key k set revoked_at = coalesce(k.revoked_at, clock_timestamp())
   where k.id = $1 and ${mine} returning ${columns}`,
);

export async function revokeKey(runner: Runner, ref: KeyRef): Promise<KeyRow | null> {
  const rows = await runner.query<KeyRow>(revoke, [ref.id, ref.projectId]);
  return rows[0] ?? null;
}

const replace = statement(
  "replace_key",
  `update signalbox.api_key k set replaced_by = $3,
     revoked_at = case when $4::double precision = 0 then clock_timestamp() else k.revoked_at end,
     expires_at = case when $4::double precision = 0 then k.expires_at
       else least(k.expires_at, clock_timestamp() + make_interval(secs => $4)) end
   where k.id = $1 and ${mine} and k.replaced_by is null returning ${columns}`,
);

/** Lets a key that another was made for live on for so many seconds; 0 ends it at once. */
export async function replaceKey(
  runner: Runner,
  ref: KeyRef,
  by: { readonly id: string; readonly overlapS: number },
): Promise<KeyRow | null> {
  const rows = await runner.query<KeyRow>(replace, [ref.id, ref.projectId, by.id, by.overlapS]);
  return rows[0] ?? null;
}

const used = statement(
  "keys_used",
  `update signalbox.api_key k set last_used_at = clock_timestamp()
   where k.id = any ($1::uuid[])
     and (k.last_used_at is null or k.last_used_at < clock_timestamp() - interval '30 seconds')`,
);

/** These keys were used just now; what another server wrote in the last half minute stays. */
export async function noteKeysUsed(runner: Runner, ids: readonly string[]): Promise<void> {
  await runner.query(used, [ids]);
}
