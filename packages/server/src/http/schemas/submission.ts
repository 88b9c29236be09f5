// What a caller sends to submit runs.
// Promises: exactly `RunSubmission` and `BatchSubmission` of the wire; unknown fields are refused.
// Leaves to others: bytes and depth of free JSON, real instants, defaults
// (`mapping/submission.ts`).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import { named, oneOf } from "./named.ts";
import {
  amount,
  closed,
  count,
  id,
  instant,
  json,
  jsonObject,
  key,
  name,
  priority,
  text,
} from "./scalars.ts";

/** One day: no backoff needs more. */
const DAY_MS = 86_400_000;
/** 30 days: nobody waits longer for an agent that is gone. */
const MONTH_S = 2_592_000;

const backoff = Type.Object(
  {
    base_ms: Type.Optional(count(0, DAY_MS, "Wait after the first failure. Default 5,000.")),
    factor: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 100,
        description: "What the wait is multiplied with each time. Default 2.",
        "x-says": "must be a number from 1 to 100",
      }),
    ),
    cap_ms: Type.Optional(count(0, DAY_MS, "Longest wait. Default 900,000.")),
    jitter: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: "Random spread, as a share of the wait. Default 0.2.",
        "x-says": "must be a number from 0 to 1",
      }),
    ),
  },
  closed,
);

const estimate = Type.Object(
  { tokens: Type.Optional(amount("Tokens.")), cost_micros: Type.Optional(amount("USD · 10⁻⁶.")) },
  closed,
);

const dependencies = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
  maxItems: limits.dependencies,
  description: "Run ids, or `#ref` of another item of the same batch. All must complete first.",
});

const properties = {
  input: Type.Optional(json("JSON ≤ 256 KiB, at most 64 deep. Default null.")),
  queue: Type.Optional(name("Waiting line. Default `default`.")),
  runner: Type.Optional(name("Which handler does it. Default `default`.")),
  priority: Type.Optional(priority),
  not_before: Type.Optional(instant("Not before this instant.")),
  deadline_at: Type.Optional(instant("After it the run ends `timeout`. Must be still to come.")),
  max_duration_s: Type.Optional(
    count(1, limits.maxDurationSMax, "Longest time one attempt may take, in seconds."),
  ),
  max_attempts: Type.Optional(
    count(1, limits.maxAttemptsMax, "Attempts (not retries). Default 3."),
  ),
  backoff: Type.Optional(backoff),
  requires: Type.Optional(
    Type.Array(name("A capability."), {
      maxItems: limits.requires,
      description: "Capabilities the worker must have.",
    }),
  ),
  agent: Type.Optional(name("Only this agent may do it.")),
  agent_timeout_s: Type.Optional(
    count(1, MONTH_S, "With `agent`: how long it may be offline. Default 600 where it counts."),
  ),
  on_agent_timeout: Type.Optional(
    oneOf(["wait", "any"], "Then: `wait` on (default), or let `any` other agent do it."),
  ),
  runtime: Type.Optional(name("Only this runtime may do it.")),
  model: Type.Optional(name("The model it needs.")),
  account: Type.Optional(name("The account it draws on.")),
  estimate: Type.Optional(estimate),
  idempotency_key: Type.Optional(
    key("Same key and body: the same run. Other body: 422. Also as header `Idempotency-Key`."),
  ),
  concurrency_key: Type.Optional(key("Runs that share it run `concurrency_limit` at a time.")),
  concurrency_limit: Type.Optional(count(1, 10_000, "Default 1.")),
  depends_on: Type.Optional(dependencies),
  on_dependency_failure: Type.Optional(
    oneOf(["wait", "fail"], "What becomes of it when a dependency fails. Default wait."),
  ),
  parent_run: Type.Optional(id("run", "The run that submits this one")),
  tags: Type.Optional(Type.Array(name("A tag."), { maxItems: limits.tags })),
  metadata: Type.Optional(jsonObject("≤ 16 KiB, shown in lists. Default {}.")),
  conversation_id: Type.Optional(name("Scope.")),
  thread_id: Type.Optional(name("Scope.")),
  workspace_id: Type.Optional(name("Scope.")),
  bot_id: Type.Optional(name("Scope.")),
  binding_id: Type.Optional(name("Scope.")),
  event_id: Type.Optional(name("Scope.")),
  authorization: Type.Optional(jsonObject("Stored with the run, never in lists. ≤ 16 KiB.")),
  traceparent: Type.Optional(
    Type.String({
      pattern: "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
      description: "W3C trace context; also taken from the header.",
      "x-says": "must be a W3C traceparent such as 00-<32 hex>-<16 hex>-01",
    }),
  ),
};

export const runSubmission = named<wire.RunSubmission>()(
  "RunSubmission",
  Type.Object(properties, closed),
);

export const batchSubmission = named<wire.BatchSubmission>()(
  "BatchSubmission",
  Type.Object(
    { ...properties, ref: Type.Optional(text(200, 'A name for `depends_on: ["#ref"]`.')) },
    closed,
  ),
);

export const batchRequest = Type.Object(
  { items: Type.Array(batchSubmission, { minItems: 1, maxItems: limits.batchItems }) },
  closed,
);
