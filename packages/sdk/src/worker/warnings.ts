// Warnings: where faults of a worker go when nobody asked for them.
// Promises: a process warning with the code of the error, the same code at most once in 30 s, so
// that an hour without the server is not an hour of lines; never throws.
// Leaves to others: faults that a caller waits for (those are thrown).

import { isSignalboxError } from "../errors.ts";

const QUIET_MS = 30_000;

/** Makes a sink for errors. */
export function warningSink(): (error: unknown) => void {
  const lastAt = new Map<string, number>();
  return (error) => {
    const code = isSignalboxError(error) ? error.code : "worker_error";
    const now = performance.now();
    if (now - (lastAt.get(code) ?? -Infinity) < QUIET_MS) return;
    lastAt.set(code, now);
    const message = error instanceof Error ? error.message : String(error);
    process.emitWarning(message, { type: "SignalboxWarning", code });
  };
}

/** A sink that survives what its owner throws. */
export function guardedSink(sink: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    try {
      sink(error);
    } catch (thrown) {
      process.emitWarning(String(thrown), { type: "SignalboxWarning", code: "on_error_threw" });
    }
  };
}
