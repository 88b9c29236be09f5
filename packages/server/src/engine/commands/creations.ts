// Creating requests that carry an Idempotency-Key: begun once, answered alike as long as the answer
// is kept.
// Promises: (project, route, key) has at most one effect (I-13): a request that did not come to an
// answer is never done again, it stays in doubt; an answer that holds a secret is kept sealed with
// the secret of the key that asked, so that neither the table nor another key opens it.
// Leaves to others: what is hashed, and which answers hold secrets (http).

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import { nilUuid } from "../../std/ids.ts";
import type { KeptAnswer, KeptRef } from "../../store/idempotency.ts";
import {
  beginIdempotent,
  findIdempotent,
  finishIdempotent,
  forgetIdempotent,
} from "../../store/idempotency.ts";
import type { Creation, Known } from "../access-contract.ts";
import type { Parts } from "../parts.ts";

/** A request takes at most half of this; one without an answer after it will never have one. */
const RUNNING_S = 60;

function refOf({ projectId, route, key }: Creation): KeptRef {
  return { projectId: projectId ?? nilUuid, route, key };
}

export async function beginCreation(parts: Parts, creation: Creation): Promise<Known | Refusal> {
  const ref = refOf(creation);
  return parts.writer.within([ref.projectId], async (runner) => {
    if (await beginIdempotent(runner, ref, creation.sha256)) return { first: true };
    const kept = await findIdempotent(runner, ref);
    return kept === null ? stillRunning : knownOf(kept, creation);
  });
}

function knownOf(kept: KeptAnswer, creation: Creation): Known | Refusal {
  if (kept.body_sha256 !== creation.sha256) {
    return refuse(
      "idempotency_mismatch",
      "This Idempotency-Key was used with another request. Use a new one.",
    );
  }
  const { status, sealed } = kept;
  if (status === null) return kept.age_s < RUNNING_S ? stillRunning : inDoubt;
  if (sealed === null) return { first: false, status, body: kept.response };
  const body = unsealed(creation, sealed);
  return body === null ? sealedForAnother : { first: false, status, body };
}

export async function finishCreation(
  parts: Parts,
  creation: Creation,
  { status, body }: { status: number; body: unknown },
): Promise<void> {
  const ref = refOf(creation);
  const text = JSON.stringify(body);
  const answer =
    creation.seal === null
      ? { status, response: text, sealed: null }
      : { status, response: null, sealed: sealedText(creation, text) };
  await parts.writer.within([ref.projectId], (runner) => finishIdempotent(runner, ref, answer));
}

export async function forgetCreation(parts: Parts, creation: Creation): Promise<void> {
  const ref = refOf(creation);
  await parts.writer.within([ref.projectId], (runner) => forgetIdempotent(runner, ref));
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The key is nowhere: it is made of the secret that the request presents. */
function sealingKey({ seal, route, key }: Creation): Buffer {
  return Buffer.from(hkdfSync("sha256", seal ?? "", key, `signalbox ${route}`, 32));
}

function sealedText(creation: Creation, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", sealingKey(creation), nonce);
  const bytes = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), bytes]).toString("base64");
}

/** Null when another key's secret sealed it. */
function unsealed(creation: Creation, sealed: string): unknown {
  const bytes = Buffer.from(sealed, "base64");
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", sealingKey(creation), nonce);
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return JSON.parse(Buffer.concat([text, decipher.final()]).toString("utf8")) as unknown;
  } catch {
    return null;
  }
}

const stillRunning = refuse(
  "idempotency_in_progress",
  "The first request with this Idempotency-Key is still running. Ask again in a moment.",
  { retry_after_ms: 1000 },
);
const inDoubt = refuse(
  "idempotency_in_doubt",
  "The first request with this Idempotency-Key did not come to an answer, and may have taken " +
    "effect. Look whether it did; if not, ask again with a new key.",
);
const sealedForAnother = refuse(
  "idempotency_mismatch",
  "The answer holds a secret and is shown again only to the key that asked first.",
);
