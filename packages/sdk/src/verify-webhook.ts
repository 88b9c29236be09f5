// Checks that a webhook came from the server that has its secret, lately and unchanged.
// Promises: Standard Webhooks (`webhook-id`, `-timestamp`, `-signature`) with WebCrypto alone;
// compares in constant time; refuses what is more than five minutes old or ahead; any of several
// signatures will do, so secrets can be rotated.
// Leaves to others: remembering ids, so that a delivery that comes twice is done once.

import type { WebhookEvent } from "./wire.ts";

/** What a request says about itself: `Headers`, or an object with names in lower case. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | { readonly [name: string]: string | readonly string[] | undefined };

export type VerifyOptions = {
  /** Largest distance between its clock and ours. Default 300 s. */
  toleranceS?: number;
  /** Milliseconds since 1970. Default: now. */
  now?: number;
};

/** The request is not what the server sent, or not sent lately. Answer it with 400. */
export class WebhookVerificationError extends Error {
  override readonly name = "WebhookVerificationError";
}

const TOLERANCE_S = 300;
const PREFIX = "whsec_";

/**
 * The event, if the signature is right. `body` is the text as it arrived: parsing and writing it
 * again changes it. `secret`: one, or several while they are being rotated. Throws
 * `WebhookVerificationError`.
 *
 * @example
 * const event = await verifyWebhook(request.headers, await request.text(), secret);
 * console.log(event.type, event.feed);
 */
export async function verifyWebhook(
  headers: WebhookHeaders,
  body: string | Uint8Array,
  secret: string | readonly string[],
  options: VerifyOptions = {},
): Promise<WebhookEvent> {
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  const signatures = headerOf(headers, "webhook-signature").split(" ");
  checkAge(timestamp, options);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  const given = signatures.flatMap((one) => bytesOf(one.startsWith("v1,") ? one.slice(3) : ""));
  for (const one of typeof secret === "string" ? [secret] : secret) {
    if (await isSigned(signed, given, one)) return JSON.parse(text) as WebhookEvent;
  }
  throw new WebhookVerificationError("no signature of the webhook is right");
}

async function isSigned(
  signed: Uint8Array<ArrayBuffer>,
  given: readonly Uint8Array<ArrayBuffer>[],
  secret: string,
): Promise<boolean> {
  const [raw] = bytesOf(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  if (raw === undefined) throw new TypeError("the secret of a webhook begins with whsec_");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
  const checks = given.map((one) => crypto.subtle.verify("HMAC", key, one, signed));
  return (await Promise.all(checks)).includes(true);
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const get = (headers as { get?: unknown }).get;
  const value =
    typeof get === "function"
      ? (headers as { get(name: string): string | null }).get(name)
      : (headers as { [name: string]: string | readonly string[] | undefined })[name];
  const text = typeof value === "string" ? value : value?.[0];
  if (text === undefined || text === "") {
    throw new WebhookVerificationError(`the header ${name} is missing`);
  }
  return text;
}

function checkAge(timestamp: string, { toleranceS = TOLERANCE_S, now }: VerifyOptions): void {
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new WebhookVerificationError("webhook-timestamp is not a number of seconds");
  }
  const ageS = (now ?? Date.now()) / 1000 - Number(timestamp);
  if (ageS > toleranceS) throw new WebhookVerificationError("the webhook is too old");
  if (ageS < -toleranceS) throw new WebhookVerificationError("the webhook is from the future");
}

/** The bytes of base64 text, or nothing. */
function bytesOf(text: string): Uint8Array<ArrayBuffer>[] {
  if (text === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return [];
  try {
    return [Uint8Array.from(atob(text), (char) => char.charCodeAt(0))];
  } catch {
    return [];
  }
}
