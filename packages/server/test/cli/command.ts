// The command line as its users have it: the built `signalbox` as a process, in a folder of its
// own.
// Promises: nothing of this machine's user leaks in (home, state, variables); what a test started
// is ended when its sandbox is closed, by its id.
// Leaves to others: what is expected.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const bin = fileURLToPath(new URL("../../bin/signalbox.mjs", import.meta.url));

/** How a command ended. */
export type Ended = {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  ms: number;
};

export type Started = {
  process: ChildProcess;
  ended: Promise<Ended>;
  /** What it has printed so far, on both streams. */
  said: () => string;
  /** Resolves when it has printed a match. */
  says: (pattern: RegExp, ms?: number) => Promise<void>;
};

export type Around = {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  nodeArgs?: readonly string[];
  /** Of stdout. Default UTF-8. */
  encoding?: BufferEncoding;
};

/** Waits until `look` answers something; throws after `ms`. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  ms = 45_000,
): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether a process lives; one that has ended and waits to be collected does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" && process.platform !== "linux";
  }
}

/** A folder, a home and the processes that a test starts there. */
export class Sandbox {
  readonly folder: string;
  readonly #home: string;
  readonly #live = new Set<ChildProcess>();

  private constructor(folder: string, home: string) {
    this.folder = folder;
    this.#home = home;
  }

  static async open(): Promise<Sandbox> {
    const place = await mkdtemp(join(tmpdir(), "signalbox-cli-"));
    await chmod(place, 0o755); // the database may run under another account than the tests
    const [folder, home] = [join(place, "project"), join(place, "home")];
    await Promise.all([mkdir(folder), mkdir(home)]);
    return new Sandbox(folder, home);
  }

  /** Starts a command without waiting for its end. */
  start(args: readonly string[], around: Around = {}): Started {
    const began = performance.now();
    const child = spawn(process.execPath, [...(around.nodeArgs ?? []), bin, ...args], {
      cwd: around.cwd ?? this.folder,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: this.#home,
        TMPDIR: tmpdir(),
        NO_COLOR: "1",
        ...around.env,
      },
    });
    this.#live.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout
      .setEncoding(around.encoding ?? "utf8")
      .on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin.on("error", () => {}); // a command that reads nothing
    child.stdin.end(around.input ?? "");
    const ended = once(child, "close").then(([code, signal]) => {
      this.#live.delete(child);
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout,
        stderr,
        ms: performance.now() - began,
      };
    });
    const said = (): string => stdout + stderr;
    const says = async (pattern: RegExp, ms?: number): Promise<void> => {
      const look = (): true | undefined => {
        if (pattern.test(said())) return true;
        if (child.exitCode === null && child.signalCode === null) return undefined;
        throw new Error(`ended before it said ${pattern}: ${said()}`);
      };
      await until(`${args.join(" ")} to say ${pattern}`, look, ms);
    };
    return { process: child, ended, said, says };
  }

  /** Runs a command to its end. */
  run(args: readonly string[], around: Around = {}): Promise<Ended> {
    return this.start(args, around).ended;
  }

  /** Runs a command that has to succeed, and returns its JSON. */
  async json<T>(args: readonly string[], around: Around = {}): Promise<T> {
    const words = args.includes("--") ? args.indexOf("--") : args.length;
    const asked = [...args.slice(0, words), "--json", ...args.slice(words)];
    const { code, stdout, stderr } = await this.run(asked, around);
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Starts `up` on a free port and waits until it serves. */
  async up(around: Around = {}, ...args: string[]): Promise<Started> {
    const server = this.start(["up", "--listen", "127.0.0.1:0", ...args], around);
    await server.says(/Signalbox .* is up at [^]*Ctrl-C\n/); // the last line of what it says
    return server;
  }

  /** A file of the data folder. */
  path(...parts: string[]): string {
    return join(this.folder, ".signalbox", ...parts);
  }

  async serverFile(): Promise<{ url: string; pid: number; brief: boolean; database_url: string }> {
    const text = await readFile(this.path("server.json"), "utf8");
    return JSON.parse(text) as { url: string; pid: number; brief: boolean; database_url: string };
  }

  get serves(): boolean {
    return existsSync(this.path("server.json"));
  }

  /** Ends what still runs and removes everything. */
  async close(): Promise<void> {
    const live = [...this.#live];
    const gone = live.map((child) => once(child, "close"));
    for (const child of live) child.kill("SIGTERM");
    const timer = setTimeout(() => {
      for (const child of this.#live) child.kill("SIGKILL");
    }, 12_000);
    await Promise.all(gone);
    clearTimeout(timer);
    const options = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 };
    await rm(join(this.folder, ".."), options);
  }
}
