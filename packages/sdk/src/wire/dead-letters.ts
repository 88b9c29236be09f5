// Wire shapes around dead letters, acts on many runs, and the stop of everything.
// Promises: the notation of `runs.ts`.
// Leaves to others: which runs become dead letters (server).

import type { Json, Priority, RunFilter, RunState, RunSummary } from "./runs.ts";

/** How a dead letter stands. */
export type DeadLetterStatus = "open" | "redriven" | "discarded";

/** Dead letters whose errors have code and pattern in common. */
export type DeadLetterGroup = {
  /** 16 hexadecimal digits. */
  fingerprint: string;
  code: string;
  /** The message with numbers, ids, paths, quoted text and the like replaced. */
  pattern: string;
  count: number;
  first_at: string;
  last_at: string;
  /** The newest of them, and its message. */
  sample_run: string;
  sample_message: string | null;
  /** At most 20 each. */
  agents: string[];
  queues: string[];
};

/** A failed run that waits for a person, or has been dealt with. */
export type DeadLetter = {
  run: RunSummary;
  fingerprint: string;
  pattern: string;
  status: DeadLetterStatus;
  at: string;
  closed_at: string | null;
  closed_by: string | null;
  /** Why it was discarded. */
  note: string | null;
  /** The run a redrive has made of it. */
  became: string | null;
};

/** What a redrive does differently. null takes agent or model away. */
export type RedriveChanges = {
  /** Take the last checkpoint along: the new run goes on where the dead one stopped. */
  from_checkpoint?: boolean;
  input?: Json;
  agent?: string | null;
  model?: string | null;
  priority?: Priority;
  max_attempts?: number;
};

/** `created` is false when the same redrive was asked for before. */
export type Redriven = { run: RunSummary; created: boolean };

/** An act on many runs: a dry run, or the act with the number the dry run counted. */
export type BulkRequest = {
  /** `fingerprint`: only dead letters of this group. */
  filter?: RunFilter & { state?: readonly RunState[]; fingerprint?: string };
  /** Only these, at most 1,000. */
  runs?: string[];
  dry_run?: boolean;
  confirm_count?: number;
  /** How many more may match by now. Default 0. */
  allow_growth?: number;
  /** Runs of one request, at most 5,000. Default 1,000. */
  limit?: number;
  cursor?: string;
};

export type BulkRefusal = { run_id: string; code: string; detail: string };

/** What an act on many has done. `refusals` are the first 20 of them. */
export type BulkResult = {
  dry_run: boolean;
  matched: number;
  /** The newest ten, of a dry run. */
  sample: RunSummary[];
  done: number;
  refused: number;
  refusals: BulkRefusal[];
  /** The runs redrives have made. */
  became: { run_id: string; became: string }[];
  has_more: boolean;
  next_cursor: string | null;
};

/** The stop of the whole installation; null while it does not stand. */
export type Everything = {
  stopped_at: string | null;
  stop_reason: string | null;
  stopped_by: string | null;
};
