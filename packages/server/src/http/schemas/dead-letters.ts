// Dead letters and acts on many runs: what is sent and what is answered.
// Promises: exactly `DeadLetter`, `DeadLetterGroup`, `BulkResult` and `Redriven` of the wire; the
// filter of an act has the names of the list of runs.
// Leaves to others: conversion (`mapping/bulk.ts`), who may (`auth` of each route).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import { runQuery } from "./filter.ts";
import { named, nullable, oneOf } from "./named.ts";
import { shortPage } from "./page.ts";
import { runSummary } from "./run.ts";
import { closed, count, id, json, name, priority, reason } from "./scalars.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });
const status = oneOf(["open", "redriven", "discarded"], "Default open.");

export const deadLetterGroup = named<wire.DeadLetterGroup>()(
  "DeadLetterGroup",
  Type.Object({
    fingerprint: string,
    code: string,
    pattern: string,
    count: Type.Integer(),
    first_at: at,
    last_at: at,
    sample_run: string,
    sample_message: nullable(string),
    agents: Type.Array(string),
    queues: Type.Array(string),
  }),
);

export const deadLetter = named<wire.DeadLetter>()(
  "DeadLetter",
  Type.Object({
    run: runSummary,
    fingerprint: string,
    pattern: string,
    status: oneOf(["open", "redriven", "discarded"]),
    at,
    closed_at: nullable(at),
    closed_by: nullable(string),
    note: nullable(string),
    became: nullable(string),
  }),
);

export const letterQuery = Type.Object(
  {
    status: Type.Optional(status),
    queue: Type.Optional(name("Only of this queue.")),
    agent: Type.Optional(name("Only where this agent's attempt failed last.")),
    ...shortPage,
  },
  closed,
);
const hex = (description: string) =>
  Type.String({
    pattern: "^[0-9a-f]{16}$",
    description,
    "x-says": "must be the fingerprint of a group: 16 hexadecimal digits",
  });
export const letterParams = Type.Object({ fingerprint: hex("The group.") }, closed);

/** What a redrive may do differently. */
const changes = {
  from_checkpoint: Type.Optional(
    Type.Boolean({ description: "Take the last checkpoint along. Default: begin anew." }),
  ),
  input: Type.Optional(json("Instead of the input of the run that failed.")),
  agent: Type.Optional(nullable(name("For this agent; null: for any."))),
  model: Type.Optional(nullable(name("With this model; null: with any."))),
  priority: Type.Optional(priority),
  max_attempts: Type.Optional(count(1, limits.maxAttemptsMax, "Attempts, not retries.")),
};
export const redriveRequest = Type.Object(changes, closed);
export const discardRequest = Type.Object({ note: reason() }, closed);

export const redriven = named<wire.Redriven>()(
  "Redriven",
  Type.Object({ run: runSummary, created: Type.Boolean() }),
);

const { limit: _limit, cursor: _cursor, ...filters } = runQuery.properties;

/** Which runs an act on many is about. */
const which = {
  filter: Type.Optional(
    Type.Object(
      { ...filters, fingerprint: Type.Optional(hex("Only dead letters of this group.")) },
      { ...closed, description: "As of the list of runs. All given conditions must hold." },
    ),
  ),
  runs: Type.Optional(
    Type.Array(id("run", "A run"), {
      minItems: 1,
      maxItems: 1000,
      description: "Only these, at most 1,000.",
    }),
  ),
  dry_run: Type.Optional(Type.Boolean({ description: "Count and show a sample; change nothing." })),
  confirm_count: Type.Optional(
    count(0, 100_000, "What the dry run counted. The act is refused when more match."),
  ),
  allow_growth: Type.Optional(count(0, 100_000, "How many more may match by now. Default 0.")),
  limit: Type.Optional(count(1, 5_000, "Runs of this request at most. Default 1,000.")),
  cursor: Type.Optional(Type.String({ maxLength: 100, description: "Goes on where one ended." })),
};

export const bulkCancelRequest = Type.Object(
  {
    ...which,
    reason: reason(),
    cascade: Type.Optional(Type.Boolean({ description: "Cancel what they submitted, too." })),
  },
  closed,
);
export const bulkRedriveRequest = Type.Object(
  { ...which, changes: Type.Optional(Type.Object(changes, closed)) },
  closed,
);
export const bulkDiscardRequest = Type.Object({ ...which, note: reason() }, closed);

export const bulkResult = named<wire.BulkResult>()(
  "BulkResult",
  Type.Object({
    dry_run: Type.Boolean(),
    matched: Type.Integer(),
    sample: Type.Array(runSummary),
    done: Type.Integer(),
    refused: Type.Integer(),
    refusals: Type.Array(Type.Object({ run_id: string, code: string, detail: string })),
    became: Type.Array(Type.Object({ run_id: string, became: string })),
    has_more: Type.Boolean(),
    next_cursor: nullable(string),
  }),
);
