// The demo's stage: a server in this process, and each worker as a process of its own, started the
// way a person would (`signalbox worker --agent NAME -- node program.js …`).
// Promises: whatever is started here is ended here, also when something fails half way.
// Leaves to others: what is played (plan.ts), who is killed and when (play.ts).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Signalbox } from "@signalbox/sdk";
import { environmentFor } from "../../config.ts";
import { readKey } from "../../data-folder.ts";
import type { SignalboxServer } from "../../index.ts";
import type { Around } from "../brief-server.ts";
import { forgetCurrent, rememberCurrent } from "../discovery.ts";
import { loggerFrom } from "../log.ts";
import { type DemoAgent, type Ground, LOCK_HOLDERS } from "./plan.ts";

const command = fileURLToPath(new URL("../../../bin/signalbox.mjs", import.meta.url));

/** A worker process; `name` is that of its runtime. */
export type DemoWorker = {
  name: string;
  agent: string;
  process: ChildProcess;
  /** The end of what it said on stderr: why it ended, should it end by itself. */
  lastWords: string;
};

export type Stage = {
  client: Signalbox;
  url: string;
  /** Data folder of the server. */
  folder: string;
  /** Where the agents put their files. */
  scratch: string;
  /** Signs one browser in to the dashboard, once; null when this machine has no key for it. */
  loginLink: () => Promise<string | null>;
  begin: (agent: DemoAgent, name: string, leaseS?: number) => DemoWorker;
  /** Ends workers, then the server; removes what was temporary. */
  clear: () => Promise<void>;
};

/** Time a worker has to go by itself once it was asked to. */
const FAREWELL_MS = 8_000;
const LAST_WORDS = 1_000;

/** Opens the stage. A data folder that was named stays, a temporary one goes. */
export async function openStage(around: Around, ground: Ground): Promise<Stage> {
  const { config, screen } = around;
  const temporary = config.data === null ? mkdtempSync(join(tmpdir(), "signalbox-demo-")) : null;
  // The temporary folder itself: the account that runs the database in place of root has to reach
  // it, and could not reach a folder inside.
  const folder = temporary ?? resolve(config.data ?? "");
  const workers: DemoWorker[] = [];
  let server: SignalboxServer | null = null;
  const clear = async (): Promise<void> => {
    await Promise.all(workers.map(dismiss));
    forgetCurrent(config, folder);
    await server?.stop();
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
  };
  try {
    const { createSignalbox } = await import("../../index.ts");
    const logger = loggerFrom({ ...config, logLevel: "error" }, screen.asideColours);
    server = await createSignalbox({ dataDir: folder, logger });
    const { loginLink } = server;
    const url = await server.listen({ host: "127.0.0.1", port: 0 });
    rememberCurrent(config, server.dataDir);
    const key = server.cliKey ?? readKey(server.ownerKeyFile) ?? "";
    const client = new Signalbox({ url, key });
    const worker = await client.keys.create({ name: "demo workers", roles: ["worker"] });
    const begin: Stage["begin"] = (agent, name, leaseS) => {
      const begun = spawnWorker({ agent, name, leaseS }, { url, key: worker.key, ground });
      workers.push(begun);
      return begun;
    };
    return { client, url, folder, scratch: makeScratch(folder), loginLink, begin, clear };
  } catch (error) {
    await clear();
    throw error;
  }
}

/** Empty at every start, so that the demo can be played twice on one data folder. */
function makeScratch(folder: string): string {
  const scratch = join(folder, "demo-files");
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { mode: 0o700 });
  writeFileSync(join(scratch, "lock"), String(LOCK_HOLDERS));
  return scratch;
}

function spawnWorker(
  what: { agent: DemoAgent; name: string; leaseS: number | undefined },
  where: { url: string; key: string; ground: Ground },
): DemoWorker {
  const { agent, name, leaseS } = what;
  const lease = leaseS === undefined ? [] : ["--lease", String(leaseS)];
  const own = ["worker", "--agent", agent.name, "--runtime", name, ...lease];
  const program = [process.execPath, agent.program, ...agent.takes];
  const child = spawn(process.execPath, [command, ...own, "--", ...program], {
    cwd: where.ground.root,
    env: environmentFor(where),
    // The channel tells the worker when this process ends, however that happens.
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const worker: DemoWorker = { name, agent: agent.name, process: child, lastWords: "" };
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    worker.lastWords = `${worker.lastWords}${text}`.slice(-LAST_WORDS);
  });
  child.on("error", (error) => (worker.lastWords = error.message));
  return worker;
}

async function dismiss({ process: child }: DemoWorker): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), FAREWELL_MS);
  await gone;
  clearTimeout(timer);
}
