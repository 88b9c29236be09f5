// Starts the fixture worker as a process of its own.
// Promises: the process is killed at the end of the test, by its handle.
// Leaves to others: building (`npm test` builds first; the fixture runs the build).

import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

import { onTestFinished } from "vitest";

export type WorkerProcess = {
  child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** How it ended. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** What it printed to stderr so far. */
  stderr(): string;
};

export function startWorkerProcess(url: string, how: "busy" | "patient"): WorkerProcess {
  const fixture = fileURLToPath(new URL("./fixtures/worker-process.mjs", import.meta.url));
  const child = spawn(process.execPath, [fixture, url, how], { stdio: "pipe" });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, "exit").then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { child, ended, stderr: () => stderr };
}
