// Selections: which runs, letters and events a question or an act is about, as the doors hand them
// down.
// Promises: all given conditions must hold; what is not given holds for all.
// Leaves to others: verbs and questions themselves (contract.ts), JSON (http).

import type * as wire from "@signalbox/sdk";
import type { ScopeName } from "../domain/submission.ts";

export type RunFilter = {
  state?: string[];
  queue?: string;
  runner?: string;
  agent?: string;
  runtime?: string;
  tag?: string;
  errorCode?: string;
  parentRun?: string;
  createdAfter?: number;
  createdBefore?: number;
  finishedAfter?: number;
  finishedBefore?: number;
  /** Prefix of the run id. */
  text?: string;
  /** Scope → value; null means "has none". */
  scopes?: Partial<Record<ScopeName, string | null>>;
};
/** Which runs an act on many is about, and how many of them the caller expects. */
export type BulkWhich = {
  filter: RunFilter;
  /** Only these (UUIDs); null = whatever the filter finds. */
  runs: string[] | null;
  /** Only dead letters of this group. */
  fingerprint: string | null;
  dryRun: boolean;
  /** What a dry run counted; the act is refused when more match. */
  confirmCount: number;
  allowGrowth: number;
  /** Runs of one request at most; `cursor` goes on where the one before ended. */
  limit: number;
  cursor: string | null;
};
/** What a redrive does differently from the run that failed; null takes an agent or model away. */
export type RedriveChanges = {
  /** Takes the checkpoint along. */
  fromCheckpoint?: true;
  input?: wire.Json;
  agent?: string | null;
  model?: string | null;
  priority?: number;
  maxAttempts?: number;
};
export type BulkInput =
  | { kind: "cancel"; reason: string; cascade: boolean }
  | { kind: "redrive"; changes: RedriveChanges }
  | { kind: "discard"; note: string };
export type LetterFilter = {
  status: "open" | "redriven" | "discarded";
  queue?: string;
  agent?: string;
};
/** Which events of a project's feed. `type` that ends in a dot is the beginning of types. */
export type FeedFilter = { type?: string; run?: string; agent?: string };
