// The worker protocol: runtimes, claims, heartbeats, events, reports, and the single-run twins.
// Promises: exactly the shapes of the wire; every write carries a fence.
// Leaves to others: bytes of output and checkpoint, what a report becomes (`mapping/report.ts`).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import { approval } from "./approval.ts";
import { eventSubmission } from "./event.ts";
import { named, nullable, oneOf } from "./named.ts";
import { closed, count, id, json, labels, name, text } from "./scalars.ts";
import { run, runStatus } from "./run.ts";
import { itemResult } from "./problem.ts";

const string = Type.String();
const MAX_PID = 2 ** 31 - 1;

const capabilities = Type.Array(name("A capability."), { maxItems: 200 });
const runners = Type.Array(name("A runner."), { maxItems: 200 });

export const runtimeRegistration = named<wire.RuntimeRegistration>()(
  "RuntimeRegistration",
  Type.Object(
    {
      version: Type.Optional(nullable(text(200, "Version of the worker."))),
      capabilities: Type.Optional(nullable(capabilities)),
      labels: Type.Optional(nullable(labels())),
      runners: Type.Optional(nullable(runners)),
      endpoint: Type.Optional(nullable(text(2000, "Where people find it."))),
      host: Type.Optional(nullable(text(255, "Host name."))),
      pid: Type.Optional(nullable(count(0, MAX_PID, "Process id."))),
      deadline_s: Type.Optional(
        nullable(count(1, 86_400, "Stale after this long without a heartbeat. Default 60.")),
      ),
      state: Type.Optional(oneOf(["online", "draining", "offline"])),
    },
    closed,
  ),
);

export const runtime = named<wire.Runtime>()(
  "Runtime",
  Type.Object({
    id: string,
    name: string,
    state: oneOf(["online", "draining", "stale", "offline"]),
    version: nullable(string),
    capabilities: Type.Array(string),
    labels: Type.Record(string, string),
    runners: Type.Array(string),
    endpoint: nullable(string),
    host: nullable(string),
    pid: nullable(Type.Integer()),
    deadline_s: Type.Integer(),
    registered_at: Type.String({ format: "date-time" }),
    last_heartbeat_at: Type.String({ format: "date-time" }),
  }),
);

const leaseMs = count(limits.leaseMsMin, limits.leaseMsMax, "Length of the lease.");

export const claimRequest = named<wire.ClaimRequest>()(
  "ClaimRequest",
  Type.Object(
    {
      runtime: name("Name of a registered runtime."),
      agents: Type.Optional(
        Type.Array(
          Type.Object(
            {
              name: name("An agent."),
              free: Type.Optional(count(0, limits.claimRuns, "How many more it can take now.")),
            },
            closed,
          ),
          { maxItems: 1000 },
        ),
      ),
      queues: Type.Optional(Type.Array(name("A queue."), { maxItems: 1000 })),
      runners: Type.Optional(runners),
      free: count(1, limits.claimRuns, "How many runs to hand out at most."),
      lease_ms: Type.Optional(leaseMs),
      wait_ms: Type.Optional(
        count(0, limits.waitMsMax, "Long poll: answer at the latest after this. Default 0."),
      ),
    },
    closed,
  ),
);

const claim = named<wire.Claim>()(
  "Claim",
  Type.Object({
    run,
    attempt_id: string,
    fencing_token: Type.Integer(),
    attempt_number: Type.Integer(),
    attempt_key: string,
    child_key: string,
    side_effect_token: string,
    agent: nullable(string),
    account: nullable(string),
    lease_ms: Type.Integer(),
    time_left_ms: nullable(Type.Integer()),
    traceparent: nullable(string),
  }),
);
export const claimResponse = Type.Object({ claims: Type.Array(claim) }, { title: "ClaimResponse" });

/** The fence without the run, for routes that have the run in their path. */
const fenceProperties = {
  attempt_id: id("att", "The attempt, from the claim"),
  fencing_token: count(1, MAX_PID, "Its token, from the claim."),
};
const runFence = { run_id: id("run", "The run"), ...fenceProperties };

const renewal = {
  lease_ms: Type.Optional(leaseMs),
  checkpoint: Type.Optional(json("≤ 256 KiB, handed to the next attempt.")),
};

export const heartbeatRequest = named<wire.HeartbeatRequest>()(
  "HeartbeatRequest",
  Type.Object(
    {
      runtime: name("Name of a registered runtime."),
      agents: Type.Optional(Type.Array(name("An agent."), { maxItems: 1000 })),
      leases: Type.Array(Type.Object({ ...runFence, ...renewal }, closed), { maxItems: 10_000 }),
    },
    closed,
  ),
);
export const runHeartbeat = Type.Object({ ...fenceProperties, ...renewal }, closed);

const target = { run_id: string, attempt_id: string, reason: nullable(string) };
export const directive = named<wire.Directive>()(
  "Directive",
  Type.Union([
    Type.Object({ kind: Type.Literal("cancel"), ...target, grace_ms: Type.Integer() }),
    Type.Object({ kind: Type.Literal("kill"), ...target }),
    Type.Object({ kind: Type.Literal("stop"), ...target }),
    Type.Object({ kind: Type.Literal("fenced"), ...target }),
    Type.Object({ kind: Type.Literal("deadline"), ...target }),
    Type.Object({ kind: Type.Literal("budget"), ...target }),
    Type.Object({ kind: Type.Literal("wake"), reason: nullable(string) }),
  ]),
);

export const heartbeatResponse = named<wire.HeartbeatResponse>()(
  "HeartbeatResponse",
  Type.Object({
    leases: Type.Array(
      Type.Object({
        run_id: string,
        attempt_id: string,
        ok: Type.Boolean(),
        code: Type.Optional(string),
        lease_ms: Type.Optional(Type.Integer()),
        time_left_ms: Type.Optional(nullable(Type.Integer())),
      }),
    ),
    directives: Type.Array(directive),
  }),
);

const events = Type.Array(eventSubmission, { minItems: 1, maxItems: limits.eventsPerBatch });

export const eventsItem = Type.Object({ ...runFence, events }, closed);
export const eventsRequest = named<wire.EventsRequest>()(
  "EventsRequest",
  Type.Object(
    { items: Type.Array(eventsItem, { minItems: 1, maxItems: limits.eventsPerBatch }) },
    closed,
  ),
);
export const runEvents = Type.Object({ ...fenceProperties, events }, closed);

export const appended = Type.Object(
  { last_seq: string, stored: Type.Integer() },
  { title: "Appended" },
);
export const eventsResponse = named<wire.EventsResponse>()(
  "EventsResponse",
  Type.Object({ results: Type.Array(itemResult({ last_seq: string, stored: Type.Integer() })) }),
);

const process = Type.Object(
  {
    pid: Type.Optional(count(0, MAX_PID, "Process id.")),
    host: Type.Optional(text(255, "Host name.")),
    exit_code: Type.Optional(nullable(count(-MAX_PID, MAX_PID, "Exit code."))),
    signal: Type.Optional(nullable(text(50, "Signal that ended it."))),
  },
  closed,
);
export { process as processFacts, fenceProperties, runFence };

export const reportsResponse = named<wire.ReportsResponse>()(
  "ReportsResponse",
  Type.Object({
    results: Type.Array(itemResult({ run: runStatus, approval: Type.Optional(approval) })),
  }),
);

export const checkpoint = renewal.checkpoint;
