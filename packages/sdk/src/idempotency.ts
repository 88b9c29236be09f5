// Idempotency keys: what makes it safe to send a submission twice.
// Promises: 128 random bits per key; works in browsers without a secure context, where
// `crypto.randomUUID` does not exist.
// Leaves to others: remembering keys (the server, as long as the run exists).

/** A new key, such as `sdk-3f0c…`. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `sdk-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
