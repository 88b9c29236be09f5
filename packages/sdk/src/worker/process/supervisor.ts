// The worker's side of the supervisor: takes the place of the worker's keeper thread.
// Promises: the same calls and callbacks as a `Keeper`, carried out in a separate process that
// holds heartbeats and kills even while this one is busy or dead. The death of the supervisor is
// noticed at once, told as an error and by `death`; nothing is restarted behind the worker's back.
// Leaves to others: starting the trees and ending them after a death (`handler.ts`), what the
// worker does when its supervisor is gone (release, drain, exit).

import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Fence, Json } from "../../wire.ts";
import type { KeeperCallbacks, KeeperFactory, KeeperLike, KeptLease } from "../keeper.ts";
import { OWN_SECRETS } from "./environment.ts";
import type { Fact, Graces, Order } from "./supervisor-protocol.ts";
import type { Tree } from "./tree.ts";

export type SupervisorOptions = {
  /** SIGTERM to SIGKILL. Default 10,000 ms. */
  killGraceMs?: number;
  /** SIGTERM to SIGKILL when the worker has died. Default 1,000 ms. */
  orphanGraceMs?: number;
  /** The built `supervisor-main.js`. Default: the one next to this file. */
  path?: string | URL;
  /** The supervisor ended without being asked to. The worker should drain and exit. */
  onDeath?: (error: Error) => void;
};

/** What the process handler needs of a supervisor. */
export type TreeSupervisor = {
  /** SIGTERM to SIGKILL, in milliseconds. */
  readonly killGraceMs: number;
  /** The server of the worker. Throws before the worker has made its keeper. */
  url(): string;
  /** Aborted when the supervisor has died; its reason is the error. */
  readonly death: AbortSignal;
  /** A tree was started. `directory` is removed if the worker dies. */
  track(attemptId: string, tree: Tree, directory: string | null): void;
  /** End this tree: SIGTERM, grace, SIGKILL. Does nothing when that has begun already. */
  end(attemptId: string, graceMs: number): void;
  /** The tree has ended. */
  untrack(attemptId: string): void;
};

/** Both at once: a keeper factory for `new Worker`, a supervisor for `processHandler`. */
export type SupervisorKeeper = KeeperFactory & TreeSupervisor;

const STOP_LIMIT_MS = 15_000;

/**
 * Makes the supervisor of one worker. Its process is forked when the worker makes its keeper.
 *
 * @example
 * const supervisor = supervisorKeeper();
 * const worker = new Worker(signalbox, { agents: ["coder"], keeper: supervisor });
 * worker.handle(processHandler({ command: "claude", args: ["-p"], supervisor }));
 */
export function supervisorKeeper(options: SupervisorOptions = {}): SupervisorKeeper {
  const graces: Graces = {
    killMs: options.killGraceMs ?? 10_000,
    orphanMs: options.orphanGraceMs ?? 1_000,
  };
  const death = new AbortController();
  let link: SupervisorLink | null = null;
  let url: string | null = null;
  const factory: KeeperFactory = (keeper, callbacks) => {
    if (link !== null) throw new Error("a supervisor serves one worker; make another one");
    link = new SupervisorLink(options.path ?? builtMain(), callbacks, (error) => {
      death.abort(error);
      options.onDeath?.(error);
    });
    link.send({ do: "begin", keeper, graces });
    url = keeper.url;
    return link;
  };
  return Object.assign(factory, {
    killGraceMs: graces.killMs,
    death: death.signal,
    url: () => {
      if (url === null) throw new Error("give the supervisor to the worker: `keeper: supervisor`");
      return url;
    },
    track: (attemptId: string, tree: Tree, directory: string | null) =>
      link?.send({ do: "track", attemptId, tree, directory }),
    end: (attemptId: string, graceMs: number) => link?.send({ do: "end", attemptId, graceMs }),
    untrack: (attemptId: string) => link?.send({ do: "untrack", attemptId }),
  });
}

/** The compiled entry file. Node 20 cannot run TypeScript, so sources use the last build. */
function builtMain(): URL {
  const isSource = import.meta.url.endsWith(".ts");
  const path = isSource
    ? "../../../dist/worker/process/supervisor-main.js"
    : "./supervisor-main.js";
  return new URL(path, import.meta.url);
}

class SupervisorLink implements KeeperLike {
  readonly #process: ChildProcess;
  readonly #callbacks: KeeperCallbacks;
  readonly #exited: Promise<void>;
  #stopping = false;

  constructor(path: string | URL, callbacks: KeeperCallbacks, onDeath: (error: Error) => void) {
    this.#callbacks = callbacks;
    this.#process = fork(typeof path === "string" ? path : fileURLToPath(path), [], {
      // A session of its own: Ctrl-C in the terminal is for the worker, which then drains.
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: [],
      cwd: "/",
      env: Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !OWN_SECRETS.includes(name)),
      ),
    });
    this.#process.on("message", (fact) => this.#hear(fact as Fact));
    this.#exited = new Promise((resolve) => {
      const ended = (how: string): void => {
        resolve();
        if (this.#stopping) return;
        this.#stopping = true;
        const error = new Error(`the supervisor process ended: ${how}`);
        callbacks.onError?.(error);
        onDeath(error);
      };
      this.#process.once("exit", (code, signal) => ended(signal ?? `code ${code}`));
      this.#process.once("error", (error) => ended(error.message));
    });
    // Alive because the worker is, not the other way round.
    this.#process.unref();
    this.#process.channel?.unref();
  }

  add(lease: KeptLease): void {
    this.send({ do: "add", lease });
  }

  remove(fence: Fence): void {
    this.send({ do: "remove", fence });
  }

  setCheckpoint(fence: Fence, checkpoint: Json): void {
    this.send({ do: "checkpoint", fence, checkpoint });
  }

  start(): void {
    this.send({ do: "start" });
  }

  /** Resolves when the supervisor has exited; after 15 s it is killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.send({ do: "stop" });
    this.#process.ref();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_LIMIT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  send(order: Order): void {
    // A closed channel is told by the exit of the process, which is handled.
    if (this.#process.connected) this.#process.send(order, () => {});
  }

  #hear(fact: Fact): void {
    switch (fact.tell) {
      case "directive":
        return this.#callbacks.onDirective(fact.directive);
      case "freeze":
        return this.#callbacks.onFreeze(fact.fence);
      case "thaw":
        return this.#callbacks.onThaw(fact.fence);
      case "lost":
        return this.#callbacks.onLost(fact.fence, fact.code);
      case "checkpoint":
        return this.#callbacks.onCheckpoint?.(fact.fence, fact.stored);
      case "survivors":
        return this.#callbacks.onError?.(
          new Error(`processes ${fact.pids.join(", ")} of ${fact.attemptId} survived SIGKILL`),
        );
      case "error":
        return this.#callbacks.onError?.(new Error(fact.message));
      case "stopped":
        return;
    }
  }
}
