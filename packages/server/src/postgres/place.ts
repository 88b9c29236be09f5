// Where the database lives: below the data folder, or, when root's unprivileged account cannot
// reach that folder (a 0700 home on the way), in a folder of the system with a pointer back.
// Promise: a place once used is found again; a pointer whose target vanished is refused, never
// answered with a new empty database. Temporary folders are no place for data: not used.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { type OsUser, run } from "./command.ts";
import { EmbeddedRefused, wayOut } from "./refused.ts";
import { writeDurably } from "./staging.ts";

/** Folders that survive a restart and are open to every account on the way down. */
const systemFolders = ["/var/lib", "/srv", "/usr/local/var", "/opt"];

/** statfs types of NFS, SMB, CIFS, SMB2, 9p: locks and flushes there depend on the far end. */
const networkTypes = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x01021997]);

type Pointer = { path: string; ready: boolean };

const pointerOf = (dataDir: string): string => join(dataDir, "postgres.location");

function writePointer(dataDir: string, pointer: Pointer): void {
  const draft = `${pointerOf(dataDir)}.new`;
  writeDurably(draft, `${JSON.stringify(pointer)}\n`);
  fs.renameSync(draft, pointerOf(dataDir));
}

function readPointer(dataDir: string): Pointer | undefined {
  if (!fs.existsSync(pointerOf(dataDir))) return undefined;
  const pointer = JSON.parse(fs.readFileSync(pointerOf(dataDir), "utf8")) as Pointer;
  if (!pointer.ready || fs.existsSync(join(pointer.path, "postgres"))) return pointer;
  throw new EmbeddedRefused(
    "start_failed",
    `${pointerOf(dataDir)} says the database is in ${pointer.path}, which is not there. ` +
      `Bring it back, or remove the pointer to start with an empty database.`,
  );
}

/** The folder that holds `postgres/`, if an earlier start has settled it. */
export function knownPlace(dataDir: string): string | undefined {
  const pointer = readPointer(dataDir);
  if (pointer !== undefined) return pointer.path;
  return fs.existsSync(join(dataDir, "postgres")) ? dataDir : undefined;
}

/** Whether the account can enter a folder: asked of the system, which knows ACLs and mounts. */
export async function canEnter(user: OsUser, folder: string): Promise<boolean> {
  const { code } = await run("/bin/sh", ["-c", 'cd -- "$1"', "sh", folder], user);
  return code === 0;
}

/** Lets the account pass through, nobody else: group of the account, 0710. */
export function openFor(user: OsUser, folder: string): void {
  if (!user.drop) return;
  fs.chownSync(folder, fs.statSync(folder).uid, user.gid);
  fs.chmodSync(folder, 0o710);
}

async function elsewhere(dataDir: string, user: OsUser): Promise<string> {
  const name = basename(dirname(resolve(dataDir))).replace(/[^A-Za-z0-9_-]/g, "") || "signalbox";
  for (const system of systemFolders) {
    const base = join(system, "signalbox");
    try {
      fs.mkdirSync(base, { mode: 0o755 });
      fs.chmodSync(base, 0o755);
    } catch {
      // There already, or not possible here: entering it decides.
    }
    if (!fs.existsSync(base) || !(await canEnter(user, base))) continue;
    const path = join(base, `${name}-${randomBytes(4).toString("hex")}`);
    writePointer(dataDir, { path, ready: false });
    return path;
  }
  throw new EmbeddedRefused(
    "no_user",
    `The account ${user.name}, which has to run PostgreSQL in place of root, cannot reach ` +
      `${dataDir}, nor ${systemFolders.join(", ")}. Choose another SIGNALBOX_DATA. ${wayOut}`,
  );
}

/** The folder for `postgres/` and copied binaries; made, and open to the account. */
export async function findPlace(dataDir: string, user: OsUser): Promise<string> {
  const known = knownPlace(dataDir);
  let place = known ?? dataDir;
  const closed = user.drop && !(await canEnter(user, dirname(place)));
  if (closed && known === undefined) place = await elsewhere(dataDir, user);
  fs.mkdirSync(place, { recursive: true, mode: 0o700 });
  openFor(user, place);
  if (!user.drop || (await canEnter(user, place))) return place;
  throw new EmbeddedRefused(
    "no_user",
    `The account ${user.name}, which runs PostgreSQL in place of root, cannot reach ${place}. ` +
      `Open the folders above it (chmod o+x), or choose another SIGNALBOX_DATA. ${wayOut}`,
  );
}

/** From now on the pointer is believed. */
export function settlePlace(dataDir: string, place: string): void {
  if (place !== dataDir && readPointer(dataDir)?.ready !== true) {
    writePointer(dataDir, { path: place, ready: true });
  }
}

export function onNetwork(folder: string): boolean {
  return networkTypes.has(fs.statfsSync(folder).type);
}
