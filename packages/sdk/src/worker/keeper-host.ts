// The main thread's side of the keeper: same calls as `Keeper`, done by a thread.
// Promises: a call never blocks; what is said in one turn of the event loop is one message, on its
// way before the next callback runs (a handler that never yields is one); if the thread dies it is
// started again with the leases it had; `stop` resolves when it has ended, after 3 s by force.
// Leaves to others: keeping (`keeper.ts`).

import { Worker as Thread } from "node:worker_threads";

import { errorOf } from "../errors.ts";
import type { Fence, Json } from "../wire.ts";
import type { FromThread, ToThread } from "./keeper-thread.ts";
import type { KeeperCallbacks, KeeperLike, KeeperOptions, KeptLease } from "./keeper.ts";

const RESTART_MS = 250;
const STOP_MS = 3_000;

/** Runs a keeper in a thread of its own. */
export class KeeperHost implements KeeperLike {
  readonly #options: KeeperOptions;
  readonly #callbacks: KeeperCallbacks;
  readonly #leases = new Map<string, KeptLease>();
  #thread: Thread | null = null;
  /** Said in this turn and not yet sent. */
  #said: ToThread[] = [];
  #restart: ReturnType<typeof setTimeout> | undefined;
  #stopping = false;

  constructor(options: KeeperOptions, callbacks: KeeperCallbacks) {
    this.#options = options;
    this.#callbacks = callbacks;
  }

  /** See `Keeper.add`. */
  add(lease: KeptLease): void {
    this.#leases.set(lease.fence.attempt_id, lease);
    this.#say({ say: "add", lease });
  }

  /** See `Keeper.remove`. */
  remove(fence: Fence): void {
    this.#leases.delete(fence.attempt_id);
    this.#say({ say: "remove", fence });
  }

  /** See `Keeper.setCheckpoint`. */
  setCheckpoint(fence: Fence, checkpoint: Json): void {
    this.#say({ say: "checkpoint", fence, checkpoint });
  }

  /** Starts the thread. */
  start(): void {
    const thread = new Thread(threadEntry(), {
      workerData: this.#options,
      execArgv: [],
      name: "signalbox-keeper",
    });
    this.#thread = thread;
    this.#said = [];
    thread.on("message", (message: FromThread) => this.#hear(message));
    thread.on("error", (error) => this.#callbacks.onError?.(error));
    thread.once("exit", () => this.#ended(thread));
    for (const lease of this.#leases.values()) this.#say({ say: "add", lease });
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const thread = this.#thread;
    if (thread === null) return;
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => void thread.terminate(), STOP_MS);
      thread.once("exit", () => {
        clearTimeout(force);
        resolve();
      });
      this.#say({ say: "stop" });
    });
  }

  #say(what: ToThread): void {
    if (this.#thread === null) return;
    this.#said.push(what);
    if (this.#said.length === 1) queueMicrotask(() => this.#send());
  }

  #send(): void {
    const said = this.#said;
    this.#said = [];
    if (said.length > 0) this.#thread?.postMessage(said);
  }

  #hear(message: FromThread): void {
    const callbacks = this.#callbacks;
    if (message.tell === "directive") callbacks.onDirective(message.directive);
    else if (message.tell === "freeze") callbacks.onFreeze(message.fence);
    else if (message.tell === "thaw") callbacks.onThaw(message.fence);
    else if (message.tell === "checkpoint") callbacks.onCheckpoint?.(message.fence, message.stored);
    else if (message.tell === "error") callbacks.onError?.(errorOf(message.error));
    else {
      this.#leases.delete(message.fence.attempt_id);
      callbacks.onLost(message.fence, message.code);
    }
  }

  #ended(thread: Thread): void {
    if (this.#thread === thread) this.#thread = null;
    if (this.#stopping) return;
    this.#restart = setTimeout(() => this.start(), RESTART_MS);
  }
}

/** The compiled entry file. A thread cannot run TypeScript, so sources use the last build. */
function threadEntry(): URL {
  const isSource = import.meta.url.endsWith(".ts");
  return new URL(
    isSource ? "../../dist/worker/keeper-thread.js" : "./keeper-thread.js",
    import.meta.url,
  );
}
