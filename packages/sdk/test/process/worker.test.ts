// The whole worker with the process runtime: from the claim to the report, and its own death.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Directive } from "../../src/wire.ts";
import { Peer } from "./peer.ts";
import { clearUp, living, newMark, statesOf, supervisorsOf, until, zoo } from "./zoo.ts";

const program = fileURLToPath(new URL("./worker-process.mjs", import.meta.url));

let peer: Peer;
let mark = "";
let worker: ChildProcess | null = null;

beforeEach(async () => {
  peer = await Peer.open();
  mark = newMark();
});

afterEach(async () => {
  if (worker !== null && worker.exitCode === null && worker.signalCode === null) {
    const exited = once(worker, "exit");
    worker.kill("SIGKILL");
    await exited;
  }
  worker = null;
  clearUp(mark);
  await peer.close();
});

/** Starts a worker that runs the script for each run. Its own arguments carry no mark. */
function startWorker(script: string, leaseMs = 60_000): ChildProcess {
  const args = [program, peer.url, script, mark, String(leaseMs)];
  worker = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  return worker;
}

/** Pids of the attempt's processes: the worker has the mark among its arguments, so not that. */
function tree(): number[] {
  return living(mark).filter((pid) => pid !== worker?.pid);
}

function foldersOf(attemptId: string): string[] {
  return readdirSync(tmpdir()).filter((name) => {
    if (!name.startsWith("signalbox-attempt-")) return false;
    try {
      return readFileSync(`${tmpdir()}/${name}/input.json`, "utf8").includes(attemptId);
    } catch {
      return false;
    }
  });
}

function directive(
  kind: "cancel" | "kill" | "budget",
  attemptId: string,
  runId = "run_1",
): Directive {
  const base = { run_id: runId, attempt_id: attemptId, reason: "a person said so" };
  return kind === "cancel" ? { kind, ...base, grace_ms: 30_000 } : { kind, ...base };
}

describe("a worker with the process runtime", () => {
  it("claims, runs, logs and reports", async () => {
    startWorker("echo hello; echo '{\"n\":1}'");
    const attemptId = peer.give(null);
    await until("the report", () => peer.report(attemptId, "complete") !== undefined);
    expect(peer.report(attemptId, "complete")).toMatchObject({
      output: { n: 1 },
      process: { pid: expect.any(Number), host: hostname(), exit_code: 0, signal: null },
    });
    expect(peer.lines(attemptId)).toEqual(["hello", '{"n":1}']);
  });

  it("reports a failure with its code and whether to try again", async () => {
    startWorker("echo no >&2; exit 65");
    const attemptId = peer.give(null);
    await until("the report", () => peer.report(attemptId, "fail") !== undefined);
    expect(peer.report(attemptId, "fail")).toMatchObject({
      error: {
        code: "exit_65",
        message: "the command exited with code 65: no",
        detail: { exit_code: 65, stderr_tail: "no\n" },
      },
      retryable: false,
    });
  });

  it("gives the run back and ends the tree when it is stopped", async () => {
    const child = startWorker(zoo["ignores SIGTERM"] ?? "");
    const attemptId = peer.give(null);
    await until("the tree has begun", () => tree().length > 1);
    child.kill("SIGTERM");
    await until("the release", () => peer.report(attemptId, "release") !== undefined);
    expect(tree()).toEqual([]);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });

  it("reports a limit that the command says it met, and what that was", async () => {
    startWorker(`echo '{"reason":"quota","recovery_in_ms":5000}' > $SIGNALBOX_LIMIT; exit 3`);
    const attemptId = peer.give(null);
    await until("the report", () => peer.report(attemptId, "exhausted") !== undefined);
    expect(peer.report(attemptId, "exhausted")).toMatchObject({
      reason: "quota",
      recovery_in_ms: 5_000,
      process: { exit_code: 3 },
    });
    expect(peer.report(attemptId, "fail")).toBeUndefined();
  });

  it.each(["kill", "budget"] as const)("ends the tree on %s and says that it has", async (kind) => {
    startWorker(zoo["double forks and ignores SIGTERM"] ?? "");
    const attemptId = peer.give(null);
    await until("the tree has begun", () => tree().length > 1 && peer.streams > 0);
    peer.direct(directive(kind, attemptId));
    await until("the report", () => peer.report(attemptId, "terminated") !== undefined);
    expect(tree()).toEqual([]);
    expect(peer.report(attemptId, "terminated")).toMatchObject({ process: { signal: "SIGTERM" } });
  });
});

// Linux only: trees are found in /proc.
describe.skipIf(process.platform !== "linux")("the death of a supervisor", () => {
  it("ends the tree and gives the run back", async () => {
    const child = startWorker(zoo["ignores SIGTERM"] ?? "");
    const attemptId = peer.give(null);
    await until("the tree has begun", () => tree().length > 1);
    process.kill(supervisorsOf(child.pid ?? 0)[0] ?? 0, "SIGKILL");
    await until("the release", () => peer.report(attemptId, "release") !== undefined);
    expect(tree()).toEqual([]);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });
});

// Linux only: trees are found in /proc.
describe.skipIf(process.platform !== "linux")("the death of a worker by SIGKILL", () => {
  it.each([
    "ignores SIGTERM",
    "double forks and ignores SIGTERM",
    "stops itself",
    "forks 32 times",
  ])("ends its tree that %s, its folder and its heartbeats", async (habit) => {
    const child = startWorker(zoo[habit] ?? "");
    const attemptId = peer.give({ folder_of: mark });
    await until("the tree has begun", () => tree().length > 1 || statesOf(mark).includes("T"));
    await until("it is kept", () => peer.heartbeats > 1 && foldersOf(mark).length === 1);
    const supervisors = supervisorsOf(child.pid ?? 0);
    expect(supervisors).toHaveLength(1);
    child.kill("SIGKILL");
    await until("the tree is gone", () => tree().length === 0);
    await until("the folder is gone", () => foldersOf(mark).length === 0);
    await until("the directive stream is closed", () => peer.streams === 0);
    // Nobody is left who could beat.
    const isGone = (): boolean =>
      living("supervisor-main.js").every((pid) => pid !== supervisors[0]);
    await until("the supervisor is gone", isGone);
    await until("nobody is connected", () => peer.isAlone());
    expect(peer.report(attemptId, "complete")).toBeUndefined();
  });

  it("while its tree is frozen does not wake the tree", async () => {
    const woken = "trap 'sleep 1000' CONT TERM; while :; do sleep 0.02; done";
    const child = startWorker(woken, 1_000);
    peer.lease = { leaseMs: 1_000, timeLeftMs: null };
    peer.give(null);
    await until("the tree has begun", () => tree().length > 1);
    peer.cut = true;
    const frozen = (): boolean => {
      const states = statesOf(mark).replace(/[^T]/g, "");
      return states.length > 0 && states.length >= tree().length;
    };
    await until("the tree is frozen", frozen);
    child.kill("SIGKILL");
    await until("the tree is gone", () => tree().length === 0);
  });

  it("together with its supervisor leaves a tree that the next worker ends", async () => {
    const child = startWorker("sleep 1000 & wait");
    peer.give({ folder_of: mark });
    await until("the tree has begun", () => tree().length > 1);
    const [supervisor] = supervisorsOf(child.pid ?? 0);
    expect(supervisor).toBeDefined();
    // The supervisor is stopped first, so that it cannot act on the death of the worker.
    process.kill(supervisor ?? 0, "SIGSTOP");
    child.kill("SIGKILL");
    process.kill(supervisor ?? 0, "SIGKILL");
    await once(child, "exit");
    startWorker("exit 0");
    await until("the left-over is gone", () => tree().length === 0);
    await until("its folder is gone", () => foldersOf(mark).length === 0);
  });
});
