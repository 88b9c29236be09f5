// Projects, keys, queues, health, and what operators send.
// Promises: exactly `Project`, `ApiKey`, `CreatedKey` and `Queue` of the wire.
// Leaves to others: who may do it (`auth` of each route).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { roles } from "../../domain/key.ts";
import { named, nullable, oneOf } from "./named.ts";
import { limits } from "../../domain/limits.ts";
import { closed, count, instant, name, reason } from "./scalars.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });
const optionalAt = nullable(at);

export const project = named<wire.Project>()(
  "Project",
  Type.Object({
    id: string,
    name: string,
    created_at: at,
    stopped_at: optionalAt,
    stop_reason: nullable(string),
    stopped_by: nullable(string),
    stop_scope: nullable(oneOf(["project", "everything"])),
    retention_days: nullable(Type.Integer()),
    dead_letter_days: nullable(Type.Integer()),
    feed_floor: string,
  }),
);
export const everything = named<wire.Everything>()(
  "Everything",
  Type.Object({
    stopped_at: optionalAt,
    stop_reason: nullable(string),
    stopped_by: nullable(string),
  }),
);
export const newProject = Type.Object({ name: name("Unique in this installation.") }, closed);

/** A hundred years. */
const MOST_DAYS = 36_500;
export const retentionRequest = Type.Object(
  {
    retention_days: Type.Optional(
      nullable(count(1, MOST_DAYS, "Remove runs this many days after their end; null: keep all.")),
    ),
    dead_letter_days: Type.Optional(
      nullable(
        count(
          1,
          MOST_DAYS,
          "Remove dead letters that nobody has answered only this many days after their end; " +
            "null: keep them until somebody does.",
        ),
      ),
    ),
  },
  { ...closed, minProperties: 1 },
);

const apiKeyProperties = {
  id: string,
  prefix: Type.String({ description: "The public part of the key." }),
  name: string,
  roles: Type.Array(oneOf(roles)),
  agents: nullable(Type.Array(string)),
  project_id: nullable(string),
  created_at: at,
  expires_at: optionalAt,
  revoked_at: optionalAt,
  last_used_at: optionalAt,
  replaced_by: nullable(string),
};
export const apiKey = named<wire.ApiKey>()("ApiKey", Type.Object(apiKeyProperties));
export const createdKey = named<wire.CreatedKey>()(
  "CreatedKey",
  Type.Object({
    ...apiKeyProperties,
    key: Type.String({ description: "The key itself. It is never shown again." }),
  }),
);
export const newKey = Type.Object(
  {
    name: name("What it is for."),
    roles: Type.Array(oneOf(roles), { minItems: 1, maxItems: roles.length }),
    expires_at: Type.Optional(instant("Without it the key does not expire.")),
    agents: Type.Optional(
      Type.Array(name("An agent."), {
        minItems: 1,
        maxItems: limits.keyAgents,
        uniqueItems: true,
        description: "For a worker's key: it works as these agents only. Default any.",
        "x-says": `must be 1 to ${limits.keyAgents} names of agents, each once`,
      }),
    ),
  },
  closed,
);
export const rotation = Type.Object(
  {
    overlap_s: Type.Optional(
      count(0, limits.keyOverlapSMax, "How long the old key lives on; 0: it ends. Default a day."),
    ),
    expires_at: Type.Optional(
      instant("Default: the new key lasts as long as the old one was made for."),
    ),
  },
  closed,
);

export const queue = named<wire.Queue>()(
  "Queue",
  Type.Object({
    name: string,
    paused_at: optionalAt,
    pause_reason: nullable(string),
    paused_by: nullable(string),
    pending: Type.Integer(),
  }),
);

export const withReason = Type.Object({ reason: reason() }, closed);
export const withOptionalReason = Type.Object({ reason: Type.Optional(reason()) }, closed);
export const stopRequest = Type.Object(
  {
    reason: reason(),
    cancel_live: Type.Optional(
      Type.Boolean({ description: "Cancel live runs instead of returning them. Default false." }),
    ),
  },
  closed,
);
export const cancelRequest = Type.Object(
  {
    reason: Type.Optional(reason()),
    cascade: Type.Optional(Type.Boolean({ description: "Cancel its children too." })),
  },
  closed,
);

export const health = Type.Object({ status: oneOf(["ok"]) });
export const readiness = Type.Object({
  ready: Type.Boolean(),
  database: oneOf(["ok", "unreachable"]),
  sweep_lag_ms: Type.Number(),
  version: string,
  started_at: at,
});
