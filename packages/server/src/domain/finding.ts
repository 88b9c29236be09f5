// A finding: what was looked at, how good it is, and what to do about it.
// Promises: a value with a stable name; whoever finds nothing wrong says so as well.
// Leaves to others: looking (doctor, engine), showing it (screens, commands).

/** How good it is: `warn` can wait, `fail` cannot. */
export type Verdict = "ok" | "warn" | "fail";

/** What was found at one place. */
export type Finding = {
  /** Stable name, such as `node` or `database.fsync`. */
  check: string;
  verdict: Verdict;
  says: string;
  /** What to do; null when nothing is to be done. */
  todo: string | null;
};

/** Nothing is wrong there. */
export function ok(check: string, says: string): Finding {
  return { check, verdict: "ok", says, todo: null };
}

/** Something should be better; `todo` says how. */
export function warn(check: string, says: string, todo: string): Finding {
  return { check, verdict: "warn", says, todo };
}

/** Something is wrong; `todo` says what to do. */
export function fail(check: string, says: string, todo: string): Finding {
  return { check, verdict: "fail", says, todo };
}
