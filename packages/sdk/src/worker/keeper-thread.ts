// The thread in which the keeper of an in-process worker lives (entry file of a worker thread).
// Promises: its own event loop and its own sockets, so that a handler which never yields cannot
// starve heartbeats; it dies with the process, so that heartbeats never outlive the work.
// Leaves to others: starting, restarting and ending it (`keeper-host.ts`).

import { parentPort, workerData } from "node:worker_threads";

import { isSignalboxError } from "../errors.ts";
import type { ErrorFacts } from "../errors.ts";
import type { Directive, Fence, Json } from "../wire.ts";
import { Keeper } from "./keeper.ts";
import type { KeeperOptions, KeptLease } from "./keeper.ts";

/** One thing the host says. A message is what it said in one turn, in order. */
export type ToThread =
  | { say: "add"; lease: KeptLease }
  | { say: "remove"; fence: Fence }
  | { say: "checkpoint"; fence: Fence; checkpoint: Json }
  | { say: "stop" };

/** What the thread tells. */
export type FromThread =
  | { tell: "directive"; directive: Directive }
  | { tell: "freeze"; fence: Fence }
  | { tell: "thaw"; fence: Fence }
  | { tell: "lost"; fence: Fence; code: string }
  | { tell: "checkpoint"; fence: Fence; stored: boolean }
  | { tell: "error"; error: ErrorFacts };

if (parentPort !== null) run(parentPort, workerData as KeeperOptions);

function run(port: NonNullable<typeof parentPort>, options: KeeperOptions): void {
  const tell = (message: FromThread): void => port.postMessage(message);
  const keeper = new Keeper(options, {
    onDirective: (directive) => tell({ tell: "directive", directive }),
    onFreeze: (fence) => tell({ tell: "freeze", fence }),
    onThaw: (fence) => tell({ tell: "thaw", fence }),
    onLost: (fence, code) => tell({ tell: "lost", fence, code }),
    onCheckpoint: (fence, stored) => tell({ tell: "checkpoint", fence, stored }),
    onError: (error) => tell({ tell: "error", error: factsOf(error) }),
  });
  const hear = (said: ToThread): void => {
    if (said.say === "add") keeper.add(said.lease);
    else if (said.say === "remove") keeper.remove(said.fence);
    else if (said.say === "checkpoint") keeper.setCheckpoint(said.fence, said.checkpoint);
    // With the port closed nothing keeps the thread alive: it ends, and the host hears that.
    else void keeper.stop().finally(() => port.close());
  };
  port.on("message", (message: ToThread[]) => message.forEach(hear));
  keeper.start();
}

/** Errors lose their class on the way between threads; these facts do not. */
function factsOf(error: unknown): ErrorFacts {
  if (!isSignalboxError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return { message, code: "keeper_failed", status: 0, retryable: false };
  }
  const { code, message, problem, requestId, retryable, retryAfterMs, status } = error;
  return { message, code, status, retryable, requestId, problem, retryAfterMs };
}
