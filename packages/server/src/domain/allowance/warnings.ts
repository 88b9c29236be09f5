// When an allowance is worth a note: at 80 % of its limit, and beyond it.
// Promises: exact for all amounts; going up step by step, each is told at one step and no other.
// Leaves to others: telling it once per allowance and period (a refund and new usage may cross the
// same line again), the events.

/** What a change of spent crossed. Both, if one step leads past both lines. */
export type Crossed = { readonly warning: boolean; readonly exceeded: boolean };

/**
 * The warning comes with the change that reaches 80 % of the limit; exceeded with the one that
 * passes the limit, since a limit that is just used up was kept. Of a limit of 0 any use is both.
 *
 * @example
 * crossed(70, 80, 100); // { warning: true, exceeded: false }
 */
export function crossed(before: number, after: number, limit: number): Crossed {
  // The least whole number that is at least 80 % of the limit; products could be rounded.
  const line = Math.max(1, limit - Math.floor(limit / 5));
  return {
    warning: before < line && after >= line,
    exceeded: before <= limit && after > limit,
  };
}
