// Logins: a link that opens once, the session it opens, and its end.
// Promises: secrets are in one answer each and stored as SHA-256; a link opens one session however
// many use it at once; making a link, opening and ending are recorded, by the session's id.
// Leaves to others: the cookie (http), whether a presented session is good (`principals.ts`).

import type * as wire from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import { nilUuid, toTypeId } from "../../std/ids.ts";
import { LIST_PAGE } from "../../store/keys.ts";
import { iso } from "../../store/run-rows.ts";
import type { SessionRow } from "../../store/sessions.ts";
import {
  endSession as endRow,
  findSession,
  insertLink,
  listSessions,
  openSession as openRow,
  readSession,
} from "../../store/sessions.ts";
import type { Principal } from "../access-contract.ts";
import type { Origin } from "../contract.ts";
import { digestOf, newPrefix, newSecret, secretMatches, splitSecret } from "../keys.ts";
import type { Parts } from "../parts.ts";
import { withinScope } from "../queries/fleet.ts";
import { wholeOf } from "../queries/page.ts";
import { recordAccess } from "./keys.ts";

const idleS = limits.sessionIdleMs / 1000;

export async function createLogin(
  parts: Parts,
  principal: Principal,
  origin: Origin,
): Promise<wire.Login> {
  const prefix = newPrefix();
  const { key: code, digest } = newSecret("sbl", prefix);
  const { projectId, keyId, prefix: keyPrefix } = principal;
  const goodForS = limits.loginLinkMs / 1000;
  const link = { id: parts.newId(), projectId, prefix, keyId, keyPrefix, digest, goodForS };
  const endsAt = await withinScope(parts, projectId, async (runner) => {
    const until = await insertLink(runner, link);
    const data = { session: toTypeId("ses", link.id), key: keyPrefix, expires_at: iso(until) };
    await recordAccess(parts, runner, projectId, { type: "login.created", data, origin });
    return until;
  });
  // Behind the `#`, a browser sends it to nobody: no log, no proxy, no other site sees it.
  return { path: `/login#${code}`, code, expires_at: iso(endsAt) };
}

export async function openSession(
  parts: Parts,
  code: string,
  origin: Origin,
): Promise<{ session: wire.Session; token: string } | null> {
  const split = splitSecret("sbl", code);
  if (split === null) return null;
  const { prefix } = split;
  const link = await parts.reader.within([], (runner) => findSession(runner, prefix, idleS));
  const matches = secretMatches(split.secret, link?.link_digest ?? digestOf("no such link"));
  if (link === null || !matches || !link.link_good) return null;
  const key = await parts.keys.find(link.key_prefix);
  if (key === null || key.expired || key.revoked_at !== null) return null;
  const { key: token, digest } = newSecret("sbs", prefix);
  const projectId = link.project_id;
  const row = await withinScope(parts, projectId, async (runner) => {
    const opened = { digest, lastsS: limits.sessionMaxMs / 1000 };
    const made = await openRow(runner, { id: link.id, projectId }, opened);
    if (made === null) return null;
    const by = { ...origin, actor: `session:${prefix}` };
    const data = { session: toTypeId("ses", made.id), key: made.key_prefix };
    await recordAccess(parts, runner, projectId, { type: "session.opened", data, origin: by });
    return made;
  });
  return row === null ? null : { session: sessionOf(row), token };
}

export async function endSession(
  parts: Parts,
  projectId: string | null,
  id: string,
  origin: Origin,
): Promise<wire.Session | Refusal> {
  const row = await withinScope(parts, projectId, async (runner) => {
    const ref = { id, projectId };
    const before = await readSession(runner, ref);
    if (before === null) return null;
    const ended = await endRow(runner, ref);
    if (ended === null) return readSession(runner, ref);
    const data = { session: toTypeId("ses", id), key: ended.key_prefix };
    await recordAccess(parts, runner, projectId, { type: "session.ended", data, origin });
    return ended;
  });
  return row === null
    ? refuse("not_found", "There is no session in this project.")
    : sessionOf(row);
}

export async function readSessions(
  parts: Parts,
  projectId: string | null,
): Promise<wire.Session[]> {
  const rows = await withinScope(parts, projectId, (runner) =>
    wholeOf(LIST_PAGE, (last: SessionRow | null) =>
      listSessions(runner, projectId, { idleS, after: last?.id ?? nilUuid }),
    ),
  );
  return rows.map(sessionOf);
}

export async function readOneSession(
  parts: Parts,
  projectId: string | null,
  id: string,
): Promise<wire.Session | null> {
  const row = await withinScope(parts, projectId, (runner) =>
    readSession(runner, { id, projectId }),
  );
  return row === null ? null : sessionOf(row);
}

/** Only of sessions that were opened: these have all their instants. */
function sessionOf(row: SessionRow): wire.Session {
  const [opened, seen, ends] = [row.opened_at, row.seen_at, row.expires_at] as number[] as [
    number,
    number,
    number,
  ];
  return {
    id: toTypeId("ses", row.id),
    prefix: row.prefix,
    key_id: toTypeId("key", row.key_id),
    key_prefix: row.key_prefix,
    project_id: row.project_id === null ? null : toTypeId("prj", row.project_id),
    opened_at: iso(opened),
    seen_at: iso(seen),
    idle_ends_at: iso(Math.min(seen + limits.sessionIdleMs, ends)),
    expires_at: iso(ends),
    ended_at: iso(row.ended_at),
  };
}
