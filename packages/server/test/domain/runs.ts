// Runs in every phase, for tests of the law: each is brought there by commands, never by hand.
import type { Decision, Fence, Moment, RunCommand } from "../../src/domain/command.ts";
import { decide } from "../../src/domain/decide.ts";
import type { RunPhase } from "../../src/domain/machine.ts";
import type { Refusal } from "../../src/domain/refusal.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { PendingRun, Run } from "../../src/domain/run.ts";
import type { NewRun } from "../../src/domain/submission.ts";
import { newRun } from "../../src/domain/submission.ts";
import { newRunOf } from "../engine/fixtures.ts";

/** The instant tests begin at. */
export const START = 1_800_000_000_000;
const LEASE_MS = 60_000;

/** A moment `ms` after the start, without jitter in either direction (0.5 is the middle). */
export const after = (ms: number, random = 0.5): Moment => ({ at: START + ms, random });

export const attemptId = (token: number): string => `attempt-${token}`;

/** The fence a worker of attempt `token` writes with. */
export const fenceOf = (token: number): Fence => ({ attemptId: attemptId(token), token });

/** A run that was just submitted. */
export function pending(parts: Partial<NewRun> = {}, openDependencies = 0): PendingRun {
  const ids = { id: "run-1", projectId: "project-1", laneId: "lane-1" };
  return newRun(newRunOf(parts), ids, openDependencies, START);
}

export const claimOf = (token: number): RunCommand => ({
  kind: "claim",
  attemptId: attemptId(token),
  runtime: "w1",
  agent: null,
  leaseMs: LEASE_MS,
});

const error = { code: "boom", message: "It broke." };

/** One command of each kind of the table, as short as it can be. */
export const commands = {
  claim: claimOf(99),
  start: { kind: "start" },
  await_tool: { kind: "await_tool" },
  resume: { kind: "resume" },
  await_approval: { kind: "await_approval", mode: "hold" },
  await_suspended: { kind: "await_approval", mode: "suspend" },
  approve: { kind: "approve", by: "ada" },
  reject: { kind: "reject", by: "ada", reason: "no" },
  complete: { kind: "complete", output: { ok: true } },
  fail: { kind: "fail", error, retryable: true },
  fail_for_good: { kind: "fail", error, retryable: false },
  fail_dependency: { kind: "fail_dependency", dependency: "run-0" },
  release: { kind: "release", cause: "shutdown" },
  release_stopped: { kind: "release", cause: "stopped" },
  expire: { kind: "expire", outage: false },
  expire_outage: { kind: "expire", outage: true },
  exhaust: { kind: "exhaust", notBefore: null },
  cancel: { kind: "cancel", reason: "changed my mind" },
  cancel_overdue: { kind: "cancel_overdue" },
  kill: { kind: "kill", reason: "runaway" },
  time_out: { kind: "time_out", what: "deadline" },
  max_duration: { kind: "time_out", what: "max_duration" },
  renew: { kind: "renew" },
  terminated: { kind: "terminated", process: { exitCode: 0 } },
} as const satisfies Record<string, RunCommand>;
export type CommandName = keyof typeof commands;

/** Decides and insists that it was allowed. */
export function must(run: Run, command: RunCommand, now: Moment, fence?: Fence): Decision {
  const decision = decide(run, command, now, fence);
  if (isRefusal(decision)) throw new Error(`${command.kind}: ${decision.detail}`);
  return decision;
}

/** Applies commands one after the other and insists that each was allowed. */
export function through(run: Run, ...names: CommandName[]): Run {
  return names.reduce<Run>((now, name) => {
    const command = name === "claim" ? claimOf(now.fencingToken + 1) : commands[name];
    return must(now, command, after(0)).run;
  }, run);
}

const paths: Readonly<Record<RunPhase, readonly CommandName[]>> = {
  pending: [],
  claimed: ["claim"],
  running: ["claim", "start"],
  waiting_tool: ["claim", "start", "await_tool"],
  waiting_approval_held: ["claim", "start", "await_approval"],
  waiting_approval_suspended: ["claim", "start", "await_suspended"],
  completed: ["claim", "start", "complete"],
  failed: ["claim", "start", "fail_for_good"],
  cancelled: ["cancel"],
  timeout: ["time_out"],
};

/** A run in a phase, brought there by the shortest path. */
export function runIn(phase: RunPhase, parts: Partial<NewRun> = {}): Run {
  return through(pending(parts), ...paths[phase]);
}

/** What a decision says, in a word: the phase it leads to, `same`, or the code of the refusal. */
export function inAWord(decision: Decision | Refusal): string {
  if (isRefusal(decision)) return decision.code;
  return decision.repeated === true ? "same" : decision.run.phase;
}
