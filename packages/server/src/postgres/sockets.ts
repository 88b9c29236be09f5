// The folder of the Unix socket: 0700, owned by the account that runs PostgreSQL.
// Promise: the path always fits the 103 bytes a socket address has: in the cluster when it is
// short, else a new short folder for temporary files; what an earlier start left is removed.
// Leaves to others: who may connect (hba.conf and the password in cluster.ts).

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Cluster } from "./cluster.ts";
import type { OsUser } from "./command.ts";
import { canEnter } from "./place.ts";

/** Part of the socket's name only; no TCP port is opened. */
export const port = 5432;

const socketIn = (folder: string): string => join(folder, `.s.PGSQL.${port}`);
const fits = (folder: string): boolean => Buffer.byteLength(socketIn(folder)) <= 103;

const pointerOf = (cluster: Cluster): string => join(cluster.folder, "socket");

function empty(folder: string): void {
  fs.rmSync(socketIn(folder), { force: true });
  fs.rmSync(`${socketIn(folder)}.lock`, { force: true });
}

/** Removes the temporary folder of an earlier start, if there was one. */
export function removeSockets(cluster: Cluster): void {
  if (!fs.existsSync(pointerOf(cluster))) return;
  const folder = fs.readFileSync(pointerOf(cluster), "utf8").trim();
  try {
    empty(folder);
    fs.rmdirSync(folder);
  } catch {
    // Gone with a restart of the machine, or no longer ours to remove: it holds nothing.
  }
  fs.rmSync(pointerOf(cluster), { force: true });
}

export async function socketFolder(cluster: Cluster, user: OsUser): Promise<string> {
  removeSockets(cluster);
  const inside = join(cluster.folder, "run");
  if (fits(inside)) {
    empty(inside);
    return inside;
  }
  for (const base of [tmpdir(), "/tmp"]) {
    if (!fits(join(base, "signalbox-XXXXXX")) || !(await canEnter(user, base))) continue;
    const folder = fs.mkdtempSync(join(base, "signalbox-"));
    fs.writeFileSync(pointerOf(cluster), folder, { mode: 0o600 });
    if (user.drop) fs.chownSync(folder, user.uid, user.gid);
    return folder;
  }
  throw new Error(`no folder for temporary files is short enough for a socket (${tmpdir()})`);
}
