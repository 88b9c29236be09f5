// The cancel flag: while it stands, whatever ends or returns the attempt ends the run `cancelled`,
// and so does every await. A deadline still ends it `timeout`.
import { describe, expect, test } from "vitest";
import { decide } from "../../src/domain/decide.ts";
import { dueCommand } from "../../src/domain/due.ts";
import { limits } from "../../src/domain/limits.ts";
import type { RunPhase } from "../../src/domain/machine.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { CommandName } from "./runs.ts";
import { after, commands, fenceOf, inAWord, must, runIn } from "./runs.ts";

const table = `
command         | claimed   | running   | waiting_tool | waiting_approval_held
start           | running   | same      | same         | same
resume          | -         | same      | running      | -
await_tool      | -         | cancelled | same         | -
await_approval  | -         | cancelled | cancelled    | same
await_suspended | -         | cancelled | cancelled    | same
complete        | cancelled | cancelled | cancelled    | -
fail            | cancelled | cancelled | cancelled    | cancelled
fail_for_good   | cancelled | cancelled | cancelled    | cancelled
release         | cancelled | cancelled | cancelled    | cancelled
release_stopped | cancelled | cancelled | cancelled    | cancelled
expire          | cancelled | cancelled | cancelled    | cancelled
expire_outage   | cancelled | cancelled | cancelled    | cancelled
exhaust         | cancelled | cancelled | cancelled    | cancelled
approve         | -         | -         | -            | running
reject          | -         | -         | -            | cancelled
cancel          | same      | same      | same         | same
cancel_overdue  | cancelled | cancelled | cancelled    | cancelled
kill            | cancelled | cancelled | cancelled    | cancelled
time_out        | timeout   | timeout   | timeout      | timeout
max_duration    | timeout   | timeout   | timeout      | timeout
`;

const [head = [], ...rows] = table
  .trim()
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()));
const cells = rows.flatMap(([command, ...row]) =>
  row.map((expected, n) => ({
    command: command as CommandName,
    phase: head[n + 1] as RunPhase,
    expected: expected === "-" ? "invalid_transition" : expected,
  })),
);
const flagged = (phase: RunPhase) => must(runIn(phase), commands.cancel, after(0)).run;

test.each(cells)("flagged $phase × $command → $expected", ({ command, phase, expected }) => {
  expect(inAWord(decide(flagged(phase), commands[command], after(10)))).toBe(expected);
});

test("the first request wins: a second changes neither instant nor reason", () => {
  const again = must(flagged("running"), { kind: "cancel", reason: "other" }, after(500));
  expect(again.facts).toEqual([]);
  expect(again.run).toMatchObject({
    cancelRequestedAt: after(0).at,
    statusReason: "changed my mind",
  });
});

describe("what the last report brought is kept", () => {
  const ends: [CommandName, string][] = cells
    .filter(({ expected }) => expected === "cancelled")
    .map(({ command, phase }) => [command, phase]);

  test.each(ends)("%s from %s: cause and reason are the cancel's or the house's", (name, phase) => {
    const { run } = must(flagged(phase as RunPhase), commands[name], after(10));
    const cause = { reject: "approval", kill: "kill" }[name as string] ?? "cancel";
    expect(run).toMatchObject({ phase: "cancelled", endCause: cause, deadLetteredAt: null });
    if (cause === "cancel") expect(run.statusReason).toBe("changed my mind");
  });

  test("the output of a completion", () => {
    const { run } = must(flagged("running"), commands.complete, after(10));
    expect(run).toMatchObject({ ending: { output: { ok: true } }, attemptEnd: "completed" });
  });

  test("the error and the output of a failure", () => {
    const { run } = must(flagged("running"), { ...commands.fail, output: "half" }, after(10));
    expect(run).toMatchObject({ ending: { error: { code: "boom" }, output: "half" } });
  });
});

describe("a report that ended a cancelled run can be repeated", () => {
  test.each(["complete", "fail", "release", "exhaust", "await_tool", "await_approval"] as const)(
    "%s",
    (name) => {
      const first = must(flagged("running"), commands[name], after(10), fenceOf(1));
      expect(first.run.phase).toBe("cancelled");
      const second = must(first.run, commands[name], after(20), fenceOf(1));
      expect(second).toMatchObject({ repeated: true, facts: [], run: { phase: "cancelled" } });
    },
  );
});

describe("the grace", () => {
  const run = flagged("running");
  test("is over 30 s after the request, not before", () => {
    const end = limits.cancelGraceMs;
    expect(end).toBe(30_000);
    expect(dueCommand(run, after(end - 1).at, false)).toBeNull();
    expect(dueCommand(run, after(end).at, false)).toEqual({ kind: "cancel_overdue" });
  });

  test("fences the worker: its late completion is stale", () => {
    const over = must(run, commands.cancel_overdue, after(30_000)).run;
    expect(over).toMatchObject({ phase: "cancelled", attemptEnd: "killed" });
    const late = decide(over, commands.complete, after(30_001), fenceOf(1));
    expect(isRefusal(late) && late.code).toBe("stale_fencing_token");
  });

  test("a deadline that passes within it ends the run `timeout`", () => {
    const pressed = { ...run, deadlineAt: after(20_000).at };
    const command = dueCommand(pressed, after(40_000).at, false);
    expect(command).toEqual({ kind: "time_out", what: "deadline" });
  });
});
