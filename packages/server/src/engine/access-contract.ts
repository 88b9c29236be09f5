// The part of the engine's contract that is about access: keys, logins, sessions, the audit trail,
// answers kept for their Idempotency-Key.
// Promises: a `projectId` of null means what belongs to no project: the owner's keys and sessions,
// the installation's own trail.
// Leaves to others: everything else (`contract.ts`), which role may call what (http).

import type * as wire from "@signalbox/sdk";
import type { Permission, Role } from "../domain/key.ts";
import type { Refusal } from "../domain/refusal.ts";
import type { Origin, PageInput } from "./contract.ts";

/** A key or session that was presented and found good. `projectId` null = the owner's. */
export type Principal = {
  keyId: string;
  prefix: string;
  projectId: string | null;
  roles: Role[];
  /** The agents it may work as; null = any. */
  agents: string[] | null;
  /** The browser session it came by; null = the key itself was presented. */
  session: { id: string; prefix: string; uuid: string } | null;
  permissions: ReadonlySet<Permission>;
};

export type KeyInput = {
  name: string;
  roles: Role[];
  expiresAt: number | null;
  agents?: string[] | null;
};

/** `run`: only deeds to this one (UUID); nothing in the installation's trail is about a run. */
export type AuditFilter = {
  actor?: string;
  type?: string;
  from?: number;
  to?: number;
  run?: string;
};

/** A creating request with an Idempotency-Key. */
export type Creation = {
  /** Null: a route above projects. */
  projectId: string | null;
  /** Method and pattern of the route. */
  route: string;
  key: string;
  /** Hex SHA-256 of what was asked. */
  sha256: string;
  /** Seals the answer, which holds a secret; null = the answer is kept as it is. */
  seal: string | null;
};

/** `first`: go on, then `finish` or `forget`. `known`: what the first request was answered. */
export type Known = { first: true } | { first: false; status: number; body: unknown };

export interface AccessEngine {
  /** `projectId` null makes an owner key. */
  createKey(projectId: string | null, input: KeyInput, origin: Origin): Promise<wire.CreatedKey>;
  /** A new key in place of one, which lives on for `overlapS` (0: ends at once). */
  rotateKey(
    projectId: string | null,
    keyId: string,
    input: { overlapS: number; expiresAt?: number | null },
    origin: Origin,
  ): Promise<wire.CreatedKey | Refusal>;
  revokeKey(
    projectId: string | null,
    keyId: string,
    origin: Origin,
  ): Promise<wire.ApiKey | Refusal>;
  keys(projectId: string | null): Promise<wire.ApiKey[]>;
  /** The key a request presents (`sbx_…`); null when unknown, revoked or expired. */
  principal(key: string): Promise<Principal | null>;

  /** A link that opens one session of this key. */
  createLogin(principal: Principal, origin: Origin): Promise<wire.Login>;
  /** Uses a link up; null when it is unknown, used, too old, or its key has ended. */
  openSession(
    code: string,
    origin: Origin,
  ): Promise<{ session: wire.Session; token: string } | null>;
  /** The session a browser presents (`sbs_…`); null when ended, idle for too long or unknown. */
  sessionPrincipal(token: string): Promise<Principal | null>;
  /** Whether what was presented is still good. This is no use of it: nothing is noted. */
  stands(principal: Principal): Promise<boolean>;
  sessions(projectId: string | null): Promise<wire.Session[]>;
  session(projectId: string | null, sessionId: string): Promise<wire.Session | null>;
  endSession(
    projectId: string | null,
    sessionId: string,
    origin: Origin,
  ): Promise<wire.Session | Refusal>;

  audit(
    projectId: string | null,
    filter: AuditFilter,
    page: PageInput,
  ): Promise<wire.Page<wire.AuditEntry>>;
  /** Somebody tried what its key does not allow. Counted; written within a minute or so. */
  denied(
    projectId: string,
    attempt: { operation: string; permission: string },
    origin: Origin,
  ): void;

  /** The agents of these attempts, in their order; undefined where there is none. */
  agentsOfAttempts(
    projectId: string,
    attempts: readonly { readonly runId: string; readonly token: number }[],
  ): Promise<(string | null | undefined)[]>;

  beginCreation(creation: Creation): Promise<Known | Refusal>;
  finishCreation(creation: Creation, answer: { status: number; body: unknown }): Promise<void>;
  forgetCreation(creation: Creation): Promise<void>;
}
