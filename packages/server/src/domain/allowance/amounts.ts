// Amounts of what is consumed: tokens, millionths of a US dollar, runs.
// Promises: whole numbers from 0 to 2^53 - 1; a sum of two that are is one again, since it stops at
// the largest. So no amount is ever rounded, negative or no number.
// Leaves to others: refusing what is none (http schemas).

/** The largest amount there is: up to it a double holds every whole number. */
export const MOST = Number.MAX_SAFE_INTEGER;

/**
 * The sum of two amounts, at most the largest one.
 *
 * @example
 * sum(Number.MAX_SAFE_INTEGER, 1); // 9007199254740991
 */
export function sum(a: number, b: number): number {
  return Math.min(MOST, a + b);
}
