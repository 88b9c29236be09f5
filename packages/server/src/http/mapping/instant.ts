// Instants: ISO 8601 on the wire, milliseconds since 1970 inside.
// Promises: text that names no real instant is null (a leap second, for example), never NaN, and so
// is what lies outside of 1970 … 9999, which the database could not read back.
// Leaves to others: whether it is in the past (domain), the notation (`schemas/scalars.ts`).

const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * The instant as we write it, moved to the nearest one between 1970 and 9999; null for text that
 * names none. Expects text that the `instant` schema accepted.
 */
export function nearestInstant(text: string): string | null {
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : new Date(Math.min(Math.max(at, 0), LAST)).toISOString();
}

/** What to say when {@link toInstant} answers null. */
export const noInstant = "is no instant between 1970 and 9999";

/** Milliseconds since 1970, or null. Expects text that the `instant` schema accepted. */
export function toInstant(text: string): number | null {
  const at = Date.parse(text);
  return at >= 0 && at <= LAST ? at : null; // false for NaN
}
