// Secrets on the wire: API keys (`sbx_`), attempt keys (`sba_`) and their children's (`sbc_`),
// links for a login (`sbl_`) and the sessions they open (`sbs_`).
// Promises: 256 random bits in each but 192 in an attempt key; stored only as SHA-256; compared
// in constant time; a malformed text is told from a wrong one by nobody (F-119).
// Leaves to others: where digests are stored (store), what a key may do (domain/key.ts).

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { fromTypeId, toTypeId } from "../std/ids.ts";

export type NewKey = { readonly prefix: string; readonly key: string; readonly digest: string };

/** What a secret opens: an API key, a login, a session. */
export type SecretKind = "sbx" | "sbl" | "sbs";

/** A new API key: `sbx_<public prefix>_<secret>`. The prefix finds it, the digest proves it. */
export function newApiKey(): NewKey {
  return newSecret("sbx", newPrefix());
}

export function newPrefix(): string {
  return randomBytes(9).toString("base64url").replaceAll(/[-_]/g, "x");
}

/** A new secret under a public prefix. */
export function newSecret(kind: SecretKind, prefix: string): NewKey {
  const secret = randomBytes(32).toString("base64url");
  return { prefix, key: `${kind}_${prefix}_${secret}`, digest: digestOf(secret) };
}

export function digestOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Whether a secret has this digest, in a time that does not depend on where they differ. */
export function secretMatches(secret: string, digest: string): boolean {
  const own = createHash("sha256").update(secret).digest();
  const stored = Buffer.from(digest, "hex");
  return stored.length === own.length && timingSafeEqual(own, stored);
}

const secretForm = /^(sb[xls])_([A-Za-z0-9]{6,32})_([A-Za-z0-9_-]{43})$/;

/** Splits a secret of this kind; null when it is not one. */
export function splitSecret(
  kind: SecretKind,
  text: string,
): { prefix: string; secret: string } | null {
  const found = secretForm.exec(text);
  if (found === null || found[1] !== kind) return null;
  return { prefix: found[2] as string, secret: found[3] as string };
}

/**
 * What an attempt key names: the project too, so that it can be looked up under its row security.
 */
export type AttemptKeyParts = {
  readonly child: boolean;
  readonly projectId: string;
  readonly runId: string;
  readonly token: number;
  readonly secret: string;
};

/** The text of an attempt key (`sba_`) or of its children's (`sbc_`). */
export function joinAttemptKey(parts: AttemptKeyParts): string {
  const project = toTypeId("prj", parts.projectId).slice(4);
  const run = toTypeId("run", parts.runId).slice(4);
  return `sb${parts.child ? "c" : "a"}_${project}_${run}_${parts.token}_${parts.secret}`;
}

const attemptKeyForm =
  /^sb([ac])_([0-9a-z]{26})_([0-9a-z]{26})_([1-9][0-9]{0,8})_([A-Za-z0-9_-]{32})$/;

/** Splits an attempt key or a child's; null when it is neither. */
export function splitAttemptKey(key: string): AttemptKeyParts | null {
  const found = attemptKeyForm.exec(key);
  if (found === null) return null;
  const projectId = fromTypeId("prj", `prj_${found[2]}`);
  const runId = fromTypeId("run", `run_${found[3]}`);
  if (projectId === null || runId === null) return null;
  return {
    child: found[1] === "c",
    projectId,
    runId,
    token: Number(found[4]),
    secret: found[5] as string,
  };
}
