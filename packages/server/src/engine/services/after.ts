// What follows a commit: waiting claims are woken, followers told, directives passed on, dependents
// and the next holder of a concurrency key looked for.
// Promises: everything here is a hint or a further item for the batcher; if the process dies in
// between, sweeps find the same (F-36). Nothing here delays the answer of the flush.
// Leaves to others: deciding (flush), other processes (doorbell.ts).

import type { Run } from "../../domain/run.ts";
import { HELD_KEY, isEnded, isLeased } from "../../domain/run.ts";
import type { Logger } from "../../std/logger.ts";
import { nilUuid } from "../../std/ids.ts";
import { listAccounts } from "../../store/accounts.ts";
import { nextForKey } from "../../store/claims.ts";
import type { Reader } from "../../store/db.ts";
import { dependentsOf } from "../../store/specs.ts";
import type { AgentStatuses } from "./agent-statuses.ts";
import type { Batcher } from "./batcher.ts";
import type { DirectiveBoard } from "./directives.ts";
import { directiveName } from "./directives.ts";
import type { Floors } from "./flush/floors.ts";
import type { Flushed } from "./flush/flush.ts";
import type { ShutLanes } from "./flush/shut-lanes.ts";
import type { Change, Item } from "./flush/items.ts";
import type { Hub } from "./hub.ts";
import { names } from "./hub.ts";
import type { QuotaWatch } from "./quota-watch.ts";

/** The house itself as the author of a change. */
export const houseOrigin = (what: string) => ({
  actor: "house",
  requestId: what,
  traceparent: null,
});

export type AfterOptions = {
  readonly hub: Hub;
  readonly board: DirectiveBoard;
  readonly floors: Pick<Floors, "ready">;
  readonly shut: Pick<ShutLanes, "ready" | "reopen">;
  readonly statuses: Pick<AgentStatuses, "glance" | "look" | "sample" | "settled">;
  readonly quota: Pick<QuotaWatch, "look" | "settled">;
  readonly regulated: (projectId: string) => boolean;
  readonly reader: Reader;
  readonly work: () => Batcher;
  readonly logger: Logger;
  /** Tells the doorbell which projects and runtimes other servers should look at. */
  readonly ring: (names: Iterable<string>) => void;
  /** An instant at which a run becomes due, in milliseconds from now. */
  readonly armSweep: (inMs: number) => void;
};

const PAGE = 500;
/** Statuses that a sign of life, and a claim, do not change. */
const awake = ["exhausted", "on_call", "busy", "idle"] as const;
const taken = ["exhausted", "on_call", "busy"] as const;

/** How many places of a concurrency key the leases that ended in a flush set free. */
type FreedKey = { readonly projectId: string; readonly key: string; places: number };

function countFreed(freed: Map<string, FreedKey>, projectId: string, key: string): void {
  const name = `${projectId}/${key}`;
  const one = freed.get(name) ?? { projectId, key, places: 0 };
  one.places += 1;
  freed.set(name, one);
}

export class After {
  readonly #options: AfterOptions;
  /** Whether any run depends on another: until one does, ends need no look for dependents. */
  dependenciesExist = false;
  readonly #open = new Set<Promise<unknown>>();

  constructor(options: AfterOptions) {
    this.#options = options;
  }

  committed(flushed: Flushed): void {
    const bells = new Set<string>();
    const ended: Change[] = [];
    const freed = new Map<string, FreedKey>();
    for (const change of flushed.changes) {
      this.#tell(change, flushed.at, bells);
      if (isEnded(change.after) && change.before !== null && !isEnded(change.before)) {
        ended.push(change);
      }
      const key = change.after.concurrencyKey;
      const leaseEnded =
        change.before !== null && isLeased(change.before) && !isLeased(change.after);
      if (key !== null && leaseEnded) countFreed(freed, change.after.projectId, key);
    }
    this.#scopes(flushed, bells);
    for (const bell of bells) this.#options.hub.ring(bell);
    this.#options.ring(bells);
    if (ended.length > 0 && this.dependenciesExist) this.#background(this.#dependents(ended));
    for (const one of freed.values()) this.#background(this.#nextForKey(one));
  }

  /** What agents, accounts and allowances make of the commit. */
  #scopes({ changes, exhaustions, spent, present, at }: Flushed, bells: Set<string>): void {
    const { statuses, quota, regulated, shut } = this.#options;
    for (const { projectId, agent } of present) statuses.glance(projectId, agent, awake);
    for (const { before, after, works } of changes) {
      const { projectId, agent } = after;
      const ended = before !== null && isLeased(before) && !isLeased(after);
      if (agent !== null && (ended || isLeased(after))) {
        if (ended) statuses.glance(projectId, agent, ["offline", "exhausted", "on_call"]);
        else if (before === null || !isLeased(before)) statuses.glance(projectId, agent, taken);
      }
      if (ended && regulated(projectId)) {
        const number = before.fencingToken;
        if (before.metered) statuses.sample({ projectId, runId: before.id, number });
        shut.reopen(projectId);
        bells.add(names.work(projectId));
      }
      if (before?.probing === true && (works || ended)) this.#probed(before, works);
    }
    for (const { projectId, row } of exhaustions) {
      shut.reopen(projectId);
      bells.add(names.work(projectId));
      this.#background(this.#lookAtAgents(projectId, row.account));
      if (row.state === "closed" && row.recoveryAt !== null) {
        this.#options.armSweep(Math.max(0, row.recoveryAt - at));
      }
    }
    quota.look(spent);
  }

  /** A probe has shown that the limit is over, or has ended without showing anything. */
  #probed(run: Run, works: boolean): void {
    const { projectId, account, id: runId, fencingToken: token } = run;
    if (account === null) return;
    const command = { kind: "probe", runId, token, works } as const;
    this.#add({ kind: "account", projectId, account, command, origin: houseOrigin("probe") });
  }

  async #lookAtAgents(projectId: string, account: string): Promise<void> {
    const { reader, statuses } = this.#options;
    const page = { after: "", name: account, limit: 1 };
    const rows = await reader.within([projectId], (runner) =>
      listAccounts(runner, projectId, page),
    );
    statuses.look(projectId, rows[0]?.agents ?? []);
  }

  #tell({ before, after, events }: Change, at: number, bells: Set<string>): void {
    if (events > 0) {
      bells.add(names.run(after.id));
      bells.add(names.project(after.projectId));
    }
    const ready = after.phase === "pending" && after.held === 0;
    if (ready && (before === null || before.phase !== "pending" || before.held !== 0)) {
      this.#options.floors.ready(after);
      this.#options.shut.ready(after.laneId);
      bells.add(names.work(after.projectId));
    }
    const runtime = before?.runtime ?? null;
    const flagged = after.cancelRequestedAt !== null && before?.cancelRequestedAt === null;
    const taken =
      before !== null &&
      isLeased(before) &&
      !isLeased(after) &&
      (after.attemptEnd === "killed" ||
        after.attemptEnd === "lost" ||
        after.phase === "waiting_approval_suspended" ||
        after.statusReason === "stopped");
    if (runtime !== null && (flagged || taken)) {
      this.#options.board.tell(after.projectId, runtime, after.id);
      bells.add(directiveName(after.projectId, runtime, after.id));
    }
    if (after.phase === "pending" && after.notBefore !== null && after.notBefore > at) {
      this.#options.armSweep(after.notBefore - at);
    }
  }

  async #dependents(ended: readonly Change[]): Promise<void> {
    const projects = [...new Set(ended.map((change) => change.after.projectId))];
    const ids = ended.map((change) => change.after.id);
    let after = nilUuid;
    for (;;) {
      const cursor = after;
      const page = await this.#options.reader.within(projects, (runner) =>
        dependentsOf(runner, ids, cursor, PAGE),
      );
      for (const row of page) this.checkDependencies(row.project_id, row.run_id);
      if (page.length < PAGE) return;
      after = page.at(-1)?.run_id ?? after;
    }
  }

  /** Looks again at what a run depends on. */
  checkDependencies(projectId: string, runId: string): void {
    this.#add({
      kind: "run",
      projectId,
      runId,
      what: { dependencies: true },
      origin: houseOrigin("dependencies"),
    });
  }

  async #nextForKey({ places, ...ref }: FreedKey): Promise<void> {
    const ids = await this.#options.reader.within([ref.projectId], (runner) =>
      nextForKey(runner, ref, places),
    );
    for (const id of ids) this.freeKey(ref.projectId, id);
  }

  /** Lets a run that was held back by its key try again. */
  freeKey(projectId: string, runId: string): void {
    this.#add({
      kind: "run",
      projectId,
      runId,
      what: { command: { kind: "release_held", bits: HELD_KEY } },
      origin: houseOrigin("concurrency_key"),
    });
  }

  /** Resolves when everything that followed the commits so far, and what follows that, is done. */
  async settled(): Promise<void> {
    const { statuses, quota } = this.#options;
    do {
      while (this.#open.size > 0) await Promise.all(this.#open);
      await Promise.all([statuses.settled(), quota.settled()]);
    } while (this.#open.size > 0);
  }

  /** An item of the house's own; its answer interests nobody. */
  #add(item: Item): void {
    this.#background(this.#options.work().add(item));
  }

  #background(work: Promise<unknown>): void {
    const done = work
      .catch((error: unknown) => {
        this.#options.logger.warn(
          { err: error },
          "a follow-up of a commit failed; sweeps will do it",
        );
      })
      .finally(() => this.#open.delete(done));
    this.#open.add(done);
  }
}
