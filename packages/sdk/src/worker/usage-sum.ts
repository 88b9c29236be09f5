// The sum of what one attempt reported as consumed.
// Promises: a counter that was never reported stays absent, since unknown is not zero.
// Leaves to others: allowances and money (server).

import type { Usage } from "../wire.ts";

const COUNTERS: readonly (keyof Usage)[] = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "reasoning_output_tokens",
  "cost_micros",
  "steps",
];

/** `sum` plus `more`. Throws a RangeError for a value that is not a whole number ≥ 0. */
export function addUsage(sum: Usage, more: Usage): Usage {
  const total: Usage = { ...sum };
  for (const counter of COUNTERS) {
    const value = more[counter];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`usage.${counter} must be a whole number of at least 0`);
    }
    total[counter] = (total[counter] ?? 0) + value;
  }
  return total;
}
