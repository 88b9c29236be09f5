// The part of the sweep that is about approvals: holds that are over, questions nobody answered.
// Promises: only finds; the flush decides under the run's lock, so any server may sweep at any
// time; answers when the next one is due, so the sweep comes at that instant.
// Leaves to others: the policy (`domain/approval-answer.ts`), the rounds (sweeps.ts).

import { nilUuid } from "../../std/ids.ts";
import type { Reader } from "../../store/db.ts";
import { dueApprovals, nextApprovalDueAt } from "../../store/house/due-approvals.ts";
import { houseOrigin } from "./after.ts";
import type { Batcher } from "./batcher.ts";

export type ApprovalSweepOptions = {
  readonly house: Reader;
  readonly control: Batcher;
  readonly offsetMs: () => number;
};

const PAGE = 500;
const EPOCH = "1970-01-01T00:00:00Z";

export class ApprovalSweeps {
  readonly #options: ApprovalSweepOptions;
  /** Put and not yet dealt with: a sweep that begins meanwhile leaves them alone. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(options: ApprovalSweepOptions) {
    this.#options = options;
  }

  /** Puts what is due to the law; returns when the next one is due, null when none is pending. */
  async due(): Promise<number | null> {
    const { house, control, offsetMs } = this.#options;
    let after = { at: EPOCH, id: nilUuid };
    for (;;) {
      const cursor = after;
      const page = await house.within([], (runner) =>
        dueApprovals(runner, cursor, offsetMs(), PAGE),
      );
      const put = page
        .filter(({ id }) => !this.#underWay.has(id))
        .map(({ id, project_id: projectId, run_id: runId }) => {
          const what = { approval: { kind: "due", id } } as const;
          const origin = houseOrigin("approvals");
          const done = control
            .add({ kind: "run", projectId, runId, what, origin })
            .finally(() => this.#underWay.delete(id));
          this.#underWay.set(id, done);
          return done;
        });
      await Promise.all(put);
      const last = page.at(-1);
      if (page.length < PAGE || last === undefined) break;
      after = { at: new Date(last.due_at).toISOString(), id: last.id };
    }
    return house.within([], nextApprovalDueAt);
  }
}
