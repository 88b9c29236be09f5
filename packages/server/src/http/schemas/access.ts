// Logins, sessions, the audit trail.
// Promises: exactly `Login`, `Session`, `OwnSession` and `AuditEntry` of the wire.
// Leaves to others: keys (`operators.ts`), who may do it (`auth` of each route).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { shortPage } from "./page.ts";
import { permissions, roles } from "../../domain/key.ts";
import { named, nullable, oneOf } from "./named.ts";
import { closed, instant, jsonObject, name } from "./scalars.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });

export const login = named<wire.Login>()(
  "Login",
  Type.Object({
    path: Type.String({ description: "To be opened in a browser, behind the server's address." }),
    code: Type.String({ description: "The secret alone. It opens one session, once." }),
    expires_at: at,
  }),
);

/** Any text is answered alike, so only its length is said. */
export const loginCode = Type.Object(
  { code: Type.String({ maxLength: 200, description: "The code of a login (`sbl_…`)." }) },
  closed,
);

const sessionProperties = {
  id: string,
  prefix: Type.String({ description: "In the register: actor `session:<prefix>`." }),
  key_id: string,
  key_prefix: string,
  project_id: nullable(string),
  opened_at: at,
  seen_at: at,
  idle_ends_at: at,
  expires_at: at,
  ended_at: nullable(at),
};
export const session = named<wire.Session>()("Session", Type.Object(sessionProperties));
export const ownSession = named<wire.OwnSession>()(
  "OwnSession",
  Type.Object({
    ...sessionProperties,
    csrf_token: Type.String({
      description: "For the header `Signalbox-CSRF` of every request but GET.",
    }),
    roles: Type.Array(oneOf(roles), { description: "Those of its key." }),
    permissions: Type.Array(oneOf(permissions), { description: "What these roles allow." }),
  }),
);

export const auditEntry = named<wire.AuditEntry>()(
  "AuditEntry",
  Type.Object({
    id: string,
    at,
    type: string,
    actor: string,
    actor_name: nullable(string),
    request_id: nullable(string),
    target: nullable(Type.Object({ stream: string, id: string })),
    reason: nullable(string),
    data: jsonObject("What the event says."),
    feed: nullable(string),
  }),
);

const auditFields = {
  actor: Type.Optional(name("`key:<prefix>`, `session:<prefix>` or `house`.")),
  type: Type.Optional(name("Only events of this type.")),
  from: Type.Optional(instant("At or after this instant.")),
  to: Type.Optional(instant("Before this instant.")),
  ...shortPage,
};
export const installationAuditQuery = Type.Object(auditFields, closed);
export const auditQuery = Type.Object(
  { run: Type.Optional(name("Only what was done to this run (`run_…`).")), ...auditFields },
  closed,
);
