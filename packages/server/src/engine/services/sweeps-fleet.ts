// The sweep of who may work: limits whose instant has come, probes, silent runtimes, agents whose
// status is not true any more, slots, runs that wait for an absent agent, allowances that were
// crossed, and why runs have been waiting.
// Promises: only finds; every change is decided again under its lock, so any number of servers may
// sweep at once.
// Leaves to others: when (sweeps.ts), deciding (flush, agent-statuses.ts, quota-watch.ts).

import { whyNot } from "../../domain/why.ts";
import { groupBy } from "../../std/group.ts";
import { nilUuid } from "../../std/ids.ts";
import { readEstimates } from "../../store/allowances.ts";
import { doubtfulAgents } from "../../store/agent-queries.ts";
import type { Runner } from "../../store/db.ts";
import { agentsWithSlotsToDecide } from "../../store/house/due-slots.ts";
import { everythingToTell } from "../../store/everything.ts";
import * as find from "../../store/house/fleet-sweeps.ts";
import { overspentAllowances, untoldCrossings } from "../../store/quota.ts";
import { blocksTold, noteBlocks, waitingHeads } from "../../store/run-blocks.ts";
import { readRuns } from "../../store/runs.ts";
import { markStale } from "../../store/runtimes.ts";
import { ensureLanes, readLanes } from "../../store/specs.ts";
import { record } from "../commands/operate.ts";
import { tellEverything } from "../commands/stop-everything.ts";
import type { Parts } from "../parts.ts";
import { namedBy, readSituation } from "../queries/situation.ts";
import { houseOrigin } from "./after.ts";
import { sweepSlots } from "./slot-sweep.ts";

const PAGE = 500;
/** Lanes looked at at once, pages of them in a scan, and runs told of in each lane. */
const LANES = 64;
const MOST_PAGES = 16;
const HEADS = 100;
const NOBODY = { projectId: nilUuid, name: "" };

export class FleetSweeps {
  readonly #parts: () => Parts;
  #agentCursor = NOBODY;
  #laneCursor = nilUuid;
  #allowanceCursor = nilUuid;

  constructor(parts: () => Parts) {
    this.#parts = parts;
  }

  /** What has an instant: limits that recover. Returns the next one. */
  async recoveries(): Promise<number | null> {
    const { control } = this.#parts();
    const due = await this.#find((runner, offsetMs) => find.dueRecoveries(runner, offsetMs, PAGE));
    await Promise.all(
      due.map(({ project_id: projectId, account }) =>
        control.add({
          kind: "account",
          projectId,
          account,
          command: { kind: "recover", by: "sweep" },
          origin: houseOrigin("recovery"),
        }),
      ),
    );
    return this.#find((runner) => find.nextRecoveryAt(runner));
  }

  /** What nobody waits for to the millisecond. */
  async strays(): Promise<void> {
    await this.#probes();
    await this.#silent();
    await this.#slots();
    await this.#overspent();
    await this.#abandoned();
    // Only what a server left that died: one look, unless there is something to tell.
    if (await this.#find(everythingToTell)) await tellEverything(this.#parts());
  }

  /** What looks at every agent and every lane, and can wait a little longer. */
  async scans(): Promise<void> {
    await this.#statuses();
    for (let page = 0; page < MOST_PAGES && (await this.#waiting()); page += 1);
  }

  #find<T>(look: (runner: Runner, offsetMs: number) => Promise<T>): Promise<T> {
    const { house, context } = this.#parts();
    return house.within([], (runner) => look(runner, context.offsetMs()));
  }

  async #probes(): Promise<void> {
    const { control } = this.#parts();
    const found = await this.#find((runner, offsetMs) =>
      find.settledProbes(runner, offsetMs, PAGE),
    );
    await Promise.all(
      found.map(({ project_id: projectId, account, run_id: runId, token, works }) =>
        control.add({
          kind: "account",
          projectId,
          account,
          command: { kind: "probe", runId, token, works },
          origin: houseOrigin("probe"),
        }),
      ),
    );
  }

  async #silent(): Promise<void> {
    const parts = this.#parts();
    const offsetMs = parts.context.offsetMs();
    const found = await this.#find((runner) => find.silentRuntimes(runner, offsetMs, PAGE));
    for (const { project_id: projectId, name } of found) {
      await parts.writer.within([projectId], async (runner) => {
        const row = await markStale(runner, { projectId, name, offsetMs });
        if (row === null) return;
        const where = {
          stream: "runtime",
          streamId: row.id,
          seq: row.last_seq,
          projectId,
        } as const;
        const data = { name, deadline_s: row.deadline_s };
        const origin = houseOrigin("runtime");
        await record(parts, runner, where, { type: "runtime.stale", source: "host", data, origin });
      });
    }
  }

  async #statuses(): Promise<void> {
    const after = this.#agentCursor;
    const found = await this.#find((runner, offsetMs) =>
      doubtfulAgents(runner, after, { limit: PAGE, offsetMs }),
    );
    for (const { project_id: projectId, name } of found) {
      this.#parts().statuses.look(projectId, [name]);
    }
    const last = found.length < PAGE ? undefined : found.at(-1);
    this.#agentCursor =
      last === undefined ? NOBODY : { projectId: last.project_id, name: last.name };
  }

  async #slots(): Promise<void> {
    const parts = this.#parts();
    await sweepSlots({
      parts,
      find: (after, limit) =>
        this.#find((runner, offsetMs) =>
          agentsWithSlotsToDecide(runner, offsetMs, { after, limit }),
        ),
      onChanged: (agents) => {
        for (const { projectId, name } of agents) {
          parts.statuses.look(projectId, [name]);
          parts.reopen(projectId);
        }
      },
    });
  }

  async #overspent(): Promise<void> {
    const page = { after: nilUuid, limit: PAGE };
    const found = await this.#find((runner, offsetMs) =>
      overspentAllowances(runner, offsetMs, page),
    );
    const from = { after: this.#allowanceCursor, limit: PAGE };
    const next = await this.#find((runner, offsetMs) => untoldCrossings(runner, offsetMs, from));
    this.#allowanceCursor = next.length < PAGE ? nilUuid : (next.at(-1)?.id ?? nilUuid);
    const untold = next.filter((row) => row.untold);
    this.#parts().quota.look(
      [...found, ...untold].map(({ id, project_id: projectId }) => ({
        projectId,
        allowanceId: id,
      })),
    );
  }

  /** Runs whose agent stays away go to the line that any agent takes from. */
  async #abandoned(): Promise<void> {
    const parts = this.#parts();
    const page = { after: nilUuid, limit: PAGE };
    const found = await this.#find((runner, offsetMs) =>
      find.abandonedRuns(runner, offsetMs, page),
    );
    for (const { id: runId, project_id: projectId, lane_id: from } of found) {
      const to = await parts.writer.within([projectId], async (runner) => {
        const lane = (await readLanes(runner, [from]))[0];
        if (lane === undefined || lane.agent === null) return null;
        const { id: _, agent, ...rest } = lane;
        const key = { ...rest, agent: null };
        const [laneId] = await ensureLanes(runner, [{ projectId, key }], parts.newId);
        return laneId === undefined ? null : { laneId, agent };
      });
      if (to === null) continue;
      const what = { command: { kind: "reroute", ...to } } as const;
      await parts.work.add({ kind: "run", projectId, runId, what, origin: houseOrigin("reroute") });
      parts.reopen(projectId);
    }
  }

  /** Tells runs that have been blocked the same way for 30 s; whether there are further lanes. */
  async #waiting(): Promise<boolean> {
    const page = { after: this.#laneCursor, limit: LANES };
    const lanes = await this.#find((runner, offsetMs) =>
      find.lanesThatWait(runner, offsetMs, page),
    );
    this.#laneCursor = lanes.length < LANES ? nilUuid : (lanes.at(-1)?.id ?? nilUuid);
    for (const [projectId, own] of groupBy(lanes, (lane) => lane.project_id)) {
      const told = await this.#parts().writer.within([projectId], (runner) =>
        this.#reasons(
          runner,
          projectId,
          own.map((lane) => lane.id),
        ),
      );
      await Promise.all(told.flatMap((one) => this.#tell(projectId, one)));
    }
    return lanes.length === LANES;
  }

  /** What blocks the first runs of these lanes, as far as it is to be told now. */
  async #reasons(runner: Runner, projectId: string, laneIds: readonly string[]): Promise<Told[]> {
    const offsetMs = this.#parts().context.offsetMs();
    const lanes = new Map((await readLanes(runner, laneIds)).map((lane) => [lane.id, lane]));
    const named = namedBy(lanes.values());
    const { offers, facts } = await readSituation(runner, projectId, { named, offsetMs });
    const told: Told[] = [];
    for (const laneId of laneIds) {
      const lane = lanes.get(laneId);
      const ids = await waitingHeads(runner, laneId, { offsetMs, limit: HEADS });
      const [run] = ids.length === 0 ? [] : await readRuns(runner, ids.slice(0, 1));
      if (run === undefined || run.phase !== "pending" || lane === undefined) continue;
      const estimate = (await readEstimates(runner, [run.id])).get(run.id) ?? null;
      const found = whyNot({ run, lane, estimate }, offers, facts).map((block) => block.code);
      const codes = [...new Set(found)].filter((code) => dispatchCodes.has(code)).toSorted();
      if (codes.length === 0) continue;
      const block = { projectId, runIds: ids, codes: codes.join(" "), offsetMs };
      const runIds = await noteBlocks(runner, block);
      await blocksTold(runner, runIds);
      told.push({ codes, runIds });
    }
    return told;
  }

  #tell(projectId: string, { codes, runIds }: Told): Promise<unknown>[] {
    const isQuota = codes.some((code) => code === "exhausted" || code === "allowance");
    const type = isQuota ? "dispatch.quota" : "dispatch.no_agent";
    const what = { command: { kind: "note_blocked", type, codes } } as const;
    const origin = houseOrigin("dispatch");
    return runIds.map((runId) =>
      this.#parts().work.add({ kind: "run", projectId, runId, what, origin }),
    );
  }
}

/** Runs that wait for the same reasons, to be told. */
type Told = { readonly codes: string[]; readonly runIds: readonly string[] };

/** Reasons that are about who could do it: the others are told by events of their own. */
const dispatchCodes: ReadonlySet<string> = new Set([
  "no_runner",
  "no_capability",
  "no_agent",
  "no_runtime",
  "no_account",
  "agent_paused",
  "in_slot",
  "on_call",
  "model_not_allowed",
  "exhausted",
  "concurrency",
  "allowance",
]);
