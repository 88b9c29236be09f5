// Wire shapes of the house's health: servers, sweeps, database, load, and what is wrong.
// Promises: the notation of `runs.ts`; nothing of any project's work.
// Leaves to others: series over time (`/metrics`), the machine itself (`signalbox doctor`).

/** What was looked at, how good it is, and what to do about it. */
export type Finding = {
  /** Stable name, such as `register.sweeps`. */
  check: string;
  verdict: "ok" | "warn" | "fail";
  says: string;
  todo: string | null;
};
/** A server that has said within 15 s that it is up. */
export type HouseServer = { version: string; started_at: string; seen_ms: number };
/** How many fell between the bucket before and this bound; null: beyond all bounds. */
export type Bucket = { up_to: number | null; count: number };
/** One batcher of the server that answered, since its start. */
export type BatcherLoad = {
  name: "control" | "work";
  flushes: number;
  /** Items of these flushes. */
  items: number;
  /** Rows of the largest flush. */
  largest: number;
  /** Items without an answer now. */
  waiting: number;
  /** Items refused: the queue was full, their time was up, or no flush could store them. */
  refused: number;
  /** Flushes that failed and were dealt with. */
  failed: number;
  /** Items per flush. */
  sizes: Bucket[];
  /** Milliseconds from the arrival of an item to its answer. */
  answered_ms: Bucket[];
};
/** A busy table, as PostgreSQL estimates it; with its indexes. */
export type HouseTable = { name: string; bytes: number; dead_rows: number };
export type HouseHealth = {
  ready: boolean;
  database: "ok" | "unreachable";
  /** Of the server that answered: since its last finished sweep. */
  sweep_lag_ms: number;
  version: string;
  started_at: string;
  servers: HouseServer[];
  /** The oldest open transaction: nothing that died since can be cleaned away. */
  horizon: { age_s: number; transactions: number } | null;
  findings: Finding[];
  /** What all projects do together, for the owner alone; null for others. */
  load: { batchers: BatcherLoad[]; tables: HouseTable[] } | null;
};
