// Approvals in a flush: the questions that were read with the runs it holds, those that are new,
// and what became of them.
// Promises: a question is asked, answered and closed only together with what its run does then, in
// one transaction under the run's lock (I-20); a run that goes on without an answer closes it.
// Leaves to others: the law (`domain/approval.ts`, `approval-answer.ts`), reading and writing rows.

import type { Approval, Ask } from "../../../domain/approval.ts";
import { approvalKey, askedBefore, newApproval, requestedFact } from "../../../domain/approval.ts";
import type { Verdict } from "../../../domain/approval-answer.ts";
import {
  alreadyDecided,
  answerApproval,
  cancelApproval,
  executeApproval,
  executionFact,
  expireApproval,
} from "../../../domain/approval-answer.ts";
import type { RunCommand } from "../../../domain/command.ts";
import type { Fact } from "../../../domain/event.ts";
import { standing } from "../../../domain/fence.ts";
import { isRefusal, refuse } from "../../../domain/refusal.ts";
import type { Json, Run } from "../../../domain/run.ts";
import { isLeased } from "../../../domain/run.ts";
import { assert } from "../../../std/assert.ts";
import type { ApprovalRef, ApprovalWrite } from "../../../store/approvals.ts";
import type { Origin } from "../../contract.ts";
import type { Outcome, RunItem } from "./items.ts";
import type { FlushState } from "./state.ts";

/** What can be asked of the approvals of one run. `id` of an `ask`: of a question that is new. */
export type ApprovalCommand =
  | { readonly kind: "ask"; readonly id: string; readonly ask: Ask; readonly checkpoint?: Json }
  | { readonly kind: "answer"; readonly id: string; readonly verdict: Verdict }
  | { readonly kind: "due"; readonly id: string }
  | { readonly kind: "executed"; readonly id: string; readonly sha256: string };

/** What a flush must read: of runs that wait for an answer, and of items about approvals. */
export function approvalRefs(items: readonly RunItem[], runs: readonly Run[]): ApprovalRef[] {
  const refs: ApprovalRef[] = runs
    .filter(isWaiting)
    .map(({ id }) => ({ runId: id, key: null, id: null }));
  for (const { runId, what } of items) {
    if (!("approval" in what)) continue;
    const { approval } = what;
    const key = approval.kind === "ask" ? approvalKey(approval.ask) : null;
    refs.push({ runId, key, id: approval.kind === "ask" ? null : approval.id });
  }
  return refs;
}

function isWaiting({ phase }: Run): boolean {
  return phase === "waiting_approval_held" || phase === "waiting_approval_suspended";
}

/** The approvals of one flush. */
export class ApprovalBook {
  readonly #state: FlushState;
  readonly #before = new Map<string, Approval>();
  readonly #now = new Map<string, Approval>();
  /** Run → ids of its questions, so that a flush of many runs does not look through all of them. */
  readonly #idsOf = new Map<string, Set<string>>();

  constructor(state: FlushState) {
    this.#state = state;
  }

  /** Takes what was read under the locks of the runs. */
  hold(approvals: readonly Approval[]): void {
    for (const approval of approvals) {
      this.#before.set(approval.id, approval);
      this.#keep(approval);
    }
  }

  /** Questions that are new. */
  get asked(): Approval[] {
    return [...this.#now.values()].filter(({ id }) => !this.#before.has(id));
  }

  /** Questions that have changed. */
  get decided(): ApprovalWrite[] {
    return [...this.#before.values()].flatMap((before) => {
      const after = this.#now.get(before.id) as Approval;
      return after === before ? [] : [{ before, after }];
    });
  }

  /** One command about an approval of a held run. */
  apply(item: RunItem, command: ApprovalCommand): Outcome {
    if (command.kind === "ask") return this.#ask(item, command);
    const approval = this.#now.get(command.id);
    if (approval === undefined || approval.runId !== item.runId) {
      return { refusal: refuse("not_found", "There is no such approval in this project.") };
    }
    switch (command.kind) {
      case "answer":
        return this.#answer(item, approval, command.verdict);
      case "due":
        return this.#due(item, approval);
      case "executed":
        return this.#executed(item, approval, command.sha256);
    }
  }

  /**
   * What a run's step means for its question: one it goes on without is closed, and the fact of
   * that returned; a hold that ended is noted.
   */
  follow(was: Run, now: Run): Fact[] {
    if (!isWaiting(was)) return [];
    const pending = this.#pending(was.id);
    if (pending === null) return [];
    if (isWaiting(now)) {
      const isHeld = isLeased(now) || pending.holdUntil === null;
      if (!isHeld) this.#keep({ ...pending, holdUntil: null });
      return [];
    }
    const { approval, fact } = cancelApproval(pending, this.#state.at);
    this.#keep(approval);
    return [fact];
  }

  #pending(runId: string): Approval | null {
    return this.#ofRun(runId).find(({ status }) => status === "pending") ?? null;
  }

  #keep(approval: Approval): void {
    const { id, runId } = approval;
    this.#now.set(id, approval);
    const ids = this.#idsOf.get(runId);
    if (ids === undefined) this.#idsOf.set(runId, new Set([id]));
    else ids.add(id);
  }

  #ofRun(runId: string): Approval[] {
    return [...(this.#idsOf.get(runId) ?? [])].map((id) => this.#now.get(id) as Approval);
  }

  #run(runId: string): Run {
    return this.#state.runs.get(runId)?.run as Run;
  }

  #answered(runId: string, approval: Approval | null): Outcome {
    const told = approval === null ? {} : { approval: this.#now.get(approval.id) as Approval };
    const { at } = this.#state;
    return { answer: { kind: "run", run: this.#run(runId), stored: 0, at, ...told } };
  }

  #ask(item: RunItem, { id, ask, checkpoint }: Extract<ApprovalCommand, { kind: "ask" }>): Outcome {
    const { runId, fence } = item;
    const { at } = this.#state;
    const run = this.#run(runId);
    const sent = checkpoint === undefined ? {} : { checkpoint };
    const command = { kind: "await_approval", mode: ask.mode, ...sent } as const;
    const may = fence === undefined ? "owner" : standing(run, fence, command, at);
    if (isRefusal(may)) return { refusal: may };
    const key = approvalKey(ask);
    const ofRun = this.#ofRun(runId);
    const known = ofRun.find((one) => one.key === key && one.status !== "cancelled") ?? null;
    const before = askedBefore(ask, known, this.#pending(runId));
    if (isRefusal(before)) return { refusal: before };
    if (before !== null) return this.#answered(runId, before);
    return this.#askAnew(item, { id, ask, command, decided: newestDecided(ofRun) });
  }

  #askAnew(item: RunItem, { id, ask, command, decided }: NewQuestion): Outcome {
    const { runId, projectId, fence, origin } = item;
    const state = this.#state;
    const run = this.#run(runId);
    const will = state.weigh(runId, command, fence);
    if (isRefusal(will)) return { refusal: will };
    if (will.repeated === true) return this.#answered(runId, null);
    // A run that was asked to end ends instead of waiting; then nothing is asked.
    if (isWaiting(will.run) && isLeased(run)) {
      const { attemptId, fencingToken: token, agent } = run;
      const asker = { id, projectId, runId, attemptId, token, agent, askedSeq: run.lastSeq + 1 };
      const approval = newApproval(ask, asker, state.at, decided);
      this.#keep(approval);
      // The question goes before the step it causes: after a suspension there is no token.
      state.tell(runId, requestedFact(approval), origin);
    }
    this.#step(runId, command, origin);
    return this.#answered(runId, this.#now.get(id) ?? null);
  }

  /** A step that must be possible: a pending question and a waiting run go together (I-20). */
  #step(runId: string, command: RunCommand, origin: Origin): void {
    const decision = this.#state.apply(runId, command, origin);
    assert(!isRefusal(decision), "an approval and its run have come apart");
  }

  #answer(item: RunItem, approval: Approval, verdict: Verdict): Outcome {
    const { runId, origin } = item;
    const isEnding = this.#run(runId).cancelRequestedAt !== null;
    if (approval.status === "pending" && isEnding) {
      const words = "The run was asked to end: the question is answered no more.";
      return { refusal: refuse("approval_decided", words, { status: "cancelled" }) };
    }
    const step = answerApproval(approval, verdict, this.#state.at);
    if (isRefusal(step)) return { refusal: step };
    if (step === null) return this.#answered(runId, approval);
    this.#keep(step.approval);
    this.#state.tell(runId, step.fact, origin);
    this.#step(runId, step.command, origin);
    return this.#answered(runId, approval);
  }

  #due(item: RunItem, approval: Approval): Outcome {
    const { runId, origin } = item;
    const { at } = this.#state;
    const run = this.#run(runId);
    if (approval.status !== "pending" || run.cancelRequestedAt !== null) {
      return { refusal: alreadyDecided(approval) };
    }
    if (approval.expiresAt <= at) {
      const step = expireApproval(approval, at);
      this.#keep(step.approval);
      this.#state.tell(runId, step.fact, origin);
      this.#step(runId, step.command, origin);
    } else if (approval.holdUntil !== null && approval.holdUntil <= at && isLeased(run)) {
      this.#step(runId, { kind: "release", cause: "suspended" }, origin);
    }
    return this.#answered(runId, approval);
  }

  #executed(item: RunItem, approval: Approval, sha256: string): Outcome {
    const { runId, fence, origin } = item;
    const { at } = this.#state;
    const run = this.#run(runId);
    const may = fence === undefined ? "owner" : standing(run, fence, { kind: "resume" }, at);
    if (isRefusal(may)) return { refusal: may };
    const result = executeApproval(approval, sha256, at);
    if (result === null) return this.#answered(runId, approval);
    const matches = !isRefusal(result);
    if (matches) this.#keep(result);
    const done = { sha256, matches, token: run.fencingToken };
    this.#state.tell(runId, executionFact(approval, done, at), origin);
    return matches ? this.#answered(runId, approval) : { refusal: result };
  }
}

type NewQuestion = {
  readonly id: string;
  readonly ask: Ask;
  readonly command: { kind: "await_approval"; mode: Ask["mode"]; checkpoint?: Json };
  readonly decided: Approval | null;
};

/** The newest question of a run that a person or its expiry has decided. */
function newestDecided(approvals: readonly Approval[]): Approval | null {
  const decided = approvals.filter(({ decidedBy }) => decidedBy !== null);
  return decided.toSorted((a, b) => b.askedSeq - a.askedSeq)[0] ?? null;
}
