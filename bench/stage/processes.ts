// Processes of a campaign: started here, ended here, by their own id and no other's.
// Promises: whatever happens, none outlives the campaign: they are ended when it closes and, at the
// latest, killed when this process exits. The last lines of each are kept for the report.
// Leaves to others: what the processes do.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

import { until } from "./until.ts";

export type Start = {
  /** Name in reports and in the operations log. */
  name: string;
  command: string;
  args: readonly string[];
  cwd?: string;
  /** Added to this process's environment; undefined removes a variable. */
  env?: Record<string, string | undefined>;
  onLine?: (line: string) => void;
  /** Whether it can be told something (`tell`); else it reads nothing. */
  listens?: boolean;
};

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

const KEPT_LINES = 40;
const POLITE_MS = 20_000;
const DRAIN_MS = 1_000;

/** One process that this campaign has started. */
export class OwnProcess {
  readonly name: string;
  readonly pid: number;
  /**
   * Settles when the process has ended and its output has been read; a descendant that holds the
   * pipes open is waited for 1 s, not for ever.
   */
  readonly exited: Promise<Exit>;
  /** Lines of standard output, all of them. */
  readonly output: string[] = [];
  readonly #errors: string[] = [];
  readonly #child: ChildProcess;
  exit: Exit | null = null;

  constructor(start: Start) {
    this.name = start.name;
    const env = { ...process.env, ...start.env };
    for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
    const child = spawn(start.command, start.args, {
      env,
      stdio: [start.listens === true ? "pipe" : "ignore", "pipe", "pipe"],
      ...(start.cwd === undefined ? {} : { cwd: start.cwd }),
    });
    this.#child = child;
    if (child.pid === undefined) throw new Error(`${start.name}: cannot start ${start.command}`);
    this.pid = child.pid;
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error(`${start.name}: has no output`);
    // It may have died: whoever waits for its answer finds that out.
    child.stdin?.on("error", () => {});
    createInterface({ input: stdout }).on("line", (line) => {
      this.output.push(line);
      start.onLine?.(line);
    });
    createInterface({ input: stderr }).on("line", (line) => {
      this.#errors.push(line);
      if (this.#errors.length > KEPT_LINES) this.#errors.shift();
    });
    child.on("error", (error) => this.#errors.push(error.message));
    this.exited = new Promise((resolve) => {
      let late: NodeJS.Timeout | undefined;
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        clearTimeout(late);
        resolve((this.exit ??= { code, signal }));
      };
      child.once("exit", (...how) => (late = setTimeout(ended, DRAIN_MS, ...how)));
      child.once("close", ended);
    });
  }

  /** A line for its standard input. */
  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Standard output as it was, line by line. */
  said(): string {
    return this.output.join("\n");
  }

  /** The last lines of standard error, for a report. */
  lastWords(): string {
    return this.#errors.join("\n");
  }

  /** Sends a signal; false when the process has ended already. */
  signal(name: NodeJS.Signals): boolean {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return false;
    return this.#child.kill(name);
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill9(): Promise<Exit> {
    this.signal("SIGKILL");
    return this.exited;
  }

  /** SIGTERM, and after 20 s SIGKILL. */
  async stop(): Promise<Exit> {
    if (!this.signal("SIGTERM")) return this.exited;
    this.signal("SIGCONT");
    const late = setTimeout(() => this.signal("SIGKILL"), POLITE_MS);
    const exit = await this.exited;
    clearTimeout(late);
    return exit;
  }

  /** Waits for the line of output that holds `text`. Throws when the process ends before. */
  async saysLine(text: string, limitMs = 30_000): Promise<void> {
    const isSaid = (): boolean => {
      if (this.output.some((line) => line.includes(text))) return true;
      if (this.exit === null) return false;
      throw new Error(`${this.name} ended (${JSON.stringify(this.exit)}): ${this.lastWords()}`);
    };
    await until(`${this.name} says ${text}`, isSaid, { limitMs, everyMs: 10 });
  }
}

/** All processes of a campaign. */
export class Processes {
  readonly #all: OwnProcess[] = [];

  constructor() {
    process.once("exit", () => {
      for (const one of this.#all) one.signal("SIGKILL");
    });
    // Without a listener a signal ends this process without the event above.
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(name, () => process.exit(130));
    }
  }

  start(start: Start): OwnProcess {
    const one = new OwnProcess(start);
    this.#all.push(one);
    return one;
  }

  /** The latest process of that name. */
  named(name: string): OwnProcess | undefined {
    return this.#all.findLast((one) => one.name === name);
  }

  /** Ends what still runs, the youngest first: workers before the servers they talk to. */
  async endAll(): Promise<void> {
    for (const one of this.#all.toReversed()) await one.stop();
  }
}
