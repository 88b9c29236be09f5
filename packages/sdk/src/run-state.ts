// The states of a run that are final.
// Promises: in step with the wire's `RunState` (the compiler checks the words).
// Leaves to others: the transitions (server, `domain/machine`).

import type { RunState } from "./wire.ts";

const terminal: readonly RunState[] = ["completed", "failed", "cancelled", "timeout"];

/** Whether a run in this state never changes again. */
export function isTerminal(state: RunState): boolean {
  return terminal.includes(state);
}
