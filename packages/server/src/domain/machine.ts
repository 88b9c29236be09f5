// The two state machines, as data: which command may be given in which state and where it leads.
// Promises: this is the only transition table. `decide`, the database CHECKs, the generated docs,
// the explain texts and the matrix test are made from it.
// Leaves to others: what a command does besides changing the state (`decide.ts`).

/** Where a run stands. `waiting_approval` is split by whether the attempt keeps its lease. */
export const runPhases = [
  "pending",
  "claimed",
  "running",
  "waiting_tool",
  "waiting_approval_held",
  "waiting_approval_suspended",
  "completed",
  "failed",
  "cancelled",
  "timeout",
] as const;
export type RunPhase = (typeof runPhases)[number];

/** What a run's `state` may be, in SQL, JSON and on the screen. */
export const runStates = [
  "pending",
  "claimed",
  "running",
  "waiting_tool",
  "waiting_approval",
  "completed",
  "failed",
  "cancelled",
  "timeout",
] as const;
export type RunState = (typeof runStates)[number];

/** States without a way out. */
export const terminalStates = ["completed", "failed", "cancelled", "timeout"] as const;
export type TerminalState = (typeof terminalStates)[number];

/** The columns of the transition table. */
export const runCommands = [
  "claim",
  "start",
  "await_tool",
  "resume",
  "await_approval",
  "approve",
  "reject",
  "complete",
  "fail",
  "release",
  "expire",
  "exhaust",
  "cancel",
  "kill",
  "time_out",
] as const;
export type RunCommandName = (typeof runCommands)[number];

/**
 * What a cell says. A state = the next state. `decide` = pending again while attempts are left,
 * else failed and dead-lettered. `flag` = note the request and tell the worker. `suspend` = the
 * attempt ends, the run keeps waiting.
 */
export type Cell =
  | TerminalState
  | "pending"
  | "claimed"
  | "running"
  | "waiting_tool"
  | "hold"
  | "decide"
  | "flag"
  | "suspend";

type Row = Partial<Record<RunCommandName, Cell>>;

const leased = {
  fail: "decide",
  release: "pending",
  expire: "decide",
  exhaust: "pending",
  cancel: "flag",
  kill: "cancelled",
  time_out: "timeout",
} as const satisfies Row;

const endedRow = {} as const satisfies Row;

/** The transition table of a run (model §2). An absent cell is a refusal. */
export const runTable: Readonly<Record<RunPhase, Row>> = {
  pending: {
    claim: "claimed",
    fail: "failed",
    cancel: "cancelled",
    kill: "cancelled",
    time_out: "timeout",
  },
  claimed: { ...leased, start: "running", complete: "completed" },
  running: {
    ...leased,
    await_tool: "waiting_tool",
    await_approval: "hold",
    complete: "completed",
  },
  waiting_tool: {
    ...leased,
    resume: "running",
    await_approval: "hold",
    complete: "completed",
  },
  waiting_approval_held: {
    ...leased,
    approve: "running",
    reject: "cancelled",
    release: "suspend",
    expire: "suspend",
    exhaust: "pending",
  },
  waiting_approval_suspended: {
    approve: "pending",
    reject: "cancelled",
    cancel: "cancelled",
    kill: "cancelled",
    time_out: "timeout",
  },
  completed: endedRow,
  failed: endedRow,
  cancelled: endedRow,
  timeout: endedRow,
};

/** The commands that end or return the attempt: while a cancel is asked for they end the run. */
export const returningCommands: ReadonlySet<RunCommandName> = new Set([
  "complete",
  "fail",
  "release",
  "expire",
  "exhaust",
  "await_tool",
  "await_approval",
]);

/** Whether nothing can change it any more. */
export function isTerminal(state: RunState): state is TerminalState {
  return (terminalStates as readonly string[]).includes(state);
}

/** Names of the commands a phase allows, in table order. */
export function allowedCommands(phase: RunPhase): RunCommandName[] {
  return runCommands.filter((name) => runTable[phase][name] !== undefined);
}

/** One step of a run's state, `from` null for its submission. */
export type StatePair = { readonly from: RunState | null; readonly to: RunState };

/** Every step the table allows, each once: what `from_state` and `to_state` of an event may be. */
export function statePairs(): StatePair[] {
  const pairs = new Map<string, StatePair>();
  const add = (from: RunState | null, to: RunState): void => {
    pairs.set(`${from} ${to}`, { from, to });
  };
  add(null, "pending");
  for (const phase of runPhases) {
    for (const name of allowedCommands(phase)) {
      for (const to of leadsTo(runTable[phase][name] as Cell)) add(stateOf(phase), to);
    }
  }
  return [...pairs.values()];
}

/** The states a cell may lead to; a flag changes none. */
function leadsTo(cell: Cell): readonly RunState[] {
  if (cell === "decide") return ["pending", "failed"];
  if (cell === "hold") return ["waiting_approval"];
  // A suspension that counts and was the last attempt is a dead letter.
  if (cell === "suspend") return ["waiting_approval", "failed"];
  return cell === "flag" ? [] : [cell];
}

/** The state a phase is stored as. */
export function stateOf(phase: RunPhase): RunState {
  return phase === "waiting_approval_held" || phase === "waiting_approval_suspended"
    ? "waiting_approval"
    : phase;
}

// ---- the attempt ---------------------------------------------------------------------------

/** What an attempt's `state` may be. */
export const attemptStates = [
  "spawning",
  "running",
  "completed",
  "failed",
  "killed",
  "lost",
  "released",
] as const;
export type AttemptState = (typeof attemptStates)[number];
/** How an attempt ended. */
export type AttemptEndState = Exclude<AttemptState, "spawning" | "running">;

/** Why an attempt ended; the closed list of `attempt.cause`. */
export const attemptCauses = [
  "completed",
  "error",
  "lease_expired",
  "outage",
  "shutdown",
  "declined",
  "lost_touch",
  "stopped",
  "exhausted",
  "suspended",
  "cancel",
  "kill",
  "approval",
  "deadline",
  "max_duration",
  "budget",
] as const;
export type AttemptCause = (typeof attemptCauses)[number];

const attemptEnds = ["completed", "failed", "killed", "lost", "released"] as const;

/** From each attempt state the states that may follow; spawning may go straight to any end. */
export const attemptTable: Readonly<Record<AttemptState, readonly AttemptState[]>> = {
  spawning: ["running", ...attemptEnds],
  running: attemptEnds,
  completed: [],
  failed: [],
  killed: [],
  lost: [],
  released: [],
};
