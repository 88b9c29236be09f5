// What a worker and its supervisor say to each other over the IPC channel of the fork.
// Promises: plain JSON, one flat union each way; `do` is an order, `tell` is a fact. The key goes
// over this channel only, never into an argument or the environment of the supervisor.
// Leaves to others: both ends (`supervisor.ts` in the worker, `supervisor-main.ts`).

import type { Directive, Fence, Json } from "../../wire.ts";
import type { KeeperOptions, KeptLease } from "../keeper.ts";
import type { Tree } from "./tree.ts";

/** Durations in milliseconds. */
export type Graces = {
  /** SIGTERM to SIGKILL after cancel, kill, budget, stop, deadline and loss. Default 10,000. */
  killMs: number;
  /** The same when the worker has died. Default 1,000: the tree is gone within 2 s. */
  orphanMs: number;
};

export type Order =
  | { do: "begin"; keeper: KeeperOptions; graces: Graces }
  | { do: "start" }
  | { do: "stop" }
  | { do: "add"; lease: KeptLease }
  | { do: "remove"; fence: Fence }
  | { do: "checkpoint"; fence: Fence; checkpoint: Json }
  | { do: "track"; attemptId: string; tree: Tree; directory: string | null }
  | { do: "end"; attemptId: string; graceMs: number }
  | { do: "untrack"; attemptId: string };

export type Fact =
  | { tell: "directive"; directive: Directive }
  | { tell: "freeze"; fence: Fence }
  | { tell: "thaw"; fence: Fence }
  | { tell: "lost"; fence: Fence; code: string }
  | { tell: "checkpoint"; fence: Fence; stored: boolean }
  | { tell: "survivors"; attemptId: string; pids: number[] }
  | { tell: "error"; message: string }
  | { tell: "stopped" };
