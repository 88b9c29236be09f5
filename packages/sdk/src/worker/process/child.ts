// One child process: started, listened to, and known to be over when it exits.
// Promises: a start that fails rejects and never throws later, whatever stream breaks; the exit
// decides, at most 2 s later the streams are destroyed, so that a grandchild which holds a pipe
// cannot keep the attempt open. The child leads a session and group of its own.
// Leaves to others: meaning of lines and exits, ending the child (`handler.ts`, the supervisor).

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { ChildExit } from "./exit-policy.ts";
import type { StreamName } from "./log-pump.ts";
import { startTimeOf } from "./proc-table.ts";
import type { Tree } from "./tree.ts";

export type ChildRequest = {
  command: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  attemptId: string;
  /** Written to stdin, which is then closed; null = stdin is empty. */
  stdin: string | null;
  /** Time for the streams to end after the exit. */
  drainMs: number;
  onChunk: (stream: StreamName, chunk: Buffer) => void;
};

export type Child = {
  tree: Tree;
  /** Resolves when the child has exited. */
  exited: Promise<ChildExit>;
  /** Resolves when it has exited and its streams have ended or were destroyed. */
  ended: Promise<ChildExit>;
};

/** Starts a child. Rejects with the system's error, such as ENOENT, EACCES or EMFILE. */
export async function startChild(request: ChildRequest): Promise<Child> {
  const child = spawn(request.command, request.args, {
    cwd: request.cwd,
    env: request.env,
    detached: true,
    stdio: [request.stdin === null ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const streams = {
    stdout: listen(child, "stdout", request),
    stderr: listen(child, "stderr", request),
  };
  const exited = new Promise<ChildExit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  // Stays for good: a failing kill or a late error of the handle must not end the worker.
  child.on("error", () => {});
  // Read before anything is awaited: the pid cannot have been handed out again yet.
  const pid = child.pid;
  const startTime = pid === undefined ? null : startTimeOf(pid);
  await once(child, "spawn");
  if (pid === undefined) throw new Error("the child has no pid");
  feed(child, request.stdin);
  const ended = exited.then(async (exit) => {
    await drained([streams.stdout, streams.stderr], request.drainMs);
    child.stdin?.destroy();
    return exit;
  });
  return { tree: { pid, pgid: pid, startTime, attemptId: request.attemptId }, exited, ended };
}

type Listened = { stream: Readable | null; closed: Promise<unknown> };

function listen(child: ChildProcess, name: StreamName, request: ChildRequest): Listened {
  const stream = child[name];
  if (stream === null || stream === undefined) return { stream: null, closed: Promise.resolve() };
  stream.on("data", (chunk: Buffer) => request.onChunk(name, chunk));
  stream.on("error", () => {});
  return { stream, closed: new Promise((resolve) => stream.once("close", resolve)) };
}

// The child may exit or close its end without reading: EPIPE is not a fault of the attempt.
function feed(child: ChildProcess, text: string | null): void {
  if (child.stdin === null || child.stdin === undefined) return;
  child.stdin.on("error", () => {});
  child.stdin.end(text ?? "");
}

async function drained(streams: Listened[], limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([Promise.all(streams.map((each) => each.closed)), limit]);
  clearTimeout(timer);
  for (const { stream } of streams) stream?.destroy();
}
