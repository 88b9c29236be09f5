// The few ways to build a run in another state. Promises: each constructor sets every field that
// the state ties down (lease, end), so `decide` cannot forget one.
// Leaves to others: whether the step is allowed (`machine.ts`) and what is recorded (`decide.ts`).

import type { TerminalState } from "./machine.ts";
import type {
  EndCause,
  EndedRun,
  Instant,
  Lease,
  LeasedRun,
  PendingRun,
  Run,
  SuspendedRun,
} from "./run.ts";
import { HELD_NOT_DUE } from "./run.ts";

const open = { endCause: null, finishedAt: null, deadLetteredAt: null } as const;
/** What ends with an attempt: its reservations, its probe. */
const idle = { metered: false, probing: false } as const;

/** Under a lease, in this phase. */
export function toLeased(
  run: Run,
  phase: LeasedRun["phase"],
  lease: Lease,
  changes: Partial<LeasedRun> = {},
): LeasedRun {
  return { ...run, ...open, ...changes, phase, lease } as LeasedRun;
}

/** Back to the line: held back until `notBefore` when that lies ahead. */
export function toPending(
  run: Run,
  at: Instant,
  notBefore: Instant | null,
  changes: Partial<PendingRun> = {},
): PendingRun {
  const waits = notBefore !== null && notBefore > at;
  return {
    ...run,
    ...open,
    held: waits ? run.held | HELD_NOT_DUE : run.held & ~HELD_NOT_DUE,
    notBefore: waits ? notBefore : run.notBefore,
    startedAt: null,
    ...idle,
    ...changes,
    phase: "pending",
    lease: null,
  };
}

/** Waiting for a person, without a lease. */
export function toSuspended(run: Run, changes: Partial<SuspendedRun>): SuspendedRun {
  return {
    ...run,
    ...open,
    ...idle,
    ...changes,
    phase: "waiting_approval_suspended",
    lease: null,
  };
}

/** Over: no lease, nothing held back, a cause and an instant. */
export function toEnded(
  run: Run,
  phase: TerminalState,
  end: { cause: EndCause; at: Instant; reason: string | null } & Pick<EndedRun, "ending">,
  changes: Partial<EndedRun> = {},
): EndedRun {
  return {
    ...run,
    deadLetteredAt: null,
    ...idle,
    ...changes,
    ...(end.ending === undefined ? {} : { ending: end.ending }),
    statusReason: end.reason,
    phase,
    lease: null,
    held: 0,
    endCause: end.cause,
    finishedAt: end.at,
  };
}
