// Callback links of approvals: `sbl_<project>_<approval>_<secret>`.
// Promises: 256 random bits; stored only as SHA-256; the text names project and approval, so that
// they are looked up under the project's row security; a malformed text is none.
// Leaves to others: storing and clearing the digest (store), what a link may do (http).

import { randomBytes } from "node:crypto";
import { fromTypeId, toTypeId } from "../std/ids.ts";
import { digestOf } from "./keys.ts";

export type LinkParts = {
  readonly projectId: string;
  readonly approvalId: string;
  readonly secret: string;
};

/** A new link for an approval, with the digest to store. */
export function newLink(projectId: string, approvalId: string): { token: string; digest: string } {
  const secret = randomBytes(32).toString("base64url");
  const project = toTypeId("prj", projectId).slice(4);
  const approval = toTypeId("apr", approvalId).slice(4);
  return { token: `sbl_${project}_${approval}_${secret}`, digest: digestOf(secret) };
}

const form = /^sbl_([0-9a-z]{26})_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/;

/** Splits the token of a link; null when it is none. */
export function splitLink(token: string): LinkParts | null {
  const found = form.exec(token);
  if (found === null) return null;
  const projectId = fromTypeId("prj", `prj_${found[1]}`);
  const approvalId = fromTypeId("apr", `apr_${found[2]}`);
  if (projectId === null || approvalId === null) return null;
  return { projectId, approvalId, secret: found[3] as string };
}
