// Wire shapes of logins, sessions and the audit trail.
// Promises: the notation of `runs.ts`; the code of a login is in the answer that made it, once.
// Leaves to others: keys and roles (`operators.ts`).

import type { Permission, Role } from "./operators.ts";
import type { JsonObject } from "./runs.ts";

/** A link that opens one session in a browser: the server's address, then `path`. */
export type Login = {
  /** `/login#sbl_…`. What stands behind the `#` is sent to no server. */
  path: string;
  /** The same secret alone, for `POST /v1/sessions`. */
  code: string;
  expires_at: string;
};
/** A login of one browser. It may do what the key may that made it. */
export type Session = {
  id: string;
  /** Stands in the register as actor `session:<prefix>`. */
  prefix: string;
  key_id: string;
  key_prefix: string;
  /** Null: a session of the owner. */
  project_id: string | null;
  opened_at: string;
  /** To the minute or so. */
  seen_at: string;
  /** It ends then unless it is used before. */
  idle_ends_at: string;
  /** It ends then in any case. */
  expires_at: string;
  ended_at: string | null;
};
/** The session of this browser, and what its writing requests need. */
export type OwnSession = Session & {
  /** To be sent with every request but GET, as header `Signalbox-CSRF`. */
  csrf_token: string;
  /** Those of its key. */
  roles: Role[];
  /** What these roles allow: each route needs one. */
  permissions: Permission[];
};
/** Somebody's deed: who, when, what, to what and why. */
export type AuditEntry = {
  id: string;
  at: string;
  type: string;
  /** `key:<prefix>`, `session:<prefix>`, `attempt:<id>` or `house`. */
  actor: string;
  /** Name of the actor's key, if it is a key of the same project. */
  actor_name: string | null;
  request_id: string | null;
  /** Null: it concerns the installation. */
  target: { stream: string; id: string } | null;
  reason: string | null;
  data: JsonObject;
  /** Number in the project's feed; null for the installation's own trail. */
  feed: string | null;
};
