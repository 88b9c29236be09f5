// What can be asked of a run: one shape per command of the transition table, plus the three that
// change no state (renew, append, extend) and the two of the held bits.
// Promises: a command carries everything its decision needs; the instant and the randomness come
// apart.

import type { Fact } from "./event.ts";
import type { Json, JsonObject, Run, RunError } from "./run.ts";
import type { AttemptCause, AttemptEndState } from "./machine.ts";

/** Names the lease a worker writes under. */
export type Fence = { readonly attemptId: string; readonly token: number };

/** What is known of the attempt's process: `exitCode` or `signal` once it has ended. */
export type ProcessFacts = {
  readonly pid?: number;
  readonly host?: string;
  readonly exitCode?: number | null;
  readonly signal?: string | null;
};

/** Measured consumption of an attempt: integers ≥ 0, money in micros (USD · 10⁻⁶). */
export type Usage = {
  inputTokens?: number;
  outputTokens?: number;
  cacheReadInputTokens?: number;
  reasoningOutputTokens?: number;
  costMicros?: number;
  steps?: number;
  /** Model that consumed it. */
  model?: string;
};

/** An event of a runner. `producerSeq` is the sender's own number in the attempt, from 1. */
export type AppendedEvent = {
  readonly type: string;
  readonly producerSeq: number | null;
  readonly data: JsonObject;
  /** What it reports as consumed since the last report; needs a `producerSeq`. */
  readonly usage?: Usage;
};

/**
 * Why an attempt was given back. `stopped` is the house's own and never costs; so is `suspended`,
 * when an attempt has waited for a person long enough.
 */
export type ReleaseCause = "shutdown" | "declined" | "lost_touch" | "stopped" | "suspended";

type Reported = { readonly process?: ProcessFacts; readonly usage?: Usage };

/**
 * Everything that can be asked of a run. Names are those of the transition table, and a few more.
 */
export type RunCommand =
  | {
      kind: "claim";
      attemptId: string;
      runtime: string;
      agent: string | null;
      leaseMs: number;
      account?: string | null;
      durationCapMs?: number | null;
      metered?: boolean;
      probing?: boolean;
    }
  | { kind: "start"; process?: ProcessFacts }
  | { kind: "await_tool"; tool?: string; checkpoint?: Json }
  | { kind: "resume" }
  | { kind: "await_approval"; mode: "hold" | "suspend"; checkpoint?: Json }
  | { kind: "approve"; by: string }
  | { kind: "reject"; by: string; reason: string | null; expired?: true }
  | ({ kind: "complete"; output: Json } & Reported)
  | ({
      kind: "fail";
      error: RunError;
      retryable: boolean;
      output?: Json;
      checkpoint?: Json;
    } & Reported)
  | { kind: "fail_dependency"; dependency: string }
  | { kind: "release"; cause: ReleaseCause; checkpoint?: Json; process?: ProcessFacts }
  | { kind: "expire"; outage: boolean }
  | {
      kind: "exhaust";
      notBefore: number | null;
      reason?: string;
      checkpoint?: Json;
      process?: ProcessFacts;
    }
  | { kind: "cancel"; reason: string | null }
  | { kind: "cancel_overdue" }
  | { kind: "kill"; reason: string; budget?: true }
  | { kind: "time_out"; what: "deadline" | "max_duration" | "approval" }
  | { kind: "renew"; leaseMs?: number; checkpoint?: Json }
  | { kind: "extend"; byMs: number }
  | { kind: "append"; events: readonly AppendedEvent[] }
  | {
      kind: "record_usage";
      token: number;
      /** The attempt has ended. */
      late: boolean;
      agent: string | null;
      account: string | null;
      records: readonly ToldUsage[];
    }
  | { kind: "reroute"; laneId: string; agent: string }
  | { kind: "note_blocked"; type: "dispatch.no_agent" | "dispatch.quota"; codes: string[] }
  | { kind: "terminated"; process?: ProcessFacts }
  | { kind: "release_held"; bits: number; openDependencies?: number }
  | { kind: "hold_key" };

/**
 * A report of consumption. `producerSeq` 0 is what came with the end of the attempt; numbers below
 * are those of its child processes, which count for themselves.
 */
export type UsageRecord = { readonly producerSeq: number; readonly usage: Usage };

/** Usage told apart from an attempt's events. `line`: data of the log line that carried it. */
export type ToldUsage = UsageRecord & { readonly line?: JsonObject };

/** The instant of the database and a random number 0 ≤ r < 1 for the jitter. */
export type Moment = { readonly at: number; readonly random: number };

/** What became of the attempt, for its own row. */
export type AttemptChange =
  | { readonly kind: "spawned"; readonly agent: string | null; readonly runtime: string }
  | { readonly kind: "running"; readonly process?: ProcessFacts }
  | {
      readonly kind: "ended";
      readonly state: AttemptEndState;
      readonly cause: AttemptCause;
      readonly counted: boolean;
      readonly error?: RunError;
      readonly process?: ProcessFacts;
      readonly usage?: Usage;
    }
  | { readonly kind: "terminated"; readonly process?: ProcessFacts };

/** The answer of the law: the run as it is now, the facts to record, what became of the attempt. */
export type Decision = {
  readonly run: Run;
  readonly facts: readonly Fact[];
  readonly attempt: readonly AttemptChange[];
  /** What was consumed by the attempt of this token: to be booked. */
  readonly usage?: readonly UsageRecord[];
  /** The command had already taken effect; nothing is written. */
  readonly repeated?: boolean;
};
