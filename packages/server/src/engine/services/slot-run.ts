// The run of a slot: from the template of the calendar to a submission, and back to the slot how it
// ended.
// Promises: however often it is submitted, one run (idempotency key `slot:<id>`); a run whose slot
// was broken off in the meantime is cancelled; a template that is refused aborts its slot.
// Leaves to others: when slots start (slot-sweep.ts, commands/slots.ts), sizes of the template
// (checked by the doors when it was planned).

import type * as wire from "@signalbox/sdk";
import { limits, priorityWords } from "../../domain/limits.ts";
import type { Refusal, RefusalCode } from "../../domain/refusal.ts";
import { isRefusal, refuseField } from "../../domain/refusal.ts";
import type { Backoff, JsonObject } from "../../domain/run.ts";
import type { NewRun, ScopeName } from "../../domain/submission.ts";
import {
  defaultPriority,
  defaultQueue,
  defaultRunner,
  scopeNames,
} from "../../domain/submission.ts";
import { canonicalJson, sha256Hex } from "../../std/digest.ts";
import { fromTypeId, toTypeId } from "../../std/ids.ts";
import { excludeAgent, lockAgents } from "../../store/agents.ts";
import { readNow } from "../../store/flushes.ts";
import type { EndedSlotRun, SlotRow } from "../../store/slots.ts";
import { attachSlotRun, lockSlot } from "../../store/slots.ts";
import { cancel } from "../commands/stop-run.ts";
import { submit } from "../commands/submit.ts";
import type { Parts } from "../parts.ts";
import { houseOrigin } from "./after.ts";
import type { SlotStep } from "./slot-steps.ts";
import { stepTo, tellOfSlots, writeSteps } from "./slot-steps.ts";

const AGENT_TIMEOUT_S = 600;
/** Refusals that pass: the next sweep submits again. */
const PASSING: ReadonlySet<RefusalCode> = new Set(["unavailable", "overloaded", "rate_limited"]);

/** What of a slot its run is made of. */
export type SlotOfRun = Pick<SlotRow, "id" | "agent" | "run_template">;

/** The run a slot submits: its template, for its agent unless the template names another. */
export function runOfSlot({ id, agent, run_template: given }: SlotOfRun): NewRun | Refusal {
  const sent = (given ?? {}) as wire.RunSubmission;
  const notBefore = instantOf(sent.not_before);
  if (notBefore === undefined) return refuseField("run.not_before", "is no instant");
  const deadlineAt = instantOf(sent.deadline_at);
  if (deadlineAt === undefined) return refuseField("run.deadline_at", "is no instant");
  const dependsOn = (sent.depends_on ?? []).map((text) => fromTypeId("run", text));
  if (dependsOn.includes(null)) return refuseField("run.depends_on", "names no run (run_…)");
  const parentRun = sent.parent_run === undefined ? null : fromTypeId("run", sent.parent_run);
  if (sent.parent_run !== undefined && parentRun === null) {
    return refuseField("run.parent_run", "is not a run id (run_…)");
  }
  const { input = null, priority = defaultPriority } = sent;
  const others = sent.on_agent_timeout === "any";
  return {
    input,
    inputSha256: sha256Hex(canonicalJson(input)),
    bodySha256: sha256Hex(canonicalJson(sent)),
    queue: sent.queue ?? defaultQueue,
    runner: sent.runner ?? defaultRunner,
    requires: [...new Set(sent.requires)],
    agent: sent.agent ?? agent,
    agentTimeoutMs: others ? (sent.agent_timeout_s ?? AGENT_TIMEOUT_S) * 1000 : null,
    runtime: sent.runtime ?? null,
    model: sent.model ?? null,
    account: sent.account ?? null,
    priority: typeof priority === "number" ? priority : priorityWords[priority],
    notBefore,
    deadlineAt,
    dependsOn: dependsOn as string[],
    parentRun,
    maxDurationS: sent.max_duration_s ?? null,
    maxAttempts: sent.max_attempts ?? limits.maxAttemptsDefault,
    backoff: backoffOf(sent),
    estimate: (sent.estimate as JsonObject | undefined) ?? null,
    idempotencyKey: `slot:${toTypeId("slt", id)}`,
    concurrencyKey: sent.concurrency_key ?? null,
    concurrencyLimit: sent.concurrency_limit ?? 1,
    failWithDependency: sent.on_dependency_failure === "fail",
    tags: [...new Set(sent.tags)],
    metadata: sent.metadata ?? {},
    scopes: scopesOf(sent),
    authorization: sent.authorization ?? null,
    traceparent: sent.traceparent ?? null,
    ref: null,
  };
}

/** null: not given; undefined: no instant. */
function instantOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

function backoffOf({ backoff = {} }: wire.RunSubmission): Partial<Backoff> {
  const { base_ms: baseMs, factor, cap_ms: capMs, jitter } = backoff;
  return {
    ...(baseMs === undefined ? {} : { baseMs }),
    ...(factor === undefined ? {} : { factor }),
    ...(capMs === undefined ? {} : { capMs }),
    ...(jitter === undefined ? {} : { jitter }),
  };
}

function scopesOf(sent: wire.RunSubmission): Partial<Record<ScopeName, string>> {
  const given = scopeNames.map((scope) => [scope, sent[scope]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Submits the run of an ongoing slot that has none yet. Any server may, any number of times. */
export async function startSlotRun(parts: Parts, slot: SlotRow): Promise<void> {
  const origin = houseOrigin("slot");
  const spec = runOfSlot(slot);
  const [result] = isRefusal(spec) ? [spec] : await submit(parts, slot.project_id, [spec], origin);
  if (result === undefined || (isRefusal(result) && PASSING.has(result.code))) return;
  if (isRefusal(result)) {
    await abortOngoing(parts, slot, `its run was refused: ${result.detail}`);
    return;
  }
  const runId = fromTypeId("run", result.run.id) as string;
  const attached = await parts.writer.within([slot.project_id], (runner) =>
    attachSlotRun(runner, slot, runId),
  );
  if (attached) return;
  const reason = "the slot it belongs to is over";
  await cancel(parts, slot.project_id, runId, { reason, cascade: true, origin });
}

async function abortOngoing(parts: Parts, slot: SlotRow, reason: string): Promise<void> {
  const { project_id: projectId, id } = slot;
  await parts.writer.within([projectId], async (runner) => {
    const ref = { projectId, name: slot.agent };
    await excludeAgent(runner, ref);
    const [agent] = await lockAgents(runner, [ref]);
    const row = await lockSlot(runner, projectId, id);
    if (agent === undefined || row === null || row.status !== "ongoing") return;
    const at = await readNow(runner, parts.context.offsetMs());
    const by = { origin: houseOrigin("slot"), source: "host", at } as const;
    await writeSteps(runner, agent, [stepTo(row, "aborted", { at, reason })], by);
  });
  tellOfSlots(parts, { projectId, name: slot.agent });
}

/** How a slot ends with its run. */
export function stepOfEndedRun(slot: SlotRow, run: EndedSlotRun, at: number): SlotStep {
  if (run.state === "completed")
    return stepTo(slot, "finished", { at, reason: "its run completed" });
  const words = run.status_reason === null ? "" : `: ${run.status_reason}`;
  return stepTo(slot, "aborted", { at, reason: `its run ended ${run.state}${words}` });
}
