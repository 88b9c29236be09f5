// The supervisor process: heartbeat, freeze and kill do not depend on the worker's event loop.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KeeperCallbacks, KeeperLike } from "../../src/worker/keeper.ts";
import { startTimeOf } from "../../src/worker/process/proc-table.ts";
import {
  supervisorKeeper,
  type SupervisorKeeper,
  type SupervisorOptions,
} from "../../src/worker/process/supervisor.ts";
import type { Directive, Fence } from "../../src/wire.ts";
import { Peer } from "./peer.ts";
import { clearUp, living, newMark, statesOf, supervisorsOf, until, zoo } from "./zoo.ts";

type Started = { supervisor: SupervisorKeeper; keeper: KeeperLike; told: string[]; mark: string };

let peer: Peer;
let open: KeeperLike[] = [];
let marks: string[] = [];

beforeEach(async () => {
  peer = await Peer.open();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((keeper) => keeper.stop()));
  for (const mark of marks.splice(0)) clearUp(mark);
  await peer.close();
});

const fenceOf = (mark: string): Fence => ({ run_id: "run_1", attempt_id: mark, fencing_token: 1 });

async function start(
  script: string,
  lease: { leaseMs?: number; timeLeftMs?: number | null } = {},
  options: SupervisorOptions = {},
): Promise<Started> {
  const mark = newMark();
  marks.push(mark);
  const told: string[] = [];
  const callbacks: KeeperCallbacks = {
    onDirective: (directive) => told.push(directive.kind),
    onFreeze: () => told.push("freeze"),
    onThaw: () => told.push("thaw"),
    onLost: (_fence, code) => told.push(code),
  };
  const supervisor = supervisorKeeper({ killGraceMs: 300, orphanGraceMs: 300, ...options });
  const connection = { url: peer.url, key };
  const keeper = supervisor(
    { ...connection, runtime: "zoo", agents: [], heartbeatMs: 100 },
    callbacks,
  );
  open.push(keeper);
  keeper.start();
  const { leaseMs = 60_000, timeLeftMs = null } = lease;
  keeper.add({ fence: fenceOf(mark), leaseMs, timeLeftMs });
  const child = spawn("bash", ["-c", script, mark], {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, SIGNALBOX_ATTEMPT_ID: mark },
  });
  child.on("error", () => {});
  const pid = child.pid ?? 0;
  supervisor.track(mark, { pid, pgid: pid, startTime: startTimeOf(pid), attemptId: mark }, null);
  await until("heartbeats and stream", () => peer.heartbeats > 1 && peer.streams > 0);
  await until("the child has begun", () => living(mark).length > 0);
  return { supervisor, keeper, told, mark };
}

function directive(kind: "cancel" | "kill" | "budget" | "stop", mark: string): Directive {
  const { run_id, attempt_id } = fenceOf(mark);
  const base = { run_id, attempt_id, reason: null };
  return kind === "cancel" ? { kind, ...base, grace_ms: 30_000 } : { kind, ...base };
}

const key = "sbx_secret_of_the_worker";
const spinning = "trap '' TERM; while :; do sleep 0.02; done";

// Linux only: trees are found in /proc.
describe.skipIf(process.platform !== "linux")("the supervisor", () => {
  it.each(["cancel", "kill", "budget", "stop"] as const)(
    "ends the tree on %s and tells the worker",
    async (kind) => {
      const { told, mark } = await start(zoo["double forks and ignores SIGTERM"] ?? "");
      await until("it has forked", () => living(mark).length > 1);
      peer.direct(directive(kind, mark));
      await until("the tree is gone", () => living(mark).length === 0);
      await until("the worker is told", () => told.includes(kind));
    },
  );

  it("ends the tree when its time is over, without the server", async () => {
    const { told, mark } = await start(zoo["sleeps"] ?? "", { timeLeftMs: 400 });
    peer.cut = true;
    await until("the tree is gone", () => living(mark).length === 0);
    await until("the worker is told", () => told.includes("deadline"));
  });

  it("freezes the tree before the lease can end, and thaws it when it is still ours", async () => {
    const { told, mark } = await start(spinning, { leaseMs: 3_000 });
    peer.cut = true;
    await until("the tree is frozen", () => /^T+$/.test(statesOf(mark)));
    const frozen = living(mark);
    peer.cut = false;
    await until("it goes on", () => living(mark).some((pid) => !frozen.includes(pid)));
    await until("the worker is told", () => told.includes("thaw"));
    expect(told).toEqual(["freeze", "thaw"]);
  });

  it("kills a frozen tree that lost its lease without waking it", async () => {
    const woken = "trap 'sleep 1000' CONT TERM; while :; do sleep 0.02; done";
    const { told, mark } = await start(woken, { leaseMs: 600 }, { killGraceMs: 3_600_000 });
    peer.cut = true;
    await until("the tree is frozen", () => /^T+$/.test(statesOf(mark)));
    peer.fenced.add(mark);
    peer.cut = false;
    await until("the tree is gone", () => living(mark).length === 0);
    await until("the worker is told", () => told.includes("stale_fencing_token"));
  });

  it("acts on the time limit while the worker's own loop is blocked", async () => {
    const { mark } = await start(spinning, { timeLeftMs: 1_000 });
    // Nothing is awaited from here on.
    const end = performance.now() + 30_000;
    while (living(mark).length > 0 && performance.now() < end);
    expect(living(mark)).toEqual([]);
  });

  it("ends what it is told to end, once", async () => {
    const script =
      "n=0; trap 'n=$((n+1)); [ $n -gt 1 ] && exit 9' TERM; while :; do sleep 0.02; done";
    const { supervisor, mark } = await start(script, {}, { killGraceMs: 3_600_000 });
    supervisor.end(mark, 1_000);
    supervisor.end(mark, 1_000);
    await until("SIGKILL after one SIGTERM", () => living(mark).length === 0);
  });

  it("survives the signals of the worker's terminal, and its death is noticed", async () => {
    const deaths: string[] = [];
    const onDeath = (error: Error): void => void deaths.push(error.message);
    const { supervisor, keeper } = await start("sleep 1000", {}, { onDeath });
    const pid = supervisorPid();
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid, name);
    const seen = peer.heartbeats;
    await until("it goes on", () => peer.heartbeats > seen + 2);
    process.kill(pid, "SIGKILL");
    await until("the death is noticed", () => supervisor.death.aborted);
    expect(deaths).toEqual(["the supervisor process ended: SIGKILL"]);
    await keeper.stop();
  });

  it("has no key in its arguments or environment", async () => {
    process.env["SIGNALBOX_KEY"] = key;
    try {
      await start("sleep 1000");
      const pid = supervisorPid();
      const given = ["environ", "cmdline"].map((name) =>
        readFileSync(`/proc/${pid}/${name}`, "utf8"),
      );
      expect(given[0]).toContain("PATH=");
      expect(given.join("")).not.toContain(key);
    } finally {
      delete process.env["SIGNALBOX_KEY"];
    }
  });
});

/** The one child of this very process that is a supervisor. */
function supervisorPid(): number {
  const pids = supervisorsOf(process.pid);
  if (pids.length !== 1 || pids[0] === undefined) throw new Error(`${pids.length} supervisors`);
  return pids[0];
}
