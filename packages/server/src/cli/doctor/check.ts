// One look of the doctor, and what all of them share.
// Promises: a check never throws; what it cannot find out it says.
// Leaves to others: the checks (beside this file), printing (commands/doctor.ts).

import { fail, type Finding, ok, warn } from "../../domain/finding.ts";
import { failureOf } from "../failure.ts";

export { fail, ok, warn } from "../../domain/finding.ts";
export type { Finding, Verdict } from "../../domain/finding.ts";

/** Looks and returns what it found. */
export type Look = () => Finding[] | Promise<Finding[]>;

/** Runs a look; a fault in it is a finding. */
export async function looked(check: string, look: Look): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [fail(check, failureOf(error).message, "see the message")];
  }
}

const CLOCKS_AGREE_MS = 2_000;

/** Two clocks that should agree; `skewMs` is by how much the other one is ahead of ours. */
export function clocks(
  check: string,
  skewMs: number,
  words: { readonly whose: string; readonly todo: string },
): Finding {
  const { whose, todo } = words;
  if (Math.abs(skewMs) <= CLOCKS_AGREE_MS) return ok(check, `this clock and ${whose} agree`);
  const says = `this clock and ${whose} differ by ${(skewMs / 1_000).toFixed(1)} s`;
  return warn(check, says, todo);
}
