// Durations: lengths of time for people. Everything is integer milliseconds until it is shown.
// Promises: rounds down, so it never claims that more time has passed than did; at most two units.
// Leaves to others: instants (ISO 8601, `domain`), languages other than English.

/** One second in milliseconds. */
export const SECOND = 1_000;
/** One minute in milliseconds. */
export const MINUTE = 60 * SECOND;
/** One hour in milliseconds. */
export const HOUR = 60 * MINUTE;
/** One day of 24 hours in milliseconds. */
export const DAY = 24 * HOUR;

const PAIRS = [
  { unit: DAY, name: "d", next: HOUR, nextName: "h" },
  { unit: HOUR, name: "h", next: MINUTE, nextName: "m" },
  { unit: MINUTE, name: "m", next: SECOND, nextName: "s" },
] as const;

/**
 * A length of time in words: `0ms`, `850ms`, `1.2s` (below 10 s), `42s`, `1m 3s`, `2h`, `3d 4h`.
 * Negative lengths keep their sign; a length that is not finite is `unknown`.
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "unknown";
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < SECOND) return `${Math.floor(ms)}ms`;
  if (ms < 10 * SECOND) return `${Math.floor(ms / 100) / 10}s`;
  for (const { unit, name, next, nextName } of PAIRS) {
    if (ms < unit) continue;
    const rest = Math.floor((ms % unit) / next);
    const head = `${Math.floor(ms / unit)}${name}`;
    return rest === 0 ? head : `${head} ${rest}${nextName}`;
  }
  return `${Math.floor(ms / SECOND)}s`;
}
