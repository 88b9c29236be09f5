// Patterns that are too long for a line, put together from their alternatives.
// Promises: the parts are alternatives of one pattern, in their order.
// Leaves to others: what is looked for.

/**
 * A pattern that matches any of the parts.
 *
 * @example
 * anyOf("g", ["a", "b"]).source; // "a|b"
 */
export function anyOf(flags: string, parts: readonly string[]): RegExp {
  return new RegExp(parts.join("|"), flags);
}
