// The private folder of one attempt: its input file, the places for its output and for a limit that
// it met, a fresh work folder.
// Promises: folder 0700, files 0600, so that nobody else on the machine reads them; removed when
// the attempt ends; a folder whose worker died first is removed at the next start of a worker, by
// a mark that names that worker by pid, start time and pid namespace.
// Leaves to others: ending the processes that still use it (`tree.ts`, before this).

import {
  chmod,
  lstat,
  mkdtemp,
  mkdir,
  open,
  readFile,
  readdir,
  rm,
  writeFile,
} from "node:fs/promises";
import { constants } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json } from "../../wire.ts";
import { parseWorkerMark, workerMark } from "./environment.ts";
import { isAlive, pidNamespaceOf } from "./proc-table.ts";

const FOLDER_PREFIX = "signalbox-attempt-";
const OWNER_FILE = "owner";

export type Scratch = {
  directory: string;
  inputPath: string;
  outputPath: string;
  limitPath: string;
};

/** Makes the folder and writes the input. Throws what the file system says (ENOSPC and so on). */
export async function createScratch(input: Json, under: string = tmpdir()): Promise<Scratch> {
  const directory = await mkdtemp(join(under, FOLDER_PREFIX));
  await writePrivate(join(directory, OWNER_FILE), workerMark());
  const inputPath = join(directory, "input.json");
  await writePrivate(inputPath, JSON.stringify(input));
  const [outputPath, limitPath] = [join(directory, "output.json"), join(directory, "limit.json")];
  return { directory, inputPath, outputPath, limitPath };
}

/** An empty folder inside, for `cwd: "fresh"`. */
export async function createWorkFolder(scratch: Scratch): Promise<string> {
  const path = join(scratch.directory, "work");
  await mkdir(path, { mode: 0o700 });
  return path;
}

/** Removes the folder. What cannot be removed now is left to {@link sweepScratch}. */
export async function removeScratch(directory: string): Promise<boolean> {
  const options = { recursive: true, force: true, maxRetries: 3, retryDelay: 50 };
  try {
    await rm(directory, options).catch(async () => {
      await openUp(directory);
      await rm(directory, options);
    });
    return true;
  } catch {
    return false;
  }
}

// A folder whose owner may not write it cannot be emptied: the child may have left such ones.
async function openUp(directory: string): Promise<void> {
  await chmod(directory, 0o700);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await openUp(join(directory, entry.name));
  }
}

/** Removes folders of this user whose worker is dead. Resolves with how many were removed. */
export async function sweepScratch(under: string = tmpdir()): Promise<number> {
  const names = await readdir(under).catch(() => []);
  let removed = 0;
  for (const name of names) {
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    const directory = join(under, name);
    if ((await isAbandoned(directory)) && (await removeScratch(directory))) removed += 1;
  }
  return removed;
}

/**
 * Reads at most `limit` bytes of a file the child may have written. Null when there is none, or
 * something else than a plain file: opening a pipe would wait for ever, a link may lead anywhere.
 */
export async function readBounded(
  path: string,
  limit: number,
): Promise<{ bytes: Buffer; length: number } | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => null);
  if (file === null) return null;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return null;
    const bytes = Buffer.alloc(Math.min(stat.size, limit));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return { bytes: bytes.subarray(0, filled), length: Math.max(stat.size, filled) };
  } catch {
    return null;
  } finally {
    await file.close();
  }
}

async function writePrivate(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
}

// Without a readable mark (another namespace, no process table) nothing is known about the owner,
// and the folder stays.
async function isAbandoned(directory: string): Promise<boolean> {
  const stat = await lstat(directory).catch(() => null);
  if (stat === null || !stat.isDirectory() || stat.uid !== process.getuid?.()) return false;
  const text = await readFile(join(directory, OWNER_FILE), "utf8").catch(() => "");
  const mark = parseWorkerMark(text);
  if (mark === null || mark.namespace !== pidNamespaceOf("self")) return false;
  return !isAlive(mark);
}
