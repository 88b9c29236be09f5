// Access, each verb and question a line: which command or query does it.
// Promises: nothing is decided here.
// Leaves to others: doing it (commands/, queries/), assembling the parts (engine.ts).

import { readAgentsOfAttempts } from "../store/attempts.ts";
import type { AccessEngine } from "./access-contract.ts";
import * as creations from "./commands/creations.ts";
import * as keys from "./commands/keys.ts";
import * as sessions from "./commands/sessions.ts";
import type { Parts } from "./parts.ts";
import { readAudit } from "./queries/audit.ts";
import { principal, sessionPrincipal, stands } from "./queries/principals.ts";

/** Every verb and question about access. */
export function accessOf(parts: Parts) {
  return {
    createKey: (projectId, input, origin) => keys.createKey(parts, projectId, input, origin),
    rotateKey: (projectId, keyId, input, origin) =>
      keys.rotateKey(parts, projectId, keyId, { ...input, origin }),
    revokeKey: (projectId, keyId, origin) => keys.revokeKey(parts, projectId, keyId, origin),
    keys: (projectId) => keys.readKeys(parts, projectId),
    principal: (key) => principal(parts, key),
    createLogin: (by, origin) => sessions.createLogin(parts, by, origin),
    openSession: (code, origin) => sessions.openSession(parts, code, origin),
    sessionPrincipal: (token) => sessionPrincipal(parts, token),
    stands: (one) => stands(parts, one),
    sessions: (projectId) => sessions.readSessions(parts, projectId),
    session: (projectId, id) => sessions.readOneSession(parts, projectId, id),
    endSession: (projectId, id, origin) => sessions.endSession(parts, projectId, id, origin),
    audit: (projectId, filter, page) => readAudit(parts, projectId, filter, page),
    denied: (projectId, attempt, origin) => parts.denials.note(projectId, attempt, origin),
    agentsOfAttempts: (projectId, attempts) =>
      parts.reader.within([projectId], (runner) =>
        readAgentsOfAttempts(runner, projectId, attempts),
      ),
    beginCreation: (creation) => creations.beginCreation(parts, creation),
    finishCreation: (creation, answer) => creations.finishCreation(parts, creation, answer),
    forgetCreation: (creation) => creations.forgetCreation(parts, creation),
  } satisfies AccessEngine;
}
