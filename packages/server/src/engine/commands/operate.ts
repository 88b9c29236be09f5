// Seldom verbs of operators and workers about things that are not runs: runtimes, queues, projects.
// Promises: each is one short transaction that changes one row under its lock and writes one
// event with actor and request id; a repeated request changes nothing and writes nothing.
// Leaves to others: what these rows block (`admit`).

import type * as wire from "@signalbox/sdk";
import type { HouseEventType } from "../../domain/event.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import type { JsonObject } from "../../domain/run.ts";
import type { Runner } from "../../store/db.ts";
import type { EventRow } from "../../store/events.ts";
import { appendEvents } from "../../store/events.ts";
import { readNow } from "../../store/flushes.ts";
import {
  insertProject,
  listQueues,
  nextProjectSeq,
  readProjects,
  setQueuePause,
  setRetention,
} from "../../store/projects.ts";
import type { RetentionChange } from "../../store/projects.ts";
import type { RuntimeRow } from "../../store/runtimes.ts";
import { insertRuntime, lockRuntime, saveRuntime } from "../../store/runtimes.ts";
import type { Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { projectOf, runtimeOf } from "../queries/views.ts";
import { names } from "../services/hub.ts";

export type Where = Pick<EventRow, "stream" | "streamId" | "seq" | "projectId">;
export type Entry = { type: HouseEventType; source: "host" | "operator"; data: JsonObject };

export async function record(
  parts: Parts,
  runner: Runner,
  where: Where,
  entry: Entry & { origin: Origin },
): Promise<void> {
  const at = await readNow(runner, parts.context.offsetMs());
  const { origin, ...fact } = entry;
  await appendEvents(runner, [
    {
      ...where,
      fact: { ...fact, at },
      actor: origin.actor,
      requestId: origin.requestId,
      traceparent: origin.traceparent,
    },
  ]);
}

export async function registerRuntime(
  parts: Parts,
  projectId: string,
  name: string,
  call: { registration: wire.RuntimeRegistration; origin: Origin },
): Promise<wire.Runtime | Refusal> {
  const { registration, origin } = call;
  const row = await parts.writer.within([projectId], async (runner) => {
    await insertRuntime(runner, parts.newId(), projectId, name);
    const before = await lockRuntime(runner, projectId, name);
    if (before === null) throw new Error("a runtime that was just inserted is not there");
    const after = merged(before, registration);
    const type = registrationEvent(before, after);
    const saved = await saveRuntime(
      runner,
      {
        ...after,
        last_seq: before.last_seq + (type === null ? 0 : 1),
      },
      parts.context.offsetMs(),
    );
    if (type !== null) {
      const where: Where = {
        stream: "runtime",
        streamId: saved.id,
        seq: saved.last_seq,
        projectId,
      };
      const data = { name, version: saved.version, state: saved.state };
      await record(parts, runner, where, { type, source: "host", data, origin });
    }
    return saved;
  });
  parts.context.runtimes.set(`${projectId}/${name}`, row);
  parts.hub.ring(names.work(projectId));
  return runtimeOf(row);
}

/** Takes no new work from now on; what it holds it may finish. */
export async function drainRuntime(
  parts: Parts,
  projectId: string,
  name: string,
  call: { reason: string; origin: Origin },
): Promise<wire.Runtime | Refusal> {
  const { reason, origin } = call;
  const row = await parts.writer.within([projectId], async (runner) => {
    const before = await lockRuntime(runner, projectId, name);
    if (before === null || before.state === "draining") return before;
    const last_seq = before.last_seq + 1;
    const saved = await saveRuntime(
      runner,
      { ...before, state: "draining", last_seq },
      parts.context.offsetMs(),
    );
    const where: Where = { stream: "runtime", streamId: saved.id, seq: last_seq, projectId };
    const entry = { type: "runtime.draining", source: "operator", data: { name, reason } } as const;
    await record(parts, runner, where, { ...entry, origin });
    return saved;
  });
  if (row === null) return refuse("not_found", `There is no runtime "${name}".`);
  parts.context.runtimes.set(`${projectId}/${name}`, row);
  return runtimeOf(row);
}

/** What a registration leaves: absent = keep, null = back to the default. */
export function kept<T>(value: T | null | undefined, before: T, cleared: T): T {
  if (value === undefined) return before;
  return value === null ? cleared : value;
}

function merged(before: RuntimeRow, change: wire.RuntimeRegistration): RuntimeRow {
  return {
    ...before,
    state: change.state ?? "online",
    version: kept<string | null>(change.version, before.version, null),
    capabilities: kept(change.capabilities, before.capabilities, []),
    labels: kept(change.labels, before.labels, {}),
    runners: kept(change.runners, before.runners, []),
    endpoint: kept<string | null>(change.endpoint, before.endpoint, null),
    host: kept<string | null>(change.host, before.host, null),
    pid: kept<number | null>(change.pid, before.pid, null),
    deadline_s: kept(change.deadline_s, before.deadline_s, 60),
  };
}

function registrationEvent(before: RuntimeRow, after: RuntimeRow): HouseEventType | null {
  if (before.last_seq === 0) return "runtime.registered";
  if (before.state === after.state) return null;
  if (after.state === "draining") return "runtime.draining";
  return after.state === "offline" ? "runtime.offline" : "runtime.registered";
}

/** A pause needs a reason; its end may have one, for the register. */
export type Pausing = { readonly origin: Origin } & (
  | { readonly pause: true; readonly reason: string }
  | { readonly pause: false; readonly reason: string | null }
);

export async function pauseQueue(
  parts: Parts,
  projectId: string,
  name: string,
  call: Pausing,
): Promise<wire.Queue | Refusal> {
  const { pause, reason, origin } = call;
  await parts.writer.within([projectId], async (runner) => {
    const queue = { newId: parts.newId(), projectId, name };
    const row = await setQueuePause(runner, queue, pause ? { reason, by: origin.actor } : null);
    if (row === null) return;
    const where: Where = { stream: "queue", streamId: row.id, seq: row.last_seq, projectId };
    const type = pause ? "queue.paused" : "queue.resumed";
    await record(parts, runner, where, {
      type,
      source: "operator",
      data: { name, reason },
      origin,
    });
  });
  if (!pause) {
    parts.hub.ring(names.work(projectId));
    parts.ring([names.work(projectId)]);
  }
  const rows = await parts.reader.within([projectId], (runner) => listQueues(runner, projectId));
  const found = rows.find((queue) => queue.name === name);
  if (found === undefined) return refuse("not_found", `There is no queue "${name}".`);
  return queueOf(found);
}

export function queueOf(row: Awaited<ReturnType<typeof listQueues>>[number]): wire.Queue {
  return {
    name: row.name,
    paused_at: row.paused_at === null ? null : new Date(row.paused_at).toISOString(),
    pause_reason: row.pause_reason,
    paused_by: row.paused_by,
    pending: row.pending,
  };
}

export async function createProject(
  parts: Parts,
  name: string,
  origin: Origin,
): Promise<wire.Project | Refusal> {
  const id = parts.newId();
  const row = await parts.writer.within([id], async (runner) => {
    const made = await insertProject(runner, id, name);
    if (made === null) return null;
    const where: Where = { stream: "project", streamId: id, seq: 1, projectId: id };
    const entry = { type: "project.created", source: "operator", data: { name } } as const;
    await record(parts, runner, where, { ...entry, origin });
    return made;
  });
  if (row === null) return refuse("project_exists", `There is already a project "${name}".`);
  return projectOf(row);
}

/** How long ended runs and unanswered dead letters are kept; null: for ever; absent: as it is. */
export async function changeRetention(
  parts: Parts,
  projectId: string,
  change: RetentionChange,
  origin: Origin,
): Promise<wire.Project | Refusal> {
  const row = await parts.writer.within([projectId], async (runner) => {
    const changed = await setRetention(runner, projectId, change);
    if (changed === null) return (await readProjects(runner, [projectId]))[0] ?? null;
    const where: Where = {
      stream: "project",
      streamId: projectId,
      seq: changed.last_seq,
      projectId,
    };
    const { retention_days, dead_letter_days } = changed;
    const data = { retention_days, dead_letter_days };
    const entry = { type: "project.changed", source: "operator", data } as const;
    await record(parts, runner, where, { ...entry, origin });
    return changed;
  });
  return row === null ? refuse("not_found", "There is no such project.") : projectOf(row);
}

export async function recordOnProject(
  parts: Parts,
  runner: Runner,
  projectId: string,
  entry: Entry & { origin: Origin },
): Promise<void> {
  const seq = await nextProjectSeq(runner, projectId);
  await record(parts, runner, { stream: "project", streamId: projectId, seq, projectId }, entry);
}
