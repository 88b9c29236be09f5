// Finds the server of this machine without configuration: a data folder upward from the working
// folder, then the user's current server.
// Promises: only a data folder that belongs to this user (or to root) is believed; a server counts
// as running if its process lives and, with the database in the box, holds the folder's lock, so a
// key is never sent to whoever took over a dead server's port.
// Leaves to others: asking the server (door.ts), writing `server.json` (data-folder.ts).

import * as fs from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Config } from "../config.ts";
import { readServerFile, type ServerFile, writePrivate } from "../data-folder.ts";
import { describeHolder } from "../postgres/lock.ts";

const FOLDER_NAME = ".signalbox";

/** The data folder to use: the one given, the nearest existing one, or a new one here. */
export function chooseDataFolder(config: Config, from = process.cwd()): string {
  return config.data ?? nearestDataFolder(from) ?? resolve(from, FOLDER_NAME);
}

/**
 * The nearest `.signalbox` at or above a folder. Not that of the home or temporary folder, unless
 * we stand in it: it would catch everything below.
 */
function nearestDataFolder(from: string): string | null {
  const start = resolve(from);
  const ends = new Set([homedir(), tmpdir(), "/"].map((path) => resolve(path)));
  for (let folder = start; ; folder = dirname(folder)) {
    if (folder !== start && ends.has(folder)) return null;
    const candidate = join(folder, FOLDER_NAME);
    if (isOurs(candidate)) return candidate;
    if (dirname(folder) === folder) return null;
  }
}

/** A folder another user put there could send us to a server of theirs. */
function isOurs(folder: string): boolean {
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return false;
  const user = process.getuid?.();
  return user === undefined || stat.uid === user || stat.uid === 0;
}

/** Whether a data folder has been used before: it holds a database, or keys to one. */
export function wasUsed(folder: string): boolean {
  if (!fs.existsSync(folder)) return false;
  return fs
    .readdirSync(folder)
    .some((name) => name === "postgres" || name === "postgres.location" || name.endsWith(".key"));
}

/** The running server of a data folder. */
export function runningServer(folder: string): ServerFile | null {
  const file = readServerFile(folder);
  if (file === null || !isAlive(file.pid)) return null;
  if (file.database === "embedded" && describeHolder(folder)?.pid !== file.pid) return null;
  return file;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** `~/.local/state/signalbox/current.json`: which data folder the user's last `up` used. */
function currentFile(config: Config): string {
  const state = config.stateHome ?? join(homedir(), ".local", "state");
  return join(state, "signalbox", "current.json");
}

/** Remembers the user's current server. Only a convenience: a failure changes nothing else. */
export function rememberCurrent(config: Config, folder: string): void {
  try {
    const path = currentFile(config);
    fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writePrivate(path, `${JSON.stringify({ data_folder: folder })}\n`);
  } catch {
    // A home that cannot be written, as in many containers.
  }
}

/** Forgets the current server if it is the one of this folder. */
export function forgetCurrent(config: Config, folder: string): void {
  if (currentFolder(config) === folder) fs.rmSync(currentFile(config), { force: true });
}

function currentFolder(config: Config): string | null {
  try {
    const text = fs.readFileSync(currentFile(config), "utf8");
    const { data_folder: folder } = JSON.parse(text) as { data_folder?: unknown };
    return typeof folder === "string" ? folder : null;
  } catch {
    return null;
  }
}

/** The server to talk to when no URL is given: of the data folder, else the user's current one. */
export function findServer(config: Config, from = process.cwd()): ServerFile | null {
  const folder = config.data ?? nearestDataFolder(from);
  const here = folder === null ? null : runningServer(folder);
  if (here !== null || config.data !== null) return here;
  const current = currentFolder(config);
  return current !== null && isOurs(current) ? runningServer(current) : null;
}
