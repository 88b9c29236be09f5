// The stage of the worker's tests: a scripted peer, one worker, what it reported, what went wrong.
// Promises: made anew for each test; the worker is stopped and the peer closed after it. The keeper
// runs in this thread, so that sources are tested without a build.
// Leaves to others: the keeper's thread (busy-handler.test.ts).

import { afterEach, beforeEach } from "vitest";

import { Signalbox } from "../../src/index.ts";
import type { Report } from "../../src/index.ts";
import { Keeper, Worker } from "../../src/worker/index.ts";
import type { Handler, WorkerOptions } from "../../src/worker/index.ts";
import { until } from "./scripted-server.ts";
import { startWorkerPeer } from "./worker-peer.ts";
import type { WorkerPeer } from "./worker-peer.ts";

export class Stage {
  box!: WorkerPeer;
  errors: unknown[] = [];
  #worker: Worker | null = null;

  /** The worker of this test. */
  get worker(): Worker {
    if (this.#worker === null) throw new Error("no worker yet");
    return this.#worker;
  }

  signalbox(): Signalbox {
    return new Signalbox({ url: this.box.peer.url, key: "sbx_test" });
  }

  /** Makes the worker, not started. */
  make(options: WorkerOptions = {}): Worker {
    this.#worker = new Worker(this.signalbox(), {
      runtime: "rt",
      agents: ["reviewer"],
      concurrency: 2,
      heartbeatMs: 200,
      signals: false,
      keeper: (...given) => new Keeper(...given),
      onError: (error) => this.errors.push(error),
      ...options,
    });
    return this.#worker;
  }

  /** Makes the worker with this handler and starts it. */
  async start(handler: Handler<never>, options: WorkerOptions = {}): Promise<void> {
    await this.make(options).handle(handler).start();
  }

  reportsOf(kind: Report["kind"]): Report[] {
    return this.box.reports.filter((report) => report.kind === kind);
  }

  /** The first report of this kind, once there is one. */
  reported(kind: Report["kind"]): Promise<Report> {
    return until(() => this.reportsOf(kind)[0]);
  }

  /** Waits until the peer's journal has this line. */
  async journal(line: string): Promise<void> {
    await until(() => this.box.journal.includes(line));
  }

  async open(): Promise<void> {
    this.box = await startWorkerPeer();
    this.errors = [];
    this.#worker = null;
  }

  async close(): Promise<void> {
    await this.#worker?.stop({ drainMs: 0 });
    await this.box.peer.close();
  }
}

/** Sets the stage for every test of a file. */
export function setStage(): Stage {
  const stage = new Stage();
  beforeEach(() => stage.open());
  afterEach(() => stage.close());
  return stage;
}
