// Decides the items of a flush against what was read: pure but for ids and secrets, which are
// given.
// Promises: every item gets exactly one outcome; an item never changes another's answer.
// Leaves to others: reading (read.ts), claims (decide-claims.ts), writing (write.ts).

import type { RunCommand } from "../../../domain/command.ts";
import { dueCommand } from "../../../domain/due.ts";
import type { Refusal } from "../../../domain/refusal.ts";
import { isRefusal, refuse } from "../../../domain/refusal.ts";
import { HELD_KEY, isLeased } from "../../../domain/run.ts";
import type { Run } from "../../../domain/run.ts";
import { newRun, submittedFact } from "../../../domain/submission.ts";
import { toTypeId } from "../../../std/ids.ts";
import type { Facts } from "./read.ts";
import { isRenewal } from "./read.ts";
import type {
  AccountItem,
  Outcome,
  PresenceItem,
  RunItem,
  SubmitItem,
  Submitted,
} from "./items.ts";
import type { FlushState } from "./state.ts";

export function decideRun(state: FlushState, facts: Facts, item: RunItem): Outcome {
  const entry = state.runs.get(item.runId);
  if (entry === undefined) {
    return facts.exists.has(item.runId) ? { again: true } : { refusal: notFound(item.runId) };
  }
  if (entry.run.projectId !== item.projectId) return { refusal: notFound(item.runId) };
  // A lease that has ended is answered by its fence; one that stands is not renewed during a stop.
  if (isRenewal(item) && isLeased(entry.run) && entry.run.attemptId === item.fence?.attemptId) {
    const stopped = facts.projects.find(
      (row) => row.id === item.projectId && row.stopped_at !== null,
    );
    if (stopped !== undefined) return { refusal: projectStopped(stopped.stop_reason ?? "") };
  }
  if ("approval" in item.what) return state.approvals.apply(item, item.what.approval);
  const command = commandOf(state, entry.run, item, facts.recordedUsage);
  if (command === null) return answer(state, entry.run, 0);
  const decision = state.apply(item.runId, command, item.origin, item.fence);
  if (isRefusal(decision)) return { refusal: decision };
  if ("exhausts" in item.what && item.what.exhausts !== undefined && !decision.repeated) {
    const { account, notice } = item.what.exhausts;
    state.accounts.apply(item.projectId, account, { kind: "report", notice }, item.origin);
  }
  if ("metadata" in item.what && item.what.metadata !== undefined) {
    entry.metadata = { ...entry.metadata, ...item.what.metadata };
  }
  const now = state.runs.get(item.runId)?.run as Run;
  return answer(state, now, decision.facts.length);
}

function projectStopped(reason: string): Refusal {
  return refuse("project_stopped", `The project is stopped (${reason}); no lease is renewed.`);
}

function answer(state: FlushState, run: Run, stored: number): Outcome {
  return { answer: { kind: "run", run, stored, at: state.at } };
}

/** Usage without what is stored already, be it by another item of this flush. */
function withoutStored(command: RunCommand, runId: string, fresh: Set<string>): RunCommand {
  if (command.kind !== "record_usage") return command;
  const { token } = command;
  const records = command.records.filter(({ producerSeq }) =>
    fresh.delete(`${runId}/${token}/${producerSeq}`),
  );
  return { ...command, records };
}

function commandOf(
  state: FlushState,
  run: Run,
  item: RunItem,
  recordedUsage: Set<string>,
): RunCommand | null {
  if ("command" in item.what) return withoutStored(item.what.command, run.id, recordedUsage);
  if ("approval" in item.what) return null;
  if ("due" in item.what) return dueCommand(run, state.at, item.what.outage);
  const now = state.dependencies.get(run.id);
  if (run.phase !== "pending") return null;
  if (now !== undefined && now.failed !== null && run.failWithDependency) {
    return { kind: "fail_dependency", dependency: toTypeId("run", now.failed) };
  }
  return { kind: "release_held", bits: 0, openDependencies: now?.open ?? 0 };
}

export function notFound(runId: string): Refusal {
  return refuse("not_found", `There is no run ${toTypeId("run", runId)} in this project.`);
}

export function decideSubmit(state: FlushState, facts: Facts, item: SubmitItem): Outcome {
  const results = item.runs.map((asked): Submitted => {
    const { spec } = asked;
    if (!facts.inserted.has(asked.id)) {
      const before = facts.known.find(
        (known) => known.projectId === item.projectId && known.key === spec.idempotencyKey,
      );
      if (before === undefined) {
        return refuse("unavailable", "The idempotency key is being used right now; try again.");
      }
      if (before.bodySha256 !== spec.bodySha256) return mismatch(spec.idempotencyKey as string);
      return { runId: before.runId, created: false };
    }
    const openCount = asked.dependsOn.filter((id) => isOpen(state, facts, id)).length;
    const ids = { id: asked.id, projectId: item.projectId, laneId: asked.laneId };
    const born = newRun(spec, ids, openCount, state.at);
    const taken =
      spec.concurrencyKey !== null &&
      (facts.keyUse.get(`${item.projectId}/${spec.concurrencyKey}`) ?? 0) >= spec.concurrencyLimit;
    const run = taken ? { ...born, held: born.held | HELD_KEY } : born;
    state.add(run, submittedFact(spec, state.at), item.origin);
    const stored = state.runs.get(run.id)?.run as Run;
    return { run: stored, created: true, spec, dependsOn: asked.dependsOn };
  });
  return { answer: { kind: "submit", results, at: state.at } };
}

/** A dependency is open until it has completed; one born in this flush is open. */
function isOpen(state: FlushState, facts: Facts, id: string): boolean {
  const here = state.runs.get(id)?.run;
  return here === undefined ? facts.parents.get(id) !== false : here.phase !== "completed";
}

function mismatch(key: string): Refusal {
  return refuse(
    "idempotency_mismatch",
    `The idempotency key "${key}" was used before with another body; use a new key.`,
    { idempotency_key: key },
  );
}

export function decidePresence(state: FlushState, facts: Facts, item: PresenceItem): Outcome {
  const runtime = facts.runtimes.find(
    (row) => row.project_id === item.projectId && row.name === item.runtime,
  );
  if (runtime === undefined) return { refusal: unknownRuntime(item.runtime) };
  return { answer: { kind: "presence", at: state.at } };
}

export function decideAccount(state: FlushState, item: AccountItem): Outcome {
  state.accounts.apply(item.projectId, item.account, item.command, item.origin);
  return { answer: { kind: "account", at: state.at } };
}

export function unknownRuntime(name: string): Refusal {
  return refuse(
    "runtime_unknown",
    `Runtime "${name}" is not registered; register it with PUT /v1/runtimes/${name}.`,
  );
}
