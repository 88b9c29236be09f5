// From a submission on the wire to the run the law takes.
// Promises: defaults and units are filled in here and only here; limits of bytes and depth are
// refused with the field's name; the hash of the body is that of what was sent, whatever the order
// of its keys, without key, trace context and `ref`, so that the same request later is the same
// run.
// Leaves to others: the shape (`schemas/submission.ts`), instants in the past and ranks (domain).

import type { BatchSubmission, Json, JsonObject, Priority } from "@signalbox/sdk";
import { limits, priorityWords } from "../../domain/limits.ts";
import { isRefusal, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import type { Backoff } from "../../domain/run.ts";
import {
  defaultPriority,
  defaultQueue,
  defaultRunner,
  scopeNames,
} from "../../domain/submission.ts";
import type { NewRun, ScopeName } from "../../domain/submission.ts";
import { canonicalJson, sha256Hex } from "../../std/digest.ts";
import { refuseSize } from "../refusals.ts";
import { bytesAbove, isTooDeep } from "./clean.ts";
import type { Looks } from "./clean.ts";
import { fromWireId } from "./ids.ts";
import { noInstant, toInstant } from "./instant.ts";

/** Longer than a deploy or a reboot of the agent's machine takes. */
const DEFAULT_AGENT_TIMEOUT_S = 600;

/** What belongs to the request rather than to one submission. */
export type SubmittedWith = { readonly looks: Looks; readonly traceparent: string | null };

/** The run to submit, or the refusal that names the field. */
export function toNewRun(sent: BatchSubmission, request: SubmittedWith): NewRun | Refusal {
  const refusal = wrongJson(sent, request.looks);
  if (refusal !== null) return refusal;
  const times = instantsOf(sent);
  if (isRefusal(times)) return times;
  const links = linksOf(sent);
  if (isRefusal(links)) return links;
  const agentTimeoutMs = agentTimeoutOf(sent);
  if (isRefusal(agentTimeoutMs)) return agentTimeoutMs;
  const { input = null } = sent;
  const inputSha256 = sha256Hex(canonicalJson(input));
  // Each field by name: a large object that begins as a copy is ten times slower to make and use.
  return {
    notBefore: times.notBefore,
    deadlineAt: times.deadlineAt,
    dependsOn: links.dependsOn,
    parentRun: links.parentRun,
    input,
    inputSha256,
    bodySha256: bodySha256(sent, inputSha256),
    queue: sent.queue ?? defaultQueue,
    runner: sent.runner ?? defaultRunner,
    requires: unique(sent.requires),
    agent: sent.agent ?? null,
    runtime: sent.runtime ?? null,
    model: sent.model ?? null,
    account: sent.account ?? null,
    priority: priorityOf(sent.priority),
    maxDurationS: sent.max_duration_s ?? null,
    maxAttempts: sent.max_attempts ?? limits.maxAttemptsDefault,
    backoff: backoffOf(sent),
    estimate: (sent.estimate as JsonObject | undefined) ?? null,
    idempotencyKey: sent.idempotency_key ?? null,
    concurrencyKey: sent.concurrency_key ?? null,
    concurrencyLimit: sent.concurrency_limit ?? 1,
    failWithDependency: sent.on_dependency_failure === "fail",
    tags: unique(sent.tags),
    metadata: sent.metadata ?? {},
    scopes: scopesOf(sent),
    authorization: sent.authorization ?? null,
    agentTimeoutMs,
    traceparent: sent.traceparent ?? request.traceparent,
    ref: sent.ref ?? null,
  };
}

/** The first field of free JSON that is too deep or too large. */
function wrongJson(sent: BatchSubmission, looks: Looks): Refusal | null {
  const fields: readonly (readonly [string, Json | undefined, number])[] = [
    ["input", sent.input, limits.inputBytes],
    ["metadata", sent.metadata, limits.metadataBytes],
    ["authorization", sent.authorization, limits.authorizationBytes],
  ];
  for (const [field, value, limit] of fields) {
    if (value === undefined) continue;
    if (isTooDeep(value, looks)) {
      return refuseField(field, `nests deeper than ${limits.jsonDepth} arrays and objects`);
    }
    if (bytesAbove(value, limit, looks) > 0) return refuseSize(field, limit);
  }
  return null;
}

function instantsOf(sent: BatchSubmission): Pick<NewRun, "notBefore" | "deadlineAt"> | Refusal {
  const notBefore = optionalInstant(sent.not_before);
  if (notBefore === undefined) return refuseField("not_before", noInstant);
  const deadlineAt = optionalInstant(sent.deadline_at);
  if (deadlineAt === undefined) return refuseField("deadline_at", noInstant);
  return { notBefore, deadlineAt };
}

/** How long a named agent may be offline before another may do it; null = it waits. */
function agentTimeoutOf(sent: BatchSubmission): number | null | Refusal {
  const { agent, agent_timeout_s: seconds, on_agent_timeout: policy } = sent;
  if (agent === undefined) {
    if (seconds !== undefined) return refuseField("agent_timeout_s", "needs agent, whom it is for");
    if (policy !== undefined) return refuseField("on_agent_timeout", "needs agent, whom it is for");
  }
  return policy === "any" ? (seconds ?? DEFAULT_AGENT_TIMEOUT_S) * 1000 : null;
}

/** null: not given; undefined: given and not an instant. */
function optionalInstant(text: string | undefined): number | null | undefined {
  return text === undefined ? null : (toInstant(text) ?? undefined);
}

/** The runs it names, as UUIDs; references to items of the same batch stay as they are. */
function linksOf(sent: BatchSubmission): Pick<NewRun, "dependsOn" | "parentRun"> | Refusal {
  const dependsOn: string[] = [];
  for (const [at, text] of (sent.depends_on ?? []).entries()) {
    const link = text.startsWith("#") ? text : fromWireId("run", text);
    if (link === null) {
      return refuseField(
        `depends_on.${at}`,
        "is neither a run id (run_…) nor a #ref of this batch",
      );
    }
    if (!dependsOn.includes(link)) dependsOn.push(link);
  }
  const parentRun = sent.parent_run === undefined ? null : fromWireId("run", sent.parent_run);
  if (sent.parent_run !== undefined && parentRun === null) {
    return refuseField("parent_run", "is not a run id (run_…)");
  }
  return { dependsOn, parentRun };
}

function priorityOf(sent: Priority | undefined): number {
  if (sent === undefined) return defaultPriority;
  return typeof sent === "number" ? sent : priorityWords[sent];
}

function backoffOf({ backoff = {} }: BatchSubmission): Partial<Backoff> {
  const { base_ms: baseMs, factor, cap_ms: capMs, jitter } = backoff;
  return {
    ...(baseMs === undefined ? {} : { baseMs }),
    ...(factor === undefined ? {} : { factor }),
    ...(capMs === undefined ? {} : { capMs }),
    ...(jitter === undefined ? {} : { jitter }),
  };
}

function scopesOf(sent: BatchSubmission): Partial<Record<ScopeName, string>> {
  const scopes: Partial<Record<ScopeName, string>> = {};
  for (const scope of scopeNames) {
    const value = sent[scope];
    if (value !== undefined) scopes[scope] = value;
  }
  return scopes;
}

function bodySha256(sent: BatchSubmission, inputSha256: string): string {
  const { traceparent: _t, idempotency_key: _k, ref: _r, input, ...rest } = sent;
  const hashed = input === undefined ? rest : { ...rest, input: inputSha256 };
  return sha256Hex(canonicalJson(hashed));
}

function unique(names: readonly string[] = []): string[] {
  return [...new Set(names)];
}
