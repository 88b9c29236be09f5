// The stage of a campaign: its folder, its processes, its chance, its operations log.
// Promises: everything a campaign leaves on the machine is below one temporary folder, removed at
// the end unless the campaign failed; every process is ended.
// Leaves to others: the play.

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { cleared } from "./credentials.ts";
import type { Known } from "./credentials.ts";
import type { Measured } from "./figures.ts";
import { OperationsLog } from "./operations.ts";
import { Processes } from "./processes.ts";
import type { OwnProcess } from "./processes.ts";
import { Random } from "./random.ts";
import type { Register } from "./register.ts";
import { Server } from "./server.ts";

/**
 * `test`: short leases, the same code. `default`: the product's own times. `full`: at full length,
 * where the test profile is a short form of the same play.
 */
export type Profile = "test" | "default" | "full";

export type StageOptions = {
  seed: number;
  profile: Profile;
  /** Counts so small that all campaigns together take less than a minute. */
  quick: boolean;
  program: string;
  say: (line: string) => void;
};

export type ProgramStart = { server?: Server; cwd?: string; env?: Record<string, string> };

/** Where one campaign plays. */
export class Stage {
  readonly options: StageOptions;
  readonly folder: string;
  readonly processes = new Processes();
  readonly log: OperationsLog;
  /** What the database said about itself, once a campaign has asked. */
  postgres: Record<string, string> | null = null;
  /** Sentences for the evidence: what a figure does not say. */
  readonly notes: string[] = [];
  /** Pages for the evidence, by file name: what no figure can say. */
  readonly documents = new Map<string, string>();
  readonly #halt: (() => void)[] = [];
  readonly #undo: (() => Promise<void>)[] = [];

  constructor(options: StageOptions) {
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), "signalbox-campaign-"));
    chmodSync(this.folder, 0o755); // the database may run as another user than the campaign
    this.log = new OperationsLog(join(this.folder, "operations.jsonl"));
  }

  get quick(): boolean {
    return this.options.quick;
  }

  /** The short one in the quick form, the full one otherwise. */
  size(full: number, quick: number): number {
    return this.quick ? quick : full;
  }

  /** The random stream of one repetition: the same whether or not earlier ones ran. */
  random(repetition: number): Random {
    return new Random(this.options.seed + repetition * 7_919);
  }

  say(line: string): void {
    this.options.say(line);
  }

  /** A new empty folder. */
  makeFolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }

  /** Starts a server in a folder of this name; `known`: on a database of somebody else. */
  async startServer(name = "house", known: Known = {}): Promise<Server> {
    const { processes, log, options } = this;
    const data = join(this.makeFolder(name), ".signalbox");
    const server = await Server.start({
      processes,
      program: options.program,
      data,
      log,
      stateHome: this.makeFolder("state"),
      ...known,
    });
    const register = server.register();
    this.postgres = await register.facts();
    await register.close();
    return server;
  }

  /** Starts the program under test with these words, led to a server or to none at all. */
  signalbox(name: string, words: readonly string[], how: ProgramStart = {}): OwnProcess {
    const { server, cwd = this.makeFolder("elsewhere"), env = {} } = how;
    const led =
      server === undefined
        ? {}
        : { SIGNALBOX_URL: server.url, SIGNALBOX_KEY: server.credentials.key };
    return this.processes.start({
      name,
      command: process.execPath,
      args: [this.options.program, ...words],
      cwd,
      env: { ...cleared, XDG_STATE_HOME: this.makeFolder("state"), ...led, ...env },
    });
  }

  /** Checks the general rules of the register, and tells each that does not hold. */
  async checkRegister(register: Register): Promise<Measured> {
    const violations = await register.violations();
    for (const one of violations.slice(0, 20)) this.say(`  violated: ${JSON.stringify(one)}`);
    return { register_violations: violations.length };
  }

  /** To be done in any case, before any process is ended: load that would otherwise go on. */
  beforehand(halt: () => void): void {
    this.#halt.push(halt);
  }

  /** To be done in any case, once every process has ended: for what is not a process. */
  afterwards(undo: () => Promise<void>): void {
    this.#undo.push(undo);
  }

  /** Ends every process; keeps the folder only if asked. */
  async close({ keep }: { keep: boolean }): Promise<void> {
    for (const halt of this.#halt) halt();
    this.log.flush();
    await this.processes.endAll();
    for (const undo of this.#undo.toReversed()) await undo();
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }
}
