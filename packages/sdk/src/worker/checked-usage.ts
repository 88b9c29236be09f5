// Consumption as a worker reports it: checked before it is on its way.
// Promises: whole numbers from 0 to 2^53 − 1, or a RangeError on the spot, where the mistake is; a
// counter that was not reported stays absent, since unknown is not zero; nothing else goes along.
// Leaves to others: numbering and sending (`event-buffer.ts`), sums, allowances, money (server).

import type { Usage } from "../wire.ts";
import { storableName } from "./storable-name.ts";

const COUNTERS: readonly (keyof Usage)[] = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "reasoning_output_tokens",
  "cost_micros",
  "steps",
];

/**
 * The counters that are set, and the model; null when no counter is set. Throws a RangeError for a
 * value that is not a whole number ≥ 0 and ≤ 2^53 − 1.
 */
export function checkedUsage(
  given: Usage & { model?: string },
): (Usage & { model?: string }) | null {
  const usage: Usage & { model?: string } = {};
  for (const counter of COUNTERS) {
    const value = given[counter];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`usage.${counter} must be a whole number from 0 to 2^53 - 1`);
    }
    usage[counter] = value;
  }
  if (Object.keys(usage).length === 0) return null;
  const model = storableName(given.model);
  return model === undefined ? usage : { ...usage, model };
}
