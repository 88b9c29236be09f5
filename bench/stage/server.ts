// A server under test: `signalbox up` as its own process, with its database, in its own folder.
// Promises: the time from spawn to the first 200 of /readyz is measured from outside; killing
// kills by process id what this server started and nothing else; a restart uses the same folder
// and the same port, so that workers find it again.
// Leaves to others: load, and what must be true afterwards.

import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import type { OperationsLog } from "./operations.ts";
import { isAlive, treeOf } from "./proc.ts";
import type { ProcessLine } from "./proc.ts";
import type { Exit, OwnProcess, Processes } from "./processes.ts";
import { cleared, readCredentials } from "./credentials.ts";
import type { Credentials, Known } from "./credentials.ts";
import { Register } from "./register.ts";
import { sleep, until } from "./until.ts";
import { Wire } from "./wire.ts";

export type ServerOptions = {
  processes: Processes;
  program: string;
  /** The data folder (SIGNALBOX_DATA). */
  data: string;
  log: OperationsLog;
  /** Where the program remembers the user's current server (XDG_STATE_HOME). */
  stateHome: string;
  /** Default: a free one. */
  port?: number;
} & Known;

const READY_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 5;

/** A port of the loopback address that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** A running server, and what is needed to start it again. */
export class Server {
  readonly options: ServerOptions;
  readonly url: string;
  process: OwnProcess;
  credentials: Credentials;
  /** Milliseconds from spawn to the first 200 of /readyz, of the latest start. */
  readyMs: number;

  private constructor(options: ServerOptions, started: Started) {
    this.options = options;
    this.url = started.url;
    this.process = started.process;
    this.readyMs = started.readyMs;
    this.credentials = started.credentials;
  }

  static async start(given: ServerOptions): Promise<Server> {
    const options = { ...given, port: given.port ?? (await freePort()) };
    return new Server(options, await launch(options, options.port));
  }

  /** Starts it again on the same folder and port. */
  async restart(): Promise<void> {
    const started = await launch(this.options, Number(new URL(this.url).port));
    this.process = started.process;
    this.readyMs = started.readyMs;
    this.credentials = started.credentials;
  }

  /** A plain client with the key of the default project. */
  wire(name = "client", isLogged = true): Wire {
    const { key } = this.credentials;
    const log = isLogged ? { log: this.options.log } : {};
    return new Wire({ url: this.url, key, name, ...log });
  }

  /** The key of the installation, as the first start has left it in the data folder. */
  ownerKey(): string {
    return readFileSync(join(this.options.data, "owner.key"), "utf8").trim();
  }

  /** The server's process and every process below it. */
  tree(): ProcessLine[] {
    return treeOf(this.process.pid);
  }

  /** What the server's database is made of: watcher, postmaster, backends. Empty with another's. */
  database(): ProcessLine[] {
    return this.tree().filter(({ pid }) => pid !== this.process.pid);
  }

  /**
   * SIGKILL of the server and of its database: of every process at once, or of the postmaster,
   * whose backends then find out by themselves. Waits until nothing of either is left.
   */
  async kill9(which: "every process" | "server and postmaster"): Promise<void> {
    const all = this.database();
    const isPostmaster = ({ command }: ProcessLine): boolean => /^\S*\/postgres\s/.test(command);
    const victims = which === "every process" ? all : all.filter(isPostmaster);
    if (victims.length === 0) throw new Error("this server has no database of its own to kill");
    this.process.signal("SIGKILL");
    for (const { pid } of victims) kill(pid);
    await this.process.exited;
    const isGone = (): boolean => !all.some(({ pid }) => isAlive(pid));
    await until("the end of the database", isGone, { limitMs: 15_000 });
  }

  /** SIGTERM: drains and stops, database included. */
  stop(): Promise<Exit> {
    return this.process.stop();
  }

  /** The register of this server, read and checked with SQL. */
  register(): Register {
    return new Register(this.credentials.databaseUrl);
  }
}

type Started = { url: string; process: OwnProcess; readyMs: number; credentials: Credentials };

async function launch(options: ServerOptions, port: number): Promise<Started> {
  const { processes, program, data, databaseUrl, eventsUrl, stateHome } = options;
  const url = `http://127.0.0.1:${port}`;
  const spawnedAt = performance.now();
  const child = processes.start({
    name: `server:${port}`,
    command: process.execPath,
    args: [program, "up", "--listen", `127.0.0.1:${port}`, "--data", data],
    // One key stands for a whole fleet here: how fast it may ask is not what is measured.
    env: {
      ...cleared,
      DATABASE_URL: databaseUrl,
      SIGNALBOX_EVENTS_URL: eventsUrl,
      XDG_STATE_HOME: stateHome,
      SIGNALBOX_RATE: "0",
    },
  });
  // Asking all the time would take from the start what it is measured by: first its own word.
  await child.saysLine("is up at", READY_LIMIT_MS);
  while (!(await isReady(url))) {
    if (child.exit !== null) throw new Error(`the server ended: ${child.lastWords()}`);
    if (performance.now() - spawnedAt > READY_LIMIT_MS) {
      throw new Error(`the server was not ready after 60 s: ${child.lastWords()}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
  const readyMs = performance.now() - spawnedAt;
  return { url, process: child, readyMs, credentials: readCredentials(data, options) };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already: a backend ends with its postmaster.
  }
}
