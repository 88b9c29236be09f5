// Fencing: whose writes are taken, which repeats are recognised, what may still come late.
import { describe, expect, test } from "vitest";
import type { Fence, RunCommand } from "../../src/domain/command.ts";
import { decide } from "../../src/domain/decide.ts";
import { limits } from "../../src/domain/limits.ts";
import { isRefusal } from "../../src/domain/refusal.ts";
import type { Run } from "../../src/domain/run.ts";
import type { CommandName } from "./runs.ts";
import { after, attemptId, commands, fenceOf, must, pending, runIn, through } from "./runs.ts";

const workers = [
  "start",
  "await_tool",
  "resume",
  "await_approval",
  "complete",
  "fail",
  "release",
  "exhaust",
  "renew",
  "terminated",
] as const satisfies CommandName[];

const lines = (text: string): RunCommand => ({
  kind: "append",
  events: [{ type: text, producerSeq: null, data: {} }],
});

function codeOf(run: Run, command: RunCommand, fence: Fence, ms = 1000): string {
  const decision = decide(run, command, after(ms), fence);
  return isRefusal(decision) ? decision.code : decision.repeated === true ? "same" : "taken";
}

describe.each(workers)("%s", (name) => {
  test("is refused before there was a claim", () => {
    expect(codeOf(pending(), commands[name], fenceOf(1))).toBe("stale_fencing_token");
  });

  test("is refused with an older token, with a made-up one, with another attempt's id", () => {
    const second = through(runIn("running"), "release", "claim", "start");
    expect(second.fencingToken).toBe(2);
    for (const fence of [
      fenceOf(1),
      fenceOf(3),
      { attemptId: attemptId(1), token: 2 },
      { attemptId: attemptId(2), token: 1 },
    ]) {
      expect(codeOf(second, commands[name], fence)).toBe("stale_fencing_token");
    }
  });

  test("is refused after a kill, an expiry or a timeout took the lease away", () => {
    if (name === "terminated") return;
    for (const end of ["kill", "expire", "time_out"] as const) {
      const over = through(runIn("running"), end);
      expect(codeOf(over, commands[name], fenceOf(1))).toBe("stale_fencing_token");
    }
  });
});

test("a refusal names the newest token, so that the worker knows it was overtaken", () => {
  const second = through(runIn("running"), "expire_outage", "claim");
  const refused = decide(second, commands.complete, after(0), fenceOf(1));
  expect(refused).toMatchObject({
    code: "stale_fencing_token",
    facts: { fencing_token: 1, newest: 2, state: "claimed" },
  });
});

describe("a command that took effect can be repeated with the same token", () => {
  test.each<[CommandName, CommandName[]]>([
    ["start", ["claim", "start"]],
    ["start", ["claim", "start", "await_tool"]],
    ["await_tool", ["claim", "start", "await_tool"]],
    ["resume", ["claim", "start", "await_tool", "resume"]],
    ["await_approval", ["claim", "start", "await_approval"]],
    ["await_suspended", ["claim", "start", "await_suspended"]],
    ["complete", ["claim", "start", "complete"]],
    ["complete", ["claim", "complete"]],
    ["fail", ["claim", "start", "fail"]],
    ["fail_for_good", ["claim", "start", "fail_for_good"]],
    ["release", ["claim", "start", "release"]],
    ["release", ["claim", "start", "await_approval", "release"]],
    ["exhaust", ["claim", "start", "exhaust"]],
  ])("%s after %j", (name, path) => {
    const run = through(pending(), ...path);
    const decision = must(run, commands[name], after(5), fenceOf(1));
    expect(decision).toEqual({ run, facts: [], attempt: [], repeated: true });
  });

  test("but not as another command: a completed attempt cannot fail afterwards", () => {
    const done = runIn("completed");
    for (const name of ["fail", "release", "exhaust", "start", "await_tool"] as const) {
      expect(codeOf(done, commands[name], fenceOf(1))).toBe("stale_fencing_token");
    }
    const released = through(runIn("running"), "release");
    for (const name of ["complete", "fail", "await_tool", "await_approval"] as const) {
      expect(codeOf(released, commands[name], fenceOf(1))).toBe("stale_fencing_token");
    }
  });
});

describe("what may come after the end", () => {
  const done = runIn("completed");
  const within = limits.lateAppendMs;

  test("is ten minutes", () => {
    expect(within).toBe(600_000);
  });

  test("log lines and the news that the processes are gone, marked late", () => {
    for (const command of [lines("log.line"), commands.terminated]) {
      const { facts, run } = must(done, command, after(within), fenceOf(1));
      expect(facts).toMatchObject([{ late: true, source: "runner", token: 1 }]);
      expect(run.phase).toBe("completed");
      expect(codeOf(done, command, fenceOf(1), within + 1)).toBe("stale_fencing_token");
    }
  });

  test("no other event, not even beside a log line", () => {
    expect(codeOf(done, lines("message.delta"), fenceOf(1))).toBe("stale_fencing_token");
    const both: RunCommand = {
      kind: "append",
      events: ["log.line", "tool.call.started"].map((type) => ({
        type,
        producerSeq: null,
        data: {},
      })),
    };
    expect(codeOf(done, both, fenceOf(1))).toBe("stale_fencing_token");
  });

  test("no line that says what was consumed: that is told apart, so that it is charged", () => {
    const usage = { inputTokens: 5 };
    const event = { type: "log.line", producerSeq: 7, data: { text: "bye" }, usage };
    expect(codeOf(done, { kind: "append", events: [event] }, fenceOf(1))).toBe(
      "stale_fencing_token",
    );
    const records = [{ producerSeq: 7, usage, line: event.data }];
    const who = { token: 1, late: true, agent: null, account: null };
    const told = { kind: "record_usage", records, ...who } as const;
    const { run, facts, usage: booked } = must(done, told, after(within));
    expect(booked).toMatchObject([{ producerSeq: 7, usage }]);
    expect(run.lastProducerSeq).toBe(7);
    const line = { type: "log.line", late: true, producerSeq: 7, data: event.data };
    expect(facts).toMatchObject([line]);
    // Where a line alone would not be kept, only the usage is.
    const only = { type: "usage.recorded", late: true, data: { usage: { input_tokens: 5 } } };
    expect(must(done, told, after(within + 1)).facts).toMatchObject([only]);
    const second = through(runIn("running"), "expire_outage", "claim", "complete");
    expect(must(second, told, after(0)).facts).toMatchObject([only]);
    // Of a child, while its attempt is live.
    const child = { ...told, late: false, records: [{ ...records[0], producerSeq: -7 }] } as const;
    const { facts: live } = must(runIn("running"), child as RunCommand, after(0));
    expect(live).toEqual([
      { type: "log.line", source: "runner", at: after(0).at, token: 1, data: event.data },
    ]);
  });

  test("nothing from an older attempt", () => {
    const second = through(runIn("running"), "expire_outage", "claim", "complete");
    expect(codeOf(second, lines("log.line"), fenceOf(1))).toBe("stale_fencing_token");
    expect(codeOf(second, lines("log.line"), fenceOf(2))).toBe("taken");
  });

  test("a lost attempt may still say that its processes are gone", () => {
    const waiting = through(runIn("running"), "expire");
    const { facts } = must(waiting, commands.terminated, after(9), fenceOf(1));
    expect(facts).toMatchObject([{ type: "attempt.terminated", late: true }]);
  });
});

test("an append without a fence needs a lease; an ended run refuses it for good", () => {
  const code = (run: Run) => {
    const decision = decide(run, lines("log.line"), after(0));
    return isRefusal(decision) ? decision.code : "taken";
  };
  expect(code(runIn("waiting_tool"))).toBe("taken");
  expect(code(pending())).toBe("invalid_transition");
  expect(code(runIn("cancelled"))).toBe("already_terminal");
});
