// Runs and their attempts, as the register shows them.
// Promises: exactly `RunSummary`, `Run`, `RunStatus`, `Attempt` and `Explanation` of the wire.
// Leaves to others: submissions (`submission.ts`), events (`event.ts`).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { attemptStates, runStates } from "../../domain/machine.ts";
import { named, nullable, oneOf } from "./named.ts";
import { json, jsonObject } from "./scalars.ts";
import { usage } from "./usage.ts";

const string = Type.String();
const integer = Type.Integer();
const instant = Type.String({ format: "date-time" });
const optionalText = nullable(string);
const optionalInstant = nullable(instant);

const endCause = oneOf([
  "completed",
  "error",
  "cancel",
  "kill",
  "budget",
  "deadline",
  "approval",
  "dependency",
  "attempts",
]);

export const runState = oneOf(runStates, "The last four are terminal and never change.");

const runError = named<wire.RunError>()(
  "RunError",
  Type.Object({ code: string, message: string, detail: Type.Optional(json("Any JSON.")) }),
);

const summaryProperties = {
  id: string,
  project_id: string,
  state: runState,
  end_cause: nullable(endCause),
  status_reason: optionalText,
  queue: string,
  runner: string,
  priority: integer,
  agent: optionalText,
  runtime: optionalText,
  model: optionalText,
  account: optionalText,
  requires: Type.Array(string),
  tags: Type.Array(string),
  metadata: jsonObject("Merged from the submission and the attempts."),
  attempts_used: integer,
  max_attempts: integer,
  fencing_token: integer,
  attempt_id: optionalText,
  lease_expires_at: optionalInstant,
  cancel_requested_at: optionalInstant,
  dead_lettered_at: optionalInstant,
  redrive_of: optionalText,
  parent_run: optionalText,
  concurrency_key: optionalText,
  not_before: optionalInstant,
  deadline_at: optionalInstant,
  created_at: instant,
  started_at: optionalInstant,
  finished_at: optionalInstant,
  step_count: integer,
  cost_micros: optionalText,
  error: nullable(runError),
  conversation_id: optionalText,
  thread_id: optionalText,
  workspace_id: optionalText,
  bot_id: optionalText,
  binding_id: optionalText,
  event_id: optionalText,
};

export const runSummary = named<wire.RunSummary>()("RunSummary", Type.Object(summaryProperties));

export const run = named<wire.Run>()(
  "Run",
  Type.Object({
    ...summaryProperties,
    input: json("What was submitted."),
    input_sha256: string,
    output: json("What the run returned."),
    output_sha256: optionalText,
    checkpoint: json("What the newest attempt left for the next."),
    idempotency_key: optionalText,
    concurrency_limit: nullable(integer),
    max_duration_s: nullable(integer),
    backoff: Type.Object({
      base_ms: Type.Number(),
      factor: Type.Number(),
      cap_ms: Type.Number(),
      jitter: Type.Number(),
    }),
    estimate: nullable(
      Type.Object({ tokens: Type.Optional(integer), cost_micros: Type.Optional(integer) }),
    ),
    depends_on: Type.Array(string),
    on_dependency_failure: oneOf(["wait", "fail"]),
    authorization: nullable(jsonObject("As submitted.")),
    traceparent: optionalText,
    last_seq: string,
    usage,
  }),
);

/** What a run was given and nothing else: all that a child process may read. */
export const runInput = Type.Object(
  { input: json("What was submitted."), input_sha256: string },
  { title: "RunInput" },
);

export const runStatus = named<wire.RunStatus>()(
  "RunStatus",
  Type.Object({
    id: string,
    state: runState,
    end_cause: nullable(endCause),
    fencing_token: integer,
    attempts_used: integer,
    not_before: optionalInstant,
  }),
);

const attempt = named<wire.Attempt>()(
  "Attempt",
  Type.Object({
    id: string,
    run_id: string,
    number: integer,
    state: oneOf(attemptStates),
    agent: optionalText,
    runtime: string,
    account: optionalText,
    counted: Type.Boolean(),
    claimed_at: instant,
    started_at: optionalInstant,
    ended_at: optionalInstant,
    cause: optionalText,
    error: nullable(runError),
    usage,
    pid: nullable(integer),
    host: optionalText,
    exit_code: nullable(integer),
    signal: optionalText,
    terminated_at: optionalInstant,
  }),
);

export const attempts = Type.Object({ items: Type.Array(attempt) });

export const explanation = named<wire.Explanation>()(
  "Explanation",
  Type.Object({
    run_id: string,
    state: runState,
    summary: string,
    reasons: Type.Array(
      Type.Object({
        code: string,
        message: string,
        until: Type.Optional(optionalText),
        facts: Type.Optional(jsonObject("Machine-readable.")),
      }),
    ),
    ahead: nullable(integer),
  }),
);

export const runCounts = named<wire.RunCounts>()(
  "RunCounts",
  Type.Object({
    most: Type.Integer({ description: "A count of this size means this many or more." }),
    counts: Type.Object({
      pending: integer,
      claimed: integer,
      running: integer,
      waiting_tool: integer,
      waiting_approval: integer,
      completed: integer,
      failed: integer,
      cancelled: integer,
      timeout: integer,
    }),
  }),
);
