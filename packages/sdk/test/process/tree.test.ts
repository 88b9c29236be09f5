// Trees of processes: whatever a command leaves running is found, frozen and ended; nobody else is.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { WORKER_MARKER, workerMark } from "../../src/worker/process/environment.ts";
import { sweepOrphans } from "../../src/worker/process/orphans.ts";
import { startTimeOf } from "../../src/worker/process/proc-table.ts";
import { killTree, ProcessTree, type Tree } from "../../src/worker/process/tree.ts";
import { clearUp, living, newMark, statesOf, until, zoo } from "./zoo.ts";

const marks: string[] = [];

afterEach(() => {
  for (const mark of marks.splice(0)) clearUp(mark);
});

type Grown = { tree: Tree; mark: string; exited: Promise<unknown> };

async function grow(script: string, worker = ""): Promise<Grown> {
  const mark = newMark();
  marks.push(mark);
  const child = spawn("bash", ["-c", script, mark], {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, SIGNALBOX_ATTEMPT_ID: mark, [WORKER_MARKER]: worker },
  });
  const exited = once(child, "exit");
  const pid = child.pid ?? 0;
  const tree: Tree = { pid, pgid: pid, startTime: startTimeOf(pid), attemptId: mark };
  await until("the child has begun", () => living(mark).length > 0);
  return { tree, mark, exited };
}

// Linux only: trees are found in /proc.
describe.skipIf(process.platform !== "linux")("a tree of processes", () => {
  it.each(Object.entries(zoo))("that %s is ended whole", async (_habit, script) => {
    const { tree, mark, exited } = await grow(script);
    if (script.endsWith("exit 0")) await exited;
    else if (script.includes("sleep 1000")) {
      await until(
        "it sleeps",
        () => living(mark).length > (script === zoo["sleeps"] ? 0 : 1) || statesOf(mark) === "T",
      );
    }
    await until("something of it lives", () => living(mark).length > 0);
    const result = await killTree(tree, { graceMs: 300 });
    expect(result).toEqual({ survivors: [] });
    expect(living(mark)).toEqual([]);
  });

  it("is stopped whole by a freeze, also outside its group, and goes on after a thaw", async () => {
    const { tree, mark } = await grow(
      "setsid sh -c 'while :; do sleep 0.02; done' & sleep 1000 & wait",
    );
    await until("all have begun", () => living(mark).length >= 4);
    const handle = new ProcessTree(tree);
    handle.freeze();
    await until("all are stopped", () => /^T+$/.test(statesOf(mark)));
    const frozen = living(mark);
    handle.thaw();
    await until("it runs again", () => !statesOf(mark).includes("T"));
    await until("it respawns again", () => living(mark).some((pid) => !frozen.includes(pid)));
    expect((await handle.kill({ graceMs: 300 })).survivors).toEqual([]);
    expect(living(mark)).toEqual([]);
  });

  it("that is frozen is killed without waking when the grace is 0", async () => {
    const { tree, mark } = await grow("trap 'sleep 1000' TERM; while :; do sleep 0.05; done");
    const handle = new ProcessTree(tree);
    handle.freeze();
    await handle.kill({ graceMs: 0 });
    expect(living(mark)).toEqual([]);
  });

  it("gets its whole grace when it ends within it", async () => {
    const { tree, mark, exited } = await grow(
      "trap 'sleep 0.3; exit 7' TERM; while :; do sleep 0.02; done",
    );
    await until("the trap is set", () => living(mark).length > 1);
    await killTree(tree, { graceMs: 20_000 });
    expect(await exited).toEqual([7, null]);
  });

  it("is killed at once when the grace is cut short", async () => {
    const { tree, mark } = await grow(zoo["ignores SIGTERM"] ?? "");
    await until("the trap is set", () => living(mark).length > 1);
    const hurry = new AbortController();
    const killed = killTree(tree, { graceMs: 3_600_000, hurry: hurry.signal });
    hurry.abort();
    expect((await killed).survivors).toEqual([]);
    expect(living(mark)).toEqual([]);
  });

  it("never includes a process with the same pid and another start time", async () => {
    const { tree, mark } = await grow("sleep 1000 & sleep 1000 & wait");
    await until("all have begun", () => living(mark).length === 3);
    // As if the leader had died long ago and its pid, group and session were someone else's now.
    const recycled: Tree = { ...tree, startTime: (tree.startTime ?? 0) - 1, attemptId: "att_gone" };
    expect(await killTree(recycled, { graceMs: 100 })).toEqual({ survivors: [] });
    expect(living(mark)).toHaveLength(3);
    await killTree(tree, { graceMs: 0 });
    expect(living(mark)).toEqual([]);
  });
});

// Linux only: trees are found in /proc.
describe.skipIf(process.platform !== "linux")("the sweep at the start of a worker", () => {
  it("ends what a dead worker of this machine left, and nothing else", async () => {
    const ours = workerMark();
    const dead = ours.replace(/:\d+:/, ":1:");
    const left = await grow("setsid sleep 1000 & sleep 1000", dead);
    const leftAlone = await grow("setsid sleep 1000 & exit 0", dead);
    const alive = await grow("sleep 1000; :", ours);
    // The pid of another container means nothing here, whether it is in use or not.
    const foreign = await grow("sleep 1000; :", "7:1:pid:[1]");
    await leftAlone.exited;
    const folder = await mkdtemp(join(tmpdir(), "signalbox-test-"));
    await sweepOrphans({ graceMs: 200, under: folder });
    await rm(folder, { recursive: true });
    expect(living(left.mark)).toEqual([]);
    expect(living(leftAlone.mark)).toEqual([]);
    expect(living(alive.mark)).toHaveLength(2);
    expect(living(foreign.mark)).toHaveLength(2);
  });
});
