// The status of agents: computed from what it is made of, written when it has changed, with an
// event.
// Promises: one event per change however many servers look, since the agent is locked while it is
// compared; agents are looked at soon after anything about them changed, at most ten rounds a
// second; whatever was missed is found by sweeps.
// Leaves to others: what the status is (`domain/agent-status.ts`), who asks for it (after, sweeps).

import type { AgentSituation, AgentStatus } from "../../domain/agent-status.ts";
import { statusOf } from "../../domain/agent-status.ts";
import type { Clock } from "../../std/clock.ts";
import type { Logger } from "../../std/logger.ts";
import { groupBy } from "../../std/group.ts";
import type { StoredExhaustion } from "../../store/accounts.ts";
import { readExhaustions } from "../../store/accounts.ts";
import type { AgentView } from "../../store/agent-queries.ts";
import { readAgents } from "../../store/agent-queries.ts";
import type { Sample } from "../../store/agents.ts";
import { addAgentSamples, lockAgents, saveStatuses } from "../../store/agents.ts";
import type { Reader, Runner } from "../../store/db.ts";
import type { EventRow } from "../../store/events.ts";
import { appendEvents } from "../../store/events.ts";
import { readNow } from "../../store/flushes.ts";
import { accountNamesOf } from "./flush/read-scopes.ts";

export type StatusOptions = {
  readonly writer: Reader;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly offsetMs: () => number;
  /** Something about these projects may let a run be claimed now. */
  readonly reopen: (projectId: string) => void;
};

const ROUND_MS = 100;
const PAGE = 200;
/** Ends of attempts that one round notes. */
const SAMPLES = 1000;
const MAX_KNOWN = 20_000;

/** What is known of an agent here: its last status, to spare looks that change nothing. */
type Known = { readonly status: AgentStatus; readonly at: number };
const KNOWN_MS = 30_000;

export class AgentStatuses {
  readonly #options: StatusOptions;
  readonly #dirty = new Map<string, { projectId: string; name: string }>();
  readonly #known = new Map<string, Known>();
  readonly #samples: Sample[] = [];
  #round: Promise<void> | null = null;
  #stopped = false;
  #endPause: () => void = () => {};

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  /** Something about these agents has changed. */
  look(projectId: string, names: Iterable<string>): void {
    for (const name of names) this.#dirty.set(`${projectId}/${name}`, { projectId, name });
    this.#start();
  }

  /** An agent has claimed, or was heard from: mostly what is known already. */
  glance(projectId: string, name: string, expected: readonly AgentStatus[]): void {
    const known = this.#known.get(`${projectId}/${name}`);
    const isFresh = known !== undefined && this.#options.clock.mono() - known.at < KNOWN_MS;
    if (isFresh && expected.includes(known.status)) return;
    this.look(projectId, [name]);
  }

  /** An attempt has ended: what it consumed is typical of its agent. */
  sample(sample: Sample): void {
    if (this.#samples.length < MAX_KNOWN) this.#samples.push(sample);
    this.#start();
  }

  /** Resolves when everything noted so far has been looked at. */
  async settled(): Promise<void> {
    while (this.#round !== null) {
      this.#endPause();
      await this.#round;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endPause();
    await this.#round;
  }

  #start(): void {
    if (this.#stopped) return;
    this.#round ??= this.#loop().finally(() => {
      this.#round = null;
      if (this.#dirty.size + this.#samples.length > 0) this.#start();
    });
  }

  async #loop(): Promise<void> {
    while (!this.#stopped && this.#dirty.size + this.#samples.length > 0) {
      const batch = [...this.#dirty.values()].slice(0, PAGE);
      for (const { projectId, name } of batch) this.#dirty.delete(`${projectId}/${name}`);
      const samples = this.#samples.splice(0, SAMPLES);
      try {
        if (samples.length > 0) await this.#note(samples);
        for (const [projectId, own] of groupBy(batch, (ref) => ref.projectId)) {
          await this.#look(
            projectId,
            own.map((ref) => ref.name),
          );
        }
      } catch (error) {
        // Sweeps find what is not true.
        this.#options.logger.warn({ err: error }, "the status of agents could not be written");
      }
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setDeadline(ROUND_MS, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
    });
  }

  async #note(samples: readonly Sample[]): Promise<void> {
    const projects = [...new Set(samples.map((sample) => sample.projectId))];
    await this.#options.writer.within(projects, (runner) => addAgentSamples(runner, samples));
  }

  async #look(projectId: string, names: readonly string[]): Promise<void> {
    const { writer } = this.#options;
    const changed = await writer.within([projectId], (runner) =>
      this.#refresh(runner, projectId, names),
    );
    if (changed) this.#options.reopen(projectId);
  }

  async #refresh(runner: Runner, projectId: string, names: readonly string[]): Promise<boolean> {
    const refs = names.map((name) => ({ projectId, name }));
    const locked = await lockAgents(runner, refs);
    if (locked.length === 0) return false;
    const rows = await readAgents(runner, refs);
    const accounts = rows.flatMap((row) =>
      accountNamesOf(row).map((account) => ({ projectId, account })),
    );
    const limits = await readExhaustions(runner, accounts);
    const at = await readNow(runner, this.#options.offsetMs());
    const writes = [];
    const events: EventRow[] = [];
    for (const row of rows) {
      const { status, reason } = statusOf(situationOf(row, limits), at);
      this.#remember(`${projectId}/${row.name}`, status);
      if (status === row.status) continue;
      const lastSeq = row.last_seq + 1;
      writes.push({ id: row.id, status, reason, lastSeq });
      events.push(changeOf(row, { status, reason, seq: lastSeq, at }));
    }
    if (writes.length === 0) return false;
    await saveStatuses(runner, writes);
    await appendEvents(runner, events);
    return true;
  }

  #remember(key: string, status: AgentStatus): void {
    if (this.#known.size > MAX_KNOWN) this.#known.clear();
    this.#known.set(key, { status, at: this.#options.clock.mono() });
  }
}

/** What the status of an agent is made of. */
function situationOf(row: AgentView, limits: readonly StoredExhaustion[]): AgentSituation {
  return {
    lastHeartbeatAt: row.last_heartbeat_at,
    models: row.models,
    live: row.live,
    accounts: accountNamesOf(row).map((name) => ({
      name,
      rows: limits.filter(({ row: limit }) => limit.account === name).map((one) => one.row),
    })),
    slot:
      row.slot_type === null
        ? null
        : { type: row.slot_type, hasRun: false, endsAt: row.slot_ends_at as number },
  };
}

function changeOf(
  row: AgentView,
  to: { status: AgentStatus; reason: string; seq: number; at: number },
): EventRow {
  const { status, reason, seq, at } = to;
  return {
    stream: "agent",
    streamId: row.id,
    seq,
    projectId: row.project_id,
    fact: {
      type: "agent.status_changed",
      source: "host",
      at,
      data: { agent: row.name, from: row.status, to: status, reason },
    },
    actor: "house",
    requestId: "status",
    traceparent: null,
  };
}
