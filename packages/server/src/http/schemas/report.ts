// What a worker reports about one attempt: one shape per kind, for the batch and for its twin.
// Promises: exactly `Report` of the wire; an unknown kind is refused with the list of kinds.
// Leaves to others: bytes and text of what an agent emitted (`mapping/report.ts`).

import { Type } from "../typebox.ts";
import type { TProperties } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import { askProperties } from "./approval.ts";
import { named, oneOf } from "./named.ts";
import { limitProperties } from "./limit.ts";
import { closed, json, jsonObject, text } from "./scalars.ts";
import { reportedUsage } from "./usage.ts";
import { checkpoint, fenceProperties, processFacts, runFence } from "./worker.ts";

const output = Type.Optional(json("JSON ≤ 1 MiB; more is replaced by a note of its size."));
const metadata = Type.Optional(jsonObject("Merged into the run's metadata, shallow. ≤ 16 KiB."));
const process = Type.Optional(processFacts);
const usage = Type.Optional(reportedUsage);
const error = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 200, description: "Stable, such as E-TOOL-7." }),
    message: text(10_000, "For people."),
    detail: Type.Optional(json("Any JSON ≤ 16 KiB.")),
  },
  closed,
);

/** The fields of each kind, besides the fence. */
const fields = {
  start: { process },
  complete: { output, usage, metadata, process },
  fail: {
    error,
    retryable: Type.Optional(Type.Boolean({ description: "Default true." })),
    output,
    usage,
    metadata,
    checkpoint,
    process,
  },
  release: {
    cause: Type.Optional(oneOf(["shutdown", "declined", "lost_touch"])),
    checkpoint,
    process,
  },
  exhausted: { ...limitProperties, checkpoint, process },
  await_tool: { tool: Type.Optional(text(200, "What it waits for.")), checkpoint },
  await_approval: askProperties,
  resume: {},
  terminated: { process },
} as const;

export type ReportKind = keyof typeof fields;
/** Kinds with a route of their own name; a question has one of its own (`approvals`). */
export type TwinKind = Exclude<ReportKind, "await_approval">;
export const reportKinds = Object.keys(fields) as ReportKind[];

function shape<K extends string, F extends TProperties>(kind: K, own: F) {
  return Type.Object({ ...runFence, kind: Type.Literal(kind), ...own }, closed);
}
function twin<F extends TProperties>(own: F) {
  return Type.Object({ ...fenceProperties, ...own }, closed);
}

/** One shape per kind, for `POST /v1/reports`. */
export const reports = {
  start: shape("start", fields.start),
  complete: shape("complete", fields.complete),
  fail: shape("fail", fields.fail),
  release: shape("release", fields.release),
  exhausted: shape("exhausted", fields.exhausted),
  await_tool: shape("await_tool", fields.await_tool),
  await_approval: shape("await_approval", fields.await_approval),
  resume: shape("resume", fields.resume),
  terminated: shape("terminated", fields.terminated),
};

/** One shape per kind, for `POST /v1/runs/{id}/<kind>`. */
export const runReports = {
  start: twin(fields.start),
  complete: twin(fields.complete),
  fail: twin(fields.fail),
  release: twin(fields.release),
  exhausted: twin(fields.exhausted),
  await_tool: twin(fields.await_tool),
  resume: twin(fields.resume),
  terminated: twin(fields.terminated),
};

const anyReport = named<wire.Report>()(
  "Report",
  Type.Union([
    reports.start,
    reports.complete,
    reports.fail,
    reports.release,
    reports.exhausted,
    reports.await_tool,
    reports.await_approval,
    reports.resume,
    reports.terminated,
  ]),
);

export const reportsRequest = named<wire.ReportsRequest>()(
  "ReportsRequest",
  Type.Object(
    { items: Type.Array(anyReport, { minItems: 1, maxItems: limits.batchItems }) },
    closed,
  ),
);
