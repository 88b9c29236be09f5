// Wire shapes for operators: roles, projects, keys, queues.
// Promises: the notation of `runs.ts`; a key itself appears in `CreatedKey` only, once.
// Leaves to others: what each role may do (server).

export type Role = "viewer" | "submitter" | "worker" | "approver" | "operator" | "admin" | "owner";
export type Project = {
  id: string;
  name: string;
  created_at: string;
  stopped_at: string | null;
  stop_reason: string | null;
};
export type ApiKey = {
  id: string;
  prefix: string;
  name: string;
  roles: Role[];
  project_id: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
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
