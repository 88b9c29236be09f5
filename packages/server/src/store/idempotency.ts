// Idempotency keys of creating requests other than submissions: what was asked, what was answered.
// Promises: of any number of requests with one key, one begins; its answer is kept 7 days in clear
// or sealed, never both.
// Leaves to others: hashing and sealing (engine), runs' own keys (`specs.ts`).

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";

export type KeptRef = {
  readonly projectId: string;
  readonly route: string;
  readonly key: string;
};

export type KeptAnswer = {
  body_sha256: string;
  status: number | null;
  response: unknown;
  /** Base64. */
  sealed: string | null;
  age_s: number;
};

const begin = statement(
  "begin_idempotent",
  `insert into signalbox.idempotency (project_id, route, key, body_sha256, at)
   values ($1, $2, $3, decode($4, 'hex'), clock_timestamp())
   on conflict (project_id, route, key) do update
     set body_sha256 = excluded.body_sha256, status = null, response = null, sealed = null,
       at = excluded.at
     where signalbox.idempotency.at < clock_timestamp() - interval '7 days'
   returning 1 as begun`,
);
const find = statement(
  "find_idempotent",
  `select encode(i.body_sha256, 'hex') as body_sha256, i.status, i.response,
     encode(i.sealed, 'base64') as sealed,
     extract(epoch from clock_timestamp() - i.at)::double precision as age_s
   from signalbox.idempotency i where i.project_id = $1 and i.route = $2 and i.key = $3`,
);
const finish = statement(
  "finish_idempotent",
  `update signalbox.idempotency i set status = $4, response = $5::jsonb,
     sealed = decode($6, 'base64')
   where i.project_id = $1 and i.route = $2 and i.key = $3 and i.status is null`,
);
const forget = statement(
  "forget_idempotent",
  `delete from signalbox.idempotency i
   where i.project_id = $1 and i.route = $2 and i.key = $3 and i.status is null`,
);

/** True: this request is the first. Concurrency: others wait for the insert, then find it. */
export async function beginIdempotent(
  runner: Runner,
  { projectId, route, key }: KeptRef,
  bodySha256: string,
): Promise<boolean> {
  const rows = await runner.query(begin, [projectId, route, key, bodySha256]);
  return rows.length > 0;
}

/** What is known of the first request; null when it was refused and gave the key back. */
export async function findIdempotent(
  runner: Runner,
  { projectId, route, key }: KeptRef,
): Promise<KeptAnswer | null> {
  return (await runner.query<KeptAnswer>(find, [projectId, route, key]))[0] ?? null;
}

export async function finishIdempotent(
  runner: Runner,
  { projectId, route, key }: KeptRef,
  answer: { status: number; response: string | null; sealed: string | null },
): Promise<void> {
  const { status, response, sealed } = answer;
  await runner.query(finish, [projectId, route, key, status, response, sealed]);
}

/** Gives the key back: the request was refused, so nothing happened. */
export async function forgetIdempotent(
  runner: Runner,
  { projectId, route, key }: KeptRef,
): Promise<void> {
  await runner.query(forget, [projectId, route, key]);
}
