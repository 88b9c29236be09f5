// Looks at allowances of which something was spent: tells when 80 % and when all of one is used,
// and ends the runs that draw on one in `kill` mode.
// Promises: each crossing is told once per allowance and period; runs are ended through the control
// batcher, so nothing delays it; what a dying server left undone is found by sweeps.
// Leaves to others: booking (flush), when a limit is crossed (`domain/allowance/warnings.ts`).

import type { Allowance } from "../../domain/allowance/allowance.ts";
import { refusalReason } from "../../domain/allowance/reserve.ts";
import { crossed } from "../../domain/allowance/warnings.ts";
import { nilUuid, toTypeId } from "../../std/ids.ts";
import type { Logger } from "../../std/logger.ts";
import { groupBy } from "../../std/group.ts";
import { allowanceOf } from "../../store/allowances.ts";
import type { Reader, Runner } from "../../store/db.ts";
import type { EventRow } from "../../store/events.ts";
import { appendEvents } from "../../store/events.ts";
import { readNow } from "../../store/flushes.ts";
import { nextProjectSeq } from "../../store/projects.ts";
import type { Standing } from "../../store/quota.ts";
import { lockStandings, markCrossings, runsDrawingOn } from "../../store/quota.ts";
import type { Batcher } from "./batcher.ts";

export type QuotaOptions = {
  readonly writer: Reader;
  readonly control: () => Batcher;
  readonly logger: Logger;
  readonly offsetMs: () => number;
};

type Ref = { readonly projectId: string; readonly allowanceId: string };
type Crossing = { readonly row: Standing; readonly warning: boolean; readonly exceeded: boolean };

const PAGE = 500;
const origin = { actor: "house", requestId: "budget", traceparent: null } as const;

export class QuotaWatch {
  readonly #options: QuotaOptions;
  readonly #dirty = new Map<string, Ref>();
  #round: Promise<void> | null = null;

  constructor(options: QuotaOptions) {
    this.#options = options;
  }

  /** Something was spent of these. */
  look(refs: readonly Ref[]): void {
    for (const ref of refs) this.#dirty.set(ref.allowanceId, ref);
    if (this.#dirty.size > 0) this.#round ??= this.#loop();
  }

  /** Resolves when everything noted so far has been looked at. */
  async settled(): Promise<void> {
    while (this.#round !== null) await this.#round;
  }

  async #loop(): Promise<void> {
    try {
      while (this.#dirty.size > 0) {
        const batch = [...this.#dirty.values()];
        this.#dirty.clear();
        for (const [projectId, own] of groupBy(batch, (ref) => ref.projectId)) {
          await this.#look(
            projectId,
            own.map((ref) => ref.allowanceId),
          );
        }
      }
    } catch (error) {
      this.#options.logger.warn({ err: error }, "allowances could not be looked at");
    } finally {
      this.#round = null;
    }
  }

  async #look(projectId: string, ids: readonly string[]): Promise<void> {
    const over = await this.#options.writer.within([projectId], async (runner) => {
      const rows = await lockStandings(runner, ids, this.#options.offsetMs());
      const crossings = rows.flatMap(crossingOf);
      if (crossings.length > 0) await this.#tell(runner, projectId, crossings);
      return rows.filter((row) => row.mode === "kill" && row.spent > row.most);
    });
    for (const row of over) await this.#end(projectId, allowanceOf(row));
  }

  async #tell(runner: Runner, projectId: string, crossings: readonly Crossing[]): Promise<void> {
    const at = await readNow(runner, this.#options.offsetMs());
    const events: EventRow[] = [];
    for (const { row, warning, exceeded } of crossings) {
      for (const type of [warning ? "quota.warning" : "", exceeded ? "quota.exceeded" : ""]) {
        if (type === "") continue;
        const seq = await nextProjectSeq(runner, projectId);
        events.push(eventOf(row, { type, seq, at }));
      }
    }
    const marks = crossings.map(({ row, warning, exceeded }) => ({
      id: row.id,
      startsAt: row.starts_at,
      warned: warning,
      exceeded,
    }));
    await markCrossings(runner, marks);
    await appendEvents(runner, events);
  }

  /** Ends every run that draws on it: told by its directive, fenced at once. */
  async #end(projectId: string, allowance: Allowance): Promise<void> {
    const reason = refusalReason(allowance);
    let after = nilUuid;
    for (;;) {
      const cursor = after;
      const runs = await this.#options.writer.within([projectId], (runner) =>
        runsDrawingOn(runner, allowance.id, cursor, PAGE),
      );
      await Promise.all(
        // Fenced: who has given its run back meanwhile draws on nothing.
        runs.map(({ run_id: runId, number: token, attempt_id: attemptId }) =>
          this.#options.control().add({
            kind: "run",
            projectId,
            runId,
            fence: { attemptId, token },
            what: { command: { kind: "kill", reason, budget: true } },
            origin,
          }),
        ),
      );
      if (runs.length < PAGE) return;
      after = runs.at(-1)?.run_id ?? after;
    }
  }
}

function crossingOf(row: Standing): Crossing[] {
  const { warning, exceeded } = crossed(0, row.spent, row.most);
  const tell = { row, warning: warning && !row.warned, exceeded: exceeded && !row.exceeded };
  return tell.warning || tell.exceeded ? [tell] : [];
}

function eventOf(
  row: Standing,
  { type, seq, at }: { type: string; seq: number; at: number },
): EventRow {
  return {
    stream: "project",
    streamId: row.project_id,
    seq,
    projectId: row.project_id,
    fact: {
      type,
      source: "host",
      at,
      data: {
        allowance: toTypeId("alw", row.id),
        scope: row.scope,
        name: row.name,
        metric: row.metric,
        limit: row.most,
        spent: row.spent,
        mode: row.mode,
      },
    },
    actor: "house",
    requestId: "budget",
    traceparent: null,
  };
}
