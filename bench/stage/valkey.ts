// A Valkey or Redis of the campaign's own: started, killed and started again on one folder and
// port.
// Promises: it writes to its disk before it answers, so what it acknowledged survives its kill;
// read with its own command line program.
// Leaves to others: what must be in it.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import type { OwnProcess } from "./processes.ts";
import { freePort } from "./server.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

const run = promisify(execFile);
const MOST_TEXT = 256 * 1024 * 1024;

export class OwnValkey {
  readonly port: number;
  readonly #stage: Stage;
  #process: OwnProcess | null = null;

  private constructor(stage: Stage, port: number) {
    this.#stage = stage;
    this.port = port;
  }

  static async start(stage: Stage): Promise<OwnValkey> {
    const own = new OwnValkey(stage, await freePort());
    await own.start();
    return own;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  async start(): Promise<void> {
    const dir = this.#stage.makeFolder("valkey");
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    this.#process = this.#stage.processes.start({
      name: `valkey:${this.port}`,
      command: "redis-server",
      args: ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", dir, ...durable],
    });
    const answers = async (): Promise<boolean> =>
      (await this.ask("ping").catch(() => "")).trim() === "PONG";
    await until("the start of the sink", answers, { limitMs: 15_000 });
  }

  async kill9(): Promise<void> {
    this.#process?.signal("SIGKILL");
    await this.#process?.exited;
  }

  async ask(...words: readonly string[]): Promise<string> {
    const args = ["-h", "127.0.0.1", "-p", String(this.port), ...words];
    return (await run("redis-cli", args, { maxBuffer: MOST_TEXT })).stdout;
  }

  /** Feed numbers of the entries of all streams of events, stream by stream, as they stand. */
  async feeds(): Promise<number[]> {
    const keys = (await this.ask("keys", "signalbox:*:events")).trim().split("\n");
    const texts = await Promise.all(keys.map((key) => this.ask("xrange", key, "-", "+")));
    const ids = texts.flatMap((text) => text.match(/^\d+-0$/gm) ?? []);
    return ids.map((id) => Number(id.split("-")[0]));
  }
}
