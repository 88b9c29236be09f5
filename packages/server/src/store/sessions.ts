// Sessions of browsers: made as a link that opens once, then found by their public prefix.
// Promises: secrets are SHA-256 here; a link is used up by one guarded update, so that of two who
// use it at once one gets a session; a project of null means the owner's sessions.
// Leaves to others: comparing digests (engine), whether the key behind a session is still good.

import type { Runner } from "./db.ts";
import { statement } from "./db.ts";
import { LIST_PAGE, namePrefix } from "./keys.ts";

export type SessionRow = {
  id: string;
  prefix: string;
  project_id: string | null;
  key_id: string;
  key_prefix: string;
  created_at: number;
  opened_at: number | null;
  seen_at: number | null;
  expires_at: number | null;
  ended_at: number | null;
};

const columns = `s.id, s.prefix, s.project_id, s.key_id, s.key_prefix, s.created_at, s.opened_at,
  s.seen_at, s.expires_at, s.ended_at`;
const mine = "(s.project_id = $2 or ($2::uuid is null and s.project_id is null))";
const live = `s.ended_at is null and s.expires_at > clock_timestamp()
  and s.seen_at > clock_timestamp() - make_interval(secs => $3)`;

const insert = statement(
  "insert_session",
  `insert into signalbox.session as s (id, project_id, prefix, key_id, key_prefix, link_digest,
     created_at, link_expires_at)
   values ($1, $2, $3, $4, $5, decode($6, 'hex'), clock_timestamp(),
     clock_timestamp() + make_interval(secs => $7))
   returning s.link_expires_at`,
);

export type NewLink = {
  readonly id: string;
  readonly projectId: string | null;
  readonly prefix: string;
  readonly keyId: string;
  readonly keyPrefix: string;
  /** Hex SHA-256 of the secret in the link. */
  readonly digest: string;
  readonly goodForS: number;
};

/** Makes a link; returns the instant it ends. */
export async function insertLink(runner: Runner, link: NewLink): Promise<number> {
  const rows = await runner.query<{ link_expires_at: number }>(insert, [
    link.id,
    link.projectId,
    link.prefix,
    link.keyId,
    link.keyPrefix,
    link.digest,
    link.goodForS,
  ]);
  return rows[0]?.link_expires_at as number;
}

/** A session, or the link it will come from, with both digests (hex) and whether each is good. */
export type FoundSession = SessionRow & {
  readonly link_digest: string;
  readonly digest: string | null;
  readonly link_good: boolean;
  readonly live: boolean;
};

const byPrefix = statement(
  "session_by_prefix",
  `select ${columns}, encode(s.link_digest, 'hex') as link_digest,
     encode(s.digest, 'hex') as digest,
     (s.opened_at is null and s.ended_at is null and s.link_expires_at > clock_timestamp())
       as link_good,
     coalesce(${live.replace("$3", "$2")}, false) as live
   from signalbox.session s where s.prefix = $1`,
);

/** The session with this public prefix, whatever its project. */
export async function findSession(
  runner: Runner,
  prefix: string,
  idleS: number,
): Promise<FoundSession | null> {
  const [, rows] = await Promise.all([
    namePrefix(runner, prefix),
    runner.query<FoundSession>(byPrefix, [prefix, idleS]),
  ]);
  return rows[0] ?? null;
}

/** A session of a project, or of the owner (`projectId` null). */
export type SessionRef = { readonly id: string; readonly projectId: string | null };

const open = statement(
  "open_session",
  `update signalbox.session s set digest = decode($3, 'hex'), opened_at = clock_timestamp(),
     seen_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $4)
   where s.id = $1 and ${mine} and s.opened_at is null and s.ended_at is null
     and s.link_expires_at > clock_timestamp() returning ${columns}`,
);

/** Uses up the link; null when somebody else has. */
export async function openSession(
  runner: Runner,
  ref: SessionRef,
  opened: { readonly digest: string; readonly lastsS: number },
): Promise<SessionRow | null> {
  const values = [ref.id, ref.projectId, opened.digest, opened.lastsS];
  const rows = await runner.query<SessionRow>(open, values);
  return rows[0] ?? null;
}

const end = statement(
  "end_session",
  `update signalbox.session s set ended_at = clock_timestamp()
   where s.id = $1 and ${mine} and s.ended_at is null returning ${columns}`,
);
const one = statement(
  "one_session",
  `select ${columns} from signalbox.session s
   where s.id = $1 and ${mine} and s.opened_at is not null`,
);

/** Ends a session; null when there is none or it had ended before. */
export async function endSession(runner: Runner, ref: SessionRef): Promise<SessionRow | null> {
  return (await runner.query<SessionRow>(end, [ref.id, ref.projectId]))[0] ?? null;
}

/** A session that was opened, ended ones too. */
export async function readSession(runner: Runner, ref: SessionRef): Promise<SessionRow | null> {
  return (await runner.query<SessionRow>(one, [ref.id, ref.projectId]))[0] ?? null;
}

const list = statement(
  "list_sessions",
  `select ${columns} from signalbox.session s
   where ${mine.replaceAll("$2", "$1")}
     and s.opened_at is not null and ${live.replace("$3", "$2")} and s.id > $3
   order by s.id limit ${LIST_PAGE}`,
);

/** A page of the sessions that are open now, after an id, the oldest first. */
export async function listSessions(
  runner: Runner,
  projectId: string | null,
  { idleS, after }: { readonly idleS: number; readonly after: string },
): Promise<SessionRow[]> {
  return runner.query<SessionRow>(list, [projectId, idleS, after]);
}

const seen = statement(
  "sessions_seen",
  `update signalbox.session s set seen_at = clock_timestamp()
   where s.id = any ($1::uuid[]) and s.ended_at is null and s.opened_at is not null`,
);

/** These sessions were used just now. */
export async function noteSessionsSeen(runner: Runner, ids: readonly string[]): Promise<void> {
  await runner.query(seen, [ids]);
}
