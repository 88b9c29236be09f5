// A run as the law sees it: its spec (frozen at submit) and its moving part, tied to its state.
// Promises: illegal combinations do not type-check: only a leased run has a lease, only an ended
// one an end. Instants are integers, milliseconds since 1970 of the database clock.
// Leaves to others: rows and columns (`store/`), JSON on the wire (`http/`).

import type { TerminalState } from "./machine.ts";

/** Milliseconds since 1970 (UTC) of the database's clock. */
export type Instant = number;
/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
/** A JSON object. */
export type JsonObject = { [key: string]: Json };

/** Why a run ended; the state says how. */
export const endCauses = [
  "completed",
  "error",
  "cancel",
  "kill",
  "budget",
  "deadline",
  "approval",
  "dependency",
  "attempts",
] as const;
export type EndCause = (typeof endCauses)[number];

/** How long to wait between attempts; see `backoffMs`. `jitter` is a share, 0–1. */
export type Backoff = { baseMs: number; factor: number; capMs: number; jitter: number };

/** What went wrong, with a code a program can compare. */
export type RunError = { code: string; message: string; detail?: Json };

/** The time-bounded right of the newest attempt to its run. */
export type Lease = {
  readonly expiresAt: Instant;
  /** The length that was asked for at the claim; renewals use it unless they ask otherwise. */
  readonly leaseMs: number;
};

// Bits of `held`: why a pending run is not in the ready index. Each is cleared by its own event.

/** Its `notBefore` lies ahead. */
export const HELD_NOT_DUE = 1;
/** A run it depends on has not completed. */
export const HELD_DEPENDENCY = 2;
/** Its concurrency key is taken. */
export const HELD_KEY = 4;

/** What every run carries through its life, whatever its state. */
export type RunBase = {
  readonly id: string;
  readonly projectId: string;
  readonly laneId: string;
  readonly priority: number;
  readonly rank: number;
  readonly createdAt: Instant;
  readonly deadlineAt: Instant | null;
  readonly maxDurationMs: number | null;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly concurrencyKey: string | null;
  readonly concurrencyLimit: number;
  readonly failWithDependency: boolean;
  readonly notBefore: Instant | null;
  readonly held: number;
  readonly openDependencies: number;
  readonly fencingToken: number;
  readonly attemptsUsed: number;
  readonly releases: number;
  readonly exhaustions: number;
  readonly suspensions: number;
  /** Newest attempt, kept after its end so that a repeated report finds its answer. */
  readonly attemptId: string | null;
  readonly attemptEnd: string | null;
  readonly runtime: string | null;
  readonly agent: string | null;
  /** Account its newest attempt draws on. */
  readonly account: string | null;
  /** Longest duration of the newest attempt, by its agent. */
  readonly durationCapMs: number | null;
  /** Whether the live attempt has reservations, or charges for which it set nothing aside. */
  readonly metered: boolean;
  /** Whether the live attempt tries if a limit of its account is over. */
  readonly probing: boolean;
  readonly claimedAt: Instant | null;
  readonly startedAt: Instant | null;
  readonly lastProducerSeq: number;
  readonly lastSeq: number;
  readonly cancelRequestedAt: Instant | null;
  /** Present only in the decision that changes it: what to store with the run. */
  readonly checkpointChanged?: { readonly checkpoint: Json };
  readonly statusReason: string | null;
  readonly stepCount: number;
};

type NoEnd = {
  readonly endCause: null;
  readonly finishedAt: null;
  readonly deadLetteredAt: null;
};

/** In the line, or held back from it. */
export type PendingRun = RunBase & NoEnd & { readonly phase: "pending"; readonly lease: null };
/** Under a lease: the only runs whose attempt is live. */
export type LeasedRun = RunBase &
  NoEnd & {
    readonly phase: "claimed" | "running" | "waiting_tool" | "waiting_approval_held";
    readonly lease: Lease;
    readonly attemptId: string;
    readonly claimedAt: Instant;
  };
/** Waits for a person and holds no worker. */
export type SuspendedRun = RunBase &
  NoEnd & { readonly phase: "waiting_approval_suspended"; readonly lease: null };
/** Over, for good. */
export type EndedRun = RunBase & {
  readonly phase: TerminalState;
  readonly lease: null;
  readonly endCause: EndCause;
  readonly finishedAt: Instant;
  readonly deadLetteredAt: Instant | null;
  /** Present only in the decision that ended the run: what to store with the end. */
  readonly ending?: { readonly output?: Json; readonly error?: RunError };
};
/** A run in any state. */
export type Run = PendingRun | LeasedRun | SuspendedRun | EndedRun;

/** Whether an attempt is live. */
export function isLeased(run: Run): run is LeasedRun {
  return run.lease !== null;
}

/** Whether it has ended. */
export function isEnded(run: Run): run is EndedRun {
  return run.endCause !== null;
}
