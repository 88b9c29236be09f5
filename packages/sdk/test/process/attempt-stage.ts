// The stage of tests of the process handler: a peer, a supervisor, and one attempt at a time.
// Promises: real children in a folder of their own; what a test left behind is ended and removed.
// Leaves to others: the worker around it (worker.test.ts).

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { checkedUsage } from "../../src/worker/checked-usage.ts";
import { Exhausted } from "../../src/worker/exhausted.ts";
import type { KeeperLike } from "../../src/worker/keeper.ts";
import type { ProcessAttempt, ProcessOptions } from "../../src/worker/process/index.ts";
import { processHandler, supervisorKeeper } from "../../src/worker/process/index.ts";
import type { TreeSupervisor } from "../../src/worker/process/supervisor.ts";
import type {
  EventSubmission,
  Json,
  LimitReport,
  ProcessFacts,
  Run,
  Usage,
} from "../../src/wire.ts";
import { Peer } from "./peer.ts";
import { clearUp, newMark } from "./zoo.ts";

export const childKey = "sba_child_secret_0123456789";
export const killGraceMs = 400;
/** The trace that the attempt belongs to. */
export const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

export type Ended = {
  output?: Json;
  error?: Error & { code?: string; detail?: Json };
  events: EventSubmission[];
  usage: Usage[];
  facts: ProcessFacts;
};
export type Begun = { ended: Promise<Ended>; mark: string; abort: AbortController };

/** Lines of one stream, as they were logged. */
export function texts(ended: Ended, stream = "stdout"): Json[] {
  const lines = ended.events.filter((event) => event.data?.["stream"] === stream);
  return lines.map((event) => event.data?.["text"] ?? null);
}

/** The report of an attempt that met a limit; null when it ended otherwise. */
export function limitOf({ error }: Ended): LimitReport | null {
  return error instanceof Exhausted ? error.report : null;
}

export class AttemptStage {
  peer!: Peer;
  keeper!: KeeperLike;
  supervisor!: ReturnType<typeof supervisorKeeper>;
  /** Private folders of attempts are made here. */
  folder = "";
  /** Of this test: in the environment and the arguments of its children. */
  mark = "";

  async open(): Promise<void> {
    this.peer = await Peer.open();
    this.supervisor = supervisorKeeper({ killGraceMs });
    const connection = { url: this.peer.url, key: "sbx_worker_secret_0123456789" };
    const callbacks = { onDirective() {}, onFreeze() {}, onThaw() {}, onLost() {} };
    const options = { ...connection, runtime: "zoo", agents: [], heartbeatMs: 1_000 };
    this.keeper = this.supervisor(options, callbacks);
    this.keeper.start();
  }

  /** For children that end in good order: they are waited for, however busy the machine is. */
  get patient(): Partial<ProcessOptions> {
    const graceMs = 30_000;
    const supervisor: TreeSupervisor = this.supervisor;
    return {
      supervisor: { ...supervisor, killGraceMs: graceMs },
      shutdownGraceMs: graceMs,
    };
  }

  /** Runs one attempt of a shell script (or of `options.command`). */
  begin(script: string, options: Partial<ProcessOptions> = {}, input: Json = null): Begun {
    const { folder, keeper, mark, supervisor } = this;
    const abort = new AbortController();
    const events: EventSubmission[] = [];
    const usage: Usage[] = [];
    let facts: ProcessFacts = {};
    const attempt: ProcessAttempt = {
      id: mark,
      run: { id: "run_1", input } as Run,
      number: 2,
      signal: abort.signal,
      paused: false,
      childKey,
      sideEffectToken: "set_1",
      traceparent,
      emit: async (type, data) => void events.push({ type, data: data ?? {} }),
      usage: (consumed) => {
        usage.push(...[checkedUsage(consumed)].filter((one) => one !== null));
        return Promise.resolve();
      },
      process: (given) => {
        facts = { ...facts, ...given };
      },
    };
    const handler = processHandler({
      supervisor,
      command: "bash",
      args: ["-c", script, mark],
      env: { ZOO: mark },
      drainMs: 500,
      leftoverGraceMs: 300,
      baseMs: 1,
      tempFolder: folder,
      ...options,
    });
    const fence = { run_id: "run_1", attempt_id: mark, fencing_token: 2 };
    keeper.add({ fence, leaseMs: 60_000, timeLeftMs: null });
    const ended = handler(attempt).then(
      (output): Ended => ({ output, events, usage, facts }),
      (error: Error): Ended => ({ error, events, usage, facts }),
    );
    return { ended: ended.finally(() => keeper.remove(fence)), mark, abort };
  }

  async close(): Promise<void> {
    await this.keeper.stop();
    await this.peer.close();
  }
}

/** Sets the stage for every test of a file. */
export function setAttemptStage(): AttemptStage {
  const stage = new AttemptStage();
  beforeAll(() => stage.open());
  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.mark = newMark();
    stage.folder = await mkdtemp(join(tmpdir(), "signalbox-test-"));
  });
  afterEach(async () => {
    clearUp(stage.mark);
    await rm(stage.folder, { recursive: true, force: true });
  });
  return stage;
}
