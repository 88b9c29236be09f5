// Folders that exist whole or not at all: built beside their final name, flushed, renamed.
// Promise: an interrupted build is invisible and is swept away by the next one; only folders
// that carry our marker (or are empty) are ever removed, and a folder that is not ours is never
// touched. Leaves to others: holding the lock, so that nobody else builds the same folder.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";

const marker = "signalbox.json";

export type Marker = { made_by: "signalbox"; kind: string; id: string };

/** Writes and flushes; the mode is set whatever the umask. */
export function writeDurably(path: string, content: string, mode = 0o600): void {
  const fd = fs.openSync(path, "w", mode);
  try {
    fs.fchmodSync(fd, mode);
    fs.writeSync(fd, content);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export function flush(path: string): void {
  const fd = fs.openSync(path, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Our marker in a folder, undefined if the folder is not ours (or is not there). */
export function readMarker(folder: string): Marker | undefined {
  try {
    const found = JSON.parse(fs.readFileSync(join(folder, marker), "utf8")) as Partial<Marker>;
    const { made_by, kind, id } = found;
    if (made_by !== "signalbox" || kind === undefined || id === undefined) return undefined;
    return { made_by, kind, id };
  } catch {
    return undefined;
  }
}

/** Removes what is ours; true when it is gone. A half-written marker still says it is ours. */
export function removeOurs(folder: string): boolean {
  const entries = fs.readdirSync(folder);
  if (entries.length > 0 && !entries.includes(marker)) return false;
  // An initdb that outlived its server may still write here: removing is tried a few times.
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  return true;
}

export function removeLeftovers(final: string): void {
  const prefix = `${basename(final)}.new-`;
  for (const name of fs.readdirSync(dirname(final))) {
    if (name.startsWith(prefix)) removeOurs(join(dirname(final), name));
  }
}

/** Builds `final` by `fill`; a failed `fill` leaves nothing behind. */
export async function build(
  final: string,
  kind: string,
  fill: (folder: string, id: string) => Promise<void>,
): Promise<void> {
  removeLeftovers(final);
  const folder = fs.mkdtempSync(`${final}.new-`);
  const id = randomBytes(6).toString("hex");
  const content: Marker = { made_by: "signalbox", kind, id };
  try {
    writeDurably(join(folder, marker), `${JSON.stringify(content)}\n`);
    await fill(folder, id);
    flush(folder);
    fs.renameSync(folder, final);
    flush(dirname(final));
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
    throw error;
  }
}
