// Agents and the accounts they draw on, as they are registered and as people read them.
// Promises: exactly `Agent`, `AgentRegistration`, `Account`, `AccountRegistration` and `Exhaustion`
// of the wire; in a registration null is the default and an absent field is kept.
// Leaves to others: reports of limits (`limit.ts`), status and recovery (engine).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { agentStatuses } from "../../domain/agent-status.ts";
import { limitReasons } from "../../domain/exhaustion/exhaustion.ts";
import { limits } from "../../domain/limits.ts";
import { slotTypes } from "../../domain/slot.ts";
import { named, nullable, oneOf } from "./named.ts";
import { shortPage } from "./page.ts";
import { closed, count, labels, name, reason, text } from "./scalars.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });
const optionalAt = nullable(at);
const optionalText = nullable(string);
const texts = Type.Array(string);
const textByName = Type.Record(string, string);

/** More than any machine runs at a time. */
const MOST_CONCURRENT = 100_000;
const MOST_NAMES = 200;

const agentStatus = oneOf(agentStatuses, "The first of these that holds.");

export const agentRegistration = named<wire.AgentRegistration>()(
  "AgentRegistration",
  Type.Object(
    {
      description: Type.Optional(nullable(text(2000, "For people."))),
      capabilities: Type.Optional(
        nullable(Type.Array(name("A capability."), { maxItems: MOST_NAMES })),
      ),
      models: Type.Optional(
        nullable(
          Type.Array(name("A model."), {
            minItems: 1,
            maxItems: MOST_NAMES,
            description: "Models it may use; null: any. With a list a run must name its model.",
          }),
        ),
      ),
      labels: Type.Optional(nullable(labels())),
      max_concurrent: Type.Optional(
        nullable(count(0, MOST_CONCURRENT, "Most runs at a time; null: unlimited.")),
      ),
      max_run_duration_s: Type.Optional(
        nullable(count(1, limits.maxDurationSMax, "Longest attempt; null: unlimited.")),
      ),
      accounts: Type.Optional(
        nullable(
          Type.Array(name("An account."), {
            minItems: 1,
            maxItems: MOST_NAMES,
            description: "What it draws on, in order of preference; null: one of its own name.",
          }),
        ),
      ),
    },
    closed,
  ),
);

export const agent = named<wire.Agent>()(
  "Agent",
  Type.Object({
    id: string,
    name: string,
    description: optionalText,
    status: agentStatus,
    status_reason: optionalText,
    status_since: at,
    paused_at: optionalAt,
    pause_reason: optionalText,
    paused_by: optionalText,
    capabilities: texts,
    models: nullable(texts),
    labels: textByName,
    max_concurrent: nullable(Type.Integer()),
    max_run_duration_s: nullable(Type.Integer()),
    accounts: texts,
    live: Type.Integer({ description: "Live attempts." }),
    slot: nullable(Type.Object({ id: string, type: oneOf(slotTypes), ends_at: at })),
    exhausted_until: optionalAt,
    last_heartbeat_at: optionalAt,
    created_at: at,
  }),
);

export const agentQuery = Type.Object(
  {
    status: Type.Optional(agentStatus),
    paused: Type.Optional(Type.Boolean({ description: "Only paused ones, or only others." })),
    ...shortPage,
  },
  closed,
);

export const accountRegistration = named<wire.AccountRegistration>()(
  "AccountRegistration",
  Type.Object(
    {
      provider: Type.Optional(nullable(name("Such as anthropic."))),
      labels: Type.Optional(nullable(labels())),
    },
    closed,
  ),
);

const exhaustion = named<wire.Exhaustion>()(
  "Exhaustion",
  Type.Object({
    account: string,
    model: optionalText,
    state: oneOf(["open", "closed", "half_open"]),
    reason: oneOf(limitReasons),
    recovery_at: nullable(
      Type.String({ format: "date-time", description: "Null: waits for a person." }),
    ),
    closed_at: at,
    probe_run: optionalText,
    evidence: Type.Object({
      rule: string,
      excerpt: string,
      source: oneOf(["worker", "headers", "body", "text", "default", "operator"]),
      confidence: Type.Number(),
    }),
  }),
);

export const account = named<wire.Account>()(
  "Account",
  Type.Object({
    id: string,
    name: string,
    provider: optionalText,
    labels: textByName,
    agents: texts,
    exhaustions: Type.Array(exhaustion),
    created_at: at,
  }),
);

export const recoverRequest = Type.Object(
  {
    model: Type.Optional(
      nullable(name("Only the limit of this model; null: only that of all models.")),
    ),
    reason: reason(),
  },
  closed,
);
