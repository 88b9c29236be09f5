// Rows of the table `run` as plain columns, in every state, for tests that go around the law.

import { randomUUID } from "node:crypto";
import type { RunState } from "../../src/domain/machine.ts";
import { isTerminal } from "../../src/domain/machine.ts";
import { literal } from "./sessions.ts";

export type Columns = Record<string, string | number | boolean | null>;

const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;

/** The columns that a state ties down, for a run in its first attempt (or before it). */
export function columnsOf(state: RunState, mode: "hold" | "suspend" = "hold"): Columns {
  const leased =
    ["claimed", "running", "waiting_tool"].includes(state) ||
    (state === "waiting_approval" && mode === "hold");
  const claimed = state !== "pending";
  const ended = isTerminal(state);
  return {
    state,
    approval_mode: state === "waiting_approval" ? mode : null,
    attempt_id: claimed ? "00000000-0000-7000-8000-000000000001" : null,
    fencing_token: claimed ? 1 : 0,
    attempts_used: claimed ? 1 : 0,
    claimed_at: claimed ? at(1) : null,
    lease_ms: claimed ? 60_000 : null,
    lease_expires_at: leased ? at(59) : null,
    due_at: leased ? at(59) : null,
    attempt_end: claimed && !leased ? "completed" : null,
    finished_at: ended ? at(2) : null,
    end_cause: ended ? "completed" : null,
  };
}

const always = {
  rank: 1,
  last_seq: 1,
  created_at: at(0),
  priority: 40,
  max_attempts: 3,
};

/** A statement that inserts a run with these columns. */
export function insertRun(projectId: string, columns: Columns, id: string = randomUUID()): string {
  const row: Columns = { id, project_id: projectId, lane_id: id, ...always, ...columns };
  const names = Object.keys(row);
  return `insert into signalbox.run (${names.join(", ")})
    values (${Object.values(row).map(literal).join(", ")})`;
}

/** A statement that sets these columns of a run. */
export function updateRun(id: string, columns: Columns): string {
  const sets = Object.entries(columns).map(([name, value]) => `${name} = ${literal(value)}`);
  return `update signalbox.run set ${sets.join(", ")} where id = ${literal(id)}`;
}
