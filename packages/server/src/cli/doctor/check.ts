// One look of the doctor: what was found, how good it is, what to do about it.
// Promises: a check never throws; what it cannot find out it says.
// Leaves to others: the checks (beside this file), printing (commands/doctor.ts).

import { failureOf } from "../failure.ts";

export type Verdict = "ok" | "warn" | "fail";

export type Finding = {
  /** Stable name, such as `node` or `database.fsync`. */
  check: string;
  verdict: Verdict;
  says: string;
  /** What to do; null when nothing is to be done. */
  todo: string | null;
};

/** Looks and returns what it found. */
export type Look = () => Finding[] | Promise<Finding[]>;

export function ok(check: string, says: string): Finding {
  return { check, verdict: "ok", says, todo: null };
}

export function warn(check: string, says: string, todo: string): Finding {
  return { check, verdict: "warn", says, todo };
}

export function fail(check: string, says: string, todo: string): Finding {
  return { check, verdict: "fail", says, todo };
}

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
