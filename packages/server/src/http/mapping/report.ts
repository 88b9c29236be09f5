// From what a worker reports to the command the law decides. (A limit that was met is no command
// yet: `limit.ts`.)
// Promises: whatever an agent emitted, its outcome becomes a command: text is cleaned, output and
// detail that are too large or too deep are replaced by a note of what they were, and a checkpoint
// that is too large is left out of an end (the earlier one stays). Only an end is that patient:
// elsewhere a checkpoint that is too large is refused, so that its sender learns about it.
// Leaves to others: shapes (`schemas/report.ts`), fencing and transitions (domain).

import type { Json, JsonObject, ProcessFacts, ReportBody, RunError, Usage } from "@signalbox/sdk";
import type * as domain from "../../domain/command.ts";
import { limits } from "../../domain/limits.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuseField } from "../../domain/refusal.ts";
import { refuseSize } from "../refusals.ts";
import { bytesAbove, clean, isTooDeep, keptJson } from "./clean.ts";
import type { Looks } from "./clean.ts";

/** Detail of an error shares the size of metadata: enough for a stack, not for a dump. */
const DETAIL_BYTES = limits.metadataBytes;

/** Reports that are commands. */
export type CommandReport = Exclude<ReportBody, { kind: "exhausted" | "await_approval" }>;

/** What a report asks for, and what it adds to the run's metadata. */
export type Asked = { readonly command: domain.RunCommand; readonly metadata?: JsonObject };

/**
 * What a report whose shape has been checked asks for. If text of it had to be replaced, the run's
 * metadata say so (`sanitized: true`), since the output itself cannot.
 */
export function toAsked(report: CommandReport, looks: Looks): Asked | Refusal {
  const { value, sanitized } = clean(report, looks);
  const command = toCommand(value, looks);
  if (isRefusal(command)) return command;
  const metadata = { ...metadataOf(value, looks), ...(sanitized ? { sanitized: true } : {}) };
  return Object.keys(metadata).length === 0 ? { command } : { command, metadata };
}

function metadataOf(sent: CommandReport, looks: Looks): JsonObject {
  if (!("metadata" in sent) || sent.metadata === undefined) return {};
  return keptJson(sent.metadata, "metadata", limits.metadataBytes, looks) as JsonObject;
}

function toCommand(sent: CommandReport, looks: Looks): domain.RunCommand | Refusal {
  switch (sent.kind) {
    case "start":
    case "terminated":
      return { kind: sent.kind, ...processOf(sent.process) };
    case "resume":
      return { kind: "resume" };
    case "await_tool": {
      const refusal = wrongCheckpoint(sent.checkpoint, looks);
      if (refusal !== null) return refusal;
      const tool = sent.tool === undefined ? {} : { tool: sent.tool };
      return { kind: "await_tool", ...tool, ...kept("checkpoint", sent.checkpoint) };
    }
    case "complete": {
      const output = keptJson(sent.output ?? null, "output", limits.outputBytes, looks);
      return { kind: "complete", output, ...usageOf(sent.usage), ...processOf(sent.process) };
    }
    case "fail":
      return {
        kind: "fail",
        error: errorOf(sent.error, looks),
        retryable: sent.retryable ?? true,
        ...outputOf(sent.output, looks),
        ...checkpointOf(sent.checkpoint, looks),
        ...usageOf(sent.usage),
        ...processOf(sent.process),
      };
    case "release":
      return {
        kind: "release",
        cause: sent.cause ?? "shutdown",
        ...checkpointOf(sent.checkpoint, looks),
        ...processOf(sent.process),
      };
  }
}

/** Refuses a checkpoint outside of an end. `field` is where it stands in the request. */
export function wrongCheckpoint(
  checkpoint: Json | undefined,
  looks: Looks,
  field = "checkpoint",
): Refusal | null {
  if (checkpoint === undefined) return null;
  if (isTooDeep(checkpoint, looks)) {
    return refuseField(field, `nests deeper than ${limits.jsonDepth} arrays and objects`);
  }
  const tooLarge = bytesAbove(checkpoint, limits.checkpointBytes, looks) > 0;
  return tooLarge ? refuseSize(field, limits.checkpointBytes) : null;
}

/** A checkpoint that comes with an end: left out when it is too large. */
export function checkpointOf(checkpoint: Json | undefined, looks: Looks): { checkpoint?: Json } {
  return wrongCheckpoint(checkpoint, looks) === null ? kept("checkpoint", checkpoint) : {};
}

function outputOf(output: Json | undefined, looks: Looks): { output?: Json } {
  if (output === undefined) return {};
  return { output: keptJson(output, "output", limits.outputBytes, looks) };
}

function errorOf({ code, message, detail }: RunError, looks: Looks): RunError {
  if (detail === undefined) return { code, message };
  return { code, message, detail: keptJson(detail, "detail", DETAIL_BYTES, looks) };
}

function kept<K extends string, V>(name: K, value: V | undefined): { [N in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [N in K]?: V };
}

export function processOf(process: ProcessFacts | undefined): { process?: domain.ProcessFacts } {
  if (process === undefined) return {};
  const { exit_code: exitCode, ...same } = process;
  return { process: exitCode === undefined ? same : { ...same, exitCode } };
}

function usageOf(usage: (Usage & { model?: string }) | undefined): { usage?: domain.Usage } {
  if (usage === undefined) return {};
  return {
    usage: {
      ...kept("inputTokens", usage.input_tokens),
      ...kept("outputTokens", usage.output_tokens),
      ...kept("cacheReadInputTokens", usage.cache_read_input_tokens),
      ...kept("reasoningOutputTokens", usage.reasoning_output_tokens),
      ...kept("costMicros", usage.cost_micros),
      ...kept("steps", usage.steps),
      ...kept("model", usage.model),
    },
  };
}
