// What callers put into a batcher and what they get back.
// Promises: an item is one caller's sentence; its answer is its own, whatever becomes of the
// others.
// Leaves to others: queueing (batcher.ts), doing (flush.ts).

import type { Approval } from "../../../domain/approval.ts";
import type { Fence, RunCommand } from "../../../domain/command.ts";
import type { Refusal } from "../../../domain/refusal.ts";
import type { JsonObject, Run } from "../../../domain/run.ts";
import type { NewRun } from "../../../domain/submission.ts";
import type { RunDetail } from "../../../store/run-queries.ts";
import type { LimitNotice } from "../../../domain/exhaustion/exhaustion.ts";
import type { Origin } from "../../contract.ts";
import type { AccountCommand } from "./accounts.ts";
import type { ApprovalCommand } from "./approvals.ts";

/** One command about one run. `due` and `dependencies` are decided once the run is locked. */
export type RunItem = {
  readonly kind: "run";
  readonly projectId: string;
  readonly runId: string;
  readonly fence?: Fence;
  readonly what:
    | {
        readonly command: RunCommand;
        readonly metadata?: JsonObject;
        /** The limit that was met, when the command is `exhaust`: its account is closed with it. */
        readonly exhausts?: { readonly account: string; readonly notice: LimitNotice };
      }
    | { readonly due: true; readonly outage: boolean }
    | { readonly dependencies: true }
    | { readonly approval: ApprovalCommand };
  readonly origin: Origin;
};

/** Submissions of one request; ids are given, `#ref`s replaced, lanes known. */
export type SubmitItem = {
  readonly kind: "submit";
  readonly projectId: string;
  readonly runs: readonly {
    readonly id: string;
    readonly laneId: string;
    readonly spec: NewRun;
    readonly dependsOn: readonly string[];
  }[];
  readonly origin: Origin;
};

/** A claim that waits for work. */
export type ClaimItem = {
  readonly kind: "claim";
  readonly projectId: string;
  readonly runtime: string;
  readonly agents: readonly { readonly name: string; readonly free: number }[];
  readonly queues: readonly string[] | null;
  readonly runners: readonly string[];
  readonly free: number;
  readonly leaseMs: number;
  readonly origin: Origin;
};

/** A sign of life of a runtime. */
export type PresenceItem = {
  readonly kind: "presence";
  readonly projectId: string;
  readonly runtime: string;
  /** Agents the runtime works as. */
  readonly agents: readonly string[];
  readonly origin: Origin;
};

/** Something about the limits of an account. */
export type AccountItem = {
  readonly kind: "account";
  readonly projectId: string;
  readonly account: string;
  readonly command: AccountCommand;
  readonly origin: Origin;
};

/** What a person does with a dead letter. A redrive brings the run it becomes. */
export type LetterItem = {
  readonly kind: "letter";
  readonly projectId: string;
  readonly runId: string;
  readonly what:
    | { readonly discard: { readonly note: string } }
    | {
        readonly redrive: {
          readonly id: string;
          readonly laneId: string;
          readonly spec: NewRun;
          /** Whether it begins with the letter's checkpoint. */
          readonly fromCheckpoint: boolean;
        };
      };
  readonly origin: Origin;
};

export type Item = RunItem | SubmitItem | ClaimItem | PresenceItem | AccountItem | LetterItem;

export type Submitted =
  | {
      readonly run: Run;
      readonly created: true;
      readonly spec: NewRun;
      readonly dependsOn: readonly string[];
    }
  | { readonly runId: string; readonly created: false }
  | Refusal;

export type Granted = {
  readonly run: Run;
  readonly attemptId: string;
  readonly secret: string;
  readonly childSecret: string;
  readonly agent: string | null;
  readonly account: string | null;
  /** The run as it stands after the claim, read in the same transaction. */
  detail: RunDetail | null;
};

export type Answer =
  | {
      readonly kind: "run";
      readonly run: Run;
      readonly stored: number;
      readonly at: number;
      /** The approval the item was about, as it is now. */
      readonly approval?: Approval;
    }
  | { readonly kind: "submit"; readonly results: readonly Submitted[]; readonly at: number }
  | { readonly kind: "claim"; readonly grants: readonly Granted[]; readonly at: number }
  | { readonly kind: "presence"; readonly at: number }
  | { readonly kind: "account"; readonly at: number }
  /** `became`: the run of a redrive; `repeated`: the same was done before. */
  | { readonly kind: "letter"; readonly became: string | null; readonly repeated: boolean };

export type RunAnswer = Extract<Answer, { kind: "run" }>;

/**
 * `again`: the item could not be dealt with now (its row is locked elsewhere); the next flush
 * tries.
 */
export type Outcome =
  | { readonly answer: Answer }
  | { readonly refusal: Refusal }
  | { readonly again: true };

/** How many rows an item stands for, for the cap of a flush. */
export function weightOf(item: Item): number {
  if (item.kind === "submit") return item.runs.length;
  if (item.kind === "claim") return item.free;
  return item.kind === "run" && "command" in item.what && item.what.command.kind === "append"
    ? Math.max(1, item.what.command.events.length)
    : 1;
}

/** A change of a run that has been committed: what hooks after the flush look at. */
export type Change = {
  readonly before: Run | null;
  readonly after: Run;
  readonly events: number;
  /** A probing attempt has shown that its account's limit is over. */
  readonly works: boolean;
};
