// Agents: describing them, pausing them, and knowing those that ask for work.
// Promises: each verb is one short transaction on the agent's locked row with one event; an agent
// nobody described is made when it first asks for work; a repeated request writes no second event;
// what is changed holds for every claim that commits after it.
// Leaves to others: the status (services/agent-statuses.ts), what settings block (`domain/fit.ts`).

import type * as wire from "@signalbox/sdk";
import type { HouseEventType } from "../../domain/event.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import type { JsonObject } from "../../domain/run.ts";
import { ensureAccounts, readExhaustions } from "../../store/accounts.ts";
import { listAgents, readAgents } from "../../store/agent-queries.ts";
import type { AgentView } from "../../store/agent-queries.ts";
import type { AgentRow } from "../../store/agents.ts";
import { ensureAgents, excludeAgent, lockAgents, saveAgent } from "../../store/agents.ts";
import type { Runner } from "../../store/db.ts";
import type { EventRow } from "../../store/events.ts";
import { appendEvents, readStream } from "../../store/events.ts";
import { readNow } from "../../store/flushes.ts";
import type { AgentFilter, EventPageInput, Origin, PageInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { agentOf } from "../queries/fleet-views.ts";
import { page } from "../queries/page.ts";
import { eventOf } from "../queries/views.ts";
import { accountNamesOf } from "../services/flush/read-scopes.ts";
import { regulate } from "./exhausted.ts";
import { kept, record } from "./operate.ts";
import type { Pausing } from "./operate.ts";

type Change = (before: AgentRow) => AgentRow;
type Told = { readonly type: HouseEventType; readonly data: JsonObject } | null;

export async function registerAgent(
  parts: Parts,
  projectId: string,
  name: string,
  call: { registration: wire.AgentRegistration; origin: Origin },
): Promise<wire.Agent | Refusal> {
  const { registration, origin } = call;
  await regulate(parts, projectId);
  const change: Change = (before) => merged(before, registration);
  const told = (before: AgentRow): Told =>
    before.last_seq === 0 || settingsOf(before) !== settingsOf(change(before))
      ? { type: "agent.registered", data: { name } }
      : null;
  return changeAgent(parts, { projectId, name, origin, make: true }, change, told);
}

export async function pauseAgent(
  parts: Parts,
  projectId: string,
  name: string,
  call: Pausing,
): Promise<wire.Agent | Refusal> {
  const { pause, reason, origin } = call;
  await regulate(parts, projectId);
  const change: Change = (before) => ({
    ...before,
    pause_reason: pause ? reason : null,
    paused_by: pause ? origin.actor : null,
  });
  const told = (before: AgentRow): Told =>
    (before.pause_reason !== null) === pause
      ? null
      : { type: pause ? "agent.paused" : "agent.resumed", data: { name, reason } };
  return changeAgent(parts, { projectId, name, origin, make: false }, change, told);
}

async function changeAgent(
  parts: Parts,
  at: { projectId: string; name: string; origin: Origin; make: boolean },
  change: Change,
  tell: (before: AgentRow) => Told,
): Promise<wire.Agent | Refusal> {
  const { projectId, name, origin, make } = at;
  const found = await parts.writer.within([projectId], async (runner) => {
    const ref = { projectId, name };
    await excludeAgent(runner, ref);
    if (make) await ensureAgents(runner, [ref], { newId: parts.newId, lastSeq: 0 });
    const before = (await lockAgents(runner, [ref]))[0];
    if (before === undefined) return false;
    const told = tell(before);
    const seq = before.last_seq + (told === null ? 0 : 1);
    const after = change(before);
    await saveAgent(runner, { ...after, last_seq: seq });
    const accounts = accountNamesOf(after).map((account) => ({ projectId, account }));
    await ensureAccounts(runner, accounts, parts.newId);
    if (told !== null) await recordOnAgent(parts, runner, before, { seq, ...told, origin });
    return true;
  });
  if (!found) return unknown(name);
  parts.statuses.look(projectId, [name]);
  parts.reopen(projectId);
  return (await readAgent(parts, projectId, name)) ?? unknown(name);
}

type AgentEvent = { seq: number; type: HouseEventType; data: JsonObject; origin: Origin };

async function recordOnAgent(
  parts: Parts,
  runner: Runner,
  agent: Pick<AgentRow, "id" | "project_id">,
  { seq, type, data, origin }: AgentEvent,
): Promise<void> {
  const where = { stream: "agent", streamId: agent.id, seq, projectId: agent.project_id } as const;
  await record(parts, runner, where, { type, source: "operator", data, origin });
}

function unknown(name: string): Refusal {
  return refuse("not_found", `There is no agent "${name}".`);
}

/** Absent = keep, null = back to the default. */
function merged(before: AgentRow, change: wire.AgentRegistration): AgentRow {
  const { max_run_duration_s: seconds } = change;
  return {
    ...before,
    description: change.description === undefined ? before.description : change.description,
    capabilities: kept(change.capabilities, before.capabilities, []),
    models: change.models === undefined ? before.models : change.models,
    labels: kept(change.labels, before.labels, {}),
    accounts: kept(change.accounts, before.accounts, []),
    max_concurrent:
      change.max_concurrent === undefined ? before.max_concurrent : change.max_concurrent,
    max_run_duration_ms:
      seconds === undefined ? before.max_run_duration_ms : seconds === null ? null : seconds * 1000,
  };
}

/** What a registration sets, to tell whether anything has changed. */
function settingsOf(row: AgentRow): string {
  return JSON.stringify([
    row.description,
    row.capabilities,
    row.models,
    row.labels,
    row.accounts,
    row.max_concurrent,
    row.max_run_duration_ms,
  ]);
}

const MAX_REMEMBERED = 20_000;

/** Makes agents that ask for work and are not known yet; remembered, so that it is asked once. */
export async function knowAgents(
  parts: Parts,
  projectId: string,
  names: readonly string[],
  origin: Origin,
): Promise<void> {
  const { knownAgents } = parts;
  const fresh = names.filter((name) => !knownAgents.has(`${projectId}/${name}`));
  if (fresh.length === 0) return;
  await parts.writer.within([projectId], (runner) =>
    enrol(parts, runner, { projectId, names: fresh, origin }),
  );
  if (knownAgents.size > MAX_REMEMBERED) knownAgents.clear();
  for (const name of fresh) knownAgents.add(`${projectId}/${name}`);
}

type Enrolment = { projectId: string; names: readonly string[]; origin: Origin };

/** Two round trips however many they are: a fleet's first claims wait for them. */
async function enrol(
  parts: Parts,
  runner: Runner,
  { projectId, names, origin }: Enrolment,
): Promise<void> {
  const { newId, context } = parts;
  const refs = names.map((name) => ({ projectId, name }));
  const [made, at] = await Promise.all([
    ensureAgents(runner, refs, { newId, lastSeq: 1 }),
    readNow(runner, context.offsetMs()),
  ]);
  if (made.length === 0) return;
  const events = made.map(({ id, name }): EventRow => {
    const data = { name, by: "first claim" };
    const fact = { type: "agent.registered", source: "operator", data, at } as const;
    return { stream: "agent", streamId: id, seq: 1, projectId, fact, ...origin };
  });
  // Each draws on an account of its own name until somebody says otherwise.
  const accounts = made.map(({ name }) => ({ projectId, account: name }));
  await Promise.all([ensureAccounts(runner, accounts, newId), appendEvents(runner, events)]);
}

// ---- questions ----------------------------------------------------------------------------------

export async function readAgent(
  parts: Parts,
  projectId: string,
  name: string,
): Promise<wire.Agent | null> {
  return parts.reader.within([projectId], async (runner) => {
    const rows = await readAgents(runner, [{ projectId, name }]);
    return (await viewsOf(runner, rows))[0] ?? null;
  });
}

export async function readAgentPage(
  parts: Parts,
  projectId: string,
  { status = null, paused = null }: { [K in keyof AgentFilter]: AgentFilter[K] | null },
  { cursor, limit }: PageInput,
): Promise<wire.Page<wire.Agent>> {
  return parts.reader.within([projectId], async (runner) => {
    const asked = { after: cursor ?? "", limit: limit + 1 };
    const rows = await listAgents(runner, projectId, { status, paused }, asked);
    return page(await viewsOf(runner, rows), limit, ({ name }) => name);
  });
}

async function viewsOf(runner: Runner, rows: readonly AgentView[]): Promise<wire.Agent[]> {
  const refs = rows.flatMap((row) =>
    accountNamesOf(row).map((account) => ({ projectId: row.project_id, account })),
  );
  const limits = refs.length === 0 ? [] : await readExhaustions(runner, refs);
  return rows.map((row) => agentOf(row, limits));
}

/** The history of an agent; null when there is none of that name. */
export async function readAgentEvents(
  parts: Parts,
  projectId: string,
  name: string,
  asked: EventPageInput,
): Promise<wire.Page<wire.Event> | null> {
  return parts.reader.within([projectId], async (runner) => {
    const row = (await readAgents(runner, [{ projectId, name }]))[0];
    if (row === undefined) return null;
    const events = await readStream(runner, row.id, {
      after: asked.afterSeq ?? 0,
      before: asked.beforeSeq ?? Number.MAX_SAFE_INTEGER,
      order: asked.order,
      type: asked.type ?? null,
      limit: asked.limit + 1,
    });
    return page(events.map(eventOf), asked.limit, (last) => last.seq);
  });
}
