// API keys: stored as SHA-256, found by their public prefix, revoked at once.
// Promises: the secret never enters a statement; a lookup before the project is known shows only
// the row whose prefix the transaction names.
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
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
};

const columns = `k.id, k.prefix, k.project_id, k.name, k.roles, k.created_at, k.expires_at,
  k.revoked_at`;

const insert = statement(
  "insert_key",
  `insert into signalbox.api_key as k (id, prefix, project_id, name, roles, digest, created_at,
     expires_at) values ($1, $2, $3, $4, $5, decode($6, 'hex'), clock_timestamp(), $7)
   returning ${columns}`,
);

export async function insertKey(
  runner: Runner,
  key: {
    id: string;
    prefix: string;
    projectId: string | null;
    name: string;
    roles: readonly Role[];
    digest: string;
    expiresAt: number | null;
  },
): Promise<KeyRow> {
  const rows = await runner.query<KeyRow>(insert, [
    key.id,
    key.prefix,
    key.projectId,
    key.name,
    key.roles,
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

/** The key with this public prefix, whatever its project. */
export async function findKeyByPrefix(runner: Runner, prefix: string): Promise<FoundKey | null> {
  const [, rows] = await Promise.all([
    runner.query(nameKey, [prefix]),
    runner.query<FoundKey>(byPrefix, [prefix]),
  ]);
  return rows[0] ?? null;
}

const list = statement(
  "list_keys",
  `select ${columns} from signalbox.api_key k where k.project_id = $1 order by k.id limit 500`,
);

export async function listKeys(runner: Runner, projectId: string): Promise<KeyRow[]> {
  return runner.query<KeyRow>(list, [projectId]);
}

const revoke = statement(
  "revoke_key",
  `update signalbox.api_key k set revoked_at = coalesce(k.revoked_at, clock_timestamp())
   where k.id = $1 and k.project_id = $2 returning ${columns}`,
);

export async function revokeKey(
  runner: Runner,
  projectId: string,
  id: string,
): Promise<KeyRow | null> {
  const rows = await runner.query<KeyRow>(revoke, [id, projectId]);
  return rows[0] ?? null;
}
