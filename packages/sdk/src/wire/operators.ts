// Wire shapes for operators: roles, projects, keys, queues.
// Promises: the notation of `runs.ts`; a key itself appears in `CreatedKey` only, once.
// Leaves to others: what each role may do (server).

export type Role = "viewer" | "submitter" | "worker" | "approver" | "operator" | "admin" | "owner";
/** What roles allow: every route asks for one. */
export type Permission =
  | "read"
  | "submit"
  | "work"
  | "cancel"
  | "operate"
  | "approve"
  | "administer"
  | "own";
export type Project = {
  id: string;
  name: string;
  created_at: string;
  stopped_at: string | null;
  stop_reason: string | null;
  stopped_by: string | null;
  /** Whether its own stop stands, or that of everything. */
  stop_scope: "project" | "everything" | null;
  /** Runs that ended longer ago are removed; null: none is. */
  retention_days: number | null;
  /** Dead letters without an answer are removed this many days after their end; null: never. */
  dead_letter_days: number | null;
  /** Of the feed up to this number, events may have been removed with their runs. */
  feed_floor: string;
};
/** How long is kept what has ended: null keeps it, what is absent stays as it is. */
export type RetentionChange = {
  retention_days?: number | null;
  dead_letter_days?: number | null;
};
export type ApiKey = {
  id: string;
  prefix: string;
  name: string;
  roles: Role[];
  /** The agents a worker's key may work as; null = any. */
  agents: string[] | null;
  project_id: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  /** To the minute or so. */
  last_used_at: string | null;
  /** Id of the key that was made in its place. */
  replaced_by: string | null;
};
/** The only answer that ever contains the key itself. */
export type CreatedKey = ApiKey & { key: string };
export type Queue = {
  name: string;
  paused_at: string | null;
  pause_reason: string | null;
  paused_by: string | null;
  pending: number;
};
