// What the tests of this room share: a project folder, a server process, a look at `ps`.
// Promises: every process started here is ended and every folder made here is removed when the
// test ends, also when it fails; waiting is polling with a deadline.
// Leaves to others: judging. `ps` is read here anew, so that the room's own reading is not trusted.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import pg from "pg";
import { afterAll, onTestFinished } from "vitest";

import { startEmbedded } from "../../src/postgres/index.ts";

export const isRoot = process.geteuid?.() === 0;

/**
 * Times are promised for a machine that is not busy otherwise (`npm run bench:start` measures
 * them); the rest of the suite keeps this one busy. Ten times as long still tells a wait from a
 * hang.
 */
export const busy = (ms: number): number => 10 * ms;

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Asks until the answer is truthy; fails with `what` after `ms`. */
export async function eventually<Answer>(
  what: string,
  ms: number,
  ask: () => Answer | Promise<Answer>,
): Promise<NonNullable<Answer>> {
  const end = performance.now() + busy(ms);
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`not within ${busy(ms)} ms: ${what}`);
    await pause(5);
  }
}

/** A folder every account can reach, as `.signalbox` in it will be. */
export function project(mode = 0o755): { root: string; dataDir: string } {
  const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "signalbox-room-")));
  fs.chmodSync(root, mode);
  const dataDir = join(root, ".signalbox");
  // Runs last: whatever a test started in the folder was told to end before.
  onTestFinished(async () => {
    await eventually(
      `the end of what runs in ${root}`,
      8_000,
      () => postmasters(root).length === 0,
    ).finally(() => postmasters(root).forEach((one) => kill(one.pid)));
    const pointer = join(dataDir, "postgres.location");
    const { path } = fs.existsSync(pointer)
      ? (JSON.parse(fs.readFileSync(pointer, "utf8")) as { path: string })
      : { path: root };
    for (const folder of [path, root]) fs.rmSync(folder, { recursive: true, force: true });
    if (path !== root && fs.readdirSync(dirname(path)).length === 0) fs.rmdirSync(dirname(path));
  });
  return { root, dataDir };
}

let template: Promise<string> | undefined;

/** One first start for each test file that needs it. */
async function makeTemplate(): Promise<string> {
  const root = fs.mkdtempSync(join(tmpdir(), "signalbox-room-"));
  fs.chmodSync(root, 0o755);
  await (await startEmbedded({ dataDir: root })).stop();
  return join(root, "postgres");
}

afterAll(async () => {
  if (template !== undefined) fs.rmSync(dirname(await template), { recursive: true, force: true });
});

/** A project whose database was started and stopped before. Copying is quicker than initdb. */
export async function used(): Promise<{ root: string; dataDir: string }> {
  const source = await (template ??= makeTemplate());
  const made = project();
  fs.mkdirSync(made.dataDir);
  spawnSync("cp", ["-a", source, made.dataDir]);
  return made;
}

type Line = { pid: number; parent: number; session: number; state: string; command: string };

/** SIGKILL for one process: 0 and negative numbers would mean whole groups. */
export function kill(pid: number | undefined): void {
  if (pid === undefined || !(pid > 1)) throw new Error(`no process to kill: ${pid}`);
  process.kill(pid, "SIGKILL");
}

/** Live processes whose command line names this text. */
export function processes(text: string): Line[] {
  const columns = "pid=,ppid=,sess=,stat=,args=";
  const { stdout } = spawnSync("ps", ["-ww", "-axo", columns], { encoding: "utf8" });
  const lines = stdout.split("\n").flatMap((line): Line[] => {
    const [pid, parent, session, state = "", ...words] = line.trim().split(/\s+/);
    const command = words.join(" ");
    if (!command.includes(text) || state.startsWith("Z")) return [];
    return [{ pid: Number(pid), parent: Number(parent), session: Number(session), state, command }];
  });
  return lines.filter((line) => line.pid !== process.pid);
}

export const postmasters = (folder: string): Line[] =>
  processes(` -D ${folder}`).filter((line) => /^\S+\/postgres -D/.test(line.command));

export const watchers = (dataDir: string): Line[] =>
  processes(dataDir).filter((line) => line.command.startsWith("/bin/sh -c"));

export type Said = {
  url?: string;
  pid?: number;
  started?: string;
  stopped?: boolean;
  code?: string;
  exitCode?: number;
  message?: string;
};

export type Server = { child: ChildProcess; said: Said[]; next: (ms?: number) => Promise<Said> };

/** Starts `fixtures/server.mjs`; `next` gives what it says, line by line. */
export function server(dataDir: string, lockTool = "flock"): Server {
  const child = spawn(process.execPath, [fixture("server.mjs"), dataDir, lockTool], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said: Said[] = [];
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    said.push(...lines.map((line) => JSON.parse(line) as Said));
  });
  let read = 0;
  const next = async (ms = 5_000): Promise<Said> => {
    const line = await eventually("a word of the server", ms, () => said[read]);
    read += 1;
    return line;
  };
  return { child, said, next };
}

/** One query on a connection of its own. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error("it was not refused");
    },
    (error: unknown) => error,
  );
}
