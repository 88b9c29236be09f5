// The transition table, cell by cell: every phase × every command. The table below was written from
// the model by hand; the code has its own. They must agree.
import { describe, expect, test } from "vitest";
import { decide } from "../../src/domain/decide.ts";
import type { RunPhase } from "../../src/domain/machine.ts";
import {
  allowedCommands,
  runCommands,
  runPhases,
  runStates,
  stateOf,
  terminalStates,
} from "../../src/domain/machine.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import { isLeased } from "../../src/domain/run.ts";
import type { CommandName } from "./runs.ts";
import { after, commands, inAWord, must, runIn } from "./runs.ts";

// A state = where it leads. `-` = refused, invalid_transition. `over` = refused, already_terminal.
// `same` = it had taken effect: succeeds, nothing is written. `decide` = pending while attempts are
// left, else failed. `flag` = the state stays and the cancel is asked for.
const table = `
command         | pending   | claimed   | running   | tool      | held      | suspended | over
claim           | claimed   | -         | -         | -         | -         | -         | over
start           | -         | running   | same      | same      | same      | -         | over
await_tool      | -         | -         | tool      | same      | -         | -         | over
resume          | -         | -         | same      | running   | -         | -         | over
await_approval  | -         | -         | held      | held      | same      | -         | over
await_suspended | -         | -         | suspended | suspended | same      | -         | over
approve         | -         | -         | -         | -         | running   | pending   | over
reject          | -         | -         | -         | -         | cancelled | cancelled | over
complete        | -         | completed | completed | completed | -         | -         | over
fail            | -         | decide    | decide    | decide    | decide    | -         | over
fail_for_good   | -         | failed    | failed    | failed    | failed    | -         | over
fail_dependency | failed    | -         | -         | -         | -         | -         | over
release         | -         | pending   | pending   | pending   | suspended | -         | over
release_stopped | -         | pending   | pending   | pending   | suspended | -         | over
expire          | -         | decide    | decide    | decide    | suspended | -         | over
expire_outage   | -         | pending   | pending   | pending   | suspended | -         | over
exhaust         | -         | pending   | pending   | pending   | pending   | -         | over
cancel          | cancelled | flag      | flag      | flag      | flag      | cancelled | over
cancel_overdue  | -         | -         | -         | -         | -         | -         | over
kill            | cancelled | cancelled | cancelled | cancelled | cancelled | cancelled | over
time_out        | timeout   | timeout   | timeout   | timeout   | timeout   | timeout   | over
max_duration    | timeout   | timeout   | timeout   | timeout   | timeout   | timeout   | over
renew           | -         | renewed   | renewed   | renewed   | renewed   | -         | over
`;

const columns: Readonly<Record<string, readonly RunPhase[]>> = {
  pending: ["pending"],
  claimed: ["claimed"],
  running: ["running"],
  tool: ["waiting_tool"],
  held: ["waiting_approval_held"],
  suspended: ["waiting_approval_suspended"],
  over: ["completed", "failed", "cancelled", "timeout"],
};

type Cell = { command: CommandName; phase: RunPhase; expected: string };

function cellsOf(text: string): Cell[] {
  const lines = text.trim().split("\n");
  const [head = [], ...rows] = lines.map((line) => line.split("|").map((cell) => cell.trim()));
  return rows.flatMap(([command, ...row]) =>
    row.flatMap((expected, n) =>
      (columns[head[n + 1] as string] as RunPhase[]).map((phase) => ({
        command: command as CommandName,
        phase,
        expected,
      })),
    ),
  );
}

const short = new Map<string, string>([
  ["waiting_tool", "tool"],
  ["waiting_approval_held", "held"],
  ["waiting_approval_suspended", "suspended"],
  ["invalid_transition", "-"],
  ["already_terminal", "over"],
]);
const cells = cellsOf(table);

test("the table names every phase and every command of the law", () => {
  expect(new Set(cells.map(({ phase }) => phase))).toEqual(new Set(runPhases));
  const asked = new Set(cells.map(({ command }) => commands[command].kind));
  expect(runCommands.filter((name) => !asked.has(name))).toEqual([]);
  expect(
    Object.keys(commands).filter((name) => !new RegExp(`^${name} *\\|`, "m").test(table)),
  ).toEqual([
    "terminated", // changes no state: see append.test.ts
  ]);
});

describe.each(cells)("$phase × $command", ({ command, phase, expected }) => {
  const run = runIn(phase);
  const first = decide(run, commands[command], after(0));
  const word = inAWord(first);

  if (expected === "decide") {
    test("is pending again while attempts are left, else failed and dead-lettered", () => {
      expect(must(run, commands[command], after(0)).run).toMatchObject({
        phase: "pending",
        notBefore: after(5000).at,
      });
      const last = runIn(phase, { maxAttempts: 1 });
      expect(must(last, commands[command], after(0)).run).toMatchObject({
        phase: "failed",
        endCause: "attempts",
        deadLetteredAt: after(0).at,
      });
    });
  } else if (expected === "flag" || expected === "renewed") {
    test(`keeps the state (${expected})`, () => {
      const next = must(run, commands[command], after(1000)).run;
      expect(next.phase).toBe(phase);
      if (expected === "flag") expect(next.cancelRequestedAt).toBe(after(1000).at);
      else expect(next.lease?.expiresAt).toBe(after(61_000).at);
    });
  } else {
    test(`→ ${expected}`, () => {
      expect(short.get(word) ?? word).toBe(expected);
    });
  }

  test("a refusal changes nothing and names from, command and what is allowed", () => {
    if (!isRefusal(first)) {
      expect(first.run.id).toBe(run.id);
      return;
    }
    const state = stateOf(phase);
    expect(first.facts).toMatchObject({ state });
    expect(first.detail).toContain(state);
    if (first.code === "invalid_transition") {
      expect(first.facts?.["allowed"]).toEqual(allowedCommands(phase));
    }
  });

  test("an attempt ends exactly when the lease does, and its fact says so", () => {
    if (isRefusal(first)) return;
    const ended = first.attempt.filter((change) => change.kind === "ended");
    const lost = isLeased(run) && !isLeased(first.run);
    expect(ended).toHaveLength(lost ? 1 : 0);
    const deltas = first.facts.map((fact) => fact.leaseDelta ?? 0).filter((delta) => delta !== 0);
    expect(deltas).toEqual(command === "claim" ? [1] : lost ? [-1] : []);
    if (lost) expect(first.run.attemptEnd).toBe(ended[0]?.state);
  });
});

test("every phase is stored as a state, and the ended ones are terminal", () => {
  expect(new Set(runPhases.map(stateOf))).toEqual(new Set(runStates));
  expect(columns["over"]).toEqual(terminalStates);
});

describe("the footnotes", () => {
  test("¹ only the house fails a pending run, and it is no dead letter", () => {
    const failed = must(runIn("pending"), commands.fail_dependency, after(0));
    expect(failed.run).toMatchObject({
      phase: "failed",
      endCause: "dependency",
      deadLetteredAt: null,
      attemptsUsed: 0,
    });
    expect(failed.attempt).toEqual([]);
  });

  test.each([
    ["claimed", ["run.started", "run.completed"], ["running", "ended"]],
    ["running", ["run.completed"], ["ended"]],
    ["waiting_tool", ["run.resumed", "run.completed"], ["ended"]],
  ] as const)("² complete from %s records %j", (phase, types, changes) => {
    const done = must(runIn(phase), commands.complete, after(0));
    expect(done.facts.map((fact) => fact.type)).toEqual(types);
    expect(done.attempt.map((change) => change.kind)).toEqual(changes);
    const steps = done.facts.map((fact) => `${fact.from} → ${fact.to}`);
    expect(steps.at(-1)).toBe("running → completed");
  });

  test("³ fail and exhaust end a held run's attempt", () => {
    for (const name of ["fail", "exhaust"] as const) {
      const next = must(runIn("waiting_approval_held"), commands[name], after(0));
      expect(next.run).toMatchObject({ phase: "pending", lease: null });
    }
  });

  test("⁴ release and expire end the attempt, the run keeps waiting, and it costs nothing", () => {
    for (const [name, end] of [
      ["release", "released"],
      ["expire", "lost"],
    ] as const) {
      const next = must(runIn("waiting_approval_held"), commands[name], after(0));
      expect(next.run).toMatchObject({
        phase: "waiting_approval_suspended",
        attemptEnd: end,
        attemptsUsed: 0,
        suspensions: 1,
      });
      expect(next.facts).toMatchObject([
        { type: "run.suspended", also: [`attempt.${end}`], leaseDelta: -1 },
      ]);
    }
  });
});
