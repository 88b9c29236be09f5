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
};

/** An event of a runner. `producerSeq` is the sender's own number in the attempt, from 1. */
export type AppendedEvent = {
  readonly type: string;
  readonly producerSeq: number | null;
  readonly data: JsonObject;
};

/** Why an attempt was given back. `stopped` is the house's own and never costs. */
export type ReleaseCause = "shutdown" | "declined" | "lost_touch" | "stopped";

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
    }
  | { kind: "start"; process?: ProcessFacts }
  | { kind: "await_tool"; tool?: string; checkpoint?: Json }
  | { kind: "resume" }
  | { kind: "await_approval"; mode: "hold" | "suspend"; checkpoint?: Json }
  | { kind: "approve"; by: string }
  | { kind: "reject"; by: string; reason: string | null }
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
  | { kind: "exhaust"; notBefore: number | null }
  | { kind: "cancel"; reason: string | null }
  | { kind: "cancel_overdue" }
  | { kind: "kill"; reason: string }
  | { kind: "time_out"; what: "deadline" | "max_duration" }
  | { kind: "renew"; leaseMs?: number; checkpoint?: Json }
  | { kind: "extend"; byMs: number }
  | { kind: "append"; events: readonly AppendedEvent[] }
  | { kind: "terminated"; process?: ProcessFacts }
  | { kind: "release_held"; bits: number; openDependencies?: number }
  | { kind: "hold_key" };

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
  /** The command had already taken effect; nothing is written. */
  readonly repeated?: boolean;
};
